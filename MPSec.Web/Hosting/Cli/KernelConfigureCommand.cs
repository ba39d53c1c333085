using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using MPSec.Features.Kernel;
using MPSec.Linux.Processes;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec kernel configure</c>: a configuration in a folder of its own, with the reason for everything that did not come out as it was asked for.</summary>
internal static class KernelConfigureCommand
{
    private static readonly Option<string> s_profile = new("--profile") { Description = string.Join(", ", KernelProfileTable.All.Select(p => p.Key)), DefaultValueFactory = _ => KernelBuildParameters.Usual.Profile };
    private static readonly Option<string> s_tree = new("--tree") { Description = "The source, unpacked", Required = true };
    private static readonly Option<string> s_into = new("--into") { Description = "Folder for the build", Required = true };
    private static readonly Option<string?> s_fragment = new("--fragment") { Description = "A file with further options, laid over the profile" };
    private static readonly Option<bool> s_json = MPSecCommandLine.JsonOption();

    public static Command Create()
    {
        var command = new Command("configure", "Configure a kernel's source by a profile and say why an option did not come out as it was asked for; exit code 1 when one did not") { s_profile, s_tree, s_into, s_fragment, s_json };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parse, CancellationToken cancellationToken)
    {
        var asked = new KernelBuildParameters(parse.GetRequiredValue(s_profile), new(KernelSourceKind.Distribution)) { Fragment = KernelBuildCommand.Fragment(parse.GetValue(s_fragment)) };
        if (asked.Check() is { } fault)
        {
            throw new CliException(CliExitCode.Usage, "--" + fault);
        }

        try
        {
            var extra = asked.Fragment is { } text ? KernelFragment.TryParse(text, out _) : null;
            var done = await new KernelConfigurer(new CommandRunner(TimeProvider.System)).ConfigureAsync(
                KernelProfileTable.All.First(p => p.Key == asked.Profile), extra, Path.GetFullPath(parse.GetRequiredValue(s_tree)), Path.GetFullPath(parse.GetRequiredValue(s_into)),
                line => Console.Error.WriteLine("configure: " + StatusCommand.Printable(line)), cancellationToken);
            Console.Write(parse.GetValue(s_json) ? JsonSerializer.Serialize(done, MPSecCommandLine.Json) + "\n" : Text(done));
            return done.Faults.All(f => f.Fault.IsHarmless) ? CliExitCode.Done : CliExitCode.Failed;
        }
        catch (ProgramMissingException e)
        {
            throw new CliException(CliExitCode.NotAvailable, e.Message + "; set up the packages of the group kernel");
        }
        catch (IOException e)
        {
            throw new CliException(CliExitCode.Failed, "kernel configure: " + e.Message);
        }
    }

    private static string Text(KernelConfigured done)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{StatusCommand.Printable(done.Release)}: {done.Added.Length} options set and {done.Removed.Length} taken out against the base; {done.ConfigFile}");
        foreach (var fault in done.Faults)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  {(fault.Fault.IsHarmless ? "note   " : "MISSING")} {fault.Fault.Wanted}: found {StatusCommand.Printable(fault.Fault.Found)}; {StatusCommand.Printable(fault.Reason)}");
        }

        return text.ToString();
    }
}
