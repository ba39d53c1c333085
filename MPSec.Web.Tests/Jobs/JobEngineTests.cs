using MPSec.Jobs;
using MPSec.Linux.Processes;
using MPSec.Tests.Data;

namespace MPSec.Tests.Jobs;

public sealed class JobEngineTests : IDisposable
{
    private readonly TempState _state = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _state.Dispose();

    [Fact]
    public async Task Start_ThreeSteps_DoesThemInOrderAndKeepsHistory()
    {
        var order = new List<string>();
        var kind = new FakeKind("order", [.. "abc".Select(key => FakeKind.Step(key.ToString(), context =>
        {
            order.Add(key.ToString());
            context.Log($"in {key}");
            context.Outcome = $"out of {key}";
            return Task.CompletedTask;
        }))]);
        await using var host = await JobHost.StartAsync(_state.Folder, workers: true, kind);
        var id = await host.Engine.StartAsync("order", new NoJobParameters(), JobHost.Admin, Token);
        var run = await host.EndAsync(id);

        Assert.Equal(JobState.Succeeded, run.State);
        Assert.Equal(["a", "b", "c"], order);
        Assert.All(run.Steps, step => Assert.Equal((JobStepState.Done, "out of " + step.Key), (step.State, step.Outcome)));
        Assert.Equal([JobMarkKind.Requested, JobMarkKind.Started, JobMarkKind.Finished], run.Marks.Select(mark => mark.Kind));
        Assert.Equal("mina", run.RequestedBy);
        Assert.Equal(TimeSpan.Zero, run.RequestedAt.Offset);
        Assert.Contains(" # in b\n", host.LogOf(id), StringComparison.Ordinal);
        Assert.Equal(id, Assert.Single(await host.Engine.ListAsync("order", JobState.Succeeded, null, 10, Token)).Id);
        Assert.Empty(await host.Engine.ListAsync("order", JobState.Failed, null, 10, Token));
        Assert.Empty(await host.Engine.ListAsync(null, null, id, 10, Token));
    }

