namespace MPSec.Linux.Boot;

/// <summary>A kernel in <c>/boot</c>.</summary>
/// <param name="Release">As <c>uname -r</c> says it when this kernel runs.</param>
/// <param name="ImageBytes">Size of its image.</param>
/// <param name="InitrdBytes">Size of its initial file system; null when there is none.</param>
/// <param name="HasModules"><c>/lib/modules</c> has a folder for it.</param>
public sealed record InstalledKernel(string Release, long ImageBytes, long? InitrdBytes, bool HasModules)
{
    /// <summary>The kernels below <paramref name="root"/>, in order of their names.</summary>
    public static IReadOnlyList<InstalledKernel> ReadAll(string root)
    {
        var boot = new DirectoryInfo(Path.Combine(root, "boot"));
        return !boot.Exists ? [] : [.. boot.EnumerateFiles("vmlinuz-*").Where(f => f.Name.Length > 8).OrderBy(f => f.Name, StringComparer.Ordinal).Select(f => Of(root, f.Name[8..], f.Length))];
    }

    /// <summary>The kernel of this release; null when it is not in <c>/boot</c>.</summary>
    public static InstalledKernel? Read(string root, string release) => ReadAll(root).FirstOrDefault(k => k.Release == release);

    private static InstalledKernel Of(string root, string release, long bytes)
    {
        var initrd = new[] { $"initrd.img-{release}", $"initramfs-{release}.img" }.Select(n => new FileInfo(Path.Combine(root, "boot", n))).FirstOrDefault(f => f.Exists);
        return new(release, bytes, initrd?.Length, Directory.Exists(Path.Combine(root, "lib/modules", release)));
    }
}
