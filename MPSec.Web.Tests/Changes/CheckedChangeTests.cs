using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Changes.Kernel;
using MPSec.Linux.Values;
using MPSec.Tests.Data;

namespace MPSec.Tests.Changes;

/// <summary>The state machine of a checked change, with a fake kernel, a clock that the test sets and a dead-man that the test plays.</summary>
public sealed class CheckedChangeTests : IAsyncDisposable
{
    private static readonly ChangeActor Admin = new("ada", ChangeRole.Administrator);
    private readonly TempState _state = new();
    private readonly FakeKernel _kernel = new();
    private readonly FakeBootClock _clock = new();
    private FakeDeadMan _deadMan = null!;
    private ServiceProvider? _services;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private ChangeService Changes => _services!.GetRequiredService<ChangeService>();

    private ChangeJournal Journal => _services!.GetRequiredService<ChangeJournal>();

    public async ValueTask DisposeAsync()
    {
        if (_services is not null)
        {
            await _services.DisposeAsync();
        }

        _state.Dispose();
    }

    [Fact]
    public async Task Apply_Confirmed_StaysAndIsAudited()
    {
        await StartAsync();
        var pending = await Changes.ApplyCheckedAsync(Plan("a", "b"), Admin, null, Token);

        Assert.Equal((PendingStage.Waiting, "ada", TimeSpan.FromSeconds(60)), (pending.Stage, pending.Actor, pending.Remaining));
        Assert.Equal(["sysctl -w net.a=1", "sysctl -w net.b=1"], pending.Commands);
        Assert.Equal(pending.Id, (await Changes.PendingAsync(Token))!.Id);
        Assert.Empty(await Journal.RecentAsync(5, Token));
        Assert.Equal(1, _deadMan.Starts);

        var report = await Changes.ConfirmAsync(pending.Id, Admin, Token);

        Assert.Equal(ChangeOutcome.Applied, report.Outcome);
        Assert.Equal(report.Id, (await Changes.ConfirmAsync(pending.Id, Admin, Token)).Id);
        Assert.Null(await Changes.PendingAsync(Token));
        Assert.Equal("1", _kernel.Values["net.b"]);
        Assert.Null(await _services!.GetRequiredService<AuditLog>().VerifyAsync(Token));
        var late = await Assert.ThrowsAsync<ChangeException>(() => Changes.RollbackAsync(pending.Id, Admin, Token));
        Assert.Equal(ChangeFault.Expired, late.Fault);
    }

    [Fact]
    public async Task Apply_BeforeTheFirstOperation_DeadManStandsReadyAndStateIsWritten()
    {
        await StartAsync();
        var seen = new List<(string? Guard, string? Facts)>();
        _kernel.Before = _ =>
        {
            using var context = TempState.Context(_services!);
            var check = context.Set<ChangeCheck>().AsNoTracking().Single();
            seen.Add((check.Guard, check.Facts));
        };
        await Changes.ApplyCheckedAsync(Plan("a"), Admin, null, Token);
        Assert.Equal(ProcessMark.Current.ToString(), Assert.Single(seen).Guard);
        Assert.Contains("setting net.a 0", seen[0].Facts);
    }

    [Fact]
    public async Task Apply_DeadManCannotStart_ChangesNothing()
    {
        await StartAsync();
        _deadMan.Fault = new IOException("no such program");

        var e = await Assert.ThrowsAsync<ChangeException>(() => Changes.ApplyCheckedAsync(Plan("a"), Admin, null, Token));

        Assert.Equal(ChangeFault.NotAvailable, e.Fault);
        Assert.EndsWith("nothing was changed", e.Message, StringComparison.Ordinal);
        Assert.Empty(_kernel.Applied);
        Assert.Null(await Changes.PendingAsync(Token));
    }

    [Fact]
    public async Task Apply_OperationFails_IsUndoneAndCompared()
    {
        await StartAsync();
        _kernel.Before = o => _ = o.Key.Value == "net.b" && o.Value == "1" ? throw new ChangeException(ChangeFault.Refused, "the kernel says no") : 0;

        var e = await Assert.ThrowsAsync<ChangeException>(() => Changes.ApplyCheckedAsync(Plan("a", "b"), Admin, null, Token));

        Assert.Contains("the kernel says no; the state before is back", e.Message);
        Assert.Equal("0", _kernel.Values["net.a"]);
        Assert.Null(await Changes.PendingAsync(Token));
    }

