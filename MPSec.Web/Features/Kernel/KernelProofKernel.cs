using System.Text.RegularExpressions;
using MPSec.Linux.Processes;

namespace MPSec.Features.Kernel;

/// <summary>A kernel that can be proved: its image and the folder that holds its modules.</summary>
/// <param name="Release">As <c>uname -r</c> will say it.</param>
/// <param name="Image">Absolute path of the image.</param>
/// <param name="Root">Folder above <c>lib/modules</c>.</param>
public sealed partial record KernelProofKernel(string Release, string Image, string Root)
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
        return File.Exists(image) ? new(release!, image, root) : throw new IOException($"there is no {image}");
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

        var images = Directory.Exists(Path.Combine(folder, "boot")) ? Directory.GetFiles(Path.Combine(folder, "boot"), "vmlinuz-*") : [];
        var release = images is [var image] ? Path.GetFileName(image)["vmlinuz-".Length..] : "";
        if (!ReleaseForm().IsMatch(release))
        {
            throw new IOException($"{package} holds no kernel, or more than one");
        }

        // Its list of dependencies is made when a package is installed; here it is made in our own copy.
        if (Directory.Exists(Path.Combine(folder, "lib/modules", release)))
        {
            var listed = await commands.RunAsync(new("depmod", "-b", folder, release) { Timeout = TimeSpan.FromMinutes(2) }, cancellationToken);
            if (!listed.Succeeded)
            {
                throw new IOException($"the modules of {package} could not be listed: {listed.Error.Trim()}");
            }
        }

        return new(release, images[0], folder);
    }

    [GeneratedRegex("^[0-9][A-Za-z0-9.+~_-]{0,80}$")]
    private static partial Regex ReleaseForm();
}
