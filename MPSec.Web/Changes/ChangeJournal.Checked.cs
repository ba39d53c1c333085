using System.Collections.Immutable;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using MPSec.Data;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Values;

namespace MPSec.Changes;

/// <summary>Why a process may undo a checked change.</summary>
internal enum RevertRight
{
    /// <summary>It is the process that applies the change.</summary>
    Applier,

    /// <summary>Somebody asked for it, or the time is over; a process that is still applying goes first.</summary>
    Asked,

    /// <summary>The time is over by far: a process that is still applying hangs.</summary>
    Overdue,
}

// The part of the journal about changes that must be confirmed. Every step from one phase to the next is one immediate transaction, so that of a
// confirmation and a dead-man that come at the same moment exactly one wins.
public sealed partial class ChangeJournal
{
    /// <summary>The checked change that has not ended; null when there is none.</summary>
    public async Task<PendingChange?> PendingAsync(CancellationToken cancellationToken = default)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var intent = await Unended(context).AsNoTracking().Include(i => i.Check).Where(i => i.Check != null).OrderBy(i => i.StartedAt).FirstOrDefaultAsync(cancellationToken);
            return intent is null ? null : Describe(intent, await OperationsOfAsync(context, intent.Id, cancellationToken));
        }
    }

    /// <summary>How a change ended; null while it has not, or when there is none of this id.</summary>
    public async Task<ChangeReport?> FindAsync(Guid change, CancellationToken cancellationToken = default)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var intent = await context.Set<ChangeIntent>().AsNoTracking().FirstOrDefaultAsync(i => i.Id == change, cancellationToken);
            return intent is null or { Phase: ChangePhase.Open or ChangePhase.Pending or ChangePhase.Reverting } ? null : Report(intent);
        }
    }

    /// <summary>The network namespace of this process, as text.</summary>
    internal static string ThisNamespace()
    {
        var identity = NamespaceIdentity.OfThisThread(GatewayName.Host);
        return $"{identity.Device}/{identity.Inode}";
    }

    /// <summary>The row that goes with a checked change.</summary>
    internal ChangeCheck NewCheck(ChangePlan plan, TimeSpan timeout, TimeSpan patience) => new()
    {
        Boot = clock.Boot,
        TimeoutMs = (int)timeout.TotalMilliseconds,
        DeadlineMs = clock.Milliseconds + (long)(timeout + patience).TotalMilliseconds,
        HostNamespace = ThisNamespace(),
        RequiredRole = plan.RequiredRole,
    };

    /// <summary>Unended checked changes without their operations, oldest first.</summary>
    internal async Task<IReadOnlyList<ChangeIntent>> UnendedChecksAsync(CancellationToken cancellationToken)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            return await Unended(context).AsNoTracking().Include(i => i.Check).Where(i => i.Check != null).OrderBy(i => i.StartedAt).ToListAsync(cancellationToken);
        }
    }

    /// <summary>The operations of an unended checked change; null when it has ended.</summary>
    internal async Task<IReadOnlyList<HostOperation>?> OperationsAsync(Guid change, CancellationToken cancellationToken)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var intent = await Unended(context).AsNoTracking().Include(i => i.Steps.OrderBy(s => s.Position)).FirstOrDefaultAsync(i => i.Id == change && i.Check != null, cancellationToken);
            return intent is null ? null : [.. intent.Steps.Select(s => OperationJson.Read(s.Operation))];
        }
    }

    /// <summary>This process becomes the dead-man; false when the change has ended, has one that lives, or belongs to another namespace.</summary>
    internal async Task<bool> RegisterGuardAsync(Guid change, CancellationToken cancellationToken)
    {
        var registered = false;
        await InTransactionAsync(async context =>
        {
            var intent = await Unended(context).Include(i => i.Check).FirstOrDefaultAsync(i => i.Id == change, cancellationToken);
            if (intent?.Check is { } check && check.Boot == clock.Boot && check.HostNamespace == ThisNamespace() && ProcessMark.Parse(check.Guard) is not { IsAlive: true })
            {
                check.Guard = ProcessMark.Current.ToString();
                registered = true;
            }
        }, cancellationToken);
        return registered;
    }

    /// <summary>Whether a living dead-man stands ready.</summary>
    internal async Task<bool> IsGuardedAsync(Guid change, CancellationToken cancellationToken)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var guard = await context.Set<ChangeCheck>().AsNoTracking().Where(c => c.IntentId == change).Select(c => c.Guard).FirstOrDefaultAsync(cancellationToken);
            return ProcessMark.Parse(guard) is { IsAlive: true };
        }
    }

    /// <summary>Writes the state before and starts the time to confirm, whose end is returned. From here on operations may be applied.</summary>
    internal async Task<long> BeginAsync(Guid change, IReadOnlyList<string> facts, CancellationToken cancellationToken)
    {
        var deadline = 0L;
        await InTransactionAsync(async context =>
        {
            var check = await context.Set<ChangeCheck>().SingleAsync(c => c.IntentId == change, cancellationToken);
            check.Facts = JsonSerializer.Serialize(facts);
            deadline = check.DeadlineMs = clock.Milliseconds + check.TimeoutMs;
        }, cancellationToken);
        return deadline;
    }

    /// <summary>All operations are applied; null when the time is over already or somebody else undoes the change.</summary>
    internal async Task<PendingChange?> PendAsync(Guid change, CancellationToken cancellationToken)
    {
        PendingChange? pending = null;
        await InTransactionAsync(async context =>
        {
            var intent = await HeadAsync(context, change, cancellationToken);
            if (intent is { Phase: ChangePhase.Open, Check: { } check } && clock.Milliseconds < check.DeadlineMs)
            {
                intent.Phase = ChangePhase.Pending;
                check.AppliedMs = clock.Milliseconds;
                await context.Set<ChangeStep>().Where(s => s.IntentId == change).ExecuteUpdateAsync(s => s.SetProperty(x => x.Phase, StepPhase.Applied), cancellationToken);
                pending = Describe(intent, await OperationsOfAsync(context, change, cancellationToken));
            }
        }, cancellationToken);
        return pending;
    }

    /// <summary>Keeps a change that waits. Confirming a kept one again is no fault.</summary>
    /// <exception cref="ChangeException">There is none, the role does not suffice, or it is too late.</exception>
    internal async Task<ChangeReport> ConfirmAsync(Guid change, ChangeActor actor, CancellationToken cancellationToken)
    {
        ChangeReport report = null!;
        await InTransactionAsync(async context =>
        {
            var intent = await HeadAsync(context, change, cancellationToken);
            if (intent is not { Check: { } check })
            {
                throw NoSuchChange(change);
            }

            actor.Require(check.RequiredRole);
            var late = check.Boot != clock.Boot || clock.Milliseconds >= check.DeadlineMs;
            report = intent.Phase switch
            {
                ChangePhase.Applied => Report(intent),
                ChangePhase.Pending when !late => await CloseAsync(context, intent, ChangePhase.Applied, null, actor.Name, cancellationToken),
                ChangePhase.Open when !late => throw new ChangeException(ChangeFault.Busy, "the change is still being applied; confirm it when that is done"),
                ChangePhase.Incomplete or ChangePhase.RolledBack => throw new ChangeException(ChangeFault.Expired, $"the change can no longer be confirmed, it has ended: {intent.Sentence}"),
                _ => throw new ChangeException(ChangeFault.Expired, $"the change can no longer be confirmed: the {check.TimeoutMs / 1000} s for it are over and the state before is being restored"),
            };
        }, cancellationToken);
        return report;
    }

    /// <summary>This process will undo the change; null when it has ended, or another living process is at it.</summary>
    /// <exception cref="ChangeException">There is none, or it was made in another network namespace.</exception>
    internal async Task<ChangeIntent?> ClaimRevertAsync(Guid change, RevertRight right, CancellationToken cancellationToken)
    {
        ChangeIntent? claimed = null;
        await InTransactionAsync(async context =>
        {
            var intent = await HeadAsync(context, change, cancellationToken);
            if (intent is not { Check: { } check })
            {
                throw NoSuchChange(change);
            }

            var host = $" {GatewayName.Host} ";
            if (check.Boot == clock.Boot && check.HostNamespace != ThisNamespace() && intent.Gateways.Contains(host, StringComparison.Ordinal))
            {
                throw new ChangeException(ChangeFault.Foreign, $"the change {intent.TitleCode} of {intent.Actor} was made in another network namespace; undo it from there");
            }

            var lives = ProcessMark.Parse(intent.Process) is { IsAlive: true };
            var free = intent.Phase switch
            {
                ChangePhase.Open => right is RevertRight.Applier or RevertRight.Overdue || !lives,
                ChangePhase.Pending => true,
                ChangePhase.Reverting => !lives,
                _ => false,
            };
            if (free)
            {
                intent.Phase = ChangePhase.Reverting;
                intent.Process = ProcessMark.Current.ToString();
                intent.Steps = await context.Set<ChangeStep>().Where(s => s.IntentId == change).OrderBy(s => s.Position).ToListAsync(cancellationToken);
                claimed = intent;
            }
        }, cancellationToken);
        return claimed;
    }

    private static ChangeException NoSuchChange(Guid change) => new(ChangeFault.NotFound, $"there is no change {change} that waits to be confirmed");

    private static IQueryable<ChangeIntent> Unended(MPSecDbContext context) =>
        context.Set<ChangeIntent>().Where(i => i.Phase == ChangePhase.Open || i.Phase == ChangePhase.Pending || i.Phase == ChangePhase.Reverting);

    private static Task<ChangeIntent?> HeadAsync(MPSecDbContext context, Guid change, CancellationToken cancellationToken) =>
        context.Set<ChangeIntent>().Include(i => i.Check).FirstOrDefaultAsync(i => i.Id == change, cancellationToken);

    private TimeSpan Left(ChangeCheck check) => check.Boot == clock.Boot ? TimeSpan.FromMilliseconds(Math.Clamp(check.DeadlineMs - clock.Milliseconds, 0, int.MaxValue)) : TimeSpan.Zero;

    private string End(ChangeCheck check) => Left(check) is { Ticks: > 0 } left ? $"it ends in {Math.Ceiling(left.TotalSeconds):0} s at the latest" : "it is being undone";

    private PendingChange Describe(ChangeIntent intent, List<string> operations) => new(
        intent.Id,
        intent.TitleCode,
        JsonSerializer.Deserialize<ImmutableArray<string>>(intent.TitleArguments),
        [.. intent.Gateways.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(GatewayName.Parse)],
        intent.Actor,
        intent.Phase switch { ChangePhase.Open => PendingStage.Applying, ChangePhase.Pending => PendingStage.Waiting, _ => PendingStage.Reverting },
        TimeSpan.FromMilliseconds(intent.Check!.TimeoutMs),
        Left(intent.Check),
        intent.Check.AppliedMs,
        [.. operations.SelectMany(o => OperationJson.Read(o).ToShellLines())]);
}