    [Fact]
    public async Task Confirm_AfterTheDeadline_IsRefusedAndTheDeadManReverts()
    {
        await StartAsync();
        var pending = await Changes.ApplyCheckedAsync(Plan("a", "b"), Admin, TimeSpan.FromSeconds(10), Token);
        _clock.Milliseconds += 9_999;
        Assert.True(await Changes.AttendAsync(pending.Id, now: false));
        Assert.Equal("1", _kernel.Values["net.a"]);
        _clock.Milliseconds += 1;

        var e = await Assert.ThrowsAsync<ChangeException>(() => Changes.ConfirmAsync(pending.Id, Admin, Token));
        Assert.Equal(ChangeFault.Expired, e.Fault);
        Assert.Contains("10 s for it are over", e.Message);
        Assert.False(await Changes.AttendAsync(pending.Id, now: false));

        var report = (await Journal.FindAsync(pending.Id, Token))!;
        Assert.Equal(ChangeOutcome.RolledBack, report.Outcome);
        Assert.Equal("nobody confirmed it within 10 s; the state before is back, compared in 2 facts", report.Sentence);
        Assert.All(_kernel.Values.Values, v => Assert.Equal("0", v));
        Assert.Contains("it has ended", (await Assert.ThrowsAsync<ChangeException>(() => Changes.ConfirmAsync(pending.Id, Admin, Token))).Message);
    }

    [Fact]
    public async Task Rollback_ByRequest_RestoresAtOnce()
    {
        await StartAsync();
        var pending = await Changes.ApplyCheckedAsync(Plan("a", "c"), Admin, null, Token);
        var report = await Changes.RollbackAsync(pending.Id, new("bea", ChangeRole.Administrator), Token);
        Assert.Equal(ChangeOutcome.RolledBack, report.Outcome);
        Assert.StartsWith("bea asked for it", report.Sentence, StringComparison.Ordinal);
        Assert.All(_kernel.Values.Values, v => Assert.Equal("0", v));
        Assert.Equal(ChangeFault.NotFound, (await Assert.ThrowsAsync<ChangeException>(() => Changes.RollbackAsync(Guid.NewGuid(), Admin, Token))).Fault);
        Assert.Equal(ChangeFault.NotFound, (await Assert.ThrowsAsync<ChangeException>(() => Changes.ConfirmAsync(Guid.NewGuid(), Admin, Token))).Fault);
    }

    [Fact]
    public async Task Apply_WhileAnotherWaits_IsRefusedWithWhoseAndWhen()
    {
        await StartAsync();
        await Changes.ApplyCheckedAsync(Plan("a"), Admin, TimeSpan.FromSeconds(30), Token);
        foreach (var attempt in (Func<Task>[])[() => Changes.ApplyCheckedAsync(Plan("b"), new("bea", ChangeRole.Administrator), null, Token), () => Changes.RunAsync(Plan("b"), Admin, Token)])
        {
            var e = await Assert.ThrowsAsync<ChangeException>(attempt);
            Assert.Equal(ChangeFault.Busy, e.Fault);
            Assert.Contains("of ada) waits to be confirmed; it ends in 30 s", e.Message);
        }

        Assert.Equal("0", _kernel.Values["net.b"]);
    }

    [Fact]
    public async Task Apply_TwoAtTheSameMoment_OneWinsAndTheOtherIsToldWhoseAndUntilWhen()
    {
        await StartAsync();
        for (var round = 0; round < 10; round++)
        {
            ChangeActor[] admins = [Admin, new("bea", ChangeRole.Administrator)];
            var answers = await Task.WhenAll(admins.Select(admin => Task.Run(async () =>
            {
                try
                {
                    return (Pending: (PendingChange?)await Changes.ApplyCheckedAsync(Plan(admin == Admin ? "a" : "b"), admin, TimeSpan.FromSeconds(30), Token), Fault: (ChangeException?)null);
                }
                catch (ChangeException e)
                {
                    return (Pending: (PendingChange?)null, Fault: (ChangeException?)e);
                }
            }, Token)));

            var won = Assert.Single(answers, a => a.Pending is not null).Pending!;
            var told = Assert.Single(answers, a => a.Fault is not null).Fault!;
            Assert.Equal(ChangeFault.Busy, told.Fault);
            Assert.Matches($"of {won.Actor}\\) waits to be confirmed; it ends in \\d+ s", told.Message);
            await Changes.RollbackAsync(won.Id, Admin, Token);
        }
    }

    [Fact]
    public async Task Attend_TimeOfDaySetBackAnHour_TheDeadlineStands()
    {
        var time = new ShiftedTime();
        await StartAsync(time);
        var pending = await Changes.ApplyCheckedAsync(Plan("a", "b"), Admin, TimeSpan.FromSeconds(10), Token);
        time.Shift = TimeSpan.FromHours(-1);

        Assert.True(await Changes.AttendAsync(pending.Id, now: false));
        Assert.Equal(TimeSpan.FromSeconds(10), (await Changes.PendingAsync(Token))!.Remaining);
        _clock.Milliseconds += 10_000;
        Assert.False(await Changes.AttendAsync(pending.Id, now: false));

        Assert.Equal("nobody confirmed it within 10 s; the state before is back, compared in 2 facts", (await Journal.FindAsync(pending.Id, Token))!.Sentence);
        Assert.All(_kernel.Values.Values, v => Assert.Equal("0", v));
        var next = await Changes.ApplyCheckedAsync(Plan("c"), Admin, null, Token);
        Assert.Equal(ChangeOutcome.Applied, (await Changes.ConfirmAsync(next.Id, Admin, Token)).Outcome);
        Assert.Null(await _services!.GetRequiredService<AuditLog>().VerifyAsync(Token));
    }

