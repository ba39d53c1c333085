using MPSec.Hosting.Bench;
using MPSec.Hosting.Cli;

namespace MPSec.Tests.Hosting;

public sealed class BenchReportTests
{
    [Fact]
    public void Soak_Slope_IsThatAfterTheWarmUp()
    {
        const double MiB = 1048576;
        var points = Enumerable.Range(1, 60)
            .Select(m => new SoakPoint(m, MiB * (m <= 30 ? 20 + m : 50 + (m / 60.0 * 0.5)), MiB * (m <= 30 ? 100 + m : 200 - (m / 60.0)), MiB * 300, 40)).ToArray();
        var report = new SoakReport(1000, 20, points);
        Assert.Equal(0.5, report.ManagedSlope, 6);
        Assert.Equal(-1, report.OwnSlope, 6);
        Assert.Equal(0, report.ResidentSlope, 6);
        Assert.True(report.Passed);
        var text = BenchCommand.Text(report);
        Assert.Contains("after the 30 min of warm-up", text, StringComparison.Ordinal);
        Assert.Contains("  passed  objects 0.50 MiB an hour, below 1", text, StringComparison.Ordinal);
        Assert.Contains("  passed  own memory -1.00 MiB an hour, below 1", text, StringComparison.Ordinal);
        Assert.False(new SoakReport(1000, 20, [.. points.Select(p => p with { ManagedBytes = p.Minutes * MiB })]).Passed);
        Assert.False(new SoakReport(1000, 20, [.. points.Select(p => p with { OwnBytes = p.Minutes * MiB })]).Passed);
        Assert.Equal(60, new SoakReport(1000, 20, [.. points, points[^1] with { Minutes = 180 }]).WarmUpMinutes);
    }

    [Fact]
    public void KernelBuild_Bars_FailOneByOne()
    {
        var round = new KernelBuildRound(100, 102, 200, 202, 1.5);
        var report = new KernelBuildReport(40, 2, [round, round, round with { JobSeconds = 150, JobCpu = 300 }]);
        Assert.Equal(1.02, report.WallRatio, 6);
        Assert.Equal(1.01, report.CpuRatio, 6);
        Assert.True(report.Passed);
        Assert.Contains("wall time         bare 100.00 s, job 102.00 s: 1.020 (bar 1.03)", BenchCommand.Text(report), StringComparison.Ordinal);
        Assert.False((report with { Rounds = [round with { JobSeconds = 103.1 }] }).Passed);
        Assert.False((report with { Rounds = [round with { JobCpu = 206.1 }] }).Passed);
    }

    [Fact]
    public void Log_Bars_FailOneByOne()
    {
        var report = new LogReport(2000, 160_000, new(60, 20, 0, null), new(55, 90, 2, 300), new(50, 60, 10, null), 80, 400);
        Assert.True(report.Passed);
        Assert.DoesNotContain("FAILED", BenchCommand.Text(report), StringComparison.Ordinal);
        foreach (var worse in (LogReport[])[
            report with { LinesPerSecond = 1500 }, report with { Own = report.Own with { FramesPerSecond = 47 } }, report with { Own = report.Own with { LongestMs = 251 } },
            report with { Own = report.Own with { BehindMs = 1001 } }, report with { Own = report.Own with { BehindMs = null } }, report with { JumpMs = 251 },
        ])
        {
            Assert.False(worse.Passed);
            Assert.Single(BenchCommand.Text(worse).Split('\n'), l => l.Contains("FAILED", StringComparison.Ordinal));
        }
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
