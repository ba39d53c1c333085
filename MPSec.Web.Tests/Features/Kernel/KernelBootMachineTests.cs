using System.Collections.Immutable;
using MPSec.Changes;
using MPSec.Features.Kernel;

namespace MPSec.Tests.Features.Kernel;

/// <summary>Every transition, from facts alone: what ran, what would start, and what was written down before.</summary>
public sealed class KernelBootMachineTests
{
    private const string New = "6.12.9-new";
    private const string Old = "6.1.0-old";
    private static readonly DateTimeOffset s_now = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);
    private static readonly ImmutableArray<KernelTrialCheck> s_good = [new("release", true, ""), new("page", null, "")];
    private static readonly ImmutableArray<KernelTrialCheck> s_bad = [new("release", true, ""), new("mptcp", false, "net.mptcp.enabled = 0")];

    [Theory]
    // Before it is armed.
    [InlineData(KernelBootState.Preparing, Old, "a", null, KernelBootState.Preparing, KernelBootAction.None)] // power cut between guard and install
    [InlineData(KernelBootState.Installed, Old, "a", null, KernelBootState.Installed, KernelBootAction.None)]
    [InlineData(KernelBootState.Installed, Old, "z", null, KernelBootState.Installed, KernelBootAction.None)] // started anew without a trial
    [InlineData(KernelBootState.Installed, New, "z", null, KernelBootState.Trial, KernelBootAction.None)] // chosen by hand in the menu
    // Armed in boot a.
    [InlineData(KernelBootState.Armed, Old, "a", New, KernelBootState.Armed, KernelBootAction.None)] // boot id unchanged
    [InlineData(KernelBootState.Armed, Old, "a", null, KernelBootState.Installed, KernelBootAction.RestoreOld)] // killed between record and boot loader, or taken back by others
    [InlineData(KernelBootState.Armed, New, "b", null, KernelBootState.Trial, KernelBootAction.None)]
    [InlineData(KernelBootState.Armed, Old, "b", null, KernelBootState.Returned, KernelBootAction.RestoreOld)] // came up and never got here, or never came up
    [InlineData(KernelBootState.Armed, Old, "b", New, KernelBootState.Returned, KernelBootAction.RestoreOld)] // the old one came up although it is armed
    [InlineData(KernelBootState.Armed, "5.10.0-third", "b", null, KernelBootState.Returned, KernelBootAction.RestoreOld)]
    // On trial in boot b.
    [InlineData(KernelBootState.Trial, New, "b", null, KernelBootState.Trial, KernelBootAction.None)]
    [InlineData(KernelBootState.Trial, New, "c", null, KernelBootState.Trial, KernelBootAction.None)] // by hand, once more
    [InlineData(KernelBootState.Trial, Old, "c", null, KernelBootState.Returned, KernelBootAction.RestoreOld)] // power cut in the trial
    [InlineData(KernelBootState.Returning, New, "b", null, KernelBootState.Returning, KernelBootAction.None)]
    [InlineData(KernelBootState.Returning, New, "c", null, KernelBootState.Trial, KernelBootAction.None)]
    [InlineData(KernelBootState.Returning, Old, "c", null, KernelBootState.Returned, KernelBootAction.RestoreOld)]
    // After the verdict.
    [InlineData(KernelBootState.Returned, Old, "d", null, KernelBootState.Returned, KernelBootAction.None)]
    [InlineData(KernelBootState.Returned, New, "d", null, KernelBootState.Trial, KernelBootAction.None)]
    [InlineData(KernelBootState.Kept, New, "d", null, KernelBootState.Kept, KernelBootAction.None)]
    [InlineData(KernelBootState.Kept, Old, "d", null, KernelBootState.Kept, KernelBootAction.None)]
    [InlineData(KernelBootState.Removed, Old, "d", null, KernelBootState.Removed, KernelBootAction.None)]
    public void Look_StateAndFacts_ComeToThis(KernelBootState state, string running, string boot, string? once, KernelBootState expected, KernelBootAction action)
    {
        var step = KernelBootMachine.Look(Record(state), Facts(running, boot, once));
        Assert.Equal((expected, action), (step.Record.State, step.Action));
        if (expected is KernelBootState.Returned or KernelBootState.Returning && state != expected)
        {
            Assert.NotNull(step.Record.Reason);
        }

        if (expected == KernelBootState.Trial && state != expected)
        {
            Assert.Equal((boot, 1000 + 600_000L, false), (step.Record.TrialBoot, step.Record.DeadlineMilliseconds, step.Record.KeepWanted));
            Assert.Empty(step.Record.Checks);
        }
    }

    [Theory]
    [InlineData(KernelBootState.Installed)]
    [InlineData(KernelBootState.Armed)]
    [InlineData(KernelBootState.Trial)]
    [InlineData(KernelBootState.Returning)]
    [InlineData(KernelBootState.Returned)]
    [InlineData(KernelBootState.Kept)]
    public void Look_ImageRemovedByHand_IsRemovedAndTheOldOneRestored(KernelBootState state)
    {
        var step = KernelBootMachine.Look(Record(state), Facts(Old, "c", New) with { HasImage = false });
        Assert.Equal((KernelBootState.Removed, KernelBootAction.RestoreOld), (step.Record.State, step.Action));
        Assert.Contains("not by MPSec", step.Record.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Look_ReturnedAfterAPanic_SaysItsLastWords()
    {
        var step = KernelBootMachine.Look(Record(KernelBootState.Armed), Facts(Old, "b") with { Evidence = "Kernel panic - not syncing: no init" });
        Assert.Contains("did not get as far as MPSec; its last words: Kernel panic - not syncing: no init", step.Record.Reason, StringComparison.Ordinal);
        Assert.Contains("no word", KernelBootMachine.Look(Record(KernelBootState.Armed), Facts(Old, "b")).Record.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, null, 30_000, KernelBootState.Trial, KernelBootAction.None)] // not settled
    [InlineData(true, null, 61_000, KernelBootState.Trial, KernelBootAction.KeepNew)]
    [InlineData(false, null, 61_000, KernelBootState.Trial, KernelBootAction.None)] // waits for an administrator
    [InlineData(false, "mina", 2_000, KernelBootState.Trial, KernelBootAction.KeepNew)]
    [InlineData(false, null, 601_000, KernelBootState.Returning, KernelBootAction.RestoreOld)] // nobody confirmed
    [InlineData(true, null, 601_000, KernelBootState.Trial, KernelBootAction.KeepNew)]
    public void Look_GoodChecks_AreKeptByRule(bool byItself, string? confirmed, long at, KernelBootState expected, KernelBootAction action)
    {
        var record = Record(KernelBootState.Trial) with { KeepByItself = byItself, ConfirmedBy = confirmed };
        var step = KernelBootMachine.Look(record, Facts(New, "b") with { Checks = s_good, Milliseconds = at });
        Assert.Equal((expected, action, action == KernelBootAction.KeepNew), (step.Record.State, step.Action, step.Record.KeepWanted));
    }

    [Theory]
    [InlineData(300_000, KernelBootState.Trial)]
    [InlineData(601_000, KernelBootState.Returning)]
    public void Look_BadChecks_AreWaitedForUntilTheDeadline(long at, KernelBootState expected)
    {
        var record = Record(KernelBootState.Trial) with { ConfirmedBy = "mina" };
        var step = KernelBootMachine.Look(record, Facts(New, "b") with { Checks = s_bad, Milliseconds = at });
        Assert.Equal(expected, step.Record.State);
        Assert.Equal(expected == KernelBootState.Returning ? "mptcp: net.mptcp.enabled = 0" : null, step.Record.Reason);
    }

    [Fact]
    public void Look_KilledBetweenVerdictAndBootLoader_IsFinished()
    {
        var wanted = Record(KernelBootState.Trial) with { KeepWanted = true };
        Assert.Equal(KernelBootAction.KeepNew, KernelBootMachine.Look(wanted, Facts(New, "b")).Action);
        Assert.Equal(KernelBootAction.KeepNew, KernelBootMachine.Look(wanted, Facts(New, "c")).Action); // it is the default already, the record was not written
        var back = KernelBootMachine.Look(wanted, Facts(Old, "c"));
        Assert.Equal((KernelBootState.Returned, KernelBootAction.RestoreOld, false), (back.Record.State, back.Action, back.Record.KeepWanted));
        Assert.Contains("before the new kernel could be made the default", back.Record.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Made_AfterTheBootLoader_IsKept()
    {
        var kept = KernelBootMachine.Made(Record(KernelBootState.Trial) with { KeepWanted = true }, Facts(New, "b"));
        Assert.Equal((KernelBootState.Kept, false, null), (kept.State, kept.KeepWanted, kept.Reason));
        Assert.Equal(kept.State, KernelBootMachine.Look(kept, Facts(New, "b")).Record.State);
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData(KernelBootState.Preparing, "was not finished")]
    [InlineData(KernelBootState.Installed, "was not tried yet")]
    [InlineData(KernelBootState.Armed, "cancel-try")]
    [InlineData(KernelBootState.Trial, "wait for the verdict")]
    [InlineData(KernelBootState.Returning, "wait for the verdict")]
    [InlineData(KernelBootState.Returned, null)]
    [InlineData(KernelBootState.Kept, null)]
    [InlineData(KernelBootState.Removed, null)]
    public void RefuseInstall_WhileOneIsPending_SaysWhy(KernelBootState? state, string? expected)
    {
        var refusal = KernelBootMachine.RefuseInstall(state is { } known ? Record(known) : null, "6.13.0-other");
        Assert.Equal(expected is null, refusal is null);
        Assert.Contains(expected ?? "", refusal ?? "", StringComparison.Ordinal);
        Assert.Null(KernelBootMachine.RefuseInstall(Record(KernelBootState.Preparing), New)); // the same one is begun again
    }

    [Fact]
    public void Arm_OnlyWhatIsInstalledAndDoesNotRun_IsArmed()
    {
        ImmutableArray<string> up = ["eth0"];
        var rules = ImmutableDictionary<string, string>.Empty.Add("panic", "0");
        foreach (var state in (KernelBootState[])[KernelBootState.Installed, KernelBootState.Returned, KernelBootState.Armed])
        {
            var armed = KernelBootMachine.Arm(Record(state) with { Reason = "before", Checks = s_bad, KeepWanted = true }, Facts(Old, "e"), "mina", up, rules);
            Assert.Equal((KernelBootState.Armed, "e", null, false), (armed.State, armed.ArmedBoot, armed.Reason, armed.KeepWanted));
            Assert.Equal(up, armed.Interfaces);
            Assert.Empty(armed.Checks);
        }

        foreach (var state in (KernelBootState[])[KernelBootState.Preparing, KernelBootState.Trial, KernelBootState.Returning, KernelBootState.Kept, KernelBootState.Removed])
        {
            Assert.Throws<ChangeException>(() => KernelBootMachine.Arm(Record(state), Facts(Old, "e"), "mina", up, rules));
        }

        Assert.Contains("runs already", Assert.Throws<ChangeException>(() => KernelBootMachine.Arm(Record(KernelBootState.Installed), Facts(New, "e"), "mina", up, rules)).Message, StringComparison.Ordinal);
        Assert.Contains("vanished", Assert.Throws<ChangeException>(() => KernelBootMachine.Arm(Record(KernelBootState.Installed), Facts(Old, "e") with { HasEntry = false }, "mina", up, rules)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Disarm_OnlyWhatIsArmed_IsTakenBack()
    {
        var step = KernelBootMachine.Disarm(Record(KernelBootState.Armed), Facts(Old, "a", New), "mina");
        Assert.Equal((KernelBootState.Installed, KernelBootAction.RestoreOld, null), (step.Record.State, step.Action, step.Record.ArmedBoot));
        foreach (var state in Enum.GetValues<KernelBootState>().Where(s => s != KernelBootState.Armed))
        {
            Assert.Throws<ChangeException>(() => KernelBootMachine.Disarm(Record(state), Facts(Old, "a"), "mina"));
        }
    }

    [Fact]
    public void Keep_FailedChecks_AreNotOverruled()
    {
        var facts = Facts(New, "b") with { Checks = s_good };
        foreach (var state in (KernelBootState[])[KernelBootState.Trial, KernelBootState.Returning])
        {
            var step = KernelBootMachine.Keep(Record(state), facts, "mina");
            Assert.Equal((KernelBootState.Trial, KernelBootAction.KeepNew, true, "mina"), (step.Record.State, step.Action, step.Record.KeepWanted, step.Record.ConfirmedBy));
            Assert.Contains("mptcp", Assert.Throws<ChangeException>(() => KernelBootMachine.Keep(Record(state), facts with { Checks = s_bad }, "mina")).Message, StringComparison.Ordinal);
            Assert.Throws<ChangeException>(() => KernelBootMachine.Keep(Record(state), facts with { Checks = null }, "mina"));
        }

        foreach (var state in Enum.GetValues<KernelBootState>().Where(s => s is not (KernelBootState.Trial or KernelBootState.Returning)))
        {
            Assert.Throws<ChangeException>(() => KernelBootMachine.Keep(Record(state), facts, "mina"));
        }
    }

    [Fact]
    public void Confirm_BeforeTheChecks_IsRememberedAndNotYetKept()
    {
        var record = Record(KernelBootState.Trial) with { KeepByItself = false };
        var step = KernelBootMachine.Confirm(record, Facts(New, "b"), "mina");
        Assert.Equal((KernelBootState.Trial, KernelBootAction.None, "mina"), (step.Record.State, step.Action, step.Record.ConfirmedBy));
        Assert.Equal(KernelBootAction.KeepNew, KernelBootMachine.Look(step.Record, Facts(New, "b") with { Checks = s_good }).Action);
        Assert.Throws<ChangeException>(() => KernelBootMachine.Confirm(Record(KernelBootState.Installed), Facts(Old, "a"), "mina"));
    }

    private static KernelBootFacts Facts(string running, string boot, string? once = null) => new(s_now, boot, 1000, running, Old, once, true, true);

    private static KernelBootRecord Record(KernelBootState state) => new()
    {
        State = state, Release = New, Package = "linux-image-new", Version = "1", Sha256 = "", OldRelease = Old, Actor = "mina", At = s_now, Entry = "x",
        ArmedBoot = state == KernelBootState.Armed ? "a" : null,
        TrialBoot = state is KernelBootState.Trial or KernelBootState.Returning ? "b" : null,
        DeadlineMilliseconds = state is KernelBootState.Trial or KernelBootState.Returning ? 600_500 : null,
        Reason = state == KernelBootState.Returning ? "mptcp: off" : null,
    };
}
