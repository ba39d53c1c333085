namespace MPSec.Jobs;

/// <summary>
/// Before the first worker begins: every run that the server before this one left unfinished is queued again (to be followed or resumed) or marked interrupted.
/// The instance lock says that no other server has them.
/// </summary>
internal sealed partial class JobRecovery(JobKinds kinds, JobLedger ledger, JobQueue queue, SupervisedProcess programs, ILogger<JobRecovery> logger) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var run in await ledger.UnfinishedAsync(cancellationToken))
        {
            if (kinds.Find(run.Kind) is not { } kind)
            {
                await ledger.FinishAsync(run.Id, JobState.Failed, $"this version of MPSec has no job '{run.Kind}'");
                continue;
            }

            var queued = run.State == JobState.Queued || await ReturnAsync(run, kind);
            LogFound(run.Id, run.Kind, run.State, queued);
            if (queued)
            {
                queue.Add(run.Id, kind.Lane);
            }
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task<bool> ReturnAsync(JobRun run, IJobKind kind)
    {
        var current = run.Steps.FirstOrDefault(step => step.State != JobStepState.Done);
        var follow = current is null || programs.CanFollow(run.Id, current.Key);
        var go = follow || kind.Resumable || run.CancelRequestedAt is not null;
        await ledger.ReturnAsync(run, follow ? JobMarkKind.Reattached : JobMarkKind.Interrupted, go ? JobState.Queued : JobState.Interrupted);
        return go;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Job run {Run} ({Kind}) was {State} when the server ended; queued again: {Queued}")]
    private partial void LogFound(long run, string kind, JobState state, bool queued);
}
