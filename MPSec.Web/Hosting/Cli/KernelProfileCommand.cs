using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using MPSec.Features.Kernel;
using MPSec.Linux.Procfs;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec kernel profile</c>: what a profile asks for, and what of it a configuration has.</summary>
internal static class KernelProfileCommand
{
    private const long LargestFile = 8 << 20;

    private static readonly Argument<string?> s_name = new("NAME") { Description = string.Join(", ", KernelProfileTable.All.Select(p => p.Key)) + "; without it the profiles are listed", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> s_config = new("--config") { Description = "A kernel's .config to compare with; the running kernel's when nothing is said" };
    private static readonly Option<bool> s_fragment = new("--fragment") { Description = "Print the options only, as merge_config.sh of the kernel takes them" };
    private static readonly Option<bool> s_json = MPSecCommandLine.JsonOption();

    public static Command Create()
    {
        var command = new Command("profile", "Show the options of a kernel profile, and which of them a configuration lacks; exit code 1 when it lacks any") { s_name, s_config, s_fragment, s_json };
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult parse)
    {
        if (parse.GetValue(s_name) is not { } name)
        {
            Console.Write(parse.GetValue(s_json)
                ? JsonSerializer.Serialize(KernelProfileTable.All.Select(p => new { p.Key, p.Base, p.Fragment.Options }), MPSecCommandLine.Json) + "\n"
                : string.Concat(KernelProfileTable.All.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Key,-16} base {p.Base}, {p.Fragment.Options.Length} options\n"))));
            return CliExitCode.Done;
        }

        var profile = KernelProfileTable.All.FirstOrDefault(p => p.Key == name)
            ?? throw new CliException(CliExitCode.Usage, $"NAME: there is no profile '{StatusCommand.Printable(name)}'; the profiles are {string.Join(", ", KernelProfileTable.All.Select(p => p.Key))}");
        if (parse.GetValue(s_fragment))
        {
            Console.Write(profile.Fragment);
            return CliExitCode.Done;
        }

        var config = Config(parse.GetValue(s_config));
        var faults = profile.Fragment.Verify(config);
        Console.Write(parse.GetValue(s_json)
            ? JsonSerializer.Serialize(new { Profile = profile.Key, Config = config.Source, Asked = profile.Fragment.Options.Length, Faults = faults }, MPSecCommandLine.Json) + "\n"
            : Text(profile, config, faults));
        return faults.All(f => f.IsHarmless) ? CliExitCode.Done : CliExitCode.Failed;
    }

    private static KernelConfig Config(string? file)
    {
        if (file is null)
        {
            return KernelConfig.Read("/", KernelRelease.Read())
                ?? throw new CliException(CliExitCode.NotAvailable, "neither the running kernel nor a file in /boot tells its options; name a file with --config");
        }

        try
        {
            return new FileInfo(file).Length <= LargestFile
                ? KernelConfig.Parse(file, File.ReadAllText(file))
                : throw new CliException(CliExitCode.Usage, $"--config: the file is longer than {LargestFile} bytes, so it is no kernel configuration");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException(CliExitCode.Failed, $"--config: {e.Message}");
        }
    }

    private static string Text(KernelProfile profile, KernelConfig config, IReadOnlyList<KernelOptionFault> faults)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{profile.Key}: {profile.Fragment.Options.Length} options asked for, {faults.Count(f => !f.IsHarmless)} missing in {StatusCommand.Printable(config.Source)}");
        foreach (var fault in faults)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  {(fault.IsHarmless ? "note   " : "MISSING")} {fault.Wanted}: found {StatusCommand.Printable(fault.Found)}");
        }

        return text.ToString();
    }
}
