using System.Runtime.InteropServices;
using MPSec.Linux.Processes;

namespace MPSec.Jobs;

/// <summary>
/// The process between the server and a long program (<c>mpsec run-child PLAN</c>). It leads a session of its own, holds a kernel lock so that the program never
/// runs twice at once, carries the program's lines to the run's log, and leaves the exit code in a file that appears whole and last.
/// </summary>
public static class ProgramSupervisor
{
    /// <summary>The hidden verb.</summary>
    public const string Verb = "run-child";

    /// <summary>Runs the planned program to its end. Does nothing when it is finished or another supervisor has it.</summary>
    public static async Task<int> RunAsync(string plan, TimeProvider time)
    {
        var files = ChildFiles.OfPlan(plan);
        FileStream held;
        try
        {
            held = new FileStream(files.LockFile, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            return 0;
        }

        using (held)
        using (Stay(PosixSignal.SIGTERM))
        using (Stay(PosixSignal.SIGINT))
        using (Stay(PosixSignal.SIGHUP))
        {
            if (files.ReadPlan() is not { } what || files.ReadExit() is not null)
            {
                return 0;
            }

            if (files.ReadIdentity() is { } before)
            {
                await EndSurvivorsAsync(before, what.Mark, time);
            }

            files.Write(ProcessIdentity.Current);
            using var log = new JobLogWriter(what.Log, time);
            files.Write(Run(what, files, log, time));
            files.Forget();
            return 0;
        }
    }

    private static ChildExit Run(ChildPlan plan, ChildFiles files, JobLogWriter log, TimeProvider time)
    {
        try
        {
            using var output = new ChildOutput(files, plan, log);
            var code = ForegroundProgram.Run(plan.Call, files.Output, output.Carry);
            log.Complete();
            return new(code, time.GetUtcNow(), null);
        }
        catch (Exception e)
        {
            // Whatever it is, the server learns it by the exit file; nobody else reads what this process would print.
            return new(127, time.GetUtcNow(), e.Message);
        }
    }

    // A signal to the group is meant for the program; its exit code must still be written down.
    private static PosixSignalRegistration Stay(PosixSignal signal) => PosixSignalRegistration.Create(signal, context => context.Cancel = true);

    // A supervisor that was killed alone leaves its program running. It goes before the next one starts.
    private static async Task EndSurvivorsAsync(ProcessIdentity before, string mark, TimeProvider time)
    {
        while (ProcessSession.Members(before, mark).Count > 0)
        {
            ProcessSession.Kill(before, mark);
            await Task.Delay(TimeSpan.FromMilliseconds(20), time);
        }
    }
}
