using System.Globalization;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using MPSec.Changes;
using MPSec.Linux.Processes;

namespace MPSec.Features.Kernel;

/// <summary>A Debian package that holds a kernel; it was read and nothing of it was unpacked.</summary>
/// <param name="Path">Absolute path of the file.</param>
/// <param name="Sha256">Its hash, so that the file that is installed is the one that was checked.</param>
/// <param name="Name">Name of the package.</param>
/// <param name="Version">Version of the package.</param>
/// <param name="Architecture">As dpkg names it: amd64, arm64.</param>
/// <param name="Release">Release of the kernel inside.</param>
/// <param name="BootBytes">Bytes that it puts below <c>/boot</c>.</param>
/// <param name="TotalBytes">Bytes that it unpacks in all.</param>
/// <param name="ModuleFiles">Number of its modules.</param>
public sealed partial record KernelPackageFile(string Path, string Sha256, string Name, string Version, string Architecture, string Release, long BootBytes, long TotalBytes, int ModuleFiles)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);

    /// <summary>Reads a package.</summary>
    /// <exception cref="ChangeException">The file cannot be read or is no package of one kernel.</exception>
    public static async Task<KernelPackageFile> ReadAsync(string path, ICommandRunner commands, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(commands);
        if (!System.IO.Path.IsPathFullyQualified(path ?? "") || path!.Any(char.IsControl) || !File.Exists(path))
        {
            throw Wrong("must be the absolute path of a file, such as /root/linux-image-6.12.1_amd64.deb");
        }

        if (commands.Find("dpkg-deb") is null || commands.Find("dpkg") is null)
        {
            throw new ChangeException(ChangeFault.NotAvailable, "kernel: this host has no dpkg; kernels can be installed on Debian and Ubuntu only");
        }

        // An absolute path is never taken for an option.
        var fields = await commands.RunAsync(new("dpkg-deb", "--field", path, "Package", "Version", "Architecture") { Timeout = s_limit }, cancellationToken);
        var contents = fields.Succeeded ? await commands.RunAsync(new("dpkg-deb", "--contents", path) { Timeout = s_limit, OutputLimit = 16 << 20 }, cancellationToken) : fields;
        if (!contents.Succeeded || contents.OutputTruncated)
        {
            throw Wrong($"{path} is no Debian package: {contents.Error.Trim().Split('\n')[^1]}");
        }

        var named = fields.Output.Split('\n').Select(l => l.Split(": ", 2)).Where(p => p.Length == 2).ToDictionary(p => p[0], p => p[1].Trim(), StringComparer.Ordinal);
        var files = contents.Output.Split('\n').Select(Line).OfType<(long Bytes, string Name)>().ToArray();
        var images = files.Where(f => f.Name.StartsWith("/boot/vmlinuz-", StringComparison.Ordinal)).ToArray();
        var release = images is [var image] ? image.Name["/boot/vmlinuz-".Length..] : "";
        if (!ReleaseForm().IsMatch(release))
        {
            throw Wrong($"{path} holds no kernel, or more than one");
        }

        if (!NameForm().IsMatch(named.GetValueOrDefault("Package", "")) || !VersionForm().IsMatch(named.GetValueOrDefault("Version", "")) || !NameForm().IsMatch(named.GetValueOrDefault("Architecture", "")))
        {
            throw Wrong($"{path} does not tell its name, version and architecture");
        }

        return new(
            path, await HashAsync(path, cancellationToken), named["Package"], named["Version"], named["Architecture"], release,
            files.Where(f => f.Name.StartsWith("/boot/", StringComparison.Ordinal)).Sum(f => f.Bytes), files.Sum(f => f.Bytes),
            files.Count(f => f.Name.Contains("/lib/modules/", StringComparison.Ordinal) && f.Name.Contains(".ko", StringComparison.Ordinal)));
    }

    /// <summary>SHA-256 of a file in hexadecimal digits.</summary>
    public static async Task<string> HashAsync(string path, CancellationToken cancellationToken)
    {
        var stream = File.OpenRead(path);
        await using (stream)
        {
            return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken));
        }
    }

    /// <summary>Whether a text may be the release of a kernel.</summary>
    public static bool IsRelease(string? text) => ReleaseForm().IsMatch(text ?? "");

    // "-rw-r--r-- root/root   8185472 2025-05-20 12:00 ./boot/vmlinuz-6.1.0-56-amd64", as tar -tv.
    private static (long, string)? Line(string line) =>
        line.Split(' ', 6, StringSplitOptions.RemoveEmptyEntries) is [['-', ..], _, var bytes, _, _, var name] && long.TryParse(bytes, NumberStyles.None, CultureInfo.InvariantCulture, out var size)
            ? (size, name.StartsWith("./", StringComparison.Ordinal) ? name[1..] : "/" + name.TrimStart('/')) : null;

    private static ChangeException Wrong(string sentence) => new(ChangeFault.Invalid, "package: " + sentence);

    [GeneratedRegex("^[0-9][A-Za-z0-9.+~_-]{0,80}$")]
    private static partial Regex ReleaseForm();

    [GeneratedRegex("^[a-z0-9][a-z0-9.+-]{1,120}$")]
    private static partial Regex NameForm();

    [GeneratedRegex("^[0-9][A-Za-z0-9.+~:-]{0,120}$")]
    private static partial Regex VersionForm();
}
