using System.Collections.Immutable;
using System.Data.Common;
using System.Threading.Channels;
using Microsoft.EntityFrameworkCore;
using MPSec.Changes;
using MPSec.Data;

namespace MPSec.Features.Settings;

/// <summary>Watches, keeps and tells of alerts. One per program.</summary>
public sealed partial class AlertService(
    IAlertFacts facts, AlertSettingsFile settings, IEnumerable<IAlertSender> senders, IDbContextFactory<MPSecDbContext> contexts, TimeProvider time, ILogger<AlertService> logger)
    : BackgroundService
{
    /// <summary>Time between two looks.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan[] s_again = [TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(30)];
    private readonly AlertWatch _watch = new();
    private readonly Channel<(long? Record, AlertMessage Message)> _outbox = Channel.CreateBounded<(long?, AlertMessage)>(new BoundedChannelOptions(500) { FullMode = BoundedChannelFullMode.DropOldest });
    private volatile IReadOnlyList<AlertEntry> _standing = []; // written by the look and by the sender: see Replace

    /// <summary>An alert began or ended; raised on any thread.</summary>
    public event Action? Changed;

    /// <summary>The alerts that stand, the newest first.</summary>
    public IReadOnlyList<AlertEntry> Standing => _standing;

    /// <summary>The alerts that stand for a gateway and for the machine, the newest first.</summary>
    public IEnumerable<AlertEntry> Of(string gateway) => _standing.Where(a => a.Gateway.Length == 0 || a.Gateway == gateway);

    /// <summary>The last alerts, the newest first.</summary>
    public async Task<IReadOnlyList<AlertEntry>> HistoryAsync(int count, CancellationToken cancellationToken = default)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            return [.. (await context.Set<AlertRecord>().AsNoTracking().OrderByDescending(a => a.Id).Take(count).ToListAsync(cancellationToken)).Select(AlertEntry.Of)];
        }
    }

    /// <summary>Sends a test by every way that is set up.</summary>
    /// <returns>One entry per way; null where it arrived, else why it did not.</returns>
    /// <exception cref="ChangeException">The role does not suffice, or no way is set up.</exception>
    public async Task<IReadOnlyDictionary<string, string?>> TestAsync(ChangeActor actor, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(actor);
        actor.Require(ChangeRole.Administrator);
        var current = settings.Current;
        var results = new Dictionary<string, string?>(StringComparer.Ordinal);
        foreach (var sender in senders.Where(s => s.IsWanted(current)))
        {
            results[sender.Way] = await TrySendAsync(sender, current, new() { Event = "test", Key = default, Host = Environment.MachineName, At = time.GetUtcNow() }, cancellationToken) is { } problem ? problem.Message : null;
        }

        return results.Count > 0 ? results : throw new ChangeException(ChangeFault.Invalid, "alerts: neither webhook nor mail is set up; save one first");
    }

    /// <summary>One look: facts, turns, rows, messages.</summary>
    internal async Task LookAsync(CancellationToken cancellationToken)
    {
        var turns = _watch.Observe(facts.Read(), settings.Current.Rules, time.GetElapsedTime(0));
        if (turns.IsEmpty)
        {
            return;
        }

        var now = time.GetUtcNow();
        foreach (var turn in turns)
        {
            var record = await TryKeepAsync(turn, now, cancellationToken);
            var standing = _standing.Where(a => a.Key != turn.Key);
            _standing = [.. turn.Raised ? standing.Prepend(new(record ?? 0, turn.Key.Kind, turn.Key.Gateway, turn.Key.Subject, turn.Value ?? 0, now, null, null)) : standing];
            LogTurn(logger, turn.Raised ? "raised" : "cleared", turn.Key.Kind, turn.Key.Gateway, turn.Key.Subject ?? "-");
            _outbox.Writer.TryWrite((record, new()
            {
                Event = turn.Raised ? "raised" : "cleared", Key = turn.Key, Host = Environment.MachineName, At = now, Value = turn.Value, Threshold = turn.Threshold,
            }));
        }

        Changed?.Invoke();
    }

    /// <summary>Finds what stood when the program ended.</summary>
    internal async Task RestoreAsync(CancellationToken cancellationToken)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var rows = await context.Set<AlertRecord>().AsNoTracking().Where(a => a.ClearedAt == null).OrderByDescending(a => a.Id).ToListAsync(cancellationToken);
            _standing = [.. rows.Select(AlertEntry.Of).DistinctBy(a => a.Key)];
        }

        foreach (var entry in _standing)
        {
            _watch.Restore(entry.Key, time.GetElapsedTime(0));
        }

        Changed?.Invoke();
    }

    /// <summary>Sends what waits.</summary>
    internal async Task SendAsync(CancellationToken cancellationToken)
    {
        await foreach (var (record, message) in _outbox.Reader.ReadAllAsync(cancellationToken))
        {
            var current = settings.Current;
            var problems = (await Task.WhenAll(senders.Where(s => s.IsWanted(current)).Select(s => DeliverAsync(s, message, cancellationToken)))).OfType<string>().ToList();
            if (problems.Count > 0)
            {
                var sentence = string.Join("; ", problems);
                LogNotSent(logger, sentence);
                await NoteAsync(record, sentence, cancellationToken);
            }
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var sending = SendAsync(stoppingToken);
        var restored = false;
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            do
            {
                try
                {
                    if (!restored)
                    {
                        await RestoreAsync(stoppingToken);
                        restored = true;
                    }

                    await LookAsync(stoppingToken);
                }
                catch (Exception e) when (e is DbException or DbUpdateException)
                {
                    LogNotKept(logger, e.Message); // what stood before is found at the next look
                }
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException)
        {
            // The program ends.
        }

        await Task.WhenAny(sending);
    }

    [LoggerMessage(EventId = 7001, Level = LogLevel.Information, Message = "Alert {Turn}: {Kind} of {Gateway} {Subject}")]
    private static partial void LogTurn(ILogger logger, string turn, AlertKind kind, string gateway, string subject);

    [LoggerMessage(EventId = 7002, Level = LogLevel.Warning, Message = "An alert was not sent: {Sentence}")]
    private static partial void LogNotSent(ILogger logger, string sentence);

    [LoggerMessage(EventId = 7003, Level = LogLevel.Error, Message = "An alert could not be kept: {Reason}")]
    private static partial void LogNotKept(ILogger logger, string reason);

    private async Task<long?> KeepAsync(AlertTurn turn, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var set = context.Set<AlertRecord>();
            var row = await set.Where(a => a.ClearedAt == null && a.Kind == turn.Key.Kind && a.Gateway == turn.Key.Gateway && a.Subject == turn.Key.Subject).OrderBy(a => a.Id).FirstOrDefaultAsync(cancellationToken);
            if (turn.Raised && row is null)
            {
                row = new() { Kind = turn.Key.Kind, Gateway = turn.Key.Gateway, Subject = turn.Key.Subject, Value = turn.Value ?? 0, RaisedAt = now };
                set.Add(row);
            }
            else if (!turn.Raised && row is not null)
            {
                row.ClearedAt = now;
            }

            await context.SaveChangesAsync(cancellationToken);
            var oldest = await set.OrderByDescending(a => a.Id).Select(a => a.Id).Skip(AlertRecord.MostRecords - 1).FirstOrDefaultAsync(cancellationToken);
            await set.Where(a => a.Id < oldest && a.ClearedAt != null).ExecuteDeleteAsync(cancellationToken);
            return row?.Id;
        }
    }

    // A disk that is full must not keep its own alert back.
    private async Task<long?> TryKeepAsync(AlertTurn turn, DateTimeOffset now, CancellationToken cancellationToken)
    {
        try
        {
            return await KeepAsync(turn, now, cancellationToken);
        }
        catch (Exception e) when (e is DbException or DbUpdateException)
        {
            LogNotKept(logger, e.Message);
            return null;
        }
    }

    private async Task NoteAsync(long? record, string sentence, CancellationToken cancellationToken)
    {
        try
        {
            var context = await contexts.CreateDbContextAsync(cancellationToken);
            await using (context)
            {
                await context.Set<AlertRecord>().Where(a => a.Id == record).ExecuteUpdateAsync(a => a.SetProperty(x => x.SendProblem, sentence), cancellationToken);
            }

            _standing = [.. _standing.Select(a => a.Id == record ? a with { SendProblem = sentence } : a)];
            Changed?.Invoke();
        }
        catch (Exception e) when (e is DbException or DbUpdateException)
        {
            LogNotKept(logger, e.Message);
        }
    }

    private async Task<string?> DeliverAsync(IAlertSender sender, AlertMessage message, CancellationToken cancellationToken)
    {
        for (var attempt = 0; ; attempt++)
        {
            var problem = await TrySendAsync(sender, settings.Current, message, cancellationToken);
            if (problem is null || problem.IsFinal || attempt == s_again.Length)
            {
                return problem?.Message;
            }

            await Task.Delay(s_again[attempt], time, cancellationToken);
        }
    }

    private static async Task<AlertSendException?> TrySendAsync(IAlertSender sender, AlertSettings current, AlertMessage message, CancellationToken cancellationToken)
    {
        try
        {
            await sender.SendAsync(current, message, cancellationToken);
            return null;
        }
        catch (AlertSendException e)
        {
            return e;
        }
    }
}
