using System.Text.RegularExpressions;
using MPSec.Linux.Processes;

namespace MPSec.Features.Kernel;

/// <summary>A kernel that can be proved: its image and the folder that holds its modules.</summary>
/// <param name="Release">As <c>uname -r</c> will say it.</param>
/// <param name="Image">Absolute path of the image.</param>
/// <param name="Root">Folder above <c>lib/modules</c>.</param>
/// <param name="Config">File with the options that it was made with; null when there is none.</param>
public sealed partial record KernelProofKernel(string Release, string Image, string Root, string? Config = null)
{
    /// <summary>A kernel that is installed.</summary>
    /// <exception cref="ArgumentException">The release is none.</exception>
    /// <exception cref="IOException">It is not installed.</exception>
    public static KernelProofKernel Installed(string release, string root = "/")
    {
        if (!ReleaseForm().IsMatch(release ?? ""))
        {
            throw new ArgumentException("release: must be a name such as 6.12.1-amd64", nameof(release));
        }

        var image = Path.Combine(root, "boot", "vmlinuz-" + release);
        return File.Exists(image) ? new(release!, image, root, ConfigOf(Path.Combine(root, "boot"), release!)) : throw new IOException($"there is no {image}");
    }

    /// <summary>The kernel of a package, taken apart in <paramref name="folder"/>; nothing is installed.</summary>
    /// <exception cref="IOException">It is no package of a kernel.</exception>
    public static async Task<KernelProofKernel> OfPackageAsync(string package, string folder, ICommandRunner commands, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(commands);
        // An absolute path is never taken for an option.
        var taken = await commands.RunAsync(new("dpkg-deb", "--extract", Path.GetFullPath(package), folder) { Timeout = TimeSpan.FromMinutes(5) }, cancellationToken);
        if (!taken.Succeeded)
        {
            throw new IOException($"{package} could not be taken apart: {taken.Error.Trim()}");
        }

        // Where the package put a link in place of a folder, what follows would lead out of our copy.
        foreach (var place in (string[])["boot", "lib", "lib/modules", "usr", "usr/lib", "usr/lib/modules"])
        {
            RefuseLink(package, Path.Combine(folder, place));
        }

        var images = Directory.Exists(Path.Combine(folder, "boot")) ? Directory.GetFiles(Path.Combine(folder, "boot"), "vmlinuz-*") : [];
        var release = images is [var image] ? Path.GetFileName(image)["vmlinuz-".Length..] : "";
        if (!ReleaseForm().IsMatch(release))
        {
            throw new IOException($"{package} holds no kernel, or more than one");
        }

        RefuseLink(package, images[0]);
        var root = Directory.Exists(Path.Combine(folder, "lib/modules", release)) ? folder : Path.Combine(folder, "usr");
        var modules = Path.Combine(root, "lib/modules", release);

        // Its list of dependencies is made when a package is installed; here it is made in our own copy.
        if (Path.Exists(modules))
        {
            RefuseLink(package, modules);
            foreach (var link in Directory.EnumerateFileSystemEntries(modules, "*", SearchOption.AllDirectories).Where(e => File.GetAttributes(e).HasFlag(FileAttributes.ReparsePoint)))
            {
                File.Delete(link); // build and source: they lead to the tree that it was made from
            }

            var listed = await commands.RunAsync(new("depmod", "-b", root, release) { Timeout = TimeSpan.FromMinutes(2) }, cancellationToken);
            if (!listed.Succeeded)
            {
                throw new IOException($"the modules of {package} could not be listed: {listed.Error.Trim()}");
            }
        }

        return new(release, images[0], root, ConfigOf(Path.Combine(folder, "boot"), release));
    }

    /// <summary>The options that it was made with, where they lie beside the image.</summary>
    private static string? ConfigOf(string boot, string release) =>
        new FileInfo(Path.Combine(boot, "config-" + release)) is { Exists: true, LinkTarget: null, Length: < 8 << 20 } file ? file.FullName : null;

    private static void RefuseLink(string package, string path)
    {
        if (new FileInfo(path).LinkTarget is { } target)
        {
            throw new IOException($"{package}: {Path.GetFileName(path)} in it is a link to {target}; a kernel's package has none there, so it is not used");
        }
    }

    [GeneratedRegex("^[0-9][A-Za-z0-9.+~_-]{0,80}$")]
    private static partial Regex ReleaseForm();
}
