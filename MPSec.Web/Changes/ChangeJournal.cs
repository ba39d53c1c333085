using System.Collections.Immutable;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using MPSec.Data;
using MPSec.Linux.Values;

namespace MPSec.Changes;

/// <summary>
/// The durable record of changes (SQLite, synchronous=FULL): what is intended is on disk before it is done. Also the lock: a gateway with an open
/// intent of a living process is busy, whichever process asks.
/// </summary>
public sealed partial class ChangeJournal(IDbContextFactory<MPSecDbContext> contexts, AuditLog audit, IEnumerable<IChangeWitness> witnesses, IBootClock clock, TimeProvider time)
{
    /// <summary>Writes the intent, unless another change of its gateways is running.</summary>
    /// <exception cref="ChangeException"><see cref="ChangeFault.Busy"/>.</exception>
    internal async Task OpenAsync(ChangePlan plan, ChangeActor actor, CancellationToken cancellationToken, ChangeCheck? check = null)
    {
        await InTransactionAsync(async context =>
        {
            var open = await Unended(context).AsNoTracking().Include(i => i.Check).ToListAsync(cancellationToken);
            if (check is not null && open.FirstOrDefault(i => i.Check is not null) is { } pending)
            {
                throw new ChangeException(ChangeFault.Busy, $"another change ({pending.TitleCode} of {pending.Actor}) waits to be confirmed; {End(pending.Check!)}, try again after that");
            }

            foreach (var gateway in plan.Gateways)
            {
                if (open.FirstOrDefault(i => i.Gateways.Contains($" {gateway} ", StringComparison.Ordinal)) is { } other)
                {
                    throw new ChangeException(ChangeFault.Busy, other.Check is { } waiting && other.Phase != ChangePhase.Open
                        ? $"gateway {gateway}: a change ({other.TitleCode} of {other.Actor}) waits to be confirmed; {End(waiting)}, try again after that"
                        : $"gateway {gateway}: another change ({other.TitleCode} of {other.Actor}) is running; try again when it has ended");
                }
            }

            context.Add(new ChangeIntent
            {
                Id = plan.Id,
                TitleCode = plan.TitleCode,
                TitleArguments = JsonSerializer.Serialize(plan.TitleArguments),
                Gateways = $" {string.Join(' ', plan.Gateways)} ",
                Actor = actor.Name,
                RollsForward = plan.RollsForward,
                Process = ProcessMark.Current.ToString(),
                StartedAt = time.GetUtcNow(),
                Check = check,
            });
            await context.SaveChangesAsync(cancellationToken);
            await InsertStepsAsync(context, plan, cancellationToken);
            foreach (var witness in witnesses)
            {
                await witness.RecordAsync(context, plan, actor, cancellationToken);
            }
        }, cancellationToken);
    }

    /// <summary>
    /// Writes the inverses of some operations in a row before the first of them is applied, and that the ones before them are applied; one commit.
    /// </summary>
    internal Task IntendAsync(Guid change, int first, IReadOnlyList<IReadOnlyList<HostOperation>> inverses, IReadOnlyList<CreateNamespace> creates, CancellationToken cancellationToken) =>
        InTransactionAsync(async context =>
        {
            if (!await context.Set<ChangeIntent>().AnyAsync(i => i.Id == change && i.Phase == ChangePhase.Open, cancellationToken))
            {
                throw new ChangeException(ChangeFault.Expired, "it took too long and is being undone by another process");
            }

            if (first > 0)
            {
                await context.Set<ChangeStep>().Where(s => s.IntentId == change && s.Position < first && s.Phase == StepPhase.Intended)
                    .ExecuteUpdateAsync(s => s.SetProperty(x => x.Phase, StepPhase.Applied), cancellationToken);
            }

            await WriteInversesAsync(context, change, first, inverses, cancellationToken);
            foreach (var made in creates)
            {
                await context.Set<OwnedNamespace>().Where(n => n.Gateway == made.Gateway.Value).ExecuteDeleteAsync(cancellationToken);
                context.Add(new OwnedNamespace { Gateway = made.Gateway.Value, Marker = made.Marker });
            }
        }, cancellationToken);

    /// <summary>Closes the intent and adds the audit line, in one commit.</summary>
    internal async Task<ChangeReport> CloseAsync(Guid change, ChangePhase phase, string? sentence, string? by, CancellationToken cancellationToken)
    {
        ChangeReport report = null!;
        await InTransactionAsync(async context =>
        {
            var intent = await context.Set<ChangeIntent>().SingleAsync(i => i.Id == change, cancellationToken);
            report = await CloseAsync(context, intent, phase, sentence, by, cancellationToken);
        }, cancellationToken);
        return report;
    }