    [Fact]
    public async Task Run_TwoWorkersAtOnce_OneWins()
    {
        var entered = 0;
        var kind = new FakeKind("race", FakeKind.Step("only", async context =>
        {
            Interlocked.Increment(ref entered);
            await Task.Delay(50, context.CancellationToken);
        }));
        await using var host = await JobHost.StartAsync(_state.Folder, workers: false, kind);
        for (var round = 0; round < 10; round++)
        {
            entered = 0;
            var id = await host.Engine.StartAsync("race", new NoJobParameters(), JobHost.Admin, Token);
            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => host.Worker.RunAsync(id), Token)));
            var run = await host.EndAsync(id);
            Assert.Equal((1, JobState.Succeeded, 1), (entered, run.State, run.Attempt));
        }
    }

    [Fact]
    public async Task Start_MoreThanAllowedAtOnce_OthersWaitTheirTurn()
    {
        var (now, most) = (0, 0);
        var kind = new FakeKind("single", FakeKind.Step("only", async context =>
        {
            most = Math.Max(most, Interlocked.Increment(ref now));
            await Task.Delay(20, context.CancellationToken);
            Interlocked.Decrement(ref now);
        }));
        await using var host = await JobHost.StartAsync(_state.Folder, workers: true, kind);
        var ids = new List<long>();
        for (var i = 0; i < 5; i++)
        {
            ids.Add(await host.Engine.StartAsync("single", new NoJobParameters(), JobHost.Admin, Token));
        }

        foreach (var id in ids)
        {
            Assert.Equal(JobState.Succeeded, (await host.EndAsync(id)).State);
        }

        Assert.Equal(1, most);
    }

    [Fact]
    public async Task Start_LongLaneBusy_ChoresGoOn()
    {
        using var hold = new SemaphoreSlim(0);
        var slow = new FakeKind("slow", FakeKind.Step("only", context => hold.WaitAsync(context.CancellationToken))) { MostAtOnce = 9 };
        var chore = new FakeKind("chore", FakeKind.Step("only", _ => Task.CompletedTask)) { Lane = JobLane.Chores };
        await using var host = await JobHost.StartAsync(_state.Folder, workers: true, slow, chore);
        var blocked = new List<long>();
        for (var i = 0; i < 4; i++)
        {
            blocked.Add(await host.Engine.StartAsync("slow", new NoJobParameters(), JobHost.Admin, Token));
        }

        var id = await host.Engine.StartAsync("chore", new NoJobParameters(), JobHost.Admin, Token);
        Assert.Equal(JobState.Succeeded, (await host.EndAsync(id)).State);
        hold.Release(4);
        foreach (var slowRun in blocked)
        {
            await host.EndAsync(slowRun);
        }
    }

    [Fact]
    public async Task Start_StepFails_RunFailsWithSentenceAndLaterStepsWait()
    {
        var kind = new FakeKind(
            "bad",
            FakeKind.Step("a", _ => throw new JobFailedException("the disk is on fire; put it out")),
            FakeKind.Step("b", _ => Task.CompletedTask));
        await using var host = await JobHost.StartAsync(_state.Folder, workers: true, kind);
        var run = await host.EndAsync(await host.Engine.StartAsync("bad", new NoJobParameters(), JobHost.Admin, Token));
        Assert.Equal((JobState.Failed, "the disk is on fire; put it out"), (run.State, run.Result));
        Assert.Equal([JobStepState.Failed, JobStepState.Waiting], run.Steps.Select(step => step.State));
    }

    [Fact]
    public async Task Start_WrongRoleKindOrParameters_IsRefusedAndNothingIsWritten()
    {
        var kind = new FakeKind("strict", FakeKind.Step("a", _ => Task.CompletedTask))
        {
            ParameterType = typeof(Size),
            Checker = parameters => ((Size)parameters).Percent > 100 ? "percent: must be 0 to 100" : null,
        };
        await using var host = await JobHost.StartAsync(_state.Folder, workers: false, kind);
        await RefusedAsync(JobRefusal.NotPermitted, () => host.Engine.StartAsync("strict", new Size(1), JobHost.User("olga", "Operator"), Token));
        await RefusedAsync(JobRefusal.NotPermitted, () => host.Engine.StartAsync("strict", new Size(1), new(), Token));
        await RefusedAsync(JobRefusal.UnknownKind, () => host.Engine.StartAsync("../etc", new Size(1), JobHost.Admin, Token));
        await RefusedAsync(JobRefusal.BadParameters, () => host.Engine.StartAsync("strict", new Size(101), JobHost.Admin, Token));
        await RefusedAsync(JobRefusal.BadParameters, () => host.Engine.StartAsync("strict", new NoJobParameters(), JobHost.Admin, Token));
        await RefusedAsync(JobRefusal.UnknownRun, () => host.Engine.CancelAsync(77, JobHost.Admin, Token));
        await RefusedAsync(JobRefusal.UnknownRun, () => host.Engine.RunAgainAsync(77, JobHost.Admin, Token));
        Assert.Empty(await host.Engine.ListAsync(null, null, null, 10, Token));
        var id = await host.Engine.StartAsync("strict", new Size(5), JobHost.Admin, Token);
        await RefusedAsync(JobRefusal.NotPermitted, () => host.Engine.CancelAsync(id, JobHost.User("vera", "Viewer"), Token));
    }

    [Fact]
    public async Task RunAgain_FinishedRun_RepeatsItsParameters()
    {
        var seen = new List<int>();
        var kind = new FakeKind("again", FakeKind.Step("a", context =>
        {
            seen.Add(context.Parameters<Size>().Percent);
            return Task.CompletedTask;
        }))
        { ParameterType = typeof(Size) };
        await using var host = await JobHost.StartAsync(_state.Folder, workers: true, kind);
        var first = await host.Engine.StartAsync("again", new Size(42), JobHost.Admin, Token);
        await host.EndAsync(first);
        var second = await host.EndAsync(await host.Engine.RunAgainAsync(first, JobHost.Admin, Token));
        Assert.Equal([42, 42], seen);
        Assert.Equal(first, second.AgainOf);
    }

    [Fact]
    public async Task Cancel_RunningStep_EndsItAndSaysWho()
    {
        var kind = new FakeKind("wait", FakeKind.Step("a", context => Task.Delay(Timeout.Infinite, context.CancellationToken)));
        await using var host = await JobHost.StartAsync(_state.Folder, workers: true, kind);
        var id = await host.Engine.StartAsync("wait", new NoJobParameters(), JobHost.Admin, Token);
        await host.UntilAsync(id, run => run.Steps[0].State == JobStepState.Running);
        await host.Engine.CancelAsync(id, JobHost.Admin, Token);
        var run = await host.EndAsync(id);
        Assert.Equal((JobState.Cancelled, JobStepState.Cancelled), (run.State, run.Steps[0].State));
        Assert.Equal("mina", run.Marks.Single(mark => mark.Kind == JobMarkKind.CancelRequested).Who);
        await RefusedAsync(JobRefusal.AlreadyEnded, () => host.Engine.CancelAsync(id, JobHost.Admin, Token));
    }

    [Fact]
    public async Task Cancel_QueuedRun_NeverStarts()
    {
        var kind = new FakeKind("queued", FakeKind.Step("a", _ => throw new InvalidOperationException("must not run")));
        await using var host = await JobHost.StartAsync(_state.Folder, workers: false, kind);
        var id = await host.Engine.StartAsync("queued", new NoJobParameters(), JobHost.Admin, Token);
        await host.Engine.CancelAsync(id, JobHost.Admin, Token);
        await host.Worker.RunAsync(id);
        Assert.Equal((JobState.Cancelled, 0), (await host.Engine.FindAsync(id, Token) is { } run ? (run.State, run.Attempt) : default));
    }

    [Fact]
    public async Task Cancel_ProgramThatIgnoresTerminate_LeavesNoProcessOfItsGroup()
    {
        var kind = new FakeKind("deaf", FakeKind.Step("a", context => context.RunProgramAsync("sh", new ProgramCall("/bin/sh", "-c", "sleep 300 & echo started; wait"))));
        await using var host = await JobHost.StartAsync(_state.Folder, workers: true, kind);
        var id = await host.Engine.StartAsync("deaf", new NoJobParameters(), JobHost.Admin, Token);
        await host.UntilAsync(id, _ => host.LogOf(id).Contains("| started\n", StringComparison.Ordinal));
        await host.Engine.CancelAsync(id, JobHost.Admin, Token);
        Assert.Equal(JobState.Cancelled, (await host.EndAsync(id)).State);
        Assert.Empty(ChildProbe.Living(_state.Folder, id));
    }

    [Fact]
    public async Task Listen_WhileRunning_TellsProgressAndLog()
    {
        using var go = new SemaphoreSlim(0);
        var kind = new FakeKind("news", FakeKind.Step("a", async context =>
        {
            await go.WaitAsync(context.CancellationToken);
            context.Log("line");
            context.Report(62.5, "5 of 8\u202e things");
            await go.WaitAsync(context.CancellationToken);
        }));
        await using var host = await JobHost.StartAsync(_state.Folder, workers: true, kind);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var news = host.Feed.ListenAsync(stop.Token);
        var id = await host.Engine.StartAsync("news", new NoJobParameters(), JobHost.Admin, Token);
        go.Release();
        var seen = new HashSet<JobChange>();
        await foreach (var item in news)
        {
            Assert.Equal(id, item.Run);
            seen.Add(item.Change);
            if (seen.Count == 3 && host.Feed.Progress(id) is { Percent: 62.5 } progress)
            {
                Assert.Equal("5 of 8 things", progress.Activity);
                break;
            }
        }

        Assert.Equal(0, host.Feed.Listeners);
        Assert.Equal(62.5, (await host.UntilAsync(id, run => run.Percent is not null)).Percent);
        go.Release();
        await host.EndAsync(id);
        Assert.Null(host.Feed.Progress(id));
    }

    private static async Task RefusedAsync(JobRefusal refusal, Func<Task> act) =>
        Assert.Equal(refusal, (await Assert.ThrowsAsync<JobRefusedException>(act)).Refusal);

    private sealed record Size(int Percent);
}
