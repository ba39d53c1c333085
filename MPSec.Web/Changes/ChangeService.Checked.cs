using System.Collections.Immutable;
using System.Text.Json;
using MPSec.Changes.Kernel;
using MPSec.Linux.Namespaces;

namespace MPSec.Changes;

// Checked changes: applied, then kept only if somebody confirms them in time.
public sealed partial class ChangeService
{
    // Starting a second program takes a second or two; a loaded machine may need many more.
    private static readonly TimeSpan s_armingLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_overdue = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_settling = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(50);
    private const int MostArmings = 3;

    private readonly SemaphoreSlim _attending = new(1);

    /// <summary>Raised when a checked change of this process begins, waits or ends (null), on the thread that did it.</summary>
    public event Action<PendingChange?>? PendingChanged;

    /// <summary>The checked change that has not ended, of whichever process; null when there is none.</summary>
    public Task<PendingChange?> PendingAsync(CancellationToken cancellationToken = default) => journal.PendingAsync(cancellationToken);

    /// <summary>
    /// Runs the plan and keeps its result only if <see cref="ConfirmAsync"/> is called in time. Before the first operation a process of its own stands ready
    /// that undoes everything otherwise, also when this one is killed; afterwards the state is compared with the one before. One such change at a time.
    /// </summary>
    /// <param name="plan">The plan; one that rolls forward or deletes a namespace cannot be undone and is refused.</param>
    /// <param name="actor">Who asks.</param>
    /// <param name="timeout">Time to confirm, 10 to 600 s; the usual time when null.</param>
    /// <param name="cancellationToken">Stops waiting before the first operation.</param>
    /// <returns>The change, applied, with the time that is left.</returns>
    /// <exception cref="ChangeException">It was refused, or it failed and was undone; the sentence says which and why.</exception>
    public async Task<PendingChange> ApplyCheckedAsync(ChangePlan plan, ChangeActor actor, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(actor);
        var limit = timeout ?? confirmation.Usual;
        await AdmitAsync(plan, actor, async () =>
        {
            confirmation.Require(limit);
            if (plan.Operations.Length == 0 || plan.RollsForward || plan.Operations.Any(o => o is DeleteNamespace))
            {
                throw new ChangeException(ChangeFault.Invalid, "plan: it has no way back, so it cannot be applied with a check");
            }

            await journal.OpenAsync(plan, actor, cancellationToken, journal.NewCheck(plan, limit, s_armingLimit));
        }, cancellationToken);

        PendingChange? pending = null;
        ChangeReport? ended = null;
        ChangeException? failure = null;
        try
        {
            try
            {
                PendingChanged?.Invoke(await journal.PendingAsync(cancellationToken));
                await ArmAsync(plan.Id, cancellationToken);
                await Task.Run(() => ApplyGuardedAsync(plan, cancellationToken), CancellationToken.None);
                pending = await journal.PendAsync(plan.Id, CancellationToken.None);
                failure = pending is null ? TookTooLong() : null;
                if (pending is not null && !await journal.IsGuardedAsync(plan.Id, CancellationToken.None))
                {
                    await ArmAsync(plan.Id, CancellationToken.None);
                }
            }
            catch (Exception e)
            {
                // Whatever the reason is, what was done must not stay half done.
                pending = null;
                failure = e as ChangeException ?? new ChangeException(ChangeFault.Refused, e is OperationCanceledException ? "it was given up before it began" : e.Message, e);
            }

            if (failure is not null)
            {
                ended = await RevertAsync(plan.Id, failure.Message, null, RevertRight.Applier) ?? await EndAsync(plan.Id, CancellationToken.None);
            }
        }
        finally
        {
            PendingChanged?.Invoke(pending);
        }

        LogChecked(_logger, plan.TitleCode, string.Join(' ', plan.Gateways), actor.Name, ended?.Sentence ?? "applied, waits to be confirmed");
        return pending ?? throw new ChangeException(failure!.Fault, ended?.Sentence ?? failure.Message, failure);
    }

    /// <summary>Keeps a checked change.</summary>
    /// <exception cref="ChangeException">There is none of this id, the role does not suffice, or it is too late; the sentence says what became of it.</exception>
    public async Task<ChangeReport> ConfirmAsync(Guid change, ChangeActor actor, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(actor);
        var report = await journal.ConfirmAsync(change, actor, cancellationToken);
        LogChange(_logger, report.TitleCode, string.Join(' ', report.Gateways), actor.Name, report.Outcome, "confirmed");
        PendingChanged?.Invoke(null);
        Completed?.Invoke(report);
        return report;
    }