    private async Task<ChangeReport> CloseAsync(MPSecDbContext context, ChangeIntent intent, ChangePhase phase, string? sentence, string? by, CancellationToken cancellationToken)
    {
        intent.Phase = phase;
        intent.Sentence = sentence;
        intent.FinishedAt = time.GetUtcNow();
        var steps = context.Set<ChangeStep>().Where(s => s.IntentId == intent.Id);
        await (phase switch
        {
            ChangePhase.Applied => steps.Where(s => s.Phase != StepPhase.Applied).ExecuteUpdateAsync(s => s.SetProperty(x => x.Phase, StepPhase.Applied), cancellationToken),
            ChangePhase.RolledBack => steps.Where(s => s.Phase != StepPhase.Planned).ExecuteUpdateAsync(s => s.SetProperty(x => x.Phase, StepPhase.Reverted), cancellationToken),
            _ => Task.CompletedTask,
        });
        var operations = await OperationsOfAsync(context, intent.Id, cancellationToken);
        foreach (var gone in phase == ChangePhase.Applied ? operations.Where(o => o.Contains("\"deleteNamespace\"", StringComparison.Ordinal)).Select(OperationJson.Read).OfType<DeleteNamespace>() : [])
        {
            await context.Set<OwnedNamespace>().Where(n => n.Gateway == gone.Gateway.Value && n.Marker == gone.Marker).ExecuteDeleteAsync(cancellationToken);
            await context.Set<GatewayModeRow>().Where(m => m.Gateway == gone.Gateway.Value).ExecuteDeleteAsync(cancellationToken);
            foreach (var witness in witnesses)
            {
                await witness.ForgetAsync(context, gone.Gateway, cancellationToken);
            }
        }

        var report = Report(intent);
        var arguments = $"{{\"title\":{intent.TitleArguments},\"operations\":[{string.Join(',', operations)}]}}";
        await audit.AppendAsync(context, by ?? intent.Actor, intent.TitleCode, intent.Gateways.Trim(), arguments, sentence is null ? $"{report.Outcome}" : $"{report.Outcome}: {sentence}", cancellationToken);
        return report;
    }

    /// <summary>Open intents whose process has ended, oldest first; they become this process's own.</summary>
    internal async Task<IReadOnlyList<ChangeIntent>> AdoptAsync(CancellationToken cancellationToken)
    {
        List<ChangeIntent> orphans = [];
        await InTransactionAsync(async context =>
        {
            var open = await context.Set<ChangeIntent>().Include(i => i.Steps.OrderBy(s => s.Position)).Where(i => i.Phase == ChangePhase.Open && i.Check == null).OrderBy(i => i.StartedAt).ToListAsync(cancellationToken);
            orphans = [.. open.Where(i => ProcessMark.Parse(i.Process) is not { IsAlive: true })];
            orphans.ForEach(i => i.Process = ProcessMark.Current.ToString());
        }, cancellationToken);
        return orphans;
    }

    /// <summary>The newest changes that have ended, newest first.</summary>
    public async Task<IReadOnlyList<ChangeReport>> RecentAsync(int count, CancellationToken cancellationToken = default)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var rows = await context.Set<ChangeIntent>().AsNoTracking().Where(i => i.Phase != ChangePhase.Open && i.Phase != ChangePhase.Pending && i.Phase != ChangePhase.Reverting).OrderByDescending(i => i.FinishedAt).Take(count).ToListAsync(cancellationToken);
            return [.. rows.Select(Report)];
        }
    }

    /// <summary>
    /// What MPSec recorded when it last took this interface down and lost something by it: addresses and routes to give back; empty when nothing is known.
    /// </summary>
    public async Task<IReadOnlyList<HostOperation>> LostByLinkDownAsync(GatewayName gateway, InterfaceName name, CancellationToken cancellationToken = default)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var inverses = await context.Set<ChangeStep>().AsNoTracking()
                .Where(s => s.Gateway == gateway.Value && s.Interface == name.Value && s.Phase == StepPhase.Applied && s.Inverse != null && s.Inverse != "[]")
                .OrderByDescending(s => s.IntentId).Select(s => s.Inverse!).Take(20).ToListAsync(cancellationToken);
            foreach (var inverse in inverses)
            {
                var operations = OperationJson.ReadMany(inverse);
                if (operations[0] is SetLinkState { Up: true })
                {
                    return [.. operations.Skip(1).Where(o => o is not ReplaceRoute { Route.Options.IsImplied: true })];
                }
            }

            return [];
        }
    }

    /// <summary>The marker of a namespace that MPSec made; null when it made none of this name.</summary>
    public async Task<string?> MarkerOfAsync(GatewayName gateway, CancellationToken cancellationToken = default)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            return await context.Set<OwnedNamespace>().AsNoTracking().Where(n => n.Gateway == gateway.Value).Select(n => n.Marker).FirstOrDefaultAsync(cancellationToken);
        }
    }

    private static ChangeReport Report(ChangeIntent intent) => new(
        intent.Id,
        intent.TitleCode,
        JsonSerializer.Deserialize<ImmutableArray<string>>(intent.TitleArguments),
        [.. intent.Gateways.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(GatewayName.Parse)],
        intent.Actor,
        intent.Phase switch { ChangePhase.Applied => ChangeOutcome.Applied, ChangePhase.RolledBack => ChangeOutcome.RolledBack, _ => ChangeOutcome.Incomplete },
        intent.Sentence,
        intent.FinishedAt ?? intent.StartedAt);

    private async Task InTransactionAsync(Func<MPSecDbContext, Task> work, CancellationToken cancellationToken)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
            await using (transaction)
            {
                await work(context);
                await context.SaveChangesAsync(cancellationToken);
                await transaction.CommitAsync(cancellationToken);
            }
        }
    }
}
