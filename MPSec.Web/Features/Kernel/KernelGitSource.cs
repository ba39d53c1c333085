using MPSec.Linux.Processes;

namespace MPSec.Features.Kernel;

/// <summary>A commit of a repository.</summary>
/// <param name="Commit">Its hash.</param>
/// <param name="Result">Who signed the tag that names it.</param>
internal sealed record KernelGitCommit(string Commit, KernelSourceResult Result);

/// <summary>
/// Fetches one tag or branch of a repository, without its history, and checks the tag's signature before any file of it is written. git gets no setting, hook or
/// helper of this machine, and no other protocol than https.
/// </summary>
/// <param name="commands">Runs git and gpgv.</param>
/// <param name="loopback">Allows repositories on this machine; for tests.</param>
internal sealed class KernelGitSource(ICommandRunner commands, bool loopback)
{
    private const long LargestArchive = 4L << 30;
    private const string SignatureLine = "-----BEGIN PGP SIGNATURE-----";
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(60);

    /// <summary>Fetches and checks; what is there already is not fetched again.</summary>
    /// <exception cref="IOException">It could not be fetched.</exception>
    public async Task<KernelGitCommit> FetchAsync(string address, string name, string keyring, KernelSourceFolder folder, Action<string> log, Action<double?, string> progress, CancellationToken cancellationToken)
    {
        if (commands.Find("git") is null)
        {
            throw new IOException("git is not installed; install the package git, or take an archive");
        }

        var full = await FetchRefAsync(address, name, folder, log, progress, cancellationToken);
        var type = (await GitAsync(folder, "read the tag", null, cancellationToken, "cat-file", "-t", full)).Trim();
        if (type != "tag")
        {
            var what = full.StartsWith("refs/heads/", StringComparison.Ordinal) ? $"{name} is a branch, and branches are not signed" : $"the tag {name} is not signed: it only names a commit";
            return new(await CommitAsync(folder, full, cancellationToken), new(KernelSourceVerdict.Unsigned, what + "; name a signed tag"));
        }

        var text = await GitAsync(folder, "read the tag", null, cancellationToken, "cat-file", "tag", full);
        var (payload, signature) = Split(text);
        var work = await folder.EmptyCheckAsync(cancellationToken);
        var result = new KernelSourceResult(KernelSourceVerdict.Unsigned, $"the tag {name} is not signed; name a signed tag");
        if (signature is not null)
        {
            var (signed, detached) = (Path.Combine(work, "tag"), Path.Combine(work, "tag.sign"));
            await File.WriteAllTextAsync(signed, payload, cancellationToken);
            await File.WriteAllTextAsync(detached, signature, cancellationToken);
            result = await new KernelSourceCheck(commands).VerifyAsync(signed, detached, keyring, "tag", cancellationToken);
        }

        // A ref is only a pointer of the server's: that the signed words name the same tag keeps an old one from standing in for a new one.
        var head = payload.Split("\n\n", 2)[0].Split('\n');
        if (head is not [var target, var kind, var tag, ..] || !target.StartsWith("object ", StringComparison.Ordinal) || !target["object ".Length..].All(char.IsAsciiHexDigitLower) || kind != "type commit" || tag != "tag " + name)
        {
            result = result.Verdict is KernelSourceVerdict.BadSignature or KernelSourceVerdict.Expired ? result
                : new(KernelSourceVerdict.OtherVersion, $"the repository gives another tag for {name}: a newer version may have been replaced by an old one; do not use it");
            return new("", result);
        }

        return new(target["object ".Length..], result);
    }

    /// <summary>Writes the files of a commit to an archive, as kernel.org makes its own.</summary>
    /// <param name="commit">The commit.</param>
    /// <param name="prefix">The folder that all of it is put in, with a slash at its end.</param>
    /// <param name="tar">The archive to be made.</param>
    /// <param name="folder">The folder of the source.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="IOException">It could not be written.</exception>
    public async Task ArchiveAsync(string commit, string prefix, string tar, KernelSourceFolder folder, CancellationToken cancellationToken) =>
        await GitAsync(folder, "write the source", LargestArchive, cancellationToken, "archive", "--format=tar", "--prefix=" + prefix, "--output=" + tar, "--end-of-options", commit);

