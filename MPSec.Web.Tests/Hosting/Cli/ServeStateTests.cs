using System.Diagnostics;
using MPSec.Data;
using MPSec.Hosting.Cli;
using MPSec.Linux;
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

    [Fact]
    public async Task Serve_WhileAVerbHasTheFolderForAMoment_WaitsAndStarts()
    {
        Directory.CreateDirectory(_state.Root);
        var verb = InstanceLock.Take(_state.Folder);
        using var process = Process.Start(Call(_state.Root))!;
        try
        {
            var line = process.StandardOutput.ReadLineAsync(Token).AsTask();
            await Task.Delay(TimeSpan.FromSeconds(2), Token);
            Assert.False(line.IsCompleted, "it did not wait");
            verb.Dispose();
            var said = await line.WaitAsync(TimeSpan.FromSeconds(60), Token);
            while (said?.StartsWith("MPSec listens on ", StringComparison.Ordinal) == false)
            {
                said = await process.StandardOutput.ReadLineAsync(Token).AsTask().WaitAsync(TimeSpan.FromSeconds(60), Token);
            }

            Assert.NotNull(said);
        }
        finally
        {
            verb.Dispose();
            process.Kill();
            await process.WaitForExitAsync(CancellationToken.None);
        }
    }

    [Fact]
    public async Task Serve_AskedToEndSeveralTimes_EndsWell()
    {
        using var process = Process.Start(Call(_state.Root))!;
        try
        {
            var error = process.StandardError.ReadToEndAsync(Token);
            while (await process.StandardOutput.ReadLineAsync(Token).AsTask().WaitAsync(TimeSpan.FromSeconds(60), Token) is { } said && !said.StartsWith("MPSec listens on ", StringComparison.Ordinal))
            {
            }

            _ = process.StandardOutput.ReadToEndAsync(Token);
            foreach (var signal in (int[])[15, 15, 2, 15]) // SIGTERM, SIGINT
            {
                Assert.True(LibC.Kill(process.Id, signal) == 0 || process.HasExited);
            }

            await process.WaitForExitAsync(Token).WaitAsync(TimeSpan.FromSeconds(60), Token);
            Assert.DoesNotContain("exception", await error, StringComparison.OrdinalIgnoreCase);
            Assert.Equal(CliExitCode.Done, process.ExitCode);
        }
        finally
        {
            process.Kill();
        }
    }

    private static ProcessStartInfo Call(string state)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "mpsec")) { RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (var argument in (string[])["serve", "--state", state, "--urls", "http://127.0.0.1:0"])
        {
            start.ArgumentList.Add(argument);
        }

        return start;
    }

    private static async Task<(int Code, string[] Error)> ServeAsync(string state)
    {
        using var process = Process.Start(Call(state))!;
        var error = process.StandardError.ReadToEndAsync(Token);
        _ = process.StandardOutput.ReadToEndAsync(Token);
        await process.WaitForExitAsync(Token).WaitAsync(TimeSpan.FromSeconds(60), Token);
        return (process.ExitCode, (await error).Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }
}
