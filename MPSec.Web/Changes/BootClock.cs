using System.Globalization;

namespace MPSec.Changes;

/// <summary>A clock that every process of a boot reads alike and that nobody can set: deadlines must not move with the time of day.</summary>
public interface IBootClock
{
    /// <summary>Random id of the running boot.</summary>
    string Boot { get; }

    /// <summary>Milliseconds since boot, suspended time included.</summary>
    long Milliseconds { get; }
}

/// <summary>CLOCK_BOOTTIME as /proc/uptime shows it (proc_uptime(5)), in steps of 10 ms.</summary>
public sealed class UptimeClock : IBootClock
{
    /// <inheritdoc/>
    public string Boot => ProcessMark.Current.Boot;

    /// <inheritdoc/>
    public long Milliseconds => (long)(decimal.Parse(File.ReadAllText("/proc/uptime").Split(' ')[0], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture) * 1000);
}
