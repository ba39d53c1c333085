using System.Collections.Immutable;
using MPSec.Changes;

namespace MPSec.Features.Kernel;

/// <summary>What is known at one moment about how the machine was started and will be.</summary>
/// <param name="Now">UTC.</param>
/// <param name="Boot">Random id of the running boot.</param>
/// <param name="Milliseconds">Since boot.</param>
/// <param name="Running">Release of the running kernel.</param>
/// <param name="Default">Release that starts when nobody chooses; null when unknown.</param>
/// <param name="Once">Release that starts at the next start only; null when none is set.</param>
/// <param name="HasImage">The new kernel's image is in <c>/boot</c>.</param>
/// <param name="HasEntry">The boot menu has an entry for it.</param>
public sealed record KernelBootFacts(DateTimeOffset Now, string Boot, long Milliseconds, string Running, string? Default, string? Once, bool HasImage, bool HasEntry)
{
    /// <summary>What was seen of the running kernel; null when nobody looked yet.</summary>
    public ImmutableArray<KernelTrialCheck>? Checks { get; init; }

    /// <summary>What is left of an end that was not wanted, such as a panic; null when nothing was found.</summary>
    public string? Evidence { get; init; }
}

/// <summary>What has to be done to the boot loader.</summary>
public enum KernelBootAction
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>The old kernel is made the default, the choice for once is taken back, the settings of the trial go.</summary>
    RestoreOld,

    /// <summary>The new kernel is made the default and the settings of the trial go; then <see cref="KernelBootMachine.Made"/>.</summary>
    KeepNew,
}

/// <summary>A record as it shall be, to be written first, and what has to be done then.</summary>
public sealed record KernelBootStep(KernelBootRecord Record, KernelBootAction Action);

/// <summary>
/// The way of a kernel from a package to the default, without a file and without a clock. A record is written before its action is done, so every transition
/// must make sense when the action never happened: <see cref="Look"/> goes by what runs and what will start, and only then by what was meant.
/// </summary>
public static class KernelBootMachine
{
    /// <summary>A kernel that is kept by itself must have run so long first: one that fails within a minute is not the default yet.</summary>
    public const long SettleMilliseconds = 60_000;

    private const string Self = "MPSec";

    /// <summary>What a record comes to when it is seen with the machine as it is.</summary>
    public static KernelBootStep Look(KernelBootRecord record, KernelBootFacts facts)
    {
        ArgumentNullException.ThrowIfNull(record);
        ArgumentNullException.ThrowIfNull(facts);
        var runsNew = facts.Running == record.Release;
        if (!runsNew && !facts.HasImage && record.State is not (KernelBootState.Preparing or KernelBootState.Removed))
        {
            var removed = record.To(KernelBootState.Removed, facts.Now, Self, "its image is not in /boot any more");
            return new(removed with { Reason = "removed by another program, not by MPSec" }, KernelBootAction.RestoreOld);
        }

        return record.State switch
        {
            KernelBootState.Preparing or KernelBootState.Removed or KernelBootState.Kept => Stay(record),
            KernelBootState.Installed or KernelBootState.Returned => runsNew ? Begin(record, facts, "started without having been armed, by hand") : Stay(record),
            KernelBootState.Armed => Armed(record, facts, runsNew),
            KernelBootState.Trial => Trial(record, facts, runsNew),
            KernelBootState.Returning when !runsNew => Back(record, facts, record.Reason!),
            KernelBootState.Returning when facts.Boot != record.TrialBoot => Begin(record, facts, "started again by hand"),
            _ => Stay(record),
        };
    }

    /// <summary>Whether an installation of <paramref name="release"/> may begin; otherwise the sentence that says why not.</summary>
    public static string? RefuseInstall(KernelBootRecord? record, string release) => record switch
    {
        null or { IsPending: false } => null,
        { State: KernelBootState.Preparing } when record.Release == release => null,
        { State: KernelBootState.Preparing } => $"the installation of {record.Release} was not finished: install it again, or take it back with mpsec kernel remove {record.Release}",
        { State: KernelBootState.Installed } => $"{record.Release} is installed and was not tried yet: try it with mpsec kernel try, or remove it with mpsec kernel remove {record.Release}",
        { State: KernelBootState.Armed } => $"{record.Release} is armed for the next start: take that back with mpsec kernel cancel-try",
        _ => $"{record.Release} is on trial: wait for the verdict, or start the old kernel",
    };

