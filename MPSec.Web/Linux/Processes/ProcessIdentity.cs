using System.Globalization;

namespace MPSec.Linux.Processes;

/// <summary>
/// One process, once and for all: a pid is given again to others, a pid with its start time and the boot that it belongs to is not. Read from
/// <c>/proc/PID/stat</c> (proc_pid_stat(5), field 22) and <c>/proc/sys/kernel/random/boot_id</c>.
/// </summary>
/// <param name="Pid">Process id.</param>
/// <param name="StartTicks">Start time in clock ticks since boot.</param>
/// <param name="BootId">The kernel's random id of this boot.</param>
public sealed record ProcessIdentity(int Pid, ulong StartTicks, string BootId)
{
    /// <summary>The id of the running boot.</summary>
    public static string CurrentBootId { get; } = File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();

    /// <summary>This process.</summary>
    public static ProcessIdentity Current { get; } =
        Of(Environment.ProcessId) ?? throw new InvalidOperationException("/proc does not show this process; mount it");

    /// <summary>The process that has this pid now; null when there is none, or only its exit status is left (a zombie).</summary>
    public static ProcessIdentity? Of(int pid) => ProcessStat.Read(pid) is { IsZombie: false } stat ? new(pid, stat.StartTicks, CurrentBootId) : null;

    /// <summary>Whether exactly this process still runs.</summary>
    public bool IsAlive => BootId == CurrentBootId && Of(Pid) == this;

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{BootId}/{Pid}/{StartTicks}");
}

/// <summary>The fields of <c>/proc/PID/stat</c> that tell processes apart.</summary>
/// <param name="IsZombie">Ended, not yet collected by its parent.</param>
/// <param name="Session">Process id of the session's leader.</param>
/// <param name="StartTicks">Start time in clock ticks since boot.</param>
internal readonly record struct ProcessStat(bool IsZombie, int Session, ulong StartTicks)
{
    public static ProcessStat? Read(int pid)
    {
        try
        {
            return Parse(File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/stat")));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    // The program name stands in parentheses and may itself hold spaces and parentheses: everything after the last one counts.
    public static ProcessStat? Parse(string text)
    {
        var fields = text[(text.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length > 19
            && int.TryParse(fields[3], CultureInfo.InvariantCulture, out var session)
            && ulong.TryParse(fields[19], CultureInfo.InvariantCulture, out var start)
            ? new(fields[0] is "Z" or "X", session, start)
            : null;
    }
}
