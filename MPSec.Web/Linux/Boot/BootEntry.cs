using System.Collections.Immutable;

namespace MPSec.Linux.Boot;

/// <summary>Programs that start a kernel.</summary>
public enum BootLoaderKind
{
    /// <summary>None that could be told what to start: a container, or a machine whose kernel is given from outside.</summary>
    None,

    /// <summary>GNU GRUB 2.</summary>
    Grub,

    /// <summary>systemd-boot(7).</summary>
    SystemdBoot,
}

/// <summary>An entry of the boot menu that starts a Linux kernel.</summary>
/// <param name="Id">What the boot loader's own programs call it; for GRUB with the submenus before it, parted by <c>&gt;</c>.</param>
/// <param name="Title">What the menu shows.</param>
/// <param name="Release">Release of its kernel, from the name of the image; null when that tells none.</param>
/// <param name="HasInitrd">It loads an initial file system.</param>
/// <param name="Options">The kernel's command line.</param>
public sealed record BootEntry(string Id, string Title, string? Release, bool HasInitrd, string Options)
{
    /// <summary>Starts a rescue shell and not the usual system.</summary>
    public bool IsRecovery => Id.Contains("-recovery-", StringComparison.Ordinal) || Options.Split(' ').Contains("single");

    // The first entry of GRUB's menu stands for the newest kernel: it means another one after an installation.
    internal bool NamesRelease => Release is not null && Id.Contains(Release, StringComparison.Ordinal);

    /// <summary>Release in the name of a kernel's image such as <c>/boot/vmlinuz-6.1.0-56-amd64</c>; null when it is named otherwise.</summary>
    public static string? ReleaseOf(string image)
    {
        ArgumentNullException.ThrowIfNull(image);
        var name = image[(image.LastIndexOf('/') + 1)..];
        return new[] { "vmlinuz-", "vmlinux-", "kernel-" }.FirstOrDefault(p => name.StartsWith(p, StringComparison.Ordinal)) is { } prefix && name.Length > prefix.Length ? name[prefix.Length..] : null;
    }
}

/// <summary>What a boot loader will start.</summary>
/// <param name="Entries">Its kernels, in the order of the menu.</param>
/// <param name="Default">Entry that starts when nobody chooses; null when it cannot be told.</param>
/// <param name="Once">Entry that starts at the next start only; null when none is set.</param>
public sealed record BootMenu(ImmutableArray<BootEntry> Entries, BootEntry? Default, BootEntry? Once)
{
    /// <summary>The entry that starts this release as usual, and always will; null when there is none.</summary>
    public BootEntry? For(string release) => Entries.FirstOrDefault(e => e.Release == release && !e.IsRecovery && e.NamesRelease);
}
