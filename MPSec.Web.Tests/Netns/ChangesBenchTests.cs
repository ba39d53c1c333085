using MPSec.Hosting.Bench;
using MPSec.Hosting.Cli;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Processes;

namespace MPSec.Tests.Netns;

public sealed class ChangesBenchTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task RunAsync_OneSmallRound_MeasuresBothAndLeavesNothing()
    {
        using var scope = new NamespaceScope(); // only for its skip
        var steps = new List<string>();

        var report = await new ChangesBench(new CommandRunner(TimeProvider.System), TimeProvider.System).RunAsync(1, 2, 4, steps.Add, Token);

        Assert.Equal((2, 8, 28), (report.Paths, report.Routes, report.Operations));
        Assert.Equal((16, 16), (report.PreviewedOperations, report.PreviewedCommands));
        Assert.True(report.OwnPerSecond > 0 && report.ToolPerSecond > 0 && report.Ratio > 0 && report.PreviewMs > 0 && report.PreviewOneByOneMs > 0);
        Assert.True(report.ArmColdMs > report.ArmWarmMs);
        Assert.DoesNotContain(NamespaceThread.List(), n => n == BenchNamespaces.Name('c') || n == BenchNamespaces.Name('d'));
        Assert.Contains(steps, s => s.StartsWith("round 1: load ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task RunAsync_RoundsOutOfRange_IsAUsageError() => Assert.Equal(CliExitCode.Usage, await MPSecCommandLine.RunAsync(["bench", "changes", "--rounds", "6"]));

    [Fact]
    public void Text_BarThatFails_SaysFailed()
    {
        var report = new ChangesReport
        {
            Paths = 8,
            Routes = 200,
            Operations = 448,
            Rounds = [new(0.5, 100, 50)],
            OwnPerSecond = 4480,
            ToolPerSecond = 8960,
            Ratio = 0.5,
            PreviewedOperations = 64,
            PreviewedCommands = 64,
            PreviewMs = 50,
            PreviewOneByOneMs = 400,
            ArmColdMs = 1500,
            ArmWarmMs = 8.25,
        };

        Assert.Contains("FAILED  preview in 50.0 ms, below 50 ms", BenchCommand.Text(report));
        Assert.False(report.Passed);
        var sound = report with { PreviewMs = 49.9 };
        Assert.DoesNotContain("FAILED", BenchCommand.Text(sound));
        Assert.Contains("1500 ms when it must be started, 8.3 ms when it is still there", BenchCommand.Text(sound));
    }
}
