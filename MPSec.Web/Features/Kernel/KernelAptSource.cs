using System.Globalization;
using System.Text.RegularExpressions;
using MPSec.Linux.Processes;

namespace MPSec.Features.Kernel;

/// <summary>A source archive out of a package of the distribution.</summary>
/// <param name="Archive">The packed archive.</param>
/// <param name="Origin">Package, version and distribution.</param>
/// <param name="Package">The package file.</param>
internal sealed record KernelAptArchive(string Archive, string Origin, string Package);

/// <summary>
/// Fetches the source package of the distribution. apt checks who made it; nothing is installed and no package list is changed.
/// </summary>
/// <param name="commands">Runs apt-cache, apt-get and dpkg-deb.</param>
internal sealed partial class KernelAptSource(ICommandRunner commands)
{
    /// <summary>Options of every download: folders here are closed to apt's own user, so it fetches as who it is; what nobody vouches for is refused whatever this machine's settings say.</summary>
    internal static readonly IReadOnlyList<string> Careful = ["-q", "-o", "APT::Sandbox::User=root", "-o", "APT::Get::AllowUnauthenticated=false", "-o", "Acquire::AllowInsecureRepositories=false", "-o", "Acquire::Retries=3"];

    private static readonly TimeSpan s_short = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan s_long = TimeSpan.FromMinutes(60);

    /// <summary>The package that is meant, with the version that the package manager would install.</summary>
    /// <exception cref="IOException">There is no apt here, or it does not offer one.</exception>
    public async Task<(string Package, string Version)> ResolveAsync(string? package, string? series, CancellationToken cancellationToken)
    {
        foreach (var program in (string[])["apt-get", "apt-cache", "dpkg-deb"])
        {
            if (commands.Find(program) is null)
            {
                throw new IOException($"this machine has no {program}: source packages come with Debian and Ubuntu only; take an archive or a repository");
            }
        }

        string[] names = [package ?? ""];
        if (package is null)
        {
            var all = await commands.RunAsync(new("apt-cache", "pkgnames", "--", "linux-source-") { Timeout = s_short }, cancellationToken);
            names = [.. all.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Where(n => Plain().IsMatch(n))];
        }

        var policy = names.Length == 0 ? "" : (await commands.RunAsync(new("apt-cache", ["policy", "--", .. names]) { Timeout = s_short }, cancellationToken)).Output;
        var offered = AptOutput.Candidates(policy);
        return names.Where(n => offered.TryGetValue(n, out var version) && Fits(version, series)).OrderByDescending(Number).FirstOrDefault() is { } chosen
            ? (chosen, offered[chosen])
            : throw new IOException($"the package manager offers no {package ?? "linux-source package"}{(series is null ? "" : $" of Linux {series}")}; "
                + "its lists may be empty or old: run 'apt-get update' as root, then try again, or take another source");
    }

    /// <summary>Fetches a package and takes the source archive out of it; what is there already is not fetched again.</summary>
    /// <exception cref="KernelSourceRefusedException">The package manager cannot tell who made it.</exception>
    /// <exception cref="IOException">It could not be fetched.</exception>
    public async Task<KernelAptArchive> FetchAsync(string package, string version, KernelSourceFolder folder, Action<string> log, Action<double?, string> progress, CancellationToken cancellationToken)
    {
        var target = folder.Download;
        var prefix = $"{package}_{version.Replace(":", "%3a", StringComparison.Ordinal)}_";
        foreach (var other in Directory.GetFiles(target, "*.deb").Where(f => !Path.GetFileName(f).StartsWith(prefix, StringComparison.Ordinal)))
        {
            File.Delete(other);
        }

        await DownloadAsync(package, version, target, log, progress, cancellationToken);
        var deb = Directory.GetFiles(target, "*.deb").SingleOrDefault() ?? throw new IOException($"apt-get download ended well, but left no package of {package} {version}");
        var unpacked = folder.Unpacked;
        if (!Directory.Exists(unpacked))
        {
            progress(null, "unpacking the package");
            await KernelSourceFolder.RemoveAsync(unpacked + ".new", cancellationToken);
            var result = await commands.RunAsync(new("dpkg-deb", "--extract", deb, unpacked + ".new") { Timeout = s_long }, cancellationToken);
            if (!result.Succeeded)
            {
                throw new IOException($"the package {Path.GetFileName(deb)} could not be unpacked: {KernelTree.Reason(result)}");
            }

            Directory.Move(unpacked + ".new", unpacked);
        }

        var sources = Path.Combine(unpacked, "usr", "src");
        var archive = Directory.Exists(sources)
            ? Directory.EnumerateFiles(sources, "linux-source-*.tar.*", SearchOption.AllDirectories).FirstOrDefault(f => new FileInfo(f).LinkTarget is null)
            : null;
        return archive is null
            ? throw new IOException($"the package {package} {version} holds no usr/src/linux-source-*.tar; take the package of a version, not one that only names another")
            : new(archive, $"{package} {version} ({await DistributionAsync(cancellationToken)})", deb);
    }

