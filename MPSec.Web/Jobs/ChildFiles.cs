using System.Text.Json;
using MPSec.Linux.Processes;

namespace MPSec.Jobs;

/// <summary>What to run under supervision, where to log it from which length on, and the mark by which its processes are known.</summary>
internal sealed record ChildPlan(ProgramCall Call, string Log, long LogOffset, string Mark);

/// <summary>How a supervised program ended. <paramref name="Error"/> says why it could not be started.</summary>
internal sealed record ChildExit(int ExitCode, DateTimeOffset At, string? Error);

/// <summary>How far what a program printed was carried over to the log: both are where a line begins, in bytes.</summary>
internal sealed record ChildPosition(long Output, long Log);

/// <summary>How a supervised program stands.</summary>
internal enum ChildStanding
{
    /// <summary>No supervisor has shown itself yet.</summary>
    Unknown,

    /// <summary>Its supervisor lives.</summary>
    Alive,

    /// <summary>It left its exit file.</summary>
    Finished,

    /// <summary>Its supervisor ended without leaving an exit file.</summary>
    Gone,
}

/// <summary>The files by which the server and the supervisor of one program speak with each other; all but the lock are replaced by an atomic rename.</summary>
internal sealed class ChildFiles(string folder, string key)
{
    private const string PlanEnd = ".plan.json";

    public string Plan => Path.Combine(folder, key + PlanEnd);

    public string LockFile => Path.Combine(folder, key + ".lock");

    /// <summary>What the program printed, as it printed it, until it is in the log.</summary>
    public string Output => Path.Combine(folder, key + ".out");

    private string Position => Path.Combine(folder, key + ".position.json");

    private string Identity => Path.Combine(folder, key + ".child.json");

    private string Exit => Path.Combine(folder, key + ".exit.json");

    public static ChildFiles OfPlan(string plan) => new(Path.GetDirectoryName(plan)!, Path.GetFileName(plan)[..^PlanEnd.Length]);

    /// <summary>All programs of the step <paramref name="step"/> that were ever planned in this folder.</summary>
    public static IEnumerable<ChildFiles> OfStep(string folder, string step) => Directory.Exists(folder)
        ? Directory.EnumerateFiles(folder, $"{step}.*{PlanEnd}").Select(OfPlan)
        : [];

    public ChildPlan? ReadPlan() => Read<ChildPlan>(Plan);

    public ProcessIdentity? ReadIdentity() => Read<ProcessIdentity>(Identity);

    public ChildExit? ReadExit() => Read<ChildExit>(Exit);

    public ChildPosition? ReadPosition() => Read<ChildPosition>(Position);

    public void Write(ChildPosition position) => Write(Position, position);

    public void Write(ChildPlan plan) => Write(Plan, plan);

    public void Write(ProcessIdentity identity) => Write(Identity, identity);

    public void Write(ChildExit exit) => Write(Exit, exit);

    // The exit file is looked for again after the supervisor is seen dead: it is the last thing that one does.
    public ChildStanding Standing() =>
        File.Exists(Exit) ? ChildStanding.Finished
        : ReadIdentity() is not { } identity ? ChildStanding.Unknown
        : identity.IsAlive ? ChildStanding.Alive
        : File.Exists(Exit) ? ChildStanding.Finished
        : ChildStanding.Gone;

    /// <summary>Everything that it printed is in the log and its exit code is kept: what served for that goes.</summary>
    public void Forget()
    {
        File.Delete(Output);
        File.Delete(Position);
    }

    private static TFile? Read<TFile>(string path)
        where TFile : class
    {
        try
        {
            return JsonSerializer.Deserialize<TFile>(File.ReadAllBytes(path));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private static void Write<TFile>(string path, TFile value)
    {
        var fresh = path + ".new";
        using (var file = new FileStream(fresh, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            JsonSerializer.Serialize(file, value);
            file.Flush(flushToDisk: true);
        }

        File.Move(fresh, path, overwrite: true);
    }
}
