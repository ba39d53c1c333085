using System.Data.Common;
using MPSec.Changes;
using MPSec.Hosting.Shell;

namespace MPSec.Hosting.Checked;

/// <summary>
/// Knows the change that waits to be confirmed, whichever process made or ended it. At start it ends what a killed process left; while one waits it gives it
/// a new dead-man should the first be gone.
/// </summary>
internal sealed partial class PendingChangeWatch : BackgroundService
{
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_idleLook = TimeSpan.FromSeconds(5);

    private readonly ChangeService _changes;
    private readonly ChangeJournal _journal;
    private readonly ShellState _shell;
    private readonly TimeProvider _time;
    private readonly ILogger<PendingChangeWatch> _logger;
    private readonly Lock _lock = new();
    private PendingChange? _current;

    public PendingChangeWatch(ChangeService changes, ChangeJournal journal, ShellState shell, TimeProvider time, ILogger<PendingChangeWatch> logger)
    {
        (_changes, _journal, _shell, _time, _logger) = (changes, journal, shell, time, logger);
        _changes.PendingChanged += Set;
    }

    /// <summary>Raised on any thread when <see cref="Current"/> or <see cref="LastEnded"/> changed.</summary>
    public event Action? Changed;

    /// <summary>The change that waits; null when none does.</summary>
    public PendingChange? Current => _current;

    /// <summary>How the last one ended that this process saw waiting.</summary>
    public ChangeReport? LastEnded { get; private set; }

    public override void Dispose()
    {
        _changes.PendingChanged -= Set;
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            try
            {
                await _changes.RecoverChecksAsync(stoppingToken);
                Set(await _changes.PendingAsync(stoppingToken));
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

    private void Set(PendingChange? pending)
    {
        PendingChange? before;
        lock (_lock)
        {
            (before, _current) = (_current, pending);
        }

        _shell.SetPendingChanges(pending is null ? 0 : 1);
        if (before is not null && pending?.Id != before.Id)
        {
            _ = TellEndAsync(before.Id);
        }
        else if (before?.Stage != pending?.Stage)
        {
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