    private async Task DownloadAsync(string package, string version, string target, Action<string> log, Action<double?, string> progress, CancellationToken cancellationToken)
    {
        string[] options = [.. Careful, "-o", "APT::Status-Fd=1"];
        var errors = new List<string>();
        var unknown = false;
        log($"apt-get download {package}={version}");
        var result = await commands.RunAsync(
            new("env", ["--chdir=" + target, "apt-get", "download", .. options, "--", $"{package}={version}"])
            {
                Timeout = s_long,
                OnLine = line =>
                {
                    lock (errors)
                    {
                        unknown |= line.Text.Contains("cannot be authenticated", StringComparison.Ordinal) || line.Text.Contains("unauthenticated", StringComparison.Ordinal);
                        if (AptOutput.Progress(line.Text) is { } told)
                        {
                            progress(told.Percent, "downloading " + package);
                        }
                        else if (AptOutput.Error(line.Text) is { } error)
                        {
                            errors.Add(error);
                        }
                        else if (line.Text.Length > 0)
                        {
                            log(line.Text);
                        }
                    }
                },
            },
            cancellationToken);
        if (unknown)
        {
            throw new KernelSourceRefusedException(KernelSourceVerdict.Unsigned, $"the package manager cannot tell who made {package} {version}; take it from a package source that is signed");
        }

        if (!result.Succeeded)
        {
            throw new IOException(result.TimedOut ? $"apt-get download took longer than {s_long.TotalMinutes:0} minutes; run this again to go on" : AptOutput.Explain(AptOutput.Download, result.ExitCode, errors));
        }
    }

    private static async Task<string> DistributionAsync(CancellationToken cancellationToken)
    {
        try
        {
            return Linux.Procfs.MachineText.Value(await File.ReadAllTextAsync("/etc/os-release", cancellationToken), "NAME") ?? "the distribution";
        }
        catch (IOException)
        {
            return "the distribution";
        }
    }

    // Of a package version such as 1:6.1.192-3 the part that counts begins like the series.
    private static bool Fits(string version, string? series) =>
        series is null || (version[(version.IndexOf(':', StringComparison.Ordinal) + 1)..] is var plain
            && plain.StartsWith(series, StringComparison.Ordinal) && (plain.Length == series.Length || !char.IsAsciiDigit(plain[series.Length])));

    private static long Number(string name) =>
        name.Length == 0 || !Plain().IsMatch(name) ? 0
        : name["linux-source-".Length..].Split('.').Select(p => long.Parse(p, CultureInfo.InvariantCulture)).Concat([0, 0, 0]).Take(3).Aggregate(0L, (sum, part) => (sum * 10_000) + part);

    // Without flavours such as -rt: these are another kernel.
    [GeneratedRegex(@"\Alinux-source-[0-9]{1,3}(\.[0-9]{1,4}){1,2}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Plain();
}
