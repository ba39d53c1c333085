using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using MPSec.Linux.Processes;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Linux.Processes;

public sealed class CommandRunnerTests
{
    private readonly CommandRunner _runner = new(TimeProvider.System);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task RunAsync_Arguments_ReachTheProgramUnchanged()
    {
        var result = await _runner.RunAsync(new("printf", "%s|", "a b", "$HOME", "*;x", "'\""), Token);

        Assert.Equal("a b|$HOME|*;x|'\"|", result.Output);
        Assert.True(result.Succeeded);
    }

    [Fact]
    public async Task RunAsync_Environment_IsNearlyEmpty()
    {
        var result = await _runner.RunAsync(new("env") { Environment = new Dictionary<string, string> { ["EXTRA"] = "1" } }, Token);

        Assert.Equal(["EXTRA", "LC_ALL", "PATH"], result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split('=')[0]).Order());
    }

    [Fact]
    public async Task RunAsync_WorkingFolderAndInput_AreRootAndEmpty()
    {
        Assert.Equal("/\n", (await _runner.RunAsync(new("pwd"), Token)).Output);
        Assert.Equal("", (await _runner.RunAsync(new("cat"), Token)).Output);
    }

    [Fact]
    public async Task RunAsync_ExitCodeAndError_AreTold()
    {
        var result = await _runner.RunAsync(new("sh", "-c", "echo bad >&2; exit 7"), Token);

        Assert.Equal((7, "", "bad\n"), (result.ExitCode, result.Output, result.Error));
        Assert.False(result.Succeeded);
    }

    [Fact]
    public async Task RunAsync_TooMuchOutput_IsCutAndMarked()
    {
        var result = await _runner.RunAsync(new("head", "-c", "300000", "/dev/zero") { OutputLimit = 1000 }, Token);

        Assert.Equal(1000, result.Output.Length);
        Assert.True(result.OutputTruncated);
        Assert.False(result.ErrorTruncated);
        Assert.Equal(0, result.ExitCode);
    }

    [Fact]
    public async Task RunAsync_Lines_AreDeliveredWithTheirOrigin()
    {
        var lines = new List<CommandOutputLine>();

        await _runner.RunAsync(new("printf", "one\\ntwo\\nthree") { OnLine = lines.Add }, Token);

        Assert.Equal(["one", "two", "three"], lines.Select(l => l.Text));
        Assert.All(lines, l => Assert.False(l.IsError));
    }

    [Fact]
    public async Task RunAsync_TimeUp_KillsTheWholeGroup()
    {
        var time = new FakeTimeProvider();
        var child = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var run = new CommandRunner(time).RunAsync(
            new("sh", "-c", "sleep 60 & echo $!; wait") { Timeout = TimeSpan.FromSeconds(5), OnLine = l => child.TrySetResult(int.Parse(l.Text, CultureInfo.InvariantCulture)) }, Token);
        await child.Task;

        time.Advance(TimeSpan.FromSeconds(5));
        var result = await run;

        Assert.True(result.TimedOut);
        Assert.False(result.Succeeded);
        await AssertGoneAsync(await child.Task);
    }

    [Fact]
    public async Task RunAsync_ProgramIgnoresTermination_IsKilled()
    {
        var result = await _runner.RunAsync(new("sh", "-c", "trap '' TERM; while :; do sleep 1; done") { Timeout = TimeSpan.FromMilliseconds(300) }, Token);

        Assert.True(result.TimedOut);
    }

    [Fact]
    public async Task RunAsync_Cancelled_KillsAndThrows()
    {
        using var cancel = new CancellationTokenSource();
        var child = 0;
        var run = _runner.RunAsync(
            new("sh", "-c", "echo $$; sleep 60") { OnLine = l => { child = int.Parse(l.Text, CultureInfo.InvariantCulture); cancel.Cancel(); } },
            cancel.Token);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        await AssertGoneAsync(child);
    }

    [Fact]
    public async Task RunAsync_BackgroundChildKeepsThePipe_DoesNotWaitForIt()
    {
        var result = await _runner.RunAsync(new("sh", "-c", "sleep 60 & echo $!") { Drain = TimeSpan.FromSeconds(1) }, Token);

        Assert.Equal(0, result.ExitCode);
        NamespaceKill(int.Parse(result.Output, CultureInfo.InvariantCulture));
    }

    [Theory]
    [InlineData("no-such-program-anywhere")]
    [InlineData("../bin/sh")]
    [InlineData("/nowhere/sh")]
    public async Task RunAsync_UnknownProgram_SaysThatItIsNotInstalled(string program)
    {
        var e = await Assert.ThrowsAsync<ProgramMissingException>(() => _runner.RunAsync(new(program), Token));

        Assert.Equal(program, e.Program);
        Assert.Contains("not installed", e.Message);
    }

    // A child of a child is told by a signal, and nobody waits for it here.
    private static Task AssertGoneAsync(int pid) => LabScope.UntilAsync(() => ProcessIdentity.Of(pid) is null, $"process {pid} is gone");

    private static void NamespaceKill(int pid) => System.Diagnostics.Process.GetProcessById(pid).Kill();
}
