using Microsoft.EntityFrameworkCore;
using MPSec.Data;
using MPSec.Linux.Processes;

namespace MPSec.Jobs;

/// <summary>Every write to the rows of a run. Each method is one short transaction, committed before it returns.</summary>
public sealed class JobLedger(IDbContextFactory<MPSecDbContext> contexts, TimeProvider time, JobFeed feed)
{
    // Stopping the server must not leave a row half told: the few milliseconds of a commit are always granted.
    private static readonly CancellationToken s_always = CancellationToken.None;

    /// <summary>Writes a new run as queued and gives its number.</summary>
    public async Task<long> AddAsync(IJobKind kind, string parameters, string who, long? againOf, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var run = new JobRun
        {
            Kind = kind.Key,
            Parameters = parameters,
            RequestedBy = who,
            State = JobState.Queued,
            AgainOf = againOf,
            RequestedAt = now,
            Steps = [.. kind.Steps.Select((step, position) => new JobRunStep { Position = position, Key = step.Key })],
            Marks = [new() { Kind = JobMarkKind.Requested, At = now, Who = who }],
        };
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            context.Add(run);
            await context.SaveChangesAsync(cancellationToken);
        }

        feed.Publish(run.Id, JobChange.Run);
        return run.Id;
    }

    /// <summary>One run with its steps and history; null when there is none.</summary>
    public async Task<JobRun?> FindAsync(long id, CancellationToken cancellationToken)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            return await Whole(context).AsNoTracking().SingleOrDefaultAsync(run => run.Id == id, cancellationToken);
        }
    }

    /// <summary>Runs that are queued or running, the oldest first.</summary>
    public async Task<IReadOnlyList<JobRun>> UnfinishedAsync(CancellationToken cancellationToken)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            return await Whole(context).AsNoTracking().Where(run => run.State == JobState.Queued || run.State == JobState.Running).OrderBy(run => run.Id).ToListAsync(cancellationToken);
        }
    }

    /// <summary>The oldest queued run of a kind.</summary>
    public async Task<long?> NextQueuedAsync(string kind)
    {
        var context = await contexts.CreateDbContextAsync(s_always);
        await using (context)
        {
            return await context.Set<JobRun>().Where(run => run.Kind == kind && run.State == JobState.Queued).OrderBy(run => run.Id).Select(run => (long?)run.Id).FirstOrDefaultAsync(s_always);
        }
    }

    /// <summary>One conditional update: of all who try, one gets the run, and never more than allowed run of one kind.</summary>
    public async Task<JobRun?> ClaimAsync(long id, IJobKind kind)
    {
        var now = time.GetUtcNow();
        var claim = ProcessIdentity.Current.ToString();
        var context = await contexts.CreateDbContextAsync(s_always);
        await using (context)
        {
            var runs = context.Set<JobRun>();
            var changed = await runs
                .Where(run => run.Id == id && run.State == JobState.Queued && runs.Count(other => other.Kind == kind.Key && other.State == JobState.Running) < kind.MostAtOnce)
                .ExecuteUpdateAsync(set => set
                    .SetProperty(run => run.State, JobState.Running)
                    .SetProperty(run => run.Claim, claim)
                    .SetProperty(run => run.Attempt, run => run.Attempt + 1)
                    .SetProperty(run => run.StartedAt, run => run.StartedAt ?? now), s_always);
            if (changed == 0)
            {
                return null;
            }

            var claimed = await Whole(context).SingleAsync(run => run.Id == id, s_always);
            claimed.Marks.Add(new() { Kind = claimed.Attempt == 1 ? JobMarkKind.Started : JobMarkKind.Resumed, At = now, Step = CurrentStep(claimed) });
            await context.SaveChangesAsync(s_always);
            feed.Publish(id, JobChange.Run);
            return claimed;
        }
    }

    /// <summary>A step begins.</summary>
    public Task StepStartedAsync(long id, int position) => StepAsync(id, position, (step, now) =>
    {
        step.State = JobStepState.Running;
        step.StartedAt ??= now;
    });

    /// <summary>A step ended.</summary>
    public Task StepEndedAsync(long id, int position, JobStepState state, string? outcome) => StepAsync(id, position, (step, now) =>
    {
        step.State = state;
        step.FinishedAt = now;
        step.Outcome = outcome;
    });

    /// <summary>Keeps what a step must remember.</summary>
    public Task RememberAsync(long id, int position, string memory) => StepAsync(id, position, (step, _) => step.Memory = memory);

    /// <summary>Keeps the progress of the current step.</summary>
    public async Task ProgressAsync(long id, JobProgress progress)
    {
        var context = await contexts.CreateDbContextAsync(s_always);
        await using (context)
        {
            await context.Set<JobRun>().Where(run => run.Id == id).ExecuteUpdateAsync(set => set
                .SetProperty(run => run.Percent, progress.Percent)
                .SetProperty(run => run.Activity, progress.Activity), s_always);
        }
    }

    /// <summary>Notes the wish to cancel before anything is sent. A run that no worker has is cancelled with that.</summary>
    public async Task<JobState> RequestCancelAsync(JobRun run, string who, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
            await using (transaction)
            {
                var runs = context.Set<JobRun>().Where(row => row.Id == run.Id);
                await runs.Where(row => row.CancelRequestedAt == null).ExecuteUpdateAsync(set => set.SetProperty(row => row.CancelRequestedAt, now), cancellationToken);
                var ended = await runs.Where(row => row.State == JobState.Queued || row.State == JobState.Interrupted).ExecuteUpdateAsync(
                    set => set.SetProperty(row => row.State, JobState.Cancelled).SetProperty(row => row.FinishedAt, now), cancellationToken) > 0;
                context.Add(new JobRunMark { RunId = run.Id, Kind = JobMarkKind.CancelRequested, At = now, Who = who, Step = CurrentStep(run) });
                if (ended)
                {
                    context.Add(new JobRunMark { RunId = run.Id, Kind = JobMarkKind.Finished, At = now });
                }

                await context.SaveChangesAsync(cancellationToken);
                await transaction.CommitAsync(cancellationToken);
                feed.Publish(run.Id, JobChange.Run);
                return ended ? JobState.Cancelled : JobState.Running;
            }
        }
    }

    /// <summary>The run ended.</summary>
    public async Task FinishAsync(long id, JobState state, string? result)
    {
        var now = time.GetUtcNow();
        var context = await contexts.CreateDbContextAsync(s_always);
        await using (context)
        {
            var run = await context.Set<JobRun>().SingleAsync(row => row.Id == id, s_always);
            (run.State, run.Result, run.FinishedAt, run.Claim, run.Percent, run.Activity) = (state, result, now, null, null, null);
            run.Marks.Add(new() { Kind = JobMarkKind.Finished, At = now });
            feed.Forget(id); // before anyone sees that it has ended: a finished run has no progress
            await context.SaveChangesAsync(s_always);
        }

        feed.Publish(id, JobChange.Run);
    }

    /// <summary>The server that had this run is gone: tells what became of it and gives it back to the queue, or to an administrator.</summary>
    public async Task ReturnAsync(JobRun run, JobMarkKind what, JobState state)
    {
        var context = await contexts.CreateDbContextAsync(s_always);
        await using (context)
        {
            var row = await context.Set<JobRun>().SingleAsync(candidate => candidate.Id == run.Id, s_always);
            (row.State, row.Claim) = (state, null);
            row.Marks.Add(new() { Kind = what, At = time.GetUtcNow(), Step = CurrentStep(run) });
            await context.SaveChangesAsync(s_always);
        }

        feed.Publish(run.Id, JobChange.Run);
    }

    /// <summary>Number, from 1, of the first step that is not done; null when all are.</summary>
    public static int? CurrentStep(JobRun run) => run.Steps.FirstOrDefault(step => step.State != JobStepState.Done) is { } step ? step.Position + 1 : null;

    internal static IQueryable<JobRun> Whole(MPSecDbContext context) => context.Set<JobRun>()
        .Include(run => run.Steps.OrderBy(step => step.Position))
        .Include(run => run.Marks.OrderBy(mark => mark.Id))
        .AsSplitQuery();

    private async Task StepAsync(long id, int position, Action<JobRunStep, DateTimeOffset> change)
    {
        var context = await contexts.CreateDbContextAsync(s_always);
        await using (context)
        {
            change(await context.Set<JobRunStep>().SingleAsync(step => step.RunId == id && step.Position == position, s_always), time.GetUtcNow());
            await context.SaveChangesAsync(s_always);
        }

        feed.Publish(id, JobChange.Run);
    }
}
