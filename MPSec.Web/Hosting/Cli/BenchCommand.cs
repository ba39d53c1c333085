using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using MPSec.Changes;
using MPSec.Hosting.Bench;
using MPSec.Linux;
using MPSec.Linux.Processes;
using MPSec.Linux.Sockets;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec bench</c>: measures MPSec itself on this machine, in namespaces that it makes and removes.</summary>
public static class BenchCommand
{
    private static readonly Option<int> s_rounds = new("--rounds") { Description = "Alternating rounds, 7 to 1000", DefaultValueFactory = _ => 7 };
    private static readonly Option<int> s_dashboards = new("--dashboards") { Description = "Dashboards at once, 2 to 500", DefaultValueFactory = _ => DashboardsBench.BarDashboards };
    private static readonly Option<int> s_seconds = new("--seconds") { Description = "Length of a measurement, 5 to 3600", DefaultValueFactory = _ => 30 };
    private static readonly Option<int> s_minutes = new("--minutes") { Description = "How long, 4 to 1440", DefaultValueFactory = _ => 120 };
    private static readonly Option<string> s_tree = new("--tree") { Description = "A kernel's source, unpacked; it is not altered", Required = true };
    private static readonly Option<bool> s_json = MPSecCommandLine.JsonOption();

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var sampling = new Command("sampling", "Cost of one full reading against ss, ip and nstat, with equal facts") { s_rounds, s_json };
        sampling.SetAction((parse, cancellationToken) => RunAsync(parse, "sampling", (rounds, runner, step) => new SamplingBench(runner, TimeProvider.System).RunAsync(rounds, step, cancellationToken), Text, r => r.Passed));
        var changes = new Command("changes", "Checked changes of 8 paths and 200 routes against ip -batch, and the time of a preview (bar: 50 ms)") { s_rounds, s_json };
        changes.SetAction((parse, cancellationToken) =>
            RunAsync(parse, "changes", (rounds, runner, step) => new ChangesBench(runner, TimeProvider.System).RunAsync(rounds, ChangesBench.Paths, ChangesBench.RoutesPerPath, step, cancellationToken), Text, r => r.Passed));
        var history = new Command("history", "History: ingest, size and a query of 30 days against plain rows in SQLite") { s_rounds, s_json };
        history.SetAction((parse, cancellationToken) => RunAsync(parse, "history", (rounds, _, step) => new HistoryBench(TimeProvider.System).RunAsync(rounds, step, cancellationToken), Text, r => r.Passed, needsRoot: false));
        var dashboards = new Command("dashboards", "Processor time, memory and bytes of many dashboards against one, and the time from the kernel to the page") { s_dashboards, s_seconds, s_json };
        dashboards.SetAction((parse, cancellationToken) =>
        {
            var (count, seconds) = (Number(parse, s_dashboards, 2, 500), Number(parse, s_seconds, 5, 3600));
            return RunAsync(parse, "dashboards", (runner, step) => new DashboardsBench(runner, TimeProvider.System).RunAsync(count, seconds, step, cancellationToken), Text, r => r.Passed);
        });
        var chart = new Command("chart", "One update of a live chart of 3 x 3,600 points against plain uPlot, in a headless Chromium") { s_rounds, s_json };
        chart.SetAction((parse, cancellationToken) => RunAsync(parse, "chart", (rounds, runner, step) => new ChartBench(runner).RunAsync(rounds, step, cancellationToken), Text, r => r.Passed, needsRoot: false));
        var soak = new Command("soak", "Memory over hours: ten readings a second of 1,000 connections on 20 dashboards") { s_minutes, s_json };
        soak.SetAction((parse, cancellationToken) =>
        {
            var minutes = Number(parse, s_minutes, 4, 1440);
            return RunAsync(parse, "soak", (runner, step) => new SoakBench(runner, TimeProvider.System).RunAsync(minutes, step, cancellationToken), Text, r => r.Passed);
        });
        var kernelbuild = new Command("kernelbuild", "A part of a kernel compiled under a job with its log followed live, against bare make") { s_tree, s_rounds, s_json };
        kernelbuild.SetAction((parse, cancellationToken) => RunAsync(
            parse, "kernelbuild", (rounds, runner, step) => new KernelBuildBench(runner, TimeProvider.System).RunAsync(Path.GetFullPath(parse.GetRequiredValue(s_tree)), rounds, step, cancellationToken), Text, r => r.Passed));
        var log = new Command("log", "The page of a job whose log of 100,000 lines grows by 2,000 lines a second, in a headless Chromium") { s_seconds, s_json };
        log.SetAction((parse, cancellationToken) =>
        {
            var seconds = Number(parse, s_seconds, 5, 3600);
            return RunAsync(parse, "log", (runner, step) => new LogBench(runner, TimeProvider.System).RunAsync(seconds, step, cancellationToken), Text, r => r.Passed, needsRoot: false);
        });
        return new Command("bench", "Measure MPSec on this machine") { sampling, changes, history, dashboards, chart, soak, kernelbuild, log };
    }

    private static int Number(ParseResult parse, Option<int> option, int least, int most) =>
        parse.GetValue(option) is var value && value >= least && value <= most
            ? value : throw new CliException(CliExitCode.Usage, $"{option.Name.TrimStart('-')}: give a whole number from {least} to {most}");

    private static Task<int> RunAsync<T>(ParseResult parse, string name, Func<int, ICommandRunner, Action<string>, Task<T>> run, Func<T, string> text, Func<T, bool> passed, bool needsRoot = true)
    {
        var rounds = Number(parse, s_rounds, 7, 1000);
        return RunAsync(parse, name, (runner, step) => run(rounds, runner, step), text, passed, needsRoot);
    }

    private static async Task<int> RunAsync<T>(ParseResult parse, string name, Func<ICommandRunner, Action<string>, Task<T>> run, Func<T, string> text, Func<T, bool> passed, bool needsRoot = true)
    {
        if (needsRoot && LibC.GetEffectiveUserId() != 0)
        {
            throw new CliException(CliExitCode.NotPermitted, $"bench {name} makes network namespaces: run it as root");
        }

        T report;
        try
        {
            report = await run(new CommandRunner(TimeProvider.System), step => Console.Error.WriteLine("bench: " + step));
        }
        catch (Exception e) when (e is ProgramMissingException or MptcpSocketException { IsNotInKernel: true } or ChangeException { Fault: ChangeFault.NotAvailable })
        {
            throw new CliException(CliExitCode.NotAvailable, e.Message);
        }
        catch (Exception e) when (e is IOException or FormatException or System.Net.Sockets.SocketException or ChangeException)
        {
            throw new CliException(CliExitCode.Failed, $"bench {name}: {e.Message}");
        }

        Console.Write(parse.GetValue(s_json) ? JsonSerializer.Serialize(report, MPSecCommandLine.Json) + "\n" : text(report));
        return passed(report) ? CliExitCode.Done : CliExitCode.Failed;
    }

    /// <summary>The report as a page of text.</summary>
    internal static string Text(KernelBuildReport report) => string.Create(
        CultureInfo.InvariantCulture,
        $"""
        {report.Objects} objects, {report.Jobs} compilers at once; bare make and the job take turns of half a second, the other one is halted meanwhile
          wall time         bare {report.MedianOf(r => r.BareSeconds):0.00} s, job {report.MedianOf(r => r.JobSeconds):0.00} s: {report.WallRatio:0.000} (bar {KernelBuildBench.Bar:0.00})
          processor time    bare {report.MedianOf(r => r.BareCpu):0.00} s, job {report.MedianOf(r => r.JobCpu):0.00} s: {report.CpuRatio:0.000} (bar {KernelBuildBench.Bar:0.00}), {report.MedianOf(r => r.OwnCpu):0.00} s of it by MPSec in place of the server
          {report.Rounds.Count} rounds, medians; ratios of wall time from {report.Rounds.Min(r => r.WallRatio):0.000} to {report.Rounds.Max(r => r.WallRatio):0.000}, of processor time from {report.Rounds.Min(r => r.CpuRatio):0.000} to {report.Rounds.Max(r => r.CpuRatio):0.000}
        {(report.Passed ? "passed" : "FAILED")}

        """);

    /// <summary>The report as a page of text.</summary>
    internal static string Text(LogReport report)
    {
        var text = new StringBuilder();
        Line(text, $"Log of a job, {report.Lines} lines, written at {report.LinesPerSecond} lines a second");
        Line(text, $"");
        Line(text, $"                       pictures/s   longest, ms   busy, %   behind, ms");
        foreach (var (name, frames) in new[] { ("not growing", report.Still), ("followed", report.Own), ("plain text", report.Plain) })
        {
            Line(text, $"  {name,-20} {frames.FramesPerSecond,10:0.0} {frames.LongestMs,13:0} {frames.BusyPercent,9:0.0} {(frames.BehindMs is { } behind ? behind.ToString("0", CultureInfo.InvariantCulture) : "-"),12}");
        }

        Line(text, $"  a jump shows its lines after {report.JumpMs:0} ms (median), a search of all lines takes {report.SearchMs:0} ms");
        Line(text, $"");
        Bar(text, report.LinesPerSecond >= LogBench.Rate * 0.95, $"{report.LinesPerSecond} lines a second, {LogBench.Rate} wanted");
        Bar(text, report.Own.FramesPerSecond >= report.Still.FramesPerSecond * LogBench.FramesBar, $"{report.Own.FramesPerSecond / report.Still.FramesPerSecond:0.00} of the pictures of a page that stands still, at least {LogBench.FramesBar:0.0}; {report.Own.FramesPerSecond / report.Plain.FramesPerSecond:0.00} of those of plain text");
        Bar(text, report.Own.LongestMs <= LogBench.LongestBarMs, $"longest stop {report.Own.LongestMs:0} ms, at most {LogBench.LongestBarMs:0} ms");
        Bar(text, report.Own.BehindMs <= LogBench.BehindBarMs, $"newest line {report.Own.BehindMs:0} ms old, at most {LogBench.BehindBarMs:0} ms");
        Bar(text, report.JumpMs <= LogBench.JumpBarMs, $"jump in {report.JumpMs:0} ms, at most {LogBench.JumpBarMs:0} ms");
        return text.ToString();
    }

    internal static string Text(ChangesReport report)
    {
        var text = new StringBuilder();
        Line(text, $"Checked changes of a gateway with {report.Paths} paths and {report.Routes} routes: {report.Operations} operations added and taken away");
        Line(text, $"");
        Line(text, $"  through the door  {report.OwnPerSecond,8:0} operations a second, with dead-man, journal on disk and way back");
        Line(text, $"  ip -batch         {report.ToolPerSecond,8:0} operations a second, with none of these   ratio {report.Ratio:0.00}");
        Line(text, $"  dead-man ready    {report.ArmColdMs:0} ms when it must be started, {report.ArmWarmMs:0.0} ms when it is still there");
        Line(text, $"  preview           {report.PreviewMs:0.0} ms for {report.PreviewedOperations} operations; {report.PreviewOneByOneMs:0.0} ms when each asks the kernel anew");
        Line(text, $"  load average {report.Rounds.Min(r => r.Load):0.00} to {report.Rounds.Max(r => r.Load):0.00}, {report.Rounds.Count} rounds, medians");
        Line(text, $"");
        Bar(text, report.PreviewHolds, $"preview in {report.PreviewMs:0.0} ms, below {ChangesBench.PreviewBarMs:0} ms");
        return text.ToString();
    }

    /// <summary>The report as a page of text.</summary>
    internal static string Text(DashboardsReport report)
    {
        var text = new StringBuilder();
        Line(text, $"Dashboards: the Multipath page of a gateway with three paths, one reading a second, {report.Seconds} s each");
        Line(text, $"");
        Line(text, $"                       {report.One.Dashboards,6} {report.Many.Dashboards,8}");
        Line(text, $"  processor time       {report.One.CpuPercent,6:0.0} {report.Many.CpuPercent,8:0.0} % of a core   ratio {report.CpuRatio:0.0}");
        Line(text, $"  objects              {report.One.ManagedBytes / 1048576,6:0.0} {report.Many.ManagedBytes / 1048576,8:0.0} MiB   {report.MiBPerDashboard:0.00} MiB for one more");
        Line(text, $"  memory held          {report.One.ResidentBytes / 1048576,6:0.0} {report.Many.ResidentBytes / 1048576,8:0.0} MiB   {report.ResidentMiBPerDashboard:0.00} MiB for one more");
        Line(text, $"  changes per second   {report.One.RendersPerSecond,6:0.0} {report.Many.RendersPerSecond,8:0.0} each");
        Line(text, $"  on the wire          {report.One.BytesPerSecond / 1024,6:0.0} {report.Many.BytesPerSecond / 1024,8:0.0} KiB a second each, {report.Many.BytesPerChartTick ?? double.NaN:0} bytes per chart and tick");
        Line(text, report.LatencyP95 is null ? $"  kernel to page       –: no Chromium is installed" : (FormattableString)$"  kernel to page       median {report.LatencyMedian:0.00} s, 95th percentile {report.LatencyP95:0.00} s of {report.LatencySeconds!.Count}");
        Line(text, $"  load average {report.One.Load:0.00} and {report.Many.Load:0.00}");
        Line(text, $"");
        Bar(text, report.CpuHolds, $"processor time {report.CpuRatio:0.0} times that of one, at most {DashboardsBench.CpuBar:0} for {DashboardsBench.BarDashboards}");
        Bar(text, report.MemoryHolds, $"{report.MiBPerDashboard:0.00} MiB per dashboard, at most {DashboardsBench.MemoryBar:0}");
        Bar(text, report.BytesHold, $"{report.Many.BytesPerChartTick ?? double.NaN:0} bytes per chart and tick, at most {DashboardsBench.ChartBar:0}");
        if (report.LatencyP95 is not null)
        {
            Bar(text, report.LatencyHolds, $"kernel to page {report.LatencyP95:0.00} s, at most {DashboardsBench.LatencyBar:0.0}");
        }

        return text.ToString();
    }

    /// <summary>The report as a page of text.</summary>
    internal static string Text(ChartReport report)
    {
        var text = new StringBuilder();
        Line(text, $"One update of a chart of {report.Series} x {report.Points} points");
        Line(text, $"");
        Line(text, $"  live chart  {report.OwnMs,6:0.00} ms");
        Line(text, $"  uPlot       {report.PlainMs,6:0.00} ms   ratio {report.Ratio:0.00}");
        Line(text, $"  load average {report.Loads.Min():0.00} to {report.Loads.Max():0.00}, {report.Loads.Count} rounds, medians");
        Line(text, $"");
        Bar(text, report.Passed, $"{report.Ratio:0.00} times plain uPlot, at most {ChartBench.RatioBar:0.0}");
        return text.ToString();
    }

    /// <summary>The report as a page of text.</summary>
    internal static string Text(SoakReport report)
    {
        var text = new StringBuilder();
        Line(text, $"Soak of {report.Points[^1].Minutes:0} min: {report.Connections} connections, ten readings a second, {report.Dashboards} dashboards");
        Line(text, $"");
        Line(text, $"  objects      {report.Points[0].ManagedBytes / 1048576,7:0.0} MiB at first, {report.Points[^1].ManagedBytes / 1048576:0.0} MiB at the end, {report.ManagedSlope:+0.00;-0.00} MiB an hour after the {report.WarmUpMinutes:0} min of warm-up");
        Line(text, $"  own memory   {report.Points[0].OwnBytes / 1048576,7:0.0} MiB at first, {report.Points[^1].OwnBytes / 1048576:0.0} MiB at the end, {report.OwnSlope:+0.00;-0.00} MiB an hour");
        Line(text, $"  with files   {report.Points[0].ResidentBytes / 1048576,7:0.0} MiB at first, {report.Points[^1].ResidentBytes / 1048576:0.0} MiB at the end, {report.ResidentSlope:+0.00;-0.00} MiB an hour");
        Line(text, $"  processor    {report.Points.Average(p => p.CpuPercent),7:0} % of a core");
        Line(text, $"");
        Bar(text, report.ObjectsHold, $"objects {report.ManagedSlope:0.00} MiB an hour, below {SoakBench.SlopeBar:0}");
        Bar(text, report.OwnHolds, $"own memory {report.OwnSlope:0.00} MiB an hour, below {SoakBench.SlopeBar:0}");
        return text.ToString();
    }

    /// <summary>The report as a page of text.</summary>
    internal static string Text(HistoryReport report)
    {
        var text = new StringBuilder();
        Line(text, $"History: {report.Samples} samples of {report.Series} series per round; {report.Days} days of a path in points of one minute");
        Line(text, $"");
        Line(text, $"  ingest      {report.OwnPerSecond,9:0} samples a second, plain rows {report.PlainPerSecond,9:0}   ratio {report.IngestRatio:0.00}");
        Line(text, $"  size        {report.OwnBytes,9:0.00} bytes a sample, with all tiers; plain rows {report.PlainBytes:0.0}");
        Line(text, $"  query       {report.OwnQueryMs,9:0.00} ms (p95 {report.OwnQueryP95Ms:0.00}), GROUP BY over plain rows {report.PlainQueryMs:0.0} ms   ratio {report.QueryRatio:0.0}");
        Line(text, $"  load average {report.Loads.Min():0.00} to {report.Loads.Max():0.00}, {report.Loads.Count} rounds, medians");
        Line(text, $"");
        Bar(text, report.IngestHolds, $"ingest {report.IngestRatio:0.00} of a bare loop, at least {HistoryBench.IngestBar:0.0}");
        Bar(text, report.SizeHolds, $"{report.OwnBytes:0.00} bytes a sample, at most {HistoryBench.BytesBar:0}");
        Bar(text, report.QueryHolds, $"30 days in {report.OwnQueryMs:0.00} ms, at most {HistoryBench.QueryBarMs:0} and {report.QueryRatio:0.0} times faster than GROUP BY, at least {HistoryBench.QueryRatioBar:0}");
        return text.ToString();
    }

    /// <summary>The report as a page of text.</summary>
    internal static string Text(SamplingReport report)
    {
        var text = new StringBuilder();
        Line(text, $"One reading: {report.Interfaces} interfaces, {report.Connections} MPTCP connections, {report.Subflows} subflows, {report.Counters} counters");
        Line(text, $"");
        Line(text, $"                  MPSec      tools");
        Line(text, $"  CPU time  {report.OwnCpuMs,8:0.00} ms {report.ToolsCpuMs,7:0.00} ms   ratio {report.CpuRatio:0.0}");
        Line(text, $"  wall time {report.OwnWallMs,8:0.00} ms {report.ToolsWallMs,7:0.00} ms   ratio {report.WallRatio:0.0}");
        Line(text, $"  with addresses, routes, rules, shapers, limits and settings, which the tools do not print: {report.FullCpuMs:0.00} ms, ratio {report.FullCpuRatio:0.0}");
        Line(text, $"  memory taken per reading {report.AllocatedBytesPerReading / 1024.0:0} KiB");
        Line(text, $"  load average {report.Rounds.Min(r => r.Load):0.00} to {report.Rounds.Max(r => r.Load):0.00}, {report.Rounds.Count} rounds, medians");
        Line(text, $"");
        Bar(text, report.FactsAgree, $"facts equal to the tools': {report.FactsCompared} compared, {report.Differences.Count} differ");
        foreach (var difference in report.Differences.Take(10))
        {
            Line(text, $"          {difference}");
        }

        Bar(text, report.RatioHolds, $"CPU ratio {report.CpuRatio:0.0} for equal facts, {report.FullCpuRatio:0.0} for the whole reading, each at least {SamplingBench.RatioBar:0.0}");
        Bar(text, report.ShareHolds, $"one reading a second costs {report.CoreShareAtOneHertz * 100:0.00} % of a core, below {SamplingBench.ShareBar * 100:0.0} %");
        return text.ToString();
    }

    private static void Line(StringBuilder text, FormattableString line) => text.AppendLine(line.ToString(CultureInfo.InvariantCulture));

    private static void Bar(StringBuilder text, bool holds, FormattableString what) =>
        text.Append(holds ? "  passed  " : "  FAILED  ").AppendLine(what.ToString(CultureInfo.InvariantCulture));
}