    /// <summary>The next start shall be with the new kernel; to be written before the boot loader is told.</summary>
    /// <exception cref="ChangeException">Not in this state.</exception>
    public static KernelBootRecord Arm(KernelBootRecord record, KernelBootFacts facts, string who, ImmutableArray<string> interfaces, ImmutableDictionary<string, string> rules)
    {
        Require(record, record.State is KernelBootState.Installed or KernelBootState.Returned or KernelBootState.Armed, "only an installed kernel that does not run can be tried");
        if (facts.Running == record.Release)
        {
            throw new ChangeException(ChangeFault.Refused, $"{record.Release} runs already");
        }

        if (!facts.HasEntry)
        {
            throw new ChangeException(ChangeFault.Refused, $"the boot menu has no entry for {record.Release}: it vanished after the installation; run update-grub and see whether it comes back, or remove the kernel");
        }

        return record.To(KernelBootState.Armed, facts.Now, who, "boots once at the next start") with
        {
            ArmedBoot = facts.Boot, TrialBoot = null, DeadlineMilliseconds = null, Checks = [], ConfirmedBy = null, KeepWanted = false, Reason = null, Interfaces = interfaces,
            PanicRules = record.State == KernelBootState.Armed ? record.PanicRules : rules,
        };
    }

    /// <summary>The next start shall be with the old kernel after all.</summary>
    /// <exception cref="ChangeException">Not in this state.</exception>
    public static KernelBootStep Disarm(KernelBootRecord record, KernelBootFacts facts, string who, string? reason = null)
    {
        Require(record, record.State is KernelBootState.Armed, "no trial is armed");
        return new(record.To(KernelBootState.Installed, facts.Now, who, reason ?? "the trial was taken back") with { ArmedBoot = null, Reason = reason }, KernelBootAction.RestoreOld);
    }

    /// <summary>An administrator says that the running new kernel is good; it is kept as soon as it passes.</summary>
    /// <exception cref="ChangeException">Not in this state.</exception>
    public static KernelBootStep Confirm(KernelBootRecord record, KernelBootFacts facts, string who)
    {
        Require(record, record.State is KernelBootState.Trial or KernelBootState.Returning, "no kernel is on trial");
        var confirmed = record.To(record.State, facts.Now, who, "confirmed") with { ConfirmedBy = who };
        return record.State == KernelBootState.Trial ? Look(confirmed, facts) : new(confirmed, KernelBootAction.None);
    }

    /// <summary>An administrator keeps the running new kernel now, whatever the rule and the time say; failed checks are not overruled.</summary>
    /// <exception cref="ChangeException">Not in this state, it does not run, or a check failed.</exception>
    public static KernelBootStep Keep(KernelBootRecord record, KernelBootFacts facts, string who)
    {
        Require(record, record.State is KernelBootState.Trial or KernelBootState.Returning && facts.Running == record.Release, "only a kernel that runs on trial can be kept");
        var failed = Failed(facts.Checks ?? record.Checks);
        return (facts.Checks ?? record.Checks).IsEmpty || failed.Length > 0
            ? throw new ChangeException(ChangeFault.Refused, $"{record.Release} cannot be kept: {(failed.Length > 0 ? failed : "nothing was checked yet")}")
            : Wanted(record with { ConfirmedBy = who, Checks = facts.Checks ?? record.Checks }, facts, who);
    }

    /// <summary>The new kernel has been made the default.</summary>
    public static KernelBootRecord Made(KernelBootRecord record, KernelBootFacts facts)
    {
        ArgumentNullException.ThrowIfNull(record);
        ArgumentNullException.ThrowIfNull(facts);
        return record.To(KernelBootState.Kept, facts.Now, Self, "is the default from now on") with { KeepWanted = false, Reason = null };
    }

