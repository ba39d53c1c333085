using MPSec.Linux.Processes;

namespace MPSec.Linux.Boot;

/// <summary>Which boot loader a machine has.</summary>
/// <param name="Kind">The program.</param>
/// <param name="Sentence">What was found; for <see cref="BootLoaderKind.None"/> why there is none that could be told anything.</param>
/// <param name="Folder">Folder of its files as seen from the root: <c>/boot/grub</c>, or the partition that holds <c>loader</c>; null without one.</param>
/// <param name="Prefix">Begin of the names of its programs: <c>grub</c> or <c>grub2</c>; empty for systemd-boot.</param>
public sealed record FoundBootLoader(BootLoaderKind Kind, string Sentence, string? Folder, string Prefix);

/// <summary>Finds the boot loader by what it left: its files, its programs, and the mark it gives every kernel that it starts.</summary>
public static class BootLoaderFinder
{
    private static readonly string[] s_grubPrograms = ["mkconfig", "reboot", "set-default", "editenv", "probe"];

    /// <summary>Looks below <paramref name="root"/>.</summary>
    public static FoundBootLoader Find(string root, ICommandRunner commands)
    {
        ArgumentNullException.ThrowIfNull(commands);
        if (Container(root) is { } container)
        {
            return None($"this is a container ({container}): its kernel is the host's and is installed there");
        }

        var firmware = BootFirmware.Read(root);
        if (firmware.Loader?.StartsWith("systemd-boot", StringComparison.Ordinal) == true)
        {
            return commands.Find("bootctl") is null
                ? None($"{firmware.Loader} started this machine, but its program bootctl is not installed; install the package systemd-boot")
                : new[] { "/efi", "/boot/efi", "/boot" }.FirstOrDefault(f => Directory.Exists(Path.Combine(root, f[1..], "loader/entries"))) is { } partition
                    ? new(BootLoaderKind.SystemdBoot, firmware.Loader, partition, "")
                    : None($"{firmware.Loader} started this machine, but no folder loader/entries was found in /efi, /boot/efi or /boot; is the partition mounted?");
        }

        foreach (var prefix in (string[])["grub", "grub2"])
        {
            if (!File.Exists(Path.Combine(root, "boot", prefix, "grub.cfg")))
            {
                continue;
            }

            // A virtual machine may have GRUB on its disk and get its kernel from outside all the same.
            if (!Text(root, "proc/cmdline").Split(' ').Any(w => w.StartsWith("BOOT_IMAGE=", StringComparison.Ordinal)))
            {
                return None($"/boot/{prefix}/grub.cfg is there, but GRUB did not start this kernel (its command line has no BOOT_IMAGE): it is given from outside, by the virtual machine's host");
            }

            return s_grubPrograms.FirstOrDefault(p => commands.Find($"{prefix}-{p}") is null) is { } missing
                ? None($"GRUB started this machine, but its program {prefix}-{missing} is not installed")
                : new(BootLoaderKind.Grub, $"GRUB, /boot/{prefix}/grub.cfg", "/boot/" + prefix, prefix);
        }

        return None("no boot loader was found: there is neither GRUB's grub.cfg below /boot nor systemd-boot; the kernel of this machine is started from outside");
    }

    private static FoundBootLoader None(string sentence) => new(BootLoaderKind.None, sentence, null, "");

    // systemd.io/CONTAINER_INTERFACE, and the marks of two managers.
    private static string? Container(string root) =>
        Text(root, "run/systemd/container").Trim() is { Length: > 0 } named ? named
        : File.Exists(Path.Combine(root, ".dockerenv")) ? "docker"
        : File.Exists(Path.Combine(root, "run/.containerenv")) ? "podman"
        : Text(root, "proc/1/environ").Split('\0').FirstOrDefault(v => v.StartsWith("container=", StringComparison.Ordinal))?["container=".Length..];

    private static string Text(string root, string path)
    {
        try
        {
            return File.ReadAllText(Path.Combine(root, path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
