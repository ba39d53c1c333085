using System.Data.Common;
using Hangfire;
using Microsoft.EntityFrameworkCore;
using MPSec.Data;

namespace MPSec.Jobs;

/// <summary>What the executor calls with the number of a run. Being called twice, or for a run that somebody else has, does nothing.</summary>
public sealed partial class JobWorker(
    JobKinds kinds,
    JobLedger ledger,
    JobFeed feed,
    JobCancellations cancellations,
    JobQueue queue,
    SupervisedProcess programs,
    StateFolder folder,
    TimeProvider time,
    ILogger<JobWorker> logger,
    IHostApplicationLifetime lifetime)
{
    private static readonly TimeSpan s_pulse = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan s_insist = TimeSpan.FromSeconds(1);

    private readonly CancellationToken _detach = lifetime.ApplicationStopping;

    /// <summary>Claims the run and does its unfinished steps.</summary>
    [AutomaticRetry(Attempts = 0)]
    public async Task RunAsync(long id)
    {
        if (_detach.IsCancellationRequested
            || await InsistAsync(() => ledger.FindAsync(id, CancellationToken.None)) is not { } found
            || kinds.Find(found.Kind) is not { } kind
            || await InsistAsync(() => ledger.ClaimAsync(id, kind)) is not { } run)
        {
            return;
        }

        using var cancel = cancellations.Open(id);
        if (await InsistAsync(() => ledger.FindAsync(id, CancellationToken.None)) is { CancelRequestedAt: not null })
        {
            await cancel.Source.CancelAsync();
        }

        Directory.CreateDirectory(folder.JobFolder(id));
        using var log = new JobLogWriter(folder.JobLog(id), time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel.Source.Token, _detach);
        using var done = new CancellationTokenSource();
        var pulse = PulseAsync(id, done.Token);
        (JobState State, string? Result)? end;
        try
        {
            end = await StepsAsync(run, kind, log, cancel.Source.Token, either.Token);
        }
        finally
        {
            await done.CancelAsync();
            await pulse;
        }

        if (end is { } known)
        {
            log.Note(known.State switch
            {
                JobState.Succeeded => "done",
                JobState.Cancelled => "cancelled",
                _ => $"failed: {known.Result}",
            });
            await InsistAsync(() => ledger.FinishAsync(id, known.State, known.Result));
            feed.Publish(id, JobChange.Log);
            if (await InsistAsync(() => ledger.NextQueuedAsync(kind.Key)) is { } next)
            {
                queue.Add(next, kind.Lane);
            }
        }
    }

    private async Task InsistAsync(Func<Task> act) => await InsistAsync(async () =>
    {
        await act();
        return true;
    });

    // A database that another process keeps locked, or a full disk, must not leave a run without a worker or without an end.
    private async Task<TResult?> InsistAsync<TResult>(Func<Task<TResult>> act)
    {
        while (true)
        {
            try
            {
                return await act();
            }
            catch (Exception e) when (e is DbException or DbUpdateException)
            {
                LogDatabase(e);
                await Task.Delay(s_insist, time, _detach).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (_detach.IsCancellationRequested)
                {
                    return default;
                }
            }
        }
    }

    // Null: the server stops; row and program stay as they are, and the next server goes on.
    private async Task<(JobState State, string? Result)?> StepsAsync(JobRun run, IJobKind kind, JobLogWriter log, CancellationToken cancel, CancellationToken either)
    {
        if (!kind.Steps.Select(step => step.Key).SequenceEqual(run.Steps.Select(step => step.Key)))
        {
            return (JobState.Failed, "the steps of this kind of job are others in this version of MPSec; run it again");
        }

        foreach (var step in run.Steps.Where(step => step.State != JobStepState.Done))
        {
            var context = new JobContext(run, step.Position, ledger, feed, log, programs, cancel, _detach, either);
            var number = $"step {step.Position + 1} of {run.Steps.Count}, {step.Key}";
            try
            {
                either.ThrowIfCancellationRequested();
                feed.Publish(run.Id, new JobProgress(null, null));
                await InsistAsync(() => ledger.StepStartedAsync(run.Id, step.Position));
                log.Note(step.StartedAt is null ? number : number + " (again after an interruption)");
                step.StartedAt ??= time.GetUtcNow();
                await kind.Steps[step.Position].RunAsync(context);
                step.FinishedAt = time.GetUtcNow();
                await InsistAsync(() => ledger.StepEndedAsync(run.Id, step.Position, JobStepState.Done, context.Outcome));
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                await programs.EndAsync(run.Id, step.Key);
                await InsistAsync(() => ledger.StepEndedAsync(run.Id, step.Position, JobStepState.Cancelled, null));
                return (JobState.Cancelled, null);
            }
            catch (OperationCanceledException) when (_detach.IsCancellationRequested)
            {
                return null;
            }
            catch (JobFailedException e)
            {
                await InsistAsync(() => ledger.StepEndedAsync(run.Id, step.Position, JobStepState.Failed, null));
                return (JobState.Failed, e.Message);
            }
            catch (Exception e)
            {
                LogUnexpected(e, run.Id, step.Key);
                await InsistAsync(() => ledger.StepEndedAsync(run.Id, step.Position, JobStepState.Failed, null));
                return (JobState.Failed, $"unexpected: {e.Message}");
            }
        }

        return (JobState.Succeeded, null);
    }

    // Tells that the log has grown, whoever wrote to it, and keeps the progress in the row once a second.
    private async Task PulseAsync(long id, CancellationToken done)
    {
        long length = 0;
        JobProgress? kept = null;
        for (var beat = 1; !done.IsCancellationRequested; beat++)
        {
            var file = new FileInfo(folder.JobLog(id));
            if (file.Exists && file.Length != length)
            {
                length = file.Length;
                feed.Publish(id, JobChange.Log);
            }

            if (beat % 4 == 0 && feed.Progress(id) is { } progress && progress != kept)
            {
                kept = progress;
                await InsistAsync(() => ledger.ProgressAsync(id, progress));
            }

            await Task.Delay(s_pulse, time, done).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The database did not take the state of a job run; trying again")]
    private partial void LogDatabase(Exception e);

    [LoggerMessage(Level = LogLevel.Error, Message = "Job run {Run} failed unexpectedly in step {Step}")]
    private partial void LogUnexpected(Exception e, long run, string step);
}