    /// <summary>Undoes a checked change now and returns what became of it.</summary>
    /// <exception cref="ChangeException">There is none of this id, the role does not suffice, or it was confirmed before.</exception>
    public async Task<ChangeReport> RollbackAsync(Guid change, ChangeActor actor, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(actor);
        var intent = (await journal.UnendedChecksAsync(cancellationToken)).FirstOrDefault(i => i.Id == change);
        if (intent is null)
        {
            throw await journal.FindAsync(change, cancellationToken) is { } before
                ? new ChangeException(ChangeFault.Expired, $"the change has ended before: {before.Outcome}{(before.Sentence is null ? "" : ", " + before.Sentence)}")
                : new ChangeException(ChangeFault.NotFound, $"there is no change {change} that waits to be confirmed");
        }

        actor.Require(intent.Check!.RequiredRole);
        var begun = time.GetTimestamp();
        while (true)
        {
            if ((await RevertAsync(change, UndoSentence.Asked(actor.Name), actor.Name, RevertRight.Asked) ?? await journal.FindAsync(change, cancellationToken)) is { } report)
            {
                return report;
            }

            if (time.GetElapsedTime(begun) > s_overdue)
            {
                throw new ChangeException(ChangeFault.Busy, "the change is still being applied or undone by another process; try again in a moment");
            }

            await Task.Delay(s_look, time, cancellationToken);
        }
    }

    /// <summary>
    /// Looks after one unended checked change: undoes it when its time is over, its applying process ended, or <paramref name="now"/> is set.
    /// </summary>
    /// <returns>False when it has ended.</returns>
    internal async Task<bool> AttendAsync(Guid change, bool now)
    {
        if ((await journal.UnendedChecksAsync(CancellationToken.None)).FirstOrDefault(i => i.Id == change) is not { } intent)
        {
            return false;
        }

        if (Due(intent, now) is not { } due)
        {
            return true;
        }

        return await RevertAsync(change, due.Why, ChangeActor.Recovery.Name, due.Right) is null;
    }

    /// <summary>
    /// Ends or guards again what a killed process left: a change of another boot, past its time or half applied is undone at once, one that may still be
    /// confirmed gets a new dead-man.
    /// </summary>
    public async Task<IReadOnlyList<ChangeReport>> RecoverChecksAsync(CancellationToken cancellationToken)
    {
        var reports = new List<ChangeReport>();
        foreach (var intent in await journal.UnendedChecksAsync(cancellationToken))
        {
            var guarded = ProcessMark.Parse(intent.Check!.Guard) is { IsAlive: true };
            if (guarded && intent.Check.Boot == clock.Boot || !await _attending.WaitAsync(0, cancellationToken))
            {
                continue; // Its dead-man does it, or another thread is at it.
            }

            try
            {
                var due = Due(intent, now: false);
                if (due is null && intent.Phase == ChangePhase.Pending)
                {
                    try
                    {
                        await ArmAsync(intent.Id, cancellationToken);
                    }
                    catch (ChangeException e)
                    {
                        due = (e.Message, RevertRight.Asked);
                    }
                }

                if (due is { } found && await RevertAsync(intent.Id, found.Why, ChangeActor.Recovery.Name, found.Right) is { } report)
                {
                    reports.Add(report);
                }
            }
            catch (ChangeException e) when (e.Fault == ChangeFault.Foreign)
            {
                LogForeign(_logger, e.Message);
            }
            finally
            {
                _attending.Release();
            }
        }

        return reports;
    }

    [LoggerMessage(EventId = 2003, Level = LogLevel.Information, Message = "Checked change {Title} of {Gateways} by {Actor}: {Sentence}")]
    private static partial void LogChecked(ILogger logger, string title, string gateways, string actor, string sentence);

    [LoggerMessage(EventId = 2004, Level = LogLevel.Warning, Message = "A checked change is left alone: {Reason}")]
    private static partial void LogForeign(ILogger logger, string reason);

    private (string Why, RevertRight Right)? Due(ChangeIntent intent, bool now)
    {
        var check = intent.Check!;
        var lives = ProcessMark.Parse(intent.Process) is { IsAlive: true };
        var over = clock.Milliseconds - check.DeadlineMs;
        return check.Boot != clock.Boot ? (UndoSentence.Restarted, RevertRight.Asked)
            : intent.Phase is ChangePhase.Open or ChangePhase.Reverting && !lives ? (UndoSentence.ProcessEnded, RevertRight.Asked)
            : over >= 0 ? (UndoSentence.NotConfirmed(check.TimeoutMs), over > s_overdue.TotalMilliseconds ? RevertRight.Overdue : RevertRight.Asked)
            : now ? (UndoSentence.Told, RevertRight.Asked)
            : null;
    }

    private static ChangeException TookTooLong() => new(ChangeFault.Expired, UndoSentence.TookTooLong);

