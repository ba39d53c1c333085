using System.Diagnostics;
using System.Globalization;
using MPSec.Data;
using MPSec.Jobs;
using MPSec.Linux.Processes;
using MPSec.Tests.Data;

namespace MPSec.Tests.Jobs;

/// <summary>
/// A server, as a process of its own, is killed by SIGKILL at random moments of jobs whose program goes through 40 steps, and started again, until all have
/// ended.
/// </summary>
public sealed class JobCrashTests : IDisposable
{
    private const int Lines = 40;
    private static readonly int s_runs = LongProofs.Wanted ? 6 : 2;
    private const string StateVariable = "MPSEC_CRASH_TEST_STATE";
    private readonly TempState _state = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _state.Dispose();

    /// <summary>The job of the killed server: a first step, a program that writes a start mark and 40 lines, a last step.</summary>
    internal static IJobKind Kind(string evidence) => new FakeKind(
        "crash",
        FakeKind.Step("before", context =>
        {
            context.Log("before");
            return Task.CompletedTask;
        }),
        FakeKind.Step("program", async context =>
        {
            var code = await context.RunProgramAsync("forty", new ProgramCall("/bin/sh", "-c", Script, "sh", evidence, $"run{context.RunId}"));
            context.Outcome = code == 0 ? "forty lines" : throw new JobFailedException($"exit code {code}");
        }),
        FakeKind.Step("after", async context => await File.AppendAllTextAsync(Path.Combine(evidence, "after"), "x", context.CancellationToken)));

    // mkdir is atomic: a second program at the same time cannot make the folder, and says so. The last line waits for leave, so that the number of kills
    // does not depend on how fast the machine is.
    private static readonly string Script = $"""
        mkdir "$1/$2" || echo "two at once" >> "$1/twice"
        echo started >> "$1/starts"
        i=1
        while [ $i -lt {Lines} ]; do echo "line $i"; sleep 0.08; i=$((i+1)); done
        while [ ! -e "$1/leave-$2" ]; do sleep 0.05; done
        echo "line $i"
        rmdir "$1/$2"
        """;

    /// <summary>The server to be killed: runs until the job that it is told has ended. Only started by the test below, in a process of its own.</summary>
    [Fact(Explicit = true)]
    public async Task Serve_UntilRunsEnded()
    {
        var root = Environment.GetEnvironmentVariable(StateVariable) ?? throw new InvalidOperationException($"set {StateVariable}");
        var evidence = Path.Combine(root, "evidence");
        await using var host = await JobHost.StartAsync(new StateFolder(root), workers: true, Kind(evidence));
        while ((await host.Engine.ListAsync(null, null, null, 100, Token)).Count < s_runs)
        {
            await host.Engine.StartAsync("crash", new NoJobParameters(), JobHost.Admin, Token);
        }

        await File.WriteAllTextAsync(Path.Combine(evidence, "ready"), "", Token);
        for (var id = 1; id <= s_runs; id++)
        {
            await host.EndAsync(id);
        }

        await File.WriteAllTextAsync(Path.Combine(evidence, "ended"), "", Token);
    }

    [Fact]
    public async Task Kill_AgainAndAgainDuringPrograms_OneResultEachAndEveryLineOnce()
    {
        const int KillsPerRun = 3;
        var wanted = s_runs * KillsPerRun;
        var evidence = Directory.CreateDirectory(Path.Combine(_state.Root, "evidence")).FullName;
        var random = new Random();
        var (ready, ended) = (Path.Combine(evidence, "ready"), Path.Combine(evidence, "ended"));
        var kills = 0;
        while (!File.Exists(ended))
        {
            File.Delete(ready);
            using var server = Serve();
            if (kills < wanted)
            {
                await UntilAsync(() => (File.Exists(ready) && (kills > 0 || File.Exists(Path.Combine(evidence, "starts")))) || server.HasExited);
                await Task.Delay(random.Next(0, 500), Token);
                server.Kill();
                kills++;
                for (var id = 1; id <= kills / KillsPerRun; id++)
                {
                    await File.WriteAllTextAsync(Path.Combine(evidence, $"leave-run{id}"), "", Token);
                }
            }

            await server.WaitForExitAsync(Token).WaitAsync(TimeSpan.FromMinutes(3), Token);
        }

        await using var host = await JobHost.StartAsync(_state.Folder, workers: false, Kind(evidence));
        Assert.Equal(wanted, kills);
        Assert.False(File.Exists(Path.Combine(evidence, "twice")), "two programs of one run at once");
        var resumed = 0;
        for (var id = 1; id <= s_runs; id++)
        {
            var run = await host.Engine.FindAsync(id, Token);
            Assert.Equal(JobState.Succeeded, run!.State);
            Assert.Single(run.Marks, mark => mark.Kind == JobMarkKind.Finished);
            Assert.Equal("forty lines", run.Steps[1].Outcome);
            var printed = host.LogOf(id).Split('\n').Where(line => line.Contains("Z | ", StringComparison.Ordinal)).Select(line => line[(JobLogWriter.StampLength + 3)..]);
            Assert.Equal(Enumerable.Range(1, Lines).Select(line => string.Create(CultureInfo.InvariantCulture, $"line {line}")), printed);
            Assert.Empty(ChildProbe.Living(_state.Folder, id));
            resumed += run.Attempt - 1;
        }

        Assert.Equal(s_runs, (await File.ReadAllLinesAsync(Path.Combine(evidence, "starts"), Token)).Length);
        Assert.True(resumed > 0, "no kill hit a running job");
    }

    private static async Task UntilAsync(Func<bool> reached)
    {
        while (!reached())
        {
            await Task.Delay(10, Token);
        }
    }

    private Process Serve()
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "MPSec.Web.Tests")) { RedirectStandardOutput = true };
        start.ArgumentList.Add("-explicit");
        start.ArgumentList.Add("only");
        start.ArgumentList.Add("-method");
        start.ArgumentList.Add($"{typeof(JobCrashTests).FullName}.{nameof(Serve_UntilRunsEnded)}");
        start.Environment[StateVariable] = _state.Root;
        var server = Process.Start(start)!;
        _ = server.StandardOutput.ReadToEndAsync(Token);
        return server;
    }
}
