using System.Globalization;
using System.Text;
using MPSec.Data;
using MPSec.Linux.Processes;

namespace MPSec.Jobs;

/// <summary>
/// A long program outside the life of the server. Starting is idempotent: a living one is followed again, a finished one is read, and only one that is
/// nowhere is started. Stopping to follow it (<c>detach</c>) leaves it alone; cancelling ends its whole process group.
/// </summary>
public sealed class SupervisedProcess(StateFolder folder, DetachedProgram detached, TimeProvider time)
{
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_startLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_again = TimeSpan.FromSeconds(1);
    private const int MostRestarts = 5;
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(10);

    /// <summary>Runs or goes on following the program <paramref name="key"/> of a run's step.</summary>
    /// <param name="run">The run.</param>
    /// <param name="step"><see cref="JobStep.Key"/>.</param>
    /// <param name="key">Name of the program within the step: lower-case letters, digits and dashes.</param>
    /// <param name="call">What to run, if it was not planned before.</param>
    /// <param name="line">Gets each line that the program printed, from its first one, also after an interruption.</param>
    /// <param name="restart">
    /// For a program that goes on where it was when it is run again, such as make: killed from outside together with its supervisor, it is started again, at most five
    /// times without a new line.
    /// </param>
    /// <param name="cancel">Ends the program: SIGTERM to its group, SIGKILL after 10 s.</param>
    /// <param name="detach">Stops following; the program goes on.</param>
    /// <returns>Exit code; 128 + number when a signal ended it.</returns>
    /// <exception cref="JobFailedException">It could not be started, or ended without leaving an exit code.</exception>
    /// <exception cref="OperationCanceledException">Cancelled or detached.</exception>
    public async Task<int> RunAsync(long run, string step, string key, ProgramCall call, Action<string>? line, bool restart, CancellationToken cancel, CancellationToken detach)
    {
        var files = new ChildFiles(folder.JobFolder(run), $"{step}.{key}");
        if (files.ReadPlan() is null)
        {
            var mark = string.Create(CultureInfo.InvariantCulture, $"run {run} {step} {key} of {folder.Root}");
            call = call with { Environment = new Dictionary<string, string>(call.Environment) { ["MPSEC_RUN"] = mark } };
            var log = new FileInfo(folder.JobLog(run));
            files.Write(new ChildPlan(call, log.FullName, log.Exists ? log.Length : 0, "MPSEC_RUN=" + mark));
        }

        var unit = string.Create(CultureInfo.InvariantCulture, $"mpsec-run-{run}-{step}-{key}");
        if (files.Standing() is ChildStanding.Unknown or ChildStanding.Gone)
        {
            cancel.ThrowIfCancellationRequested();
            await StartAsync(files, unit, detach);
        }

        var (restarts, seen) = (0, 0L);
        var offset = files.ReadPlan()!.LogOffset;
        while (true)
        {
            var standing = files.Standing();
            offset = Follow(run, offset, line);
            switch (standing)
            {
                case ChildStanding.Finished:
                    var exit = files.ReadExit()!;
                    return exit.Error is null ? exit.ExitCode : throw new JobFailedException(exit.Error);
                case ChildStanding.Alive when cancel.IsCancellationRequested:
                    await EndAsync(files);
                    throw new OperationCanceledException(cancel);
                case ChildStanding.Alive:
                    await PauseAsync(s_poll, cancel, detach);
                    break;
                case var _ when restart && !cancel.IsCancellationRequested && (restarts = offset > seen ? 1 : restarts + 1) <= MostRestarts:
                    seen = offset;
                    await PauseAsync(s_again, cancel, detach);
                    if (!cancel.IsCancellationRequested)
                    {
                        await StartAsync(files, unit, detach);
                    }

                    break;
                default:
                    cancel.ThrowIfCancellationRequested();
                    throw new JobFailedException($"{call.Program} was ended from outside and left no exit code");
            }
        }
    }

    /// <summary>Ends what still runs for a step of a run that nobody follows any more.</summary>
    internal async Task EndAsync(long run, string step)
    {
        foreach (var files in ChildFiles.OfStep(folder.JobFolder(run), step))
        {
            await EndAsync(files);
        }
    }

    /// <summary>Whether a program of the step lives, or has left its result, so that following it again makes sense.</summary>
    internal bool CanFollow(long run, string step) =>
        ChildFiles.OfStep(folder.JobFolder(run), step).Any(files => files.Standing() is ChildStanding.Alive or ChildStanding.Finished);

    private async Task StartAsync(ChildFiles files, string unit, CancellationToken detach)
    {
        var gone = files.ReadIdentity();
        try
        {
            var (program, arguments) = Self();
            await detached.StartAsync(unit, program, [.. arguments, ProgramSupervisor.Verb, files.Plan], detach);
        }
        catch (IOException e)
        {
            throw new JobFailedException(e.Message, e);
        }

        using var limit = new CancellationTokenSource(s_startLimit, time);
        while (files.Standing() is not ChildStanding.Finished && (files.ReadIdentity() is not { } now || now == gone))
        {
            if (limit.IsCancellationRequested)
            {
                throw new JobFailedException($"the supervisor of {Path.GetFileName(files.Plan)} did not show itself within {s_startLimit.TotalSeconds:0} s");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), time, detach);
        }
    }

    private async Task EndAsync(ChildFiles files)
    {
        if (files.ReadIdentity() is not { } leader || files.ReadPlan() is not { } plan)
        {
            return;
        }

        ProcessSession.Terminate(leader);
        using var grace = new CancellationTokenSource(s_grace, time);
        while (!grace.IsCancellationRequested && (leader.IsAlive || ProcessSession.Members(leader, plan.Mark).Count > 0))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), time, CancellationToken.None);
        }

        ProcessSession.Kill(leader, plan.Mark);
    }

    private long Follow(long run, long offset, Action<string>? line)
    {
        if (line is null)
        {
            return offset;
        }

        long from;
        do
        {
            from = offset;
            offset = JobLogReader.Read(folder.JobLog(run), from, (bytes, _) =>
            {
                if (JobLogReader.OfProgram(bytes) is { IsEmpty: false } printed)
                {
                    line(Encoding.UTF8.GetString(printed[2..]));
                }
            });
        }
        while (offset > from);
        return offset;
    }

    private async Task PauseAsync(TimeSpan pause, CancellationToken cancel, CancellationToken detach)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, detach);
        await Task.Delay(pause, time, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!cancel.IsCancellationRequested)
        {
            detach.ThrowIfCancellationRequested();
        }
    }

    /// <summary>How to run this very program once more: its own launcher beside it, or the assembly by the host that runs it now.</summary>
    internal static (string Program, IReadOnlyList<string> Arguments) Self()
    {
        var launcher = Path.Combine(AppContext.BaseDirectory, "mpsec");
        return File.Exists(launcher) ? (launcher, []) : (Environment.ProcessPath!, [Path.Combine(AppContext.BaseDirectory, "mpsec.dll")]);
    }
}