    [Fact]
    public async Task Apply_TimeIsOverInTheMiddle_StopsAndUndoes()
    {
        await StartAsync();
        _kernel.Before = o => _clock.Milliseconds += o.Key.Value == "net.b" && o.Value == "1" ? 61_000 : 0;

        var e = await Assert.ThrowsAsync<ChangeException>(() => Changes.ApplyCheckedAsync(Plan("a", "b", "c"), Admin, null, Token));

        Assert.Equal(ChangeFault.Expired, e.Fault);
        Assert.DoesNotContain("net.c=1", _kernel.Applied);
        Assert.All(_kernel.Values.Values, v => Assert.Equal("0", v));
    }

    [Theory]
    [InlineData(ChangeRole.Viewer)]
    [InlineData(ChangeRole.Operator)]
    public async Task Confirm_And_Rollback_RoleTooLow_AreRefused(ChangeRole role)
    {
        await StartAsync();
        var pending = await Changes.ApplyCheckedAsync(Plan("a"), Admin, null, Token);
        Assert.Equal(ChangeFault.NotPermitted, (await Assert.ThrowsAsync<ChangeException>(() => Changes.ConfirmAsync(pending.Id, new("eve", role), Token))).Fault);
        Assert.Equal(ChangeFault.NotPermitted, (await Assert.ThrowsAsync<ChangeException>(() => Changes.RollbackAsync(pending.Id, new("eve", role), Token))).Fault);
        Assert.NotNull(await Changes.PendingAsync(Token));
    }

    [Fact]
    public async Task Rollback_StateDoesNotComeBack_IsReportedAndNeverCalledReverted()
    {
        await StartAsync();
        var pending = await Changes.ApplyCheckedAsync(Plan("a", "b"), Admin, null, Token);
        _kernel.Stuck.Add("net.b");

        var report = await Changes.RollbackAsync(pending.Id, Admin, Token);

        Assert.Equal(ChangeOutcome.Incomplete, report.Outcome);
        Assert.Contains("the state is not the one before", report.Sentence);
        Assert.Contains("missing: setting net.b 0", report.Sentence);
        Assert.Contains("new: setting net.b 1", report.Sentence);
        Assert.Equal("0", _kernel.Values["net.a"]);
    }

    [Fact]
    public async Task Recover_BothKilledInTime_ArmsAnewAndCanStillBeConfirmed()
    {
        await StartAsync();
        var pending = await Changes.ApplyCheckedAsync(Plan("a"), Admin, null, Token);
        await KillAsync();

        Assert.Empty(await Changes.RecoverAsync(Token));
        Assert.Equal(2, _deadMan.Starts);
        Assert.Equal(ChangeOutcome.Applied, (await Changes.ConfirmAsync(pending.Id, Admin, Token)).Outcome);
    }

    [Theory]
    [InlineData("deadline")]
    [InlineData("boot")]
    [InlineData("cannot be guarded")]
    public async Task Recover_BothKilledAndNoWayToConfirm_RevertsAtOnce(string why)
    {
        await StartAsync();
        await Changes.ApplyCheckedAsync(Plan("a", "b"), Admin, null, Token);
        await KillAsync();
        _clock.Milliseconds += why == "deadline" ? 60_000 : 0;
        _clock.Boot = why == "boot" ? "another" : _clock.Boot;
        _deadMan.Fault = new IOException("no");

        Assert.Equal(ChangeOutcome.RolledBack, Assert.Single(await Changes.RecoverAsync(Token)).Outcome);
        Assert.All(_kernel.Values.Values, v => Assert.Equal("0", v));
    }

    [Fact]
    public async Task Recover_KilledWhileApplying_RevertsEvenWhenEverythingStands()
    {
        await StartAsync();
        await Changes.ApplyCheckedAsync(Plan("a", "b"), Admin, null, Token);
        await KillAsync(ChangePhase.Open);

        var report = Assert.Single(await Changes.RecoverAsync(Token));

        Assert.Equal(ChangeOutcome.RolledBack, report.Outcome);
        Assert.StartsWith("its process ended in the middle", report.Sentence, StringComparison.Ordinal);
        Assert.All(_kernel.Values.Values, v => Assert.Equal("0", v));
    }

