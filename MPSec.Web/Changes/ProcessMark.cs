using System.Globalization;

namespace MPSec.Changes;

/// <summary>
/// Names one run of a process for good: pid numbers are given again, the pair of pid and start time (field 22 of proc_pid_stat(5), clock ticks since
/// boot) is not within one boot.
/// </summary>
/// <param name="Pid">Process id.</param>
/// <param name="StartTicks">Start time in clock ticks since boot.</param>
/// <param name="Boot">/proc/sys/kernel/random/boot_id.</param>
public sealed record ProcessMark(int Pid, long StartTicks, string Boot)
{
    /// <summary>This process.</summary>
    public static ProcessMark Current { get; } = new(Environment.ProcessId, ReadStart(Environment.ProcessId) ?? 0, ReadBoot());

    /// <summary>Whether that very process still runs.</summary>
    public bool IsAlive => Boot == Current.Boot && ReadStart(Pid) == StartTicks;

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Pid}/{StartTicks}/{Boot}");

    /// <summary>Reads what <see cref="ToString"/> wrote; null for anything else.</summary>
    public static ProcessMark? Parse(string? text) =>
        text?.Split('/') is [var pid, var ticks, var boot] && int.TryParse(pid, CultureInfo.InvariantCulture, out var p) && long.TryParse(ticks, CultureInfo.InvariantCulture, out var t)
            ? new(p, t, boot)
            : null;

    private static string ReadBoot() => File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();

    private static long? ReadStart(int pid)
    {
        try
        {
            // The name in parentheses may hold spaces and parentheses; state follows the last one. A zombie (Z) has ended.
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] is "Z" or "X" ? null : long.Parse(fields[19], CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
