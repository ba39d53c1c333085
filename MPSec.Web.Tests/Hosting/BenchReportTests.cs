using MPSec.Hosting.Bench;
using MPSec.Hosting.Cli;

namespace MPSec.Tests.Hosting;

public sealed class BenchReportTests
{
    [Fact]
    public void Soak_Slope_IsThatAfterTheWarmUp()
    {
        const double MiB = 1048576;
        var points = Enumerable.Range(1, 60).Select(m => new SoakPoint(m, MiB * (m <= 15 ? 20 + m : 50 + (m / 60.0 * 0.5)), MiB * 300, 40)).ToArray();
        var report = new SoakReport(1000, 20, points);
        Assert.Equal(0.5, report.ManagedSlope, 6);
        Assert.Equal(0, report.ResidentSlope, 6);
        Assert.True(report.Passed);
        Assert.Contains("  passed  0.50 MiB an hour, below 1", BenchCommand.Text(report), StringComparison.Ordinal);
        Assert.False(new SoakReport(1000, 20, [.. points.Select(p => p with { ManagedBytes = p.Minutes * MiB })]).Passed);
    }

    [Fact]
    public void Dashboards_Bars_FailOneByOne()
    {
        var one = new DashboardsRound(1, 5, 20 * 1048576, 200 * 1048576, 1, 2700, 116, 1);
        var many = new DashboardsRound(50, 11, 60 * 1048576, 300 * 1048576, 1, 2700, 116, 1);
        var report = new DashboardsReport { Dashboards = 50, Seconds = 30, One = one, Many = many, LatencySeconds = [.. Enumerable.Range(1, 20).Select(i => i / 20.0)] };
        Assert.True(report.Passed);
        Assert.Equal((2.2, 0.95), (report.CpuRatio, report.LatencyP95));
        Assert.False((report with { Many = many with { CpuPercent = 76 } }).CpuHolds);
        Assert.False((report with { Many = many with { ManagedBytes = 200 * 1048576 } }).MemoryHolds);
        Assert.False((report with { Many = many with { BytesPerChartTick = 2049 } }).BytesHold);
        Assert.False((report with { Many = many with { BytesPerChartTick = null } }).BytesHold); // charts that got nothing are no success
        Assert.False((report with { LatencySeconds = [0.1, 1.6] }).LatencyHolds);
        Assert.Contains("no Chromium", BenchCommand.Text(report with { LatencySeconds = null }), StringComparison.Ordinal);
    }

    [Fact]
    public void Message_OfACircuit_IsReadAsItWasWritten()
    {
        var frame = BlazorPack.Invocation("0", "StartCircuit", "http://x/", "é", new string('a', 300), null, true, 7L);
        Assert.Null(BlazorPack.Read(frame.AsSpan(0, frame.Length - 1), out _));
        var message = BlazorPack.Read([.. frame, 1, 2], out var taken)!;
        Assert.Equal(frame.Length, taken);
        Assert.Equal([1L, null, "0", "StartCircuit"], message[..4]);
        Assert.Equal(["http://x/", "é", new string('a', 300), null, true, 7L], (object?[])message[4]!);
        Assert.Equal([6L], BlazorPack.Read(BlazorPack.Ping(), out _)!);
        Assert.Throws<FormatException>(() => BlazorPack.Read([3, 0x92, 1, 0xc1], out _));
        Assert.Throws<FormatException>(() => BlazorPack.Read([2, 0x92, 1], out _));
    }

    [Theory]
    [InlineData("dashboards", "--dashboards", "1")]
    [InlineData("dashboards", "--seconds", "4")]
    [InlineData("soak", "--minutes", "3")]
    public async Task Run_NumberOutOfRange_IsAUsageError(string bench, string option, string value) =>
        Assert.Equal(CliExitCode.Usage, await MPSecCommandLine.RunAsync(["bench", bench, option, value]));
}
