namespace MPSec.Features.SystemStatus;

/// <summary>A point of the machine's history.</summary>
/// <param name="At">When.</param>
/// <param name="CpuPercent">Processors busy, percent of all; null before two readings.</param>
/// <param name="MemoryPercent">Memory used, percent; null when unreadable.</param>
public readonly record struct MachinePoint(DateTimeOffset At, double? CpuPercent, double? MemoryPercent)
{
    /// <summary>The point of <paramref name="snapshot"/>.</summary>
    public static MachinePoint Of(MachineSnapshot snapshot, DateTimeOffset at)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        return new(at, snapshot.Cpu?.Busy, Percent(snapshot.Reading.Memory?.Used, snapshot.Reading.Memory?.Total));
    }

    /// <summary>A part in percent; null when one of both is not known.</summary>
    internal static double? Percent(double? part, double? whole) => part is { } p && whole is > 0 ? p / whole * 100 : null;
}
