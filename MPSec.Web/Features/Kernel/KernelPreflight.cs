using System.Collections.Immutable;
using System.Globalization;
using MPSec.Linux.Processes;
using MPSec.Linux.Procfs;

namespace MPSec.Features.Kernel;

/// <summary>How a finding before a build counts.</summary>
public enum KernelPreflightLevel
{
    /// <summary>As it should be.</summary>
    Fine,

    /// <summary>The build can go on; it is good to know.</summary>
    Note,

    /// <summary>The build would fail: it is not begun.</summary>
    Stop,
}

/// <summary>Something that was looked at before a build.</summary>
/// <param name="Key">tools, cache, disk, memory, boot or clock.</param>
/// <param name="Level">How it counts.</param>
/// <param name="Sentence">What was seen, and what to do.</param>
public sealed record KernelPreflightFinding(string Key, KernelPreflightLevel Level, string Sentence);

/// <summary>Looks whether a kernel can be built here, in seconds, instead of after ten minutes of compiling.</summary>
/// <param name="commands">Finds programs.</param>
/// <param name="root">Folder that stands for <c>/</c>; another one in tests.</param>
public sealed class KernelPreflight(ICommandRunner commands, string root = "/")
{
    /// <summary>Bytes that a kernel with few drivers takes: 0.14 GB source, 1.5 GB tree, 0.4 GB objects and packages were measured with 6.1.</summary>
    public const long SmallNeed = 4L << 30;

    /// <summary>Bytes that a kernel with the drivers of a distribution may take. Not measured: objects of some five thousand modules.</summary>
    public const long LargeNeed = 25L << 30;

    private const long CompilerNeed = 400L << 20; // the largest files of a kernel take about so much while they are compiled
    private const long LeastMemory = 768L << 20;
    private const long BootNeed = 100L << 20; // image, map, configuration and an initrd of a distribution

    private readonly SetUpPackageProbe _probe = new(commands, root);

    /// <summary>Compilers at once when nothing is said: one per processor, as far as memory goes.</summary>
    public static int UsualJobs(long availableMemory) => (int)Math.Clamp(availableMemory / CompilerNeed, 1, Environment.ProcessorCount);

    /// <summary>Memory that programs can have, bytes; null when the kernel does not tell.</summary>
    public long? AvailableMemory() => (long?)MachineText.Memory(File.ReadAllText(Path.Combine(root, "proc/meminfo"))).Available;

    /// <summary>Everything, in order; the build must not begin when one of it stops.</summary>
    /// <param name="profile">What is to be built.</param>
    /// <param name="jobs">Compilers at once.</param>
    /// <param name="folder">Existing folder on the disk that takes the build.</param>
    /// <param name="now">The time that the machine believes it is.</param>
    public ImmutableArray<KernelPreflightFinding> Look(KernelProfile profile, int jobs, string folder, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(profile);
        return [Tools(), Cache(), Disk(profile, folder), Memory(jobs), Boot(), Clock(now)];
    }

    private KernelPreflightFinding Tools()
    {
        var missing = SetUpPackageTable.All.Where(p => p.Group == "kernel" && !_probe.IsThere(p)).ToArray();
        var needed = missing.Where(p => p.Required).Select(p => p.Names[0]).ToArray();
        var absent = missing.Where(p => !p.Required).Select(p => p.Names[0]).ToArray();
        return needed.Length > 0
            ? new("tools", KernelPreflightLevel.Stop, $"these packages are missing: {string.Join(", ", needed)}; set up the packages of the group kernel (the job \"Set up packages\", or installer/set-up.sh --for kernel)")
            : absent.Length > 0 ? new("tools", KernelPreflightLevel.Note, $"not there, and not needed: {string.Join(", ", absent)}")
            : new("tools", KernelPreflightLevel.Fine, "every program that a build needs is there");
    }

    private KernelPreflightFinding Cache() => commands.Find("ccache") is null
        ? new("cache", KernelPreflightLevel.Note, "without ccache every build compiles everything anew")
        : new("cache", KernelPreflightLevel.Fine, "objects are kept for the next build (ccache)");

    private static KernelPreflightFinding Disk(KernelProfile profile, string folder)
    {
        var need = profile.Base == KernelBase.Tiny ? SmallNeed : LargeNeed;
        var free = new DriveInfo(folder).AvailableFreeSpace;
        return free < need
            ? new("disk", KernelPreflightLevel.Stop, $"the disk of {folder} has {Gib(free)} free, and {profile.Key} needs {Gib(need)}; make room, or move the state folder")
            : new("disk", KernelPreflightLevel.Fine, $"{Gib(free)} free, {Gib(need)} needed");
    }

    private KernelPreflightFinding Memory(int jobs) => AvailableMemory() switch
    {
        null => new("memory", KernelPreflightLevel.Note, "the kernel does not tell how much memory is free"),
        < LeastMemory and var free => new("memory", KernelPreflightLevel.Stop, $"{Gib(free)} of memory are free, and linking a kernel needs {Gib(LeastMemory)}; end other programs or add memory"),
        { } free when free < jobs * CompilerNeed => new("memory", KernelPreflightLevel.Note, $"{Gib(free)} of memory may be too little for {jobs} compilers at once; {UsualJobs(free)} are safe"),
        { } free => new("memory", KernelPreflightLevel.Fine, $"{Gib(free)} of memory for {jobs} compilers at once"),
    };

    private KernelPreflightFinding Boot()
    {
        var boot = Path.Combine(root, "boot");
        if (!Directory.Exists(boot))
        {
            return new("boot", KernelPreflightLevel.Note, "there is no /boot here (a container?): the kernel can be built and proved, but not installed on this machine");
        }

        var free = new DriveInfo(boot).AvailableFreeSpace;
        return free < BootNeed
            ? new("boot", KernelPreflightLevel.Note, $"/boot has {Gib(free)} free: too little to install another kernel; remove an old one before that")
            : new("boot", KernelPreflightLevel.Fine, $"/boot has {Gib(free)} free");
    }

    // make compares the times of files: with a clock in the past it builds too little or without end, and certificates seem not valid yet.
    private static KernelPreflightFinding Clock(DateTimeOffset now)
    {
        var made = File.GetLastWriteTimeUtc(typeof(KernelPreflight).Assembly.Location);
        return now.UtcDateTime < made
            ? new("clock", KernelPreflightLevel.Stop, string.Create(CultureInfo.InvariantCulture, $"the clock says {now:yyyy-MM-dd HH:mm} UTC, which is before this program was made; set the clock"))
            : new("clock", KernelPreflightLevel.Fine, "the clock is plausible");
    }

    private static string Gib(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.0} GiB");
}
