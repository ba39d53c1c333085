namespace MPSec.Jobs;

/// <summary>Which workers run a job: chores (backup, pruning, checks) never wait behind long runs.</summary>
public enum JobLane
{
    /// <summary>Minutes to hours.</summary>
    Long,

    /// <summary>Seconds.</summary>
    Chores,
}

/// <summary>What kinds of jobs there are. A feature implements one per kind of long work and registers it as a singleton.</summary>
public interface IJobKind
{
    /// <summary>Lasting name, kept in the database: lower-case letters, digits and dashes.</summary>
    string Key { get; }

    /// <summary>The type whose resources hold the titles of the kind and of its steps.</summary>
    Type Texts { get; }

    /// <summary>Resource key of the title.</summary>
    string TitleKey { get; }

    /// <summary>The steps, all known before the start, in order.</summary>
    IReadOnlyList<JobStep> Steps { get; }

    /// <summary>May be begun again at the first unfinished step after the server was killed.</summary>
    bool Resumable { get; }

    /// <summary>Which workers run it.</summary>
    JobLane Lane { get; }

    /// <summary>How many runs of this kind may run at once.</summary>
    int MostAtOnce { get; }

    /// <summary>Roles whose members may start, cancel and repeat it.</summary>
    IReadOnlyList<string> Roles { get; }

    /// <summary>The type of its parameters.</summary>
    Type ParameterType => typeof(NoJobParameters);

    /// <summary>Parameters of a start that says no more; null when the kind is started from a page of its own only.</summary>
    object? UsualParameters => null;

    /// <summary>Checks parameters before anything is written: null when good, else one sentence that names the field and the fix.</summary>
    string? Check(object parameters) => null;

    /// <summary>A start that takes away what a failed run met; null when none is known.</summary>
    JobOffer? Offer(JobRun failed) => null;
}

/// <summary>What may be started next, instead of the same again.</summary>
/// <param name="Kind">Key of the kind.</param>
/// <param name="Parameters">Its parameters.</param>
/// <param name="Texts">The type whose resources hold the title.</param>
/// <param name="TitleKey">Resource key of the title.</param>
public sealed record JobOffer(string Kind, object Parameters, Type Texts, string TitleKey);

/// <summary>One step of a kind of job. It is begun again after an interruption, so what it does twice must be as good as once.</summary>
/// <param name="Key">Lasting name: lower-case letters, digits and dashes.</param>
/// <param name="TitleKey">Resource key of the title, in <see cref="IJobKind.Texts"/>.</param>
/// <param name="RunAsync">The work. Ends normally when done; throws <see cref="JobFailedException"/> with one sentence when it cannot be done.</param>
public sealed record JobStep(string Key, string TitleKey, Func<JobContext, Task> RunAsync)
{
    /// <summary>False for work that must not be torn: a wish to cancel is refused while it runs.</summary>
    public bool MayCancel { get; init; } = true;
}

/// <summary>For kinds that need none.</summary>
public sealed record NoJobParameters;

/// <summary>A step cannot do its work; the message is the run's result.</summary>
public sealed class JobFailedException(string sentence, Exception? cause = null) : Exception(sentence, cause);

/// <summary>Why the engine did not do what it was asked.</summary>
public enum JobRefusal
{
    /// <summary>There is no such kind of job.</summary>
    UnknownKind,

    /// <summary>There is no such run.</summary>
    UnknownRun,

    /// <summary>The caller's role does not allow it.</summary>
    NotPermitted,

    /// <summary>The parameters are wrong.</summary>
    BadParameters,

    /// <summary>The run has ended already.</summary>
    AlreadyEnded,

    /// <summary>The step that runs must not be torn; ask again when it has ended.</summary>
    NotNow,
}

/// <summary>The engine refused; nothing was changed.</summary>
public sealed class JobRefusedException(JobRefusal refusal, string sentence) : Exception(sentence)
{
    /// <summary>Why.</summary>
    public JobRefusal Refusal { get; } = refusal;
}
