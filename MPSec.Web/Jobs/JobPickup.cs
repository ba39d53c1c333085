using System.Data.Common;

namespace MPSec.Jobs;

/// <summary>
/// Takes up what another process wrote into the database: runs that a command line queued, and wishes to cancel. The rows are the truth; this server's own queue
/// knows only what it was told.
/// </summary>
internal sealed class JobPickup(JobKinds kinds, JobLedger ledger, JobQueue queue, JobCancellations cancellations, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(2);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var known = new HashSet<long>();
        using var timer = new PeriodicTimer(s_look, time);
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
        {
            try
            {
                foreach (var run in await ledger.UnfinishedAsync(stoppingToken))
                {
                    if (run.State == JobState.Queued && known.Add(run.Id) && kinds.Find(run.Kind) is { } kind)
                    {
                        queue.Add(run.Id, kind.Lane); // being queued twice does nothing
                    }

                    if (run is { State: JobState.Running, CancelRequestedAt: not null })
                    {
                        cancellations.Cancel(run.Id);
                    }
                }
            }
            catch (DbException)
            {
                // Locked for long: the next look sees the same.
            }
        }
    }
}
