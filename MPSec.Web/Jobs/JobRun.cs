namespace MPSec.Jobs;

/// <summary>Where a run stands.</summary>
public enum JobState
{
    /// <summary>Waits for a worker.</summary>
    Queued,

    /// <summary>A worker has claimed it.</summary>
    Running,

    /// <summary>The server ended while it ran, and its kind cannot be resumed: an administrator decides.</summary>
    Interrupted,

    /// <summary>All steps done.</summary>
    Succeeded,

    /// <summary>A step failed; <see cref="JobRun.Result"/> says why.</summary>
    Failed,

    /// <summary>Ended on request.</summary>
    Cancelled,
}

/// <summary>Where a step of a run stands.</summary>
public enum JobStepState
{
    /// <summary>Its turn has not come.</summary>
    Waiting,

    /// <summary>Begun and not finished.</summary>
    Running,

    /// <summary>Finished; never done again in this run.</summary>
    Done,

    /// <summary>It failed.</summary>
    Failed,

    /// <summary>It was cancelled.</summary>
    Cancelled,
}

/// <summary>What happened to a run, for its history.</summary>
public enum JobMarkKind
{
    /// <summary>Somebody asked for it.</summary>
    Requested,

    /// <summary>A worker began with it.</summary>
    Started,

    /// <summary>The server ended while it ran; what it was doing is lost from the last finished step on.</summary>
    Interrupted,

    /// <summary>The server ended while it ran, but the program went on; it is followed again.</summary>
    Reattached,

    /// <summary>A worker went on with it.</summary>
    Resumed,

    /// <summary>Somebody asked to cancel it.</summary>
    CancelRequested,

    /// <summary>It ended.</summary>
    Finished,
}

/// <summary>One run of a job: the truth about it, whatever the executor remembers. All times are UTC.</summary>
public sealed class JobRun
{
    /// <summary>Number of the run, from 1; never given twice.</summary>
    public long Id { get; set; }

    /// <summary><see cref="IJobKind.Key"/> of its kind.</summary>
    public required string Kind { get; set; }

    /// <summary>Its parameters as JSON, without secrets.</summary>
    public required string Parameters { get; set; }

    /// <summary>Name of who asked for it.</summary>
    public required string RequestedBy { get; set; }

    /// <summary>Where it stands.</summary>
    public JobState State { get; set; }

    /// <summary>How often a worker has begun with it; above 1 after an interruption.</summary>
    public int Attempt { get; set; }

    /// <summary>Which server process works on it: boot id, process id and start time.</summary>
    public string? Claim { get; set; }

    /// <summary>Progress of the current step in percent; null when it cannot be told.</summary>
    public double? Percent { get; set; }

    /// <summary>What is being done, in a few words.</summary>
    public string? Activity { get; set; }

    /// <summary>How it ended, in one sentence.</summary>
    public string? Result { get; set; }

    /// <summary>The run that this one repeats.</summary>
    public long? AgainOf { get; set; }

    /// <summary>When it was asked for.</summary>
    public DateTimeOffset RequestedAt { get; set; }

    /// <summary>When a worker first began with it.</summary>
    public DateTimeOffset? StartedAt { get; set; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset? FinishedAt { get; set; }

    /// <summary>When it was asked to cancel it.</summary>
    public DateTimeOffset? CancelRequestedAt { get; set; }

    /// <summary>Its steps in order.</summary>
    public List<JobRunStep> Steps { get; set; } = [];

    /// <summary>What happened to it, in order.</summary>
    public List<JobRunMark> Marks { get; set; } = [];

    /// <summary>Neither ended nor waiting for an administrator.</summary>
    public bool IsActive => State is JobState.Queued or JobState.Running;
}

/// <summary>One step of a run.</summary>
public sealed class JobRunStep
{
    /// <summary>The run.</summary>
    public long RunId { get; set; }

    /// <summary>Place in the order, from 0.</summary>
    public int Position { get; set; }

    /// <summary><see cref="JobStep.Key"/>.</summary>
    public required string Key { get; set; }

    /// <summary>Where it stands.</summary>
    public JobStepState State { get; set; }

    /// <summary>What came out, in a few words.</summary>
    public string? Outcome { get; set; }

    /// <summary>What the step must remember across an interruption, as JSON.</summary>
    public string? Memory { get; set; }

    /// <summary>When it first began.</summary>
    public DateTimeOffset? StartedAt { get; set; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset? FinishedAt { get; set; }
}

/// <summary>One event in the history of a run.</summary>
public sealed class JobRunMark
{
    /// <summary>Order.</summary>
    public long Id { get; set; }

    /// <summary>The run.</summary>
    public long RunId { get; set; }

    /// <summary>What happened.</summary>
    public JobMarkKind Kind { get; set; }

    /// <summary>When.</summary>
    public DateTimeOffset At { get; set; }

    /// <summary>Number of the step it happened at, from 1.</summary>
    public int? Step { get; set; }

    /// <summary>Who did it, when it was somebody.</summary>
    public string? Who { get; set; }
}
