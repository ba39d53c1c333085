using MPSec.Changes;
using MPSec.Linux.Boot;
using MPSec.Linux.Processes;
using MPSec.Linux.Procfs;

namespace MPSec.Features.Kernel;

/// <summary>The machine whose kernel is meant.</summary>
/// <param name="Root">Folder that stands for <c>/</c>; another one in tests.</param>
public sealed record KernelMachineRoot(string Root = "/")
{
    /// <summary>Free bytes below <c>/boot</c>.</summary>
    public Func<string, long> FreeBytes { get; init; } = folder => new DriveInfo(folder).AvailableFreeSpace;

    /// <summary>The file of an installed kernel below this root.</summary>
    internal string At(string path) => Path.Combine(Root, path.TrimStart('/'));
}

/// <summary>What all work on the way a machine starts stands on.</summary>
public sealed class KernelBootMachinery(KernelMachineRoot machine, KernelBootStore store, ICommandRunner commands, IBootClock clock, TimeProvider time)
{
    internal KernelMachineRoot Machine => machine;

    internal KernelBootStore Store => store;

    internal ICommandRunner Commands => commands;

    internal string Root => machine.Root;

    internal DateTimeOffset Now => time.GetUtcNow();

    /// <summary>Release of the running kernel.</summary>
    /// <exception cref="ChangeException"><c>/proc</c> does not tell.</exception>
    internal string Running => KernelRelease.Read(machine.At("/proc")) is { Length: > 0 } release ? release : throw new ChangeException(ChangeFault.NotAvailable, "kernel: /proc does not tell which kernel runs");

    internal FoundBootLoader Found => BootLoaderFinder.Find(Root, commands);

    /// <summary>The boot loader.</summary>
    /// <exception cref="ChangeException">There is none that could be told anything.</exception>
    internal IKernelBootLoader Loader() => KernelBootLoaders.Of(Found, Root, commands);

    /// <summary>What is known now about the kernel of a record. Without a menu /boot may just not be mounted: then nothing is taken for removed.</summary>
    internal KernelBootFacts Facts(KernelBootRecord record, BootMenu? menu) => new(
        Now, clock.Boot, clock.Milliseconds, Running, menu?.Default?.Release, menu?.Once?.Release,
        menu is null || File.Exists(machine.At($"/boot/vmlinuz-{record.Release}")), menu?.For(record.Release) is not null);

    /// <summary>Throws unless this process may change how the machine starts.</summary>
    /// <exception cref="ChangeException"><see cref="ChangeFault.NotPermitted"/>.</exception>
    internal static void RequireRoot()
    {
        if (!Environment.IsPrivilegedProcess)
        {
            throw new ChangeException(ChangeFault.NotPermitted, "kernel: needs root to change how this machine starts; run it with sudo, or MPSec as a service");
        }
    }

    /// <summary>State of a package as dpkg abbreviates it, such as <c>ii</c>, with its version; null when it is not known.</summary>
    internal async Task<(string State, string Version)?> PackageAsync(string name, CancellationToken cancellationToken)
    {
        var said = await commands.RunAsync(new("dpkg-query", "--show", "--showformat=${db:Status-Abbrev}|${Version}", "--", name), cancellationToken);
        return said.Succeeded && said.Output.Split('|') is [var state, var version] && state.Trim() is { Length: > 0 } abbreviated && abbreviated[^1] != 'n' ? (abbreviated, version.Trim()) : null;
    }

    /// <summary>Package that owns the image of an installed kernel; null when none does.</summary>
    internal async Task<string?> OwnerAsync(string release, CancellationToken cancellationToken)
    {
        var said = await commands.RunAsync(new("dpkg-query", "--search", "--", $"/boot/vmlinuz-{release}"), cancellationToken);
        return said.Succeeded && said.Output.Split('\n')[0].Split(": ", 2) is [var owner, _] && !owner.Contains(',', StringComparison.Ordinal) ? owner.Split(':')[0] : null;
    }
}
