using System.Collections.Immutable;
using MPSec.Linux.Procfs;

namespace MPSec.Features.SystemStatus;

/// <summary>The machine seen against the reading before it: with shares and rates. What needs two readings is null in the first.</summary>
/// <param name="Reading">The raw facts.</param>
/// <param name="Interval">Monotonic time since the reading before; zero for the first.</param>
public sealed record MachineSnapshot(MachineReading Reading, TimeSpan Interval)
{
    /// <summary>Processes shown per order.</summary>
    public const int MostProcesses = 10;

    /// <summary>Use of all processors together; null before two readings.</summary>
    public CpuUse? Cpu { get; init; }

    /// <summary>Use of each processor.</summary>
    public ImmutableArray<CpuUse> Processors { get; init; } = [];

    /// <summary>What the disks do.</summary>
    public ImmutableArray<DiskRate> Disks { get; init; } = [];

    /// <summary>Processes by processor time in the interval, busiest first.</summary>
    public ImmutableArray<ProcessUse> Busiest { get; init; } = [];

    /// <summary>Processes by memory, largest first.</summary>
    public ImmutableArray<ProcessUse> Largest { get; init; } = [];

    /// <summary>Processes by state, as proc(5) names the states.</summary>
    public ImmutableSortedDictionary<char, int> States { get; init; } = ImmutableSortedDictionary<char, int>.Empty;

    /// <summary>Makes the snapshot of <paramref name="now"/>.</summary>
    public static MachineSnapshot Derive(MachineReading? before, MachineReading now, TimeSpan elapsed)
    {
        ArgumentNullException.ThrowIfNull(now);
        var earlier = elapsed > TimeSpan.Zero ? before : null;
        var ticks = earlier?.Processes.ToDictionary(p => (p.Pid, p.StartTicks), p => p.Ticks);
        var uses = now.Processes.Select(p => new ProcessUse(p, ticks is null ? null : Share(p, ticks, elapsed))).ToList();
        return new(now, earlier is null ? TimeSpan.Zero : elapsed)
        {
            Cpu = CpuUse.Between(earlier?.Cpu, now.Cpu),
            Processors = [.. now.Processors.Select(p => CpuUse.Between(earlier?.Processors.FirstOrDefault(b => b.Number == p.Number), p)).OfType<CpuUse>()],
            Disks = [.. now.Disks.Select(d => DiskRate.Between(earlier?.Disks.FirstOrDefault(b => b.Name == d.Name), d, elapsed))],
            Busiest = [.. uses.OrderByDescending(u => u.CpuPercent ?? 0).ThenByDescending(u => u.Process.ResidentBytes).Take(MostProcesses)],
            Largest = [.. uses.OrderByDescending(u => u.Process.ResidentBytes).Take(MostProcesses)],
            States = now.Processes.GroupBy(p => p.State).ToImmutableSortedDictionary(g => g.Key, g => g.Count()),
        };
    }

    // A process that began since the last reading used all its time in between.
    private static double? Share(ProcessReading p, Dictionary<(int, ulong), ulong> before, TimeSpan elapsed) =>
        before.GetValueOrDefault((p.Pid, p.StartTicks)) is var then && p.Ticks >= then ? (p.Ticks - then) / elapsed.TotalSeconds : null;
}

/// <summary>How a processor spent an interval, percent; the parts add up to 100 with the idle rest.</summary>
/// <param name="Number">Number of the processor; -1 for all together.</param>
/// <param name="User">In programs.</param>
/// <param name="System">In the kernel and in interrupts.</param>
/// <param name="IoWait">Idle, waiting for a disk.</param>
/// <param name="Steal">Taken by the host of a virtual machine.</param>
public sealed record CpuUse(int Number, double User, double System, double IoWait, double Steal)
{
    /// <summary>All that was not idle: programs, kernel, steal.</summary>
    public double Busy => User + System + Steal;

    internal static CpuUse? Between(CpuTimes? before, CpuTimes? now)
    {
        // A counter of idle or iowait can go back a little (proc(5)); then this interval has no share.
        if (before is null || now is null || now.Total <= before.Total || now.Idle < before.Idle || now.IoWait < before.IoWait || now.User < before.User || now.System < before.System
            || now.Interrupts < before.Interrupts || now.Steal < before.Steal)
        {
            return null;
        }

        var all = (now.Total - before.Total) / 100.0;
        return new(now.Number, (now.User - before.User) / all, (now.System - before.System + now.Interrupts - before.Interrupts) / all, (now.IoWait - before.IoWait) / all, (now.Steal - before.Steal) / all);
    }
}

/// <summary>What a disk did in an interval; null before two readings.</summary>
/// <param name="Name">For example sda.</param>
/// <param name="ReadBytesPerSecond">Bytes read per second.</param>
/// <param name="WrittenBytesPerSecond">Bytes written per second.</param>
/// <param name="BusyPercent">Part of the time in which it had something to do, percent.</param>
public sealed record DiskRate(string Name, double? ReadBytesPerSecond, double? WrittenBytesPerSecond, double? BusyPercent)
{
    internal static DiskRate Between(DiskReading? before, DiskReading now, TimeSpan elapsed) =>
        before is null || elapsed <= TimeSpan.Zero || now.ReadBytes < before.ReadBytes || now.WrittenBytes < before.WrittenBytes || now.BusyMs < before.BusyMs
            ? new(now.Name, null, null, null)
            : new(
                now.Name, (now.ReadBytes - before.ReadBytes) / elapsed.TotalSeconds, (now.WrittenBytes - before.WrittenBytes) / elapsed.TotalSeconds,
                Math.Min(100, (now.BusyMs - before.BusyMs) / elapsed.TotalMilliseconds * 100));
}

/// <summary>A process and its part of one processor in the interval, percent: more than 100 with several threads; null before two readings.</summary>
public sealed record ProcessUse(ProcessReading Process, double? CpuPercent);