    [Fact]
    public async Task ConfirmAndDeadManAtOnce_ExactlyOneWins()
    {
        await StartAsync();
        for (var round = 0; round < 20; round++)
        {
            var pending = await Changes.ApplyCheckedAsync(Plan("a", "b"), Admin, null, Token);
            var confirm = Task.Run(async () =>
            {
                try
                {
                    await Changes.ConfirmAsync(pending.Id, Admin, Token);
                    return true;
                }
                catch (ChangeException)
                {
                    return false;
                }
            }, Token);
            await Changes.AttendAsync(pending.Id, now: true);
            var kept = await confirm;
            Assert.Equal(kept ? ChangeOutcome.Applied : ChangeOutcome.RolledBack, (await Journal.FindAsync(pending.Id, Token))!.Outcome);
            Assert.Equal(kept ? "1" : "0", _kernel.Values["net.a"]);
            _kernel.Values["net.a"] = _kernel.Values["net.b"] = "0";
        }
    }

    [Theory]
    [InlineData(9.9)]
    [InlineData(601)]
    public async Task Apply_TimeoutOutOfRange_IsRefused(double seconds)
    {
        await StartAsync();
        var e = await Assert.ThrowsAsync<ChangeException>(() => Changes.ApplyCheckedAsync(Plan("a"), Admin, TimeSpan.FromSeconds(seconds), Token));
        Assert.Equal((ChangeFault.Invalid, "timeout: must be 10 to 600 s"), (e.Fault, e.Message));
    }

    [Fact]
    public async Task Apply_PlanWithoutWayBack_IsRefused()
    {
        await StartAsync();
        Assert.Equal(ChangeFault.Invalid, (await Assert.ThrowsAsync<ChangeException>(() => Changes.ApplyCheckedAsync(Plan("a") with { RollsForward = true }, Admin, null, Token))).Fault);
        Assert.Equal(ChangeFault.Invalid, (await Assert.ThrowsAsync<ChangeException>(() => Changes.ApplyCheckedAsync(Plan(), Admin, null, Token))).Fault);
    }

    [Fact]
    public void Milliseconds_OfTheUptimeClock_GoOn()
    {
        var clock = new UptimeClock();
        var first = clock.Milliseconds;
        Assert.True(first > 0 && clock.Milliseconds >= first);
    }

    private static ChangePlan Plan(params string[] keys) => new()
    {
        TitleCode = "test",
        Operations = [.. keys.Select(k => new WriteSysctl(GatewayName.Host, SysctlKey.Parse("net." + k), "1"))],
    };

    private async Task StartAsync(TimeProvider? time = null)
    {
        _services = await _state.StartAsync(s => s.AddSingleton(time ?? TimeProvider.System).AddMPSecChanges().AddSingleton<IHostKernel>(_kernel)
            .AddSingleton<IBootClock>(_clock).AddSingleton<FakeDeadMan>().AddSingleton<IDeadManStart>(p => p.GetRequiredService<FakeDeadMan>()));
        _deadMan = _services!.GetRequiredService<FakeDeadMan>();
        await _services!.GetRequiredService<GatewayModes>().SetAsync(GatewayName.Host, GatewayMode.Managed, Admin, Token);
    }

    /// <summary>As if the process that applied and the dead-man were both killed.</summary>
    private async Task KillAsync(ChangePhase phase = ChangePhase.Pending)
    {
        var dead = $"1/1/{ProcessMark.Current.Boot}";
        await using var context = TempState.Context(_services!);
        await context.Set<ChangeCheck>().ExecuteUpdateAsync(c => c.SetProperty(x => x.Guard, dead), Token);
        await context.Set<ChangeIntent>().ExecuteUpdateAsync(i => i.SetProperty(x => x.Process, dead).SetProperty(x => x.Phase, phase), Token);
    }
}

/// <summary>The time of day as somebody set it; timers go on as they do.</summary>
internal sealed class ShiftedTime : TimeProvider
{
    public TimeSpan Shift { get; set; }

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + Shift;
}

/// <summary>A clock that the test sets.</summary>
internal sealed class FakeBootClock : IBootClock
{
    public string Boot { get; set; } = ProcessMark.Current.Boot;

    public long Milliseconds { get; set; } = 1_000_000;
}

/// <summary>Tells the journal that a dead-man stands ready; it is the test itself.</summary>
internal sealed class FakeDeadMan(ChangeJournal journal) : IDeadManStart
{
    public Exception? Fault { get; set; }

    public int Starts { get; private set; }

    public async Task StartAsync(Guid change, CancellationToken cancellationToken)
    {
        if (Fault is not null)
        {
            throw Fault;
        }

        Starts++;
        await journal.RegisterGuardAsync(change, cancellationToken);
    }
}
