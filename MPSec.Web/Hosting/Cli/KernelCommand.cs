using System.CommandLine;
using System.Globalization;
using System.Resources;
using System.Text;
using System.Text.Json;
using MPSec.Features.Kernel;
using MPSec.Linux.Processes;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec kernel report</c>: what the running kernel can do; works without the web program.</summary>
internal static class KernelCommand
{
    private static readonly Option<bool> s_json = MPSecCommandLine.JsonOption();

    public static Command Create()
    {
        var report = new Command("report", "Show what the running kernel can and cannot do, with evidence, and the shortest way to Multipath TCP; findings do not change the exit code") { s_json };
        report.SetAction(ReportAsync);
        var kernel = new Command("kernel", "Everything about the kernel of this machine")
        {
            report, KernelProfileCommand.Create(), KernelSourceCommand.Create(), KernelFetchCommand.Create(), KernelProveCommand.Create(), KernelConfigureCommand.Create(), KernelBuildCommand.Create(), KernelInstallCommand.Create(),
        };
        foreach (var verb in KernelBootCommands.Create())
        {
            kernel.Subcommands.Add(verb);
        }

        return kernel;
    }

    private static async Task<int> ReportAsync(ParseResult parse, CancellationToken cancellationToken)
    {
        KernelReport report;
        try
        {
            report = await new KernelReportService(new CommandRunner(TimeProvider.System)).ReadAsync(cancellationToken);
        }
        catch (IOException e)
        {
            throw new CliException(CliExitCode.Failed, e.Message);
        }

        await Console.Out.WriteAsync(parse.GetValue(s_json) ? JsonSerializer.Serialize(report, MPSecCommandLine.Json) + "\n" : Text(report));
        return CliExitCode.Done;
    }

    /// <summary>The report as a page of text.</summary>
    internal static string Text(KernelReport report)
    {
        var texts = new ResourceManager(typeof(KernelTexts));
        var words = new KernelWords((key, arguments) => string.Format(CultureInfo.InvariantCulture, texts.GetString(key, CultureInfo.InvariantCulture) ?? key, arguments));
        var text = new StringBuilder();
        text.AppendLine(words.Verdict(report)).AppendLine(words.Road(report)).AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"Kernel         {StatusCommand.Printable(report.Release ?? "–")}");
        text.AppendLine(CultureInfo.InvariantCulture, $"Distribution   {StatusCommand.Printable(report.Distribution ?? "–")}");
        text.AppendLine(CultureInfo.InvariantCulture, $"Multipath TCP  {words.Flavour(report)}");
        text.AppendLine(CultureInfo.InvariantCulture, $"Options from   {report.ConfigSource ?? "– (no file tells them)"}").AppendLine();
        foreach (var line in report.Features)
        {
            var remedy = words.Remedy(line) is { } r ? $"; needs {r}" : "";
            text.AppendLine(CultureInfo.InvariantCulture, $"  {words.State(line),-19} {words.Name(line)} (since {line.Since}){(line.IsNeeded ? ", used by MPSec" : "")}{remedy}");
            foreach (var seen in line.Evidence)
            {
                text.AppendLine("    seen: " + StatusCommand.Printable(seen));
            }
        }

        return text.ToString();
    }
}
