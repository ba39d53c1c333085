using MPSec.Linux.Procfs;

namespace MPSec.Features.Kernel;

/// <summary>Whether a kernel can reach the root file system of this machine without an initial file system.</summary>
internal static class KernelRootDrivers
{
    private static readonly Dictionary<string, string[]> s_disks = new() { ["vd"] = ["VIRTIO_BLK", "VIRTIO_PCI"], ["nvme"] = ["BLK_DEV_NVME"], ["xvd"] = ["XEN_BLKDEV_FRONTEND"] };

    /// <summary>True when disk and file system are known and built in; anything else needs modules, or programs, before the root is there.</summary>
    public static bool AreBuiltIn(KernelConfig? config, string root)
    {
        var mounts = Path.Combine(root, "proc/mounts");
        var place = File.Exists(mounts) ? File.ReadLines(mounts).Select(l => l.Split(' ')).LastOrDefault(p => p.Length > 2 && p[1] == "/" && p[0].StartsWith("/dev/", StringComparison.Ordinal)) : null;
        if (config is null || place is null)
        {
            return false;
        }

        // SATA and SCSI controllers have hundreds of drivers, device mapper and RAID need programs: those are not guessed.
        var disk = s_disks.FirstOrDefault(d => place[0]["/dev/".Length..].StartsWith(d.Key, StringComparison.Ordinal)).Value;
        return disk is not null && disk.Append(place[2].ToUpperInvariant() + "_FS").All(option => config[option] == "y");
    }
}