    private static KernelBootStep Armed(KernelBootRecord record, KernelBootFacts facts, bool runsNew)
    {
        if (runsNew)
        {
            return Begin(record, facts, "started once");
        }

        if (facts.Boot == record.ArmedBoot)
        {
            // Either the program ended between the record and the boot loader, or somebody took the choice back.
            return facts.Once == record.Release ? Stay(record) : Disarm(record, facts, Self, "the boot loader does not have the choice for the next start any more; try again");
        }

        return Back(record, facts, facts.Once == record.Release
            ? "the boot loader did not take the choice for once: another entry was chosen by hand, or the machine is not started by it"
            : "the new kernel was started and did not get as far as MPSec");
    }

    private static KernelBootStep Trial(KernelBootRecord record, KernelBootFacts facts, bool runsNew)
    {
        if (!runsNew)
        {
            return Back(record, facts, record.KeepWanted ? "the machine was started again before the new kernel could be made the default" : "the machine was started again before the verdict");
        }

        if (record.KeepWanted)
        {
            return new(record, KernelBootAction.KeepNew);
        }

        if (facts.Boot != record.TrialBoot)
        {
            return Begin(record, facts, "started again by hand");
        }

        // What was seen a while ago decides nothing: whoever looks checks now.
        if (facts.Checks is not { IsEmpty: false } checks)
        {
            return Stay(record);
        }

        record = record with { Checks = checks };
        var failed = Failed(record.Checks);
        var isSettled = facts.Milliseconds >= record.DeadlineMilliseconds - (record.Minutes * 60_000L) + SettleMilliseconds;
        if (failed.Length == 0 && (record.ConfirmedBy is not null || (record.KeepByItself && isSettled)))
        {
            return Wanted(record, facts, record.ConfirmedBy ?? Self);
        }

        if (facts.Milliseconds < record.DeadlineMilliseconds)
        {
            return Stay(record);
        }

        var reason = failed.Length > 0 ? failed : "nobody confirmed it in time";
        return new(record.To(KernelBootState.Returning, facts.Now, Self, reason) with { Reason = reason }, KernelBootAction.RestoreOld);
    }

    private static KernelBootStep Begin(KernelBootRecord record, KernelBootFacts facts, string note) => new(
        record.To(KernelBootState.Trial, facts.Now, Self, note) with
        {
            TrialBoot = facts.Boot, DeadlineMilliseconds = facts.Milliseconds + (record.Minutes * 60_000L), Checks = [], ConfirmedBy = null, KeepWanted = false, Reason = null,
        },
        KernelBootAction.None);

    private static KernelBootStep Back(KernelBootRecord record, KernelBootFacts facts, string reason)
    {
        var why = facts.Evidence is { } evidence ? $"{reason}; its last words: {evidence}" : record.State == KernelBootState.Returning ? reason : $"{reason}; it left no word why";
        return new(record.To(KernelBootState.Returned, facts.Now, Self, $"back on {facts.Running}: {why}") with { Reason = why, KeepWanted = false }, KernelBootAction.RestoreOld);
    }

    private static KernelBootStep Wanted(KernelBootRecord record, KernelBootFacts facts, string who) =>
        new(record.To(KernelBootState.Trial, facts.Now, who, "passed; is being made the default") with { KeepWanted = true }, KernelBootAction.KeepNew);

    private static KernelBootStep Stay(KernelBootRecord record) => new(record, KernelBootAction.None);

    private static string Failed(ImmutableArray<KernelTrialCheck> checks) => string.Join("; ", checks.Where(c => c.Passed == false).Select(c => $"{c.Name}: {c.Detail}"));

    private static void Require(KernelBootRecord record, bool allowed, string sentence)
    {
        ArgumentNullException.ThrowIfNull(record);
        if (!allowed)
        {
            throw new ChangeException(ChangeFault.Refused, $"{sentence}; {record.Release} is {record.State}");
        }
    }
}
