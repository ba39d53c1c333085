using System.Data.Common;

namespace MPSec.Changes;

/// <summary>
/// Knows the change that waits to be confirmed, whichever process made or ended it. At start it ends what a killed process left; while one waits it gives it
/// a new dead-man should the first be gone.
/// </summary>
public sealed partial class PendingChangeWatch : BackgroundService
{
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_idleLook = TimeSpan.FromSeconds(5);

    private readonly ChangeService _changes;
    private readonly ChangeJournal _journal;
    private readonly TimeProvider _time;
    private readonly ILogger<PendingChangeWatch> _logger;
    private readonly Lock _lock = new();
    private PendingChange? _current;
    private Guid? _overdue;
    private int _told;

    /// <summary>Watches from now on.</summary>
    public PendingChangeWatch(ChangeService changes, ChangeJournal journal, TimeProvider time, ILogger<PendingChangeWatch> logger)
    {
        (_changes, _journal, _time, _logger) = (changes, journal, time, logger);
        _changes.PendingChanged += OnChanged;
    }

    /// <summary>Raised on any thread when <see cref="Current"/> or <see cref="LastEnded"/> changed.</summary>
    public event Action? Changed;

    /// <summary>A confirmation that a browser gives by itself takes less; only what waits longer needs anybody's attention.</summary>
    public static readonly TimeSpan Curtain = TimeSpan.FromSeconds(1.5);

    /// <summary>The change that waits; null when none does.</summary>
    public PendingChange? Current => _current;

    /// <summary>Whether <see cref="Current"/> waits for longer than <see cref="Curtain"/>: somebody must look.</summary>
    public bool IsOverdue => _current is { Stage: PendingStage.Waiting } current && current.Id == _overdue;

    /// <summary>How the last one ended that this process saw waiting, or the last change before it was started.</summary>
    public ChangeReport? LastEnded { get; private set; }

    /// <summary>Lets everybody look again.</summary>
    public void Refresh() => Changed?.Invoke();

    /// <inheritdoc/>
    public override void Dispose()
    {
        _changes.PendingChanged -= OnChanged;
        base.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            try
            {
                await _changes.RecoverChecksAsync(stoppingToken);
                LastEnded ??= await _journal.RecentAsync(1, stoppingToken) is [var last] ? last : null;
                var told = Volatile.Read(ref _told);
                Set(await _changes.PendingAsync(stoppingToken), told);
            }
            catch (DbException e)
            {
                LogUnread(_logger, e.Message);
            }

            await Task.Delay(_current is null ? s_idleLook : s_look, _time, stoppingToken);
        }
    }

    [LoggerMessage(EventId = 3301, Level = LogLevel.Warning, Message = "The change that waits to be confirmed could not be read: {Reason}")]
    private static partial void LogUnread(ILogger logger, string reason);

    private void OnChanged(PendingChange? pending) => Set(pending, null);

    /// <param name="pending">The change that waits.</param>
    /// <param name="looked">How much had been told when the look began; null for what is told. What was told meanwhile is newer than the look.</param>
    private void Set(PendingChange? pending, int? looked)
    {
        PendingChange? before;
        lock (_lock)
        {
            if (looked is { } then && then != _told)
            {
                return;
            }

            _told += looked is null ? 1 : 0;
            (before, _current) = (_current, pending);
            if (pending is { Stage: PendingStage.Waiting } && (before?.Id != pending.Id || before.Stage != PendingStage.Waiting))
            {
                _ = RaiseCurtainAsync(pending.Id);
            }
        }

        if (before is not null && pending?.Id != before.Id)
        {
            _ = TellEndAsync(before.Id);
        }
        else if (before?.Stage != pending?.Stage)
        {
            Changed?.Invoke();
        }
    }

    private async Task RaiseCurtainAsync(Guid change)
    {
        await Task.Delay(Curtain, _time);
        if (_current?.Id == change)
        {
            _overdue = change;
            Changed?.Invoke();
        }
    }

    private async Task TellEndAsync(Guid change)
    {
        try
        {
            LastEnded = await _journal.FindAsync(change);
        }
        catch (DbException e)
        {
            LogUnread(_logger, e.Message);
        }

        Changed?.Invoke();
    }
}
