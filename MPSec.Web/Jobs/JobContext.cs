using System.Text.Json;
using MPSec.Linux.Processes;

namespace MPSec.Jobs;

/// <summary>What a step may use while it works.</summary>
public sealed class JobContext
{
    private readonly JobRun _run;
    private readonly int _position;
    private readonly JobLedger _ledger;
    private readonly JobFeed _feed;
    private readonly JobLogWriter _log;
    private readonly SupervisedProcess _programs;
    private readonly CancellationToken _cancel;
    private readonly CancellationToken _detach;

    internal JobContext(JobRun run, int position, JobLedger ledger, JobFeed feed, JobLogWriter log, SupervisedProcess programs, CancellationToken cancel, CancellationToken detach, CancellationToken either)
    {
        (_run, _position, _ledger, _feed, _log, _programs, _cancel, _detach) = (run, position, ledger, feed, log, programs, cancel, detach);
        CancellationToken = either;
    }

    /// <summary>The run.</summary>
    public long RunId => _run.Id;

    /// <summary>Who asked for it.</summary>
    public string RequestedBy => _run.RequestedBy;

    /// <summary>When it was asked for.</summary>
    public DateTimeOffset RequestedAt => _run.RequestedAt;

    /// <summary>The steps of the run, with the times of those that ended.</summary>
    public IReadOnlyList<JobRunStep> Steps => _run.Steps;

    /// <summary>Ends the step: it was cancelled, or the server stops.</summary>
    public CancellationToken CancellationToken { get; }

    /// <summary>What came out of the step, in a few words; shown beside it.</summary>
    public string? Outcome { get; set; }

    /// <summary>Numbers of all runs that are queued or running, this one among them.</summary>
    public async Task<IReadOnlySet<long>> UnfinishedRunsAsync() => (await _ledger.UnfinishedAsync(CancellationToken)).Select(run => run.Id).ToHashSet();

    /// <summary>The parameters it was started with.</summary>
    public TParameters Parameters<TParameters>() => JsonSerializer.Deserialize<TParameters>(_run.Parameters, JobEngine.Json)!;

    /// <summary>Notes one line in the log. No secrets.</summary>
    public void Log(string text) => _log.Note(text);

    /// <summary>Tells how far the step is.</summary>
    /// <param name="percent">0 to 100; null when it cannot be told.</param>
    /// <param name="activity">What is being done, in a few words.</param>
    public void Report(double? percent, string activity) =>
        _feed.Publish(RunId, new JobProgress(percent is { } known ? Math.Clamp(known, 0, 100) : null, JobLogWriter.Clean(activity)));

    /// <summary>What the step remembered before it was interrupted; null at first.</summary>
    public TMemory? Recall<TMemory>()
        where TMemory : class => _run.Steps[_position].Memory is { } memory ? JsonSerializer.Deserialize<TMemory>(memory, JobEngine.Json) : null;

    /// <summary>What another step of the run remembered; null when it remembered nothing.</summary>
    /// <param name="step"><see cref="JobStep.Key"/>.</param>
    public TMemory? Recall<TMemory>(string step)
        where TMemory : class => _run.Steps.Find(s => s.Key == step)?.Memory is { } memory ? JsonSerializer.Deserialize<TMemory>(memory, JobEngine.Json) : null;

    /// <summary>Remembers something across an interruption; on disk when it returns.</summary>
    public async Task RememberAsync<TMemory>(TMemory memory)
        where TMemory : class
    {
        var text = JsonSerializer.Serialize(memory, JobEngine.Json);
        await _ledger.RememberAsync(RunId, _position, text);
        _run.Steps[_position].Memory = text;
    }

    /// <summary>
    /// Runs a long program outside the life of the server, its lines in the run's log. After an interruption the same call goes on following it, or gives back
    /// how it ended.
    /// </summary>
    /// <param name="key">Name of the program within the step: lower-case letters, digits and dashes.</param>
    /// <param name="call">What to run.</param>
    /// <param name="line">Gets each line that it printed, from the first on.</param>
    /// <param name="restart">It goes on where it was when it is run again: killed from outside, it is started again.</param>
    /// <returns>Exit code; 128 + number when a signal ended it.</returns>
    /// <exception cref="JobFailedException">It could not be started, or was ended from outside.</exception>
    public Task<int> RunProgramAsync(string key, ProgramCall call, Action<string>? line = null, bool restart = false) =>
        _programs.RunAsync(RunId, _run.Steps[_position].Key, key, call, line, restart, _cancel, _detach);

    /// <summary>As <see cref="RunProgramAsync"/>, with a verb of this very program.</summary>
    public Task<int> RunSelfAsync(string key, IReadOnlyList<string> arguments, Action<string>? line = null, bool restart = false)
    {
        var (program, first) = SupervisedProcess.Self();
        return RunProgramAsync(key, new ProgramCall(program, [.. first, .. arguments]), line, restart);
    }
}
