using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using MPSec.Linux.Processes;
using MPSec.Linux.Procfs;

namespace MPSec.Features.Kernel;

/// <summary>An option that did not come out as it was asked for.</summary>
/// <param name="Fault">What was asked for and what is there.</param>
/// <param name="Reason">Why: what it needs.</param>
public sealed record KernelConfigFault(KernelOptionFault Fault, string Reason);

/// <summary>A configured tree.</summary>
/// <param name="ConfigFile">The <c>.config</c>.</param>
/// <param name="Release">As <c>uname -r</c> will say it.</param>
/// <param name="Faults">What did not come out as it was asked for; the build must not go on when one of them does harm.</param>
/// <param name="Added">Options that the base has not, or has otherwise.</param>
/// <param name="Removed">Options of the base that are not there any more, or are otherwise.</param>
/// <param name="Sha256">Hash of the <c>.config</c>, hexadecimal.</param>
public sealed record KernelConfigured(string ConfigFile, string Release, ImmutableArray<KernelConfigFault> Faults, ImmutableArray<string> Added, ImmutableArray<string> Removed, string Sha256);

/// <summary>
/// Configures a kernel: a base, the profile's options and the administrator's own laid over it, and then the kernel's own tools, which fill in defaults and drop without
/// a word what cannot be. Everything that was asked for is therefore looked for in what came out.
/// </summary>
/// <param name="commands">Runs make.</param>
/// <param name="root">Folder that stands for <c>/</c>: where the running kernel's options are.</param>
public sealed class KernelConfigurer(ICommandRunner commands, string root = "/")
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(10);

    /// <summary>Configures <paramref name="tree"/> for a build in <paramref name="build"/>. What was there before is overwritten.</summary>
    /// <param name="profile">What is asked for.</param>
    /// <param name="extra">Further options, laid over the profile; null when there are none.</param>
    /// <param name="tree">The source.</param>
    /// <param name="build">Folder for the build; made when it is not there.</param>
    /// <param name="log">Gets what is worth knowing.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="IOException">A tool is missing, there is no such base, or make failed; the message says which.</exception>
    public async Task<KernelConfigured> ConfigureAsync(KernelProfile profile, KernelFragment? extra, string tree, string build, Action<string> log, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(profile);
        ArgumentNullException.ThrowIfNull(log);
        foreach (var tool in (string[])["make", "gcc", "flex", "bison"])
        {
            if (commands.Find(tool) is null)
            {
                throw new ProgramMissingException(tool);
            }
        }

        Directory.CreateDirectory(build);
        var file = Path.Combine(build, ".config");
        var wanted = (extra is null ? profile.Fragment : profile.Fragment.With(extra)).With(KernelFragment.Of([new("LOCALVERSION_AUTO", "n")]));
        var text = await BaseAsync(profile.Base, tree, build, log, cancellationToken);
        await WriteAsync(file, text, cancellationToken);
        await MakeAsync(tree, build, "olddefconfig", cancellationToken); // the base as this source understands it: what differs later was asked for
        text = await File.ReadAllTextAsync(file, cancellationToken);
        var before = KernelConfig.Parse("base", text);
        var repair = KernelProfileTable.Repair(before, commands.Find("pahole") is not null);
        foreach (var option in repair.Options)
        {
            log($"changed in the base: {option} (it would make the build fail)");
        }

        if (before["MODULE_SIG_FORCE"] == "y" || before["LOCK_DOWN_KERNEL_FORCE_INTEGRITY"] == "y")
        {
            log("the base takes signed modules only: modules of other origin will not load");
        }

        // A later line counts: that is how the kernel's tools read it.
        await WriteAsync(file, text + repair.With(wanted), cancellationToken);
        await MakeAsync(tree, build, "olddefconfig", cancellationToken);
        var after = KernelConfig.Parse(file, await File.ReadAllTextAsync(file, cancellationToken));
        var faults = wanted.Verify(after);
        var reason = faults.IsEmpty ? null : new KernelConfigReason(KconfigTree.Read(tree, SourceArchitecture()), after);

        // The release is read from what olddefconfig writes the first time and leaves alone later: without this it is the base's, and lacks the name asked for.
        await MakeAsync(tree, build, "syncconfig", cancellationToken);
        var release = (await MakeAsync(tree, build, "kernelrelease", cancellationToken)).Trim().Split('\n')[^1];
        return new(
            file,
            release,
            [.. faults.Select(f => new KernelConfigFault(f, reason!.Of(f)))],
            [.. Differences(after, before)],
            [.. Differences(before, after)],
            Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(file, cancellationToken))));
    }

    private static string SourceArchitecture() => RuntimeInformation.OSArchitecture switch
    {
        Architecture.Arm64 => "arm64",
        Architecture.RiscV64 => "riscv",
        _ => "x86",
    };

    private static IEnumerable<string> Differences(KernelConfig of, KernelConfig other) =>
        of.Values.Where(v => other[v.Key] != v.Value).OrderBy(v => v.Key, StringComparer.Ordinal).Select(v => $"CONFIG_{v.Key}={v.Value}");

    private static Task WriteAsync(string file, string text, CancellationToken cancellationToken) => File.WriteAllTextAsync(file, text, new UTF8Encoding(false), cancellationToken);

    private async Task<string> BaseAsync(KernelBase what, string tree, string build, Action<string> log, CancellationToken cancellationToken)
    {
        if (what == KernelBase.Tiny)
        {
            await MakeAsync(tree, build, "tinyconfig", cancellationToken);
            return await File.ReadAllTextAsync(Path.Combine(build, ".config"), cancellationToken);
        }

        if (what == KernelBase.Distribution && await PackagedAsync(tree, build, log, cancellationToken) is { } packaged)
        {
            return packaged;
        }

        var found = what == KernelBase.Running ? KernelConfig.ReadText(root, KernelRelease.Read()) : Newest();
        if (found is not { } known)
        {
            throw new IOException(what == KernelBase.Running
                ? "neither the running kernel nor a file in /boot tells its options; take another profile"
                : "the distribution offers no configuration for this source and none is in /boot; take another profile, or the distribution's own source");
        }

        log($"base: {known.Source}");
        return known.Text;
    }

    // The distribution keeps its configurations in a package beside the one of the source.
    private async Task<string?> PackagedAsync(string tree, string build, Action<string> log, CancellationToken cancellationToken)
    {
        var version = (await commands.RunAsync(new("make", "-s", "-C", tree, "kernelversion") { Timeout = s_limit }, cancellationToken)).Output.Trim();
        var package = "linux-config-" + string.Join('.', version.Split('.').Take(2));
        if (commands.Find("apt-cache") is null
            || !AptOutput.Candidates((await commands.RunAsync(new("apt-cache", "policy", "--", package), cancellationToken)).Output).TryGetValue(package, out var candidate))
        {
            return null;
        }

        var folder = Path.Combine(build, "distribution-config");
        Directory.CreateDirectory(folder);
        var fetched = await commands.RunAsync(new("env", ["-C", folder, "apt-get", "download", .. KernelAptSource.Careful, "--", $"{package}={candidate}"]) { Timeout = s_limit }, cancellationToken);
        if (Directory.GetFiles(folder, package + "_*.deb") is not [var deb, ..])
        {
            log(AptOutput.Explain($"apt-get download {package}", fetched.ExitCode, [.. fetched.Error.Split('\n').Select(AptOutput.Error).OfType<string>()]));
            return null;
        }

        var machine = RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "arm64" : "amd64";
        await commands.RunAsync(new("dpkg-deb", "--extract", deb, folder) { Timeout = s_limit }, cancellationToken);
        foreach (var name in (string[])[$"config.{machine}_none_{machine}.xz", $"config.{machine}_none_cloud-{machine}.xz"])
        {
            if (Directory.GetFiles(folder, name, SearchOption.AllDirectories) is [var packed, ..])
            {
                await commands.RunAsync(new("xz", "--decompress", "--keep", "--force", "--", packed) { Timeout = s_limit }, cancellationToken);
                log($"base: {name[..^3]} of {package} {candidate}");
                return await File.ReadAllTextAsync(packed[..^3], cancellationToken);
            }
        }

        return null;
    }

    private (string Source, string Text)? Newest()
    {
        var boot = Path.Combine(root, "boot");
        var file = Directory.Exists(boot) ? Directory.GetFiles(boot, "config-*").Where(f => !f.Contains("-mpsec", StringComparison.Ordinal)).MaxBy(File.GetLastWriteTimeUtc) : null;
        return file is null ? null : (file, File.ReadAllText(file));
    }

    private async Task<string> MakeAsync(string tree, string build, string target, CancellationToken cancellationToken)
    {
        var log = new KernelBuildLog();
        var made = await commands.RunAsync(new("make", "-s", "-C", tree, "O=" + build, target) { Timeout = s_limit, OnLine = line => log.Take(line.Text) }, cancellationToken);
        return made.Succeeded ? made.Output : throw new IOException(log.Explain($"make {target}", made.ExitCode));
    }
}
