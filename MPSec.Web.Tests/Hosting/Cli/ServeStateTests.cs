using System.Diagnostics;
using MPSec.Hosting.Cli;
using MPSec.Tests.Data;

namespace MPSec.Tests.Hosting.Cli;

/// <summary>What <c>mpsec serve</c> says, and its exit code, when the state folder cannot be used. The real program, as a process.</summary>
public sealed class ServeStateTests : IDisposable
{
    private readonly TempState _state = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _state.Dispose();

    [Fact]
    public async Task Serve_FolderNotWritable_EndsWithThreeAndOneSentence()
    {
        var (code, error) = await ServeAsync("/proc/mpsec-state");
        Assert.Equal(CliExitCode.NotPermitted, code);
        Assert.StartsWith("mpsec: state folder /proc/mpsec-state: cannot write there", Assert.Single(error), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serve_SecondInstance_EndsWithOneAndThePid()
    {
        await using var first = await _state.StartAsync();
        var (code, error) = await ServeAsync(_state.Root);
        Assert.Equal(CliExitCode.Failed, code);
        Assert.Contains($"MPSec already runs on it as process {Environment.ProcessId}", Assert.Single(error), StringComparison.Ordinal);
    }

    private static async Task<(int Code, string[] Error)> ServeAsync(string state)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "mpsec")) { RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (var argument in (string[])["serve", "--state", state, "--urls", "http://127.0.0.1:0"])
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync(Token);
        _ = process.StandardOutput.ReadToEndAsync(Token);
        await process.WaitForExitAsync(Token).WaitAsync(TimeSpan.FromSeconds(60), Token);
        return (process.ExitCode, (await error).Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }
}
