using Microsoft.EntityFrameworkCore;
using MPSec.Jobs;
using MPSec.Linux.Processes;
using MPSec.Tests.Data;

namespace MPSec.Tests.Jobs;

/// <summary>What a server finds when it starts. A run left "Running" is made by writing its row, as a killed server leaves it.</summary>
public sealed class JobRecoveryTests : IDisposable
{
    private readonly TempState _state = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _state.Dispose();

    [Fact]
    public async Task Start_QueuedRun_IsDone()
    {
        var kind = new FakeKind("k", FakeKind.Step("a", _ => Task.CompletedTask));
        long id;
        await using (var before = await JobHost.StartAsync(_state.Folder, workers: false, kind))
        {
            id = await before.Engine.StartAsync("k", new NoJobParameters(), JobHost.Admin, Token);
        }

        await using var after = await JobHost.StartAsync(_state.Folder, workers: true, kind);
        Assert.Equal(JobState.Succeeded, (await after.EndAsync(id)).State);
    }

    [Fact]
    public async Task Start_RunningResumable_GoesOnAtFirstUnfinishedStepWithItsMemory()
    {
        var done = new List<string>();
        var kind = new FakeKind(
            "k",
            FakeKind.Step("a", _ => throw new InvalidOperationException("a was done")),
            FakeKind.Step("b", context =>
            {
                done.Add(context.Recall<Memory>()?.Text ?? "nothing");
                return Task.CompletedTask;
            }));
        var id = await LeaveRunningAsync(kind, run =>
        {
            run.Steps[0].State = JobStepState.Done;
            run.Steps[1].State = JobStepState.Running;
            run.Steps[1].Memory = """{"text":"kept"}""";
        });
        await using var after = await JobHost.StartAsync(_state.Folder, workers: true, kind);
        var run = await after.EndAsync(id);
        Assert.Equal(JobState.Succeeded, run.State);
        Assert.Equal(["kept"], done);
        Assert.Equal(
            [JobMarkKind.Requested, JobMarkKind.Interrupted, JobMarkKind.Resumed, JobMarkKind.Finished],
            run.Marks.Select(mark => mark.Kind));
        Assert.Equal(2, run.Marks.Single(mark => mark.Kind == JobMarkKind.Interrupted).Step);
    }

    [Fact]
    public async Task Start_RunningNotResumable_WaitsForAnAdministrator()
    {
        var kind = new FakeKind("k", FakeKind.Step("a", _ => throw new InvalidOperationException("must not run"))) { Resumable = false };
        var id = await LeaveRunningAsync(kind, run => run.Steps[0].State = JobStepState.Running);
        await using var after = await JobHost.StartAsync(_state.Folder, workers: true, kind);
        var run = await after.Engine.FindAsync(id, Token);
        Assert.Equal(JobState.Interrupted, run!.State);
        await after.Engine.CancelAsync(id, JobHost.Admin, Token);
        Assert.Equal(JobState.Cancelled, (await after.Engine.FindAsync(id, Token))!.State);
    }

