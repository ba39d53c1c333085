using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using MPSec.Hosting.Bench;
using MPSec.Linux;
using MPSec.Linux.Processes;
using MPSec.Linux.Sockets;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec bench</c>: measures MPSec itself on this machine, in namespaces that it makes and removes.</summary>
public static class BenchCommand
{
    private static readonly Option<int> s_rounds = new("--rounds") { Description = "Alternating rounds, 7 to 1000", DefaultValueFactory = _ => 7 };
    private static readonly Option<bool> s_json = MPSecCommandLine.JsonOption();

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var sampling = new Command("sampling", "Cost of one full reading against ss, ip and nstat, with equal facts") { s_rounds, s_json };
        sampling.SetAction(RunAsync);
        return new Command("bench", "Measure MPSec on this machine") { sampling };
    }

    private static async Task<int> RunAsync(ParseResult parse, CancellationToken cancellationToken)
    {
        var rounds = parse.GetValue(s_rounds);
        if (rounds is < 7 or > 1000)
        {
            throw new CliException(CliExitCode.Usage, "rounds: give a whole number from 7 to 1000");
        }

        if (LibC.GetEffectiveUserId() != 0)
        {
            throw new CliException(CliExitCode.NotPermitted, "bench sampling makes network namespaces: run it as root");
        }

        SamplingReport report;
        try
        {
            report = await new SamplingBench(new CommandRunner(TimeProvider.System), TimeProvider.System)
                .RunAsync(rounds, step => Console.Error.WriteLine("bench: " + step), cancellationToken);
        }
        catch (Exception e) when (e is ProgramMissingException or MptcpSocketException { IsNotInKernel: true })
        {
            throw new CliException(CliExitCode.NotAvailable, e.Message);
        }
        catch (Exception e) when (e is IOException or FormatException or System.Net.Sockets.SocketException)
        {
            throw new CliException(CliExitCode.Failed, "bench sampling: " + e.Message);
        }

        Console.Write(parse.GetValue(s_json) ? JsonSerializer.Serialize(report, MPSecCommandLine.Json) + "\n" : Text(report));
        return report.Passed ? CliExitCode.Done : CliExitCode.Failed;
    }

    /// <summary>The report as a page of text.</summary>
    internal static string Text(SamplingReport report)
    {
        var text = new StringBuilder();
        Line($"One reading: {report.Interfaces} interfaces, {report.Connections} MPTCP connections, {report.Subflows} subflows, {report.Counters} counters");
        Line($"");
        Line($"                  MPSec      tools");
        Line($"  CPU time  {report.OwnCpuMs,8:0.00} ms {report.ToolsCpuMs,7:0.00} ms   ratio {report.CpuRatio:0.0}");
        Line($"  wall time {report.OwnWallMs,8:0.00} ms {report.ToolsWallMs,7:0.00} ms   ratio {report.WallRatio:0.0}");
        Line($"  with addresses, routes, rules, shapers, limits and settings, which the tools do not print: {report.FullCpuMs:0.00} ms, ratio {report.FullCpuRatio:0.0}");
        Line($"  memory taken per reading {report.AllocatedBytesPerReading / 1024.0:0} KiB");
        Line($"  load average {report.Rounds.Min(r => r.Load):0.00} to {report.Rounds.Max(r => r.Load):0.00}, {report.Rounds.Count} rounds, medians");
        Line($"");
        Bar(report.FactsAgree, $"facts equal to the tools': {report.FactsCompared} compared, {report.Differences.Count} differ");
        foreach (var difference in report.Differences.Take(10))
        {
            Line($"          {difference}");
        }

        Bar(report.RatioHolds, $"CPU ratio {report.CpuRatio:0.0} for equal facts, {report.FullCpuRatio:0.0} for the whole reading, each at least {SamplingBench.RatioBar:0.0}");
        Bar(report.ShareHolds, $"one reading a second costs {report.CoreShareAtOneHertz * 100:0.00} % of a core, below {SamplingBench.ShareBar * 100:0.0} %");
        return text.ToString();

        void Line(FormattableString line) => text.AppendLine(line.ToString(CultureInfo.InvariantCulture));

        void Bar(bool holds, FormattableString what) => text.Append(holds ? "  passed  " : "  FAILED  ").AppendLine(what.ToString(CultureInfo.InvariantCulture));
    }
}
