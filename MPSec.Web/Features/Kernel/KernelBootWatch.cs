using MPSec.Changes;
using MPSec.Data;

namespace MPSec.Features.Kernel;

/// <summary>
/// Looks after the kernel on trial: when the web program starts it finds out which kernel came up, and while a trial runs it checks it until the verdict. Without
/// the web program <c>mpsec kernel verify</c> does the same.
/// </summary>
public sealed partial class KernelBootWatch(KernelBootService boots, KernelBootStore store, TimeProvider time, ILogger<KernelBootWatch> logger) : BackgroundService
{
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(10);
    private readonly ILogger _logger = logger;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        KernelBootState? told = null;
        string? complaint = null;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                // A file that is read costs nothing; the boot loader is asked only where something is under way or has just changed.
                var record = store.Read();
                if (record is not null && (told is null || record.IsOnTrial || record.State != told) && (await boots.LookAsync(stoppingToken)) is { } seen)
                {
                    if (told != seen.State && (told is not null || seen.IsOnTrial || seen.State != record.State))
                    {
                        LogState(_logger, seen.Release, seen.State, seen.Reason ?? seen.Marks.LastOrDefault()?.Note ?? "");
                    }

                    told = seen.State;
                }

                complaint = null;
            }
            catch (Exception e) when (e is ChangeException or IOException or UnauthorizedAccessException or StateFolderException or Microsoft.Data.Sqlite.SqliteException or Microsoft.EntityFrameworkCore.DbUpdateException)
            {
                if (complaint != e.Message)
                {
                    LogFailed(_logger, e.Message);
                    complaint = e.Message;
                }
            }

            await Task.Delay(s_pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(EventId = 3201, Level = LogLevel.Warning, Message = "Kernel {Release}: {State}: {Note}")]
    private static partial void LogState(ILogger logger, string release, KernelBootState state, string note);

    [LoggerMessage(EventId = 3202, Level = LogLevel.Warning, Message = "The kernel on trial could not be looked after; trying again: {Reason}")]
    private static partial void LogFailed(ILogger logger, string reason);
}