    [Fact]
    public async Task Start_KindGone_FailsWithItsName()
    {
        var id = await LeaveRunningAsync(new FakeKind("old", FakeKind.Step("a", _ => Task.CompletedTask)), _ => { });
        await using var after = await JobHost.StartAsync(_state.Folder, workers: true, new FakeKind("new"));
        var run = await after.Engine.FindAsync(id, Token);
        Assert.Equal(JobState.Failed, run!.State);
        Assert.Contains("'old'", run.Result, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stop_WhileProgramRuns_LeavesItAndTheNextServerFollowsIt()
    {
        var leave = Path.Combine(_state.Root, "leave");
        var kind = new FakeKind("k", FakeKind.Step("a", async context =>
            context.Outcome = $"code {await context.RunProgramAsync("p", new ProgramCall("/bin/sh", "-c", "echo one; until [ -e \"$0\" ]; do sleep 0.1; done; echo two; exit 3", leave))}"))
        { Resumable = false };
        long id;
        await using (var before = await JobHost.StartAsync(_state.Folder, workers: true, kind))
        {
            id = await before.Engine.StartAsync("k", new NoJobParameters(), JobHost.Admin, Token);
            await before.UntilAsync(id, _ => before.LogOf(id).Contains("| one", StringComparison.Ordinal));
        }

        Assert.NotEmpty(ChildProbe.Living(_state.Folder, id));
        await using var after = await JobHost.StartAsync(_state.Folder, workers: true, kind);
        await File.WriteAllTextAsync(leave, "", Token);
        var run = await after.EndAsync(id);
        Assert.Equal((JobState.Succeeded, "code 3"), (run.State, run.Steps[0].Outcome));
        Assert.Contains(run.Marks, mark => mark.Kind == JobMarkKind.Reattached);
        Assert.Equal(2, after.LogOf(id).Split("Z | ").Length - 1);
    }

    [Fact]
    public async Task Start_CancelWasAskedButServerEnded_EndsTheProgram()
    {
        var kind = new FakeKind("k", FakeKind.Step("a", context => context.RunProgramAsync("p", new ProgramCall("/bin/sh", "-c", "echo one; sleep 300"))));
        long id;
        await using (var before = await JobHost.StartAsync(_state.Folder, workers: true, kind))
        {
            id = await before.Engine.StartAsync("k", new NoJobParameters(), JobHost.Admin, Token);
            await before.UntilAsync(id, _ => before.LogOf(id).Contains("| one", StringComparison.Ordinal));
        }

        await using (var provider = await _state.StartAsync())
        {
            await using var context = TempState.Context(provider);
            await context.Set<JobRun>().ExecuteUpdateAsync(set => set.SetProperty(run => run.CancelRequestedAt, DateTimeOffset.UnixEpoch), Token);
        }

        await using var after = await JobHost.StartAsync(_state.Folder, workers: true, kind);
        Assert.Equal(JobState.Cancelled, (await after.EndAsync(id)).State);
        Assert.Empty(ChildProbe.Living(_state.Folder, id));
    }

    [Fact]
    public async Task Run_SupervisorKilledAlone_NextOneEndsTheSurvivorFirst()
    {
        var marker = Path.Combine(_state.Root, "marker");
        var kind = new FakeKind("k", FakeKind.Step("a", async context =>
            context.Outcome = $"code {await context.RunProgramAsync("p", new ProgramCall("/bin/sh", "-c", "[ -e \"$1\" ] && exit 0; touch \"$1\"; echo one; sleep 300", "sh", marker))}"));
        long id;
        await using (var before = await JobHost.StartAsync(_state.Folder, workers: true, kind))
        {
            id = await before.Engine.StartAsync("k", new NoJobParameters(), JobHost.Admin, Token);
            await before.UntilAsync(id, _ => before.LogOf(id).Contains("| one", StringComparison.Ordinal));
        }

        var survivors = ChildProbe.Living(_state.Folder, id);
        var session = File.ReadAllText($"/proc/{survivors[0]}/stat").Split(") ")[1].Split(' ')[3];
        using (var supervisor = System.Diagnostics.Process.GetProcessById(int.Parse(session, System.Globalization.CultureInfo.InvariantCulture)))
        {
            Assert.Equal("mpsec", supervisor.ProcessName);
            supervisor.Kill();
            await supervisor.WaitForExitAsync(Token);
        }

        Assert.NotEmpty(ChildProbe.Living(_state.Folder, id));
        await using var after = await JobHost.StartAsync(_state.Folder, workers: true, kind);
        Assert.Equal("code 0", (await after.EndAsync(id)).Steps[0].Outcome);
        Assert.Empty(ChildProbe.Living(_state.Folder, id));
    }

    private async Task<long> LeaveRunningAsync(FakeKind kind, Action<JobRun> change)
    {
        await using var host = await JobHost.StartAsync(_state.Folder, workers: false, kind);
        var id = await host.Engine.StartAsync(kind.Key, new NoJobParameters(), JobHost.Admin, Token);
        await using var context = TempState.Context(host.Services);
        var run = await context.Set<JobRun>().Include(row => row.Steps.OrderBy(step => step.Position)).SingleAsync(row => row.Id == id, Token);
        (run.State, run.Attempt, run.Claim) = (JobState.Running, 1, "other-boot/1/1");
        change(run);
        await context.SaveChangesAsync(Token);
        return id;
    }

    private sealed record Memory(string Text);
}