    private async Task ApplyGuardedAsync(ChangePlan plan, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            using var session = kernel.Open();
            var deadline = await journal.BeginAsync(plan.Id, session.Facts(plan.Operations), cancellationToken);
            if (await journal.IsGuardedAsync(plan.Id, cancellationToken))
            {
                // Past the deadline the dead-man may be undoing already: nothing more may be applied then.
                await ForwardAsync(plan, session, new(), () => _ = clock.Milliseconds < deadline ? true : throw TookTooLong());
                return;
            }

            // It ended between standing ready and now.
            if (attempt > MostArmings)
            {
                throw new ChangeException(ChangeFault.NotAvailable, "the process that would undo it ends again and again");
            }

            await ArmAsync(plan.Id, cancellationToken);
        }
    }

    private async Task ArmAsync(Guid change, CancellationToken cancellationToken)
    {
        var begun = time.GetTimestamp();
        try
        {
            await deadMan.StartAsync(change, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ChangeException(ChangeFault.NotAvailable, $"the process that would undo it cannot be started ({e.Message})", e);
        }

        while (!await journal.IsGuardedAsync(change, cancellationToken))
        {
            if (time.GetElapsedTime(begun) > s_armingLimit)
            {
                throw new ChangeException(ChangeFault.NotAvailable, $"the process that would undo it did not stand ready within {s_armingLimit.TotalSeconds:0} s");
            }

            await Task.Delay(s_look, time, cancellationToken);
        }
    }

    /// <summary>Undoes and compares; null when the change has ended or another process is at it.</summary>
    private async Task<ChangeReport?> RevertAsync(Guid change, string why, string? by, RevertRight right)
    {
        if (await journal.ClaimRevertAsync(change, right, CancellationToken.None) is not { } intent)
        {
            return null;
        }

        var (phase, sentence) = await Task.Run(() => UndoCheckedAsync(intent, why));
        var report = await journal.CloseAsync(change, phase, sentence, by, CancellationToken.None);
        LogRecovered(_logger, intent.TitleCode, intent.Gateways.Trim(), report.Outcome, report.Sentence ?? "-");
        PendingChanged?.Invoke(null);
        Completed?.Invoke(report);
        return report;
    }

    private async Task<(ChangePhase Phase, string Sentence)> UndoCheckedAsync(ChangeIntent intent, string why)
    {
        if (intent.Steps.TrueForAll(s => s.Inverse is null))
        {
            return (ChangePhase.RolledBack, UndoSentence.Nothing(why));
        }

        try
        {
            List<HostOperation> operations = [.. intent.Steps.Select(s => OperationJson.Read(s.Operation))];
            List<HostOperation> undo = [.. intent.Steps.Where(s => s.Inverse is not null).Reverse().SelectMany(s => OperationJson.ReadMany(s.Inverse!))];
            var before = JsonSerializer.Deserialize<ImmutableArray<string>>(intent.Check!.Facts ?? "[]");

            // What somebody deleted meanwhile has taken the change with it; of that one sentence is enough.
            var gone = operations.SelectMany(o => o.Gateways).Distinct().Where(g => !NamespaceThread.Exists(g) && before.Any(f => f.StartsWith($"{g} ", StringComparison.Ordinal) && f != $"{g} absent")).ToList();
            undo.RemoveAll(o => o.Gateways.Any(gone.Contains));
            operations.RemoveAll(o => o.Gateways.Any(gone.Contains));
            ImmutableArray<string> left = [.. before.Where(f => !gone.Exists(g => f.StartsWith($"{g} ", StringComparison.Ordinal)))];
            List<string> wrong = [.. gone.Select(g => $"gateway {g} does not exist any more"), .. await UndoAsync(undo, operations, left)];
            return wrong.Count == 0
                ? (ChangePhase.RolledBack, UndoSentence.Back(why, before.Length))
                : (ChangePhase.Incomplete, $"{why}; it was undone, but the state is not the one before: {Shortened(wrong)}");
        }
        catch (Exception e)
        {
            return (ChangePhase.Incomplete, $"{why}; undoing it failed: {e.Message}");
        }
    }

    // Some facts come back late: the kernel restores carrier and tentative addresses by itself.
    private async Task<List<string>> CompareAsync(ImmutableArray<string> before, List<HostOperation> operations, TimeSpan patience)
    {
        var begun = time.GetTimestamp();
        while (true)
        {
            var now = kernel.Facts(operations);
            List<string> differences = [.. before.Except(now).Select(f => "missing: " + f), .. now.Except(before).Select(f => "new: " + f)];
            if (differences.Count == 0 || time.GetElapsedTime(begun) >= patience)
            {
                return differences;
            }

            await Task.Delay(s_look, time, CancellationToken.None);
        }
    }

    // Another process undoes it; it has the same deadline to do so.
    private async Task<ChangeReport?> EndAsync(Guid change, CancellationToken cancellationToken)
    {
        var begun = time.GetTimestamp();
        while (await journal.FindAsync(change, cancellationToken) is var report)
        {
            if (report is not null || time.GetElapsedTime(begun) > s_overdue)
            {
                return report;
            }

            await Task.Delay(s_look, time, cancellationToken);
        }

        return null;
    }
}
