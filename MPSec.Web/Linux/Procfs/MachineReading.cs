using System.Collections.Immutable;

namespace MPSec.Linux.Procfs;

/// <summary>What <c>/proc</c> and <c>/sys</c> say about the machine at one moment, counters raw. A part that could not be read is empty or null and named in <see cref="Faults"/>.</summary>
public sealed record MachineReading
{
    /// <summary>Processor time of all processors together; null when unreadable.</summary>
    public CpuTimes? Cpu { get; init; }

    /// <summary>Processor time of each processor, by number.</summary>
    public ImmutableArray<CpuTimes> Processors { get; init; } = [];

    /// <summary>When the kernel started (<c>btime</c>), UTC.</summary>
    public DateTimeOffset? BootedAt { get; init; }

    /// <summary>Time since then.</summary>
    public TimeSpan? Uptime { get; init; }

    /// <summary>Load averages.</summary>
    public LoadReading? Load { get; init; }

    /// <summary>Memory and swap.</summary>
    public MemoryReading? Memory { get; init; }

    /// <summary>File systems that hold data on this machine.</summary>
    public ImmutableArray<FileSystemReading> FileSystems { get; init; } = [];

    /// <summary>Whole disks.</summary>
    public ImmutableArray<DiskReading> Disks { get; init; } = [];

    /// <summary>Temperatures; empty where the machine has no sensor that the kernel knows.</summary>
    public ImmutableArray<TemperatureReading> Temperatures { get; init; } = [];

    /// <summary>Time lost to waiting, by resource; empty on a kernel without it (CONFIG_PSI, 4.20).</summary>
    public ImmutableArray<PressureReading> Pressures { get; init; } = [];

    /// <summary>All processes.</summary>
    public ImmutableArray<ProcessReading> Processes { get; init; } = [];

    /// <summary>Who is logged in; null when neither systemd-logind nor a utmp file tells.</summary>
    public ImmutableArray<SessionReading>? Sessions { get; init; }

    /// <summary>What stays the same while the machine runs.</summary>
    public required MachineIdentity Identity { get; init; }

    /// <summary>Parts that could not be read, one sentence each.</summary>
    public ImmutableArray<string> Faults { get; init; } = [];
}

/// <summary>Names of the machine. Null is what could not be read.</summary>
/// <param name="HostName">Its name.</param>
/// <param name="Kernel">Release of the kernel.</param>
/// <param name="Distribution">PRETTY_NAME of os-release(5).</param>
/// <param name="CpuModel">Name of the first processor.</param>
/// <param name="Architecture">x64, arm64, …</param>
public sealed record MachineIdentity(string HostName, string? Kernel, string? Distribution, string? CpuModel, string Architecture);

/// <summary>A line of <c>/proc/stat</c>; ticks of 1/100 s since boot. Guest time is inside user time.</summary>
/// <param name="Number">Number of the processor; -1 for all together.</param>
/// <param name="User">In programs, nice ones included.</param>
/// <param name="System">In the kernel.</param>
/// <param name="Idle">Nothing to do.</param>
/// <param name="IoWait">Nothing to do but wait for a disk.</param>
/// <param name="Interrupts">In hard and soft interrupts.</param>
/// <param name="Steal">Taken by the host of a virtual machine.</param>
public sealed record CpuTimes(int Number, ulong User, ulong System, ulong Idle, ulong IoWait, ulong Interrupts, ulong Steal)
{
    /// <summary>All of it.</summary>
    public ulong Total => User + System + Idle + IoWait + Interrupts + Steal;
}

/// <summary>Load averages (<c>/proc/loadavg</c>) over 1, 5 and 15 minutes, with tasks (threads) that can run now and all of them.</summary>
public sealed record LoadReading(double One, double Five, double Fifteen, int RunnableTasks, int Tasks);

/// <summary>Memory (<c>/proc/meminfo</c>), bytes.</summary>
/// <param name="Total">What the kernel manages.</param>
/// <param name="Available">What programs could have without swapping; null before 3.14.</param>
/// <param name="Free">Not used for anything.</param>
/// <param name="Cached">Files kept in memory, buffers included.</param>
/// <param name="SwapTotal">Swap.</param>
/// <param name="SwapFree">Swap not used.</param>
public sealed record MemoryReading(ulong Total, ulong? Available, ulong Free, ulong Cached, ulong SwapTotal, ulong SwapFree)
{
    /// <summary>Total less available.</summary>
    public ulong? Used => Available is { } available && available <= Total ? Total - available : null;
}

/// <summary>A mounted file system (statvfs(3)), bytes. Network file systems are left out: asking one whose server is gone would never end.</summary>
/// <param name="MountPoint">Where.</param>
/// <param name="Device">What.</param>
/// <param name="Kind">ext4, xfs, …</param>
/// <param name="Size">All of it.</param>
/// <param name="Used">Taken.</param>
/// <param name="Available">What users can still have; used and available are less than size where root has a reserve.</param>
public sealed record FileSystemReading(string MountPoint, string Device, string Kind, ulong Size, ulong Used, ulong Available)
{
    /// <summary>How full it is for users, percent, as df(1) says it; null for one without room at all.</summary>
    public double? FullPercent => Used + Available > 0 ? 100.0 * Used / (Used + Available) : null;
}

/// <summary>A whole disk (<c>/proc/diskstats</c>), since boot.</summary>
/// <param name="Name">For example sda.</param>
/// <param name="ReadBytes">Bytes read.</param>
/// <param name="WrittenBytes">Bytes written.</param>
/// <param name="BusyMs">Milliseconds in which it had something to do.</param>
public sealed record DiskReading(string Name, ulong ReadBytes, ulong WrittenBytes, ulong BusyMs);

/// <summary>A temperature (<c>/sys/class/thermal</c> or <c>/sys/class/hwmon</c>).</summary>
/// <param name="Name">Sensor.</param>
/// <param name="Celsius">Degrees.</param>
public sealed record TemperatureReading(string Name, double Celsius);

/// <summary>Pressure (<c>/proc/pressure</c>): percent of the last 10 s.</summary>
/// <param name="Resource">cpu, memory or io.</param>
/// <param name="Some">In which at least one task waited.</param>
/// <param name="Full">In which all tasks waited; null where the kernel does not tell.</param>
public sealed record PressureReading(string Resource, double Some, double? Full);

/// <summary>A process (<c>/proc/PID/stat</c>).</summary>
/// <param name="Pid">Its number.</param>
/// <param name="Name">Name of its program, at most 15 bytes; it may hold anything.</param>
/// <param name="State">R, S, D, I, T, t, Z, X as in proc(5).</param>
/// <param name="Ticks">Processor time in 1/100 s.</param>
/// <param name="Threads">Its threads.</param>
/// <param name="StartTicks">When it began, 1/100 s after boot; with the number it names a process for ever.</param>
/// <param name="ResidentBytes">Memory that it holds.</param>
public sealed record ProcessReading(int Pid, string Name, char State, ulong Ticks, int Threads, ulong StartTicks, ulong ResidentBytes)
{
    /// <summary>User id; only of the processes that use most.</summary>
    public uint? Uid { get; init; }

    /// <summary>User name for <see cref="Uid"/>; null when <c>/etc/passwd</c> has none.</summary>
    public string? User { get; init; }
}

/// <summary>A person who is logged in.</summary>
/// <param name="User">User name.</param>
/// <param name="Line">Terminal; null when none.</param>
/// <param name="From">Remote host; null when local.</param>
/// <param name="Since">Since when, UTC; null when not told.</param>
public sealed record SessionReading(string User, string? Line, string? From, DateTimeOffset? Since);