    private async Task<string> FetchRefAsync(string address, string name, KernelSourceFolder folder, Action<string> log, Action<double?, string> progress, CancellationToken cancellationToken)
    {
        var done = Path.Combine(folder.Repository, "mpsec-fetched");
        if (File.Exists(done))
        {
            return await File.ReadAllTextAsync(done, cancellationToken);
        }

        await KernelSourceFolder.RemoveAsync(folder.Repository, cancellationToken);
        Directory.CreateDirectory(folder.Repository, KernelSourceFolder.OwnerOnly);
        await GitAsync(folder, "make a repository", null, cancellationToken, "init", "--quiet", "--bare", "--template=", "--", folder.Repository);
        progress(null, "asking the repository");
        string[] wanted = [$"refs/tags/{name}", $"refs/heads/{name}"];
        var listed = await GitAsync(folder, $"ask {address}", null, cancellationToken, ["ls-remote", "--quiet", "--end-of-options", address, .. wanted]);
        var offered = listed.Split('\n').Select(l => l.Split('\t')).Where(l => l.Length == 2).Select(l => l[1]).ToHashSet(StringComparer.Ordinal);
        var full = wanted.FirstOrDefault(offered.Contains) ?? throw new IOException($"{address} has no tag and no branch {name}");
        log($"git fetch --depth=1 {address} {full}");
        progress(null, "fetching " + name);
        await GitAsync(folder, $"fetch {name}", LargestArchive, cancellationToken, "fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--end-of-options", address, $"+{full}:{full}");
        await File.WriteAllTextAsync(done + ".new", full, cancellationToken);
        File.Move(done + ".new", done);
        return full;
    }

    private async Task<string> CommitAsync(KernelSourceFolder folder, string full, CancellationToken cancellationToken) =>
        (await GitAsync(folder, "read the commit", null, cancellationToken, "rev-parse", "--verify", "--end-of-options", full + "^{commit}")).Trim();

    private async Task<string> GitAsync(KernelSourceFolder folder, string what, long? largestFile, CancellationToken cancellationToken, params IReadOnlyList<string> arguments)
    {
        string[] safe =
        [
            "-c", "protocol.allow=never", "-c", "protocol.https.allow=always", .. loopback ? new[] { "-c", "protocol.file.allow=always" } : [],
            "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.sshCommand=/bin/false", "-c", "credential.helper=", "-c", "http.followRedirects=initial",
            "-c", "fetch.fsckObjects=true", "-c", "fetch.recurseSubmodules=no", "-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=60",
            "--git-dir=" + folder.Repository,
        ];
        var request = new CommandRequest(largestFile is null ? "git" : "prlimit", [.. largestFile is { } limit ? [FormattableString.Invariant($"--fsize={limit}"), "--", "git"] : Array.Empty<string>(), .. safe, .. arguments])
        {
            Timeout = s_limit,
            Environment = new Dictionary<string, string>
            {
                ["HOME"] = folder.Home, ["XDG_CONFIG_HOME"] = folder.Home, ["GIT_CONFIG_NOSYSTEM"] = "1", ["GIT_CONFIG_GLOBAL"] = "/dev/null", ["GIT_ATTR_NOSYSTEM"] = "1",
                ["GIT_TERMINAL_PROMPT"] = "0", ["GIT_ASKPASS"] = "/bin/true", ["GIT_NO_REPLACE_OBJECTS"] = "1",
            }.Concat(Proxies(Environment.GetEnvironmentVariable)).ToDictionary(),
        };
        var result = await commands.RunAsync(request, cancellationToken);
        return result.Succeeded ? result.Output
            : largestFile is not null && (result.ExitCode == 128 + 25 || result.Error.Contains("File too large", StringComparison.Ordinal)) ? throw new KernelSourceRefusedException(KernelSourceVerdict.TooLarge, $"git could not {what}: it grows beyond {largestFile} bytes, so it is no kernel's source")
            : throw new IOException($"git could not {what}: {KernelTree.Reason(result)}");
    }

    /// <summary>Variables that tell of a proxy between this machine and the network (curl(1), ENVIRONMENT): git goes the way that MPSec's own downloads go.</summary>
    internal static IEnumerable<KeyValuePair<string, string>> Proxies(Func<string, string?> variable) =>
        from name in (string[])["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"]
        let value = variable(name)
        where !string.IsNullOrEmpty(value)
        select KeyValuePair.Create(name, value);

    // As git does it: what stands before the last such line is what was signed.
    private static (string Payload, string? Signature) Split(string tag)
    {
        var at = tag.StartsWith(SignatureLine, StringComparison.Ordinal) ? 0 : tag.LastIndexOf("\n" + SignatureLine, StringComparison.Ordinal) + 1;
        return at > 0 ? (tag[..at], tag[at..]) : (tag, null);
    }
}
