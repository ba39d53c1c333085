using MPSec.Hosting.Bench;
using MPSec.Hosting.Cli;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Processes;

namespace MPSec.Tests.Netns;

public sealed class SamplingBenchTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task RunAsync_OneRound_ReadsTheSameFactsAsTheToolsAndLeavesNothing()
    {
        using var scope = new NamespaceScope(); // only for its skip
        var steps = new List<string>();

        var report = await new SamplingBench(new CommandRunner(TimeProvider.System), TimeProvider.System).RunAsync(1, steps.Add, Token);

        Assert.Equal((65, 1000, 2000), (report.Interfaces, report.Connections, report.Subflows));
        Assert.True(report.FactsAgree, string.Join('\n', report.Differences.Take(20)));
        Assert.True(report.FactsCompared > 3065);
        Assert.InRange(report.AllocatedBytesPerReading, 1, 4 << 20);
        Assert.True(report.OwnCpuMs > 0 && report.ToolsCpuMs > 0 && report.CoreShareAtOneHertz > 0);
        Assert.DoesNotContain(NamespaceThread.List(), n => n == BenchNamespaces.Name('a') || n == BenchNamespaces.Name('b'));
        Assert.Contains(steps, s => s.StartsWith("round 1: load ", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("6")]
    [InlineData("1001")]
    [InlineData("many")]
    public async Task RunAsync_RoundsOutOfRange_IsAUsageError(string rounds) =>
        Assert.Equal(CliExitCode.Usage, await MPSecCommandLine.RunAsync(["bench", "sampling", "--rounds", rounds]));

    [Fact]
    public void Text_BarsThatFail_SayFailed()
    {
        var report = new SamplingReport
        {
            Interfaces = 65,
            Connections = 1000,
            Subflows = 2000,
            Counters = 400,
            FactsCompared = 10,
            Differences = ["read: link a"],
            Rounds = [new(0.5, 10, 12, 11, 1024, 30, 40)],
            OwnCpuMs = 10,
            OwnWallMs = 12,
            FullCpuMs = 11,
            FullCpuRatio = 2.7,
            ToolsCpuMs = 30,
            ToolsWallMs = 40,
            CpuRatio = 3,
            WallRatio = 3.3,
            AllocatedBytesPerReading = 1024,
            CoreShareAtOneHertz = 0.02,
        };

        var text = BenchCommand.Text(report);

        Assert.False(report.Passed);
        Assert.Equal(3, text.Split("FAILED").Length - 1);
        Assert.Contains("read: link a", text);
        var sound = report with { Differences = [], CpuRatio = 5, FullCpuRatio = 5, CoreShareAtOneHertz = 0.0149 };
        Assert.DoesNotContain("FAILED", BenchCommand.Text(sound));
        Assert.Contains("FAILED", BenchCommand.Text(sound with { FullCpuRatio = 4.9 }));
    }
}
