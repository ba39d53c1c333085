using Microsoft.EntityFrameworkCore;
using MPSec.Data;

namespace MPSec.Features.Settings;

/// <summary>Alerts that are raised now and what was: kept in the database, so that a restart neither forgets nor repeats one.</summary>
public sealed class AlertService(IDbContextFactory<MPSecDbContext> contexts, AlertWebhook webhook, TimeProvider time) : IDisposable
{
    /// <summary>Cleared alerts kept; the oldest go.</summary>
    public const int MostKept = 1000;

    private readonly AlertEvaluator _evaluator = new(AlertLimit.Usual);
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly long _began = time.GetTimestamp();
    private bool _resumed;
    private volatile IReadOnlyList<AlertFacts> _raised = [];

    /// <summary>Raised after alerts changed, on any thread.</summary>
    public event Action? Changed;

    /// <summary>Alerts that are raised now, newest first.</summary>
    public IReadOnlyList<AlertFacts> Raised => _raised;

    /// <summary>Looks at the values of one gateway; what changed is written down, then told.</summary>
    public async Task ObserveAsync(string gateway, IReadOnlyCollection<AlertObservation> observations, IReadOnlySet<AlertRule> rules, CancellationToken cancellationToken = default)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            await ResumeAsync(cancellationToken);
            var changes = _evaluator.Evaluate(gateway, observations, rules, time.GetElapsedTime(_began), time.GetUtcNow());
            if (changes.Count == 0)
            {
                return;
            }

            await SaveAsync(changes, cancellationToken);
            foreach (var change in changes)
            {
                webhook.Tell(change);
            }
        }
        finally
        {
            _turn.Release();
        }

        Changed?.Invoke();
    }

    /// <summary>The newest alerts, raised ones first.</summary>
    public async Task<IReadOnlyList<AlertFacts>> RecentAsync(int count, CancellationToken cancellationToken = default)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            return [.. (await context.Set<AlertRecord>().AsNoTracking().OrderByDescending(a => a.ClearedAt == null).ThenByDescending(a => a.RaisedAt).Take(count).ToListAsync(cancellationToken)).Select(Facts)];
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _turn.Dispose();

    private static AlertFacts Facts(AlertRecord a) => new(a.Rule, a.Gateway, a.Subject, a.Value, a.RaisedAt, a.ClearedAt);

    private async Task ResumeAsync(CancellationToken cancellationToken)
    {
        if (_resumed)
        {
            return;
        }

        await RefreshAsync(cancellationToken);
        foreach (var alert in _raised)
        {
            _evaluator.Resume(new(alert.Rule, alert.Gateway, alert.Subject));
        }

        _resumed = true;
    }

    private async Task SaveAsync(IReadOnlyList<AlertChange> changes, CancellationToken cancellationToken)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            foreach (var change in changes)
            {
                var (rule, gateway, subject) = change.Key;
                if (change.Raised)
                {
                    context.Add(new AlertRecord { Rule = rule, Gateway = gateway, Subject = subject, Value = change.Value ?? 0, RaisedAt = change.At });
                }
                else
                {
                    foreach (var row in await context.Set<AlertRecord>().Where(a => a.Rule == rule && a.Gateway == gateway && a.Subject == subject && a.ClearedAt == null).ToListAsync(cancellationToken))
                    {
                        row.ClearedAt = change.At;
                    }
                }
            }

            await context.SaveChangesAsync(cancellationToken);
            if (await context.Set<AlertRecord>().Where(a => a.ClearedAt != null).OrderByDescending(a => a.Id).Skip(MostKept).Select(a => (long?)a.Id).FirstOrDefaultAsync(cancellationToken) is { } oldest)
            {
                await context.Set<AlertRecord>().Where(a => a.ClearedAt != null && a.Id <= oldest).ExecuteDeleteAsync(cancellationToken);
            }
        }

        await RefreshAsync(cancellationToken);
    }

    private async Task RefreshAsync(CancellationToken cancellationToken)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            _raised = [.. (await context.Set<AlertRecord>().AsNoTracking().Where(a => a.ClearedAt == null).OrderByDescending(a => a.RaisedAt).ToListAsync(cancellationToken)).Select(Facts)];
        }
    }
}
