using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using MPSec.Changes;
using MPSec.Linux.Processes;

namespace MPSec.Features.Kernel;

/// <summary>
/// Fetches the source of a kernel, checks who made it, and unpacks it; nothing is unpacked before it was checked. Called again with the same folder, after an
/// interruption of any kind, it goes on where it was.
/// </summary>
/// <param name="commands">Runs apt-get, dpkg-deb, git, gpgv, xz and tar.</param>
/// <param name="audit">Notes when somebody takes a source for which nobody vouches.</param>
/// <param name="time">Clock of pauses and time-outs.</param>
public sealed class KernelSourceFetcher(ICommandRunner commands, AuditLog audit, TimeProvider time)
{
    /// <summary>Bytes that a packed archive may have; one of today has 150 MB.</summary>
    private const long LargestArchive = 1L << 30;

    private const long LargestSignature = 65536;

    /// <summary>Allows servers and repositories on this machine; for tests.</summary>
    internal bool Loopback { get; init; }

    /// <summary>Bytes that an unpacked archive may have.</summary>
    internal long LargestTar { get; init; } = 4L << 30;

    /// <summary>Fetches, checks and unpacks.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="folder">A folder of its own: one that does not exist, is empty, or was made by an earlier call.</param>
    /// <param name="requestedBy">Who asked, for the audit log.</param>
    /// <param name="log">Receives lines for people.</param>
    /// <param name="progress">Receives percent (0 to 100; null when it cannot be told) and what is being done.</param>
    /// <param name="cancellationToken">Ends it; what was done stays.</param>
    /// <exception cref="ArgumentException">The request is wrong (<see cref="KernelSourceRequest.Check()"/>).</exception>
    /// <exception cref="KernelSourceRefusedException">It is not what it must be; nothing of it stays.</exception>
    /// <exception cref="IOException">It could not be fetched or unpacked.</exception>
    public async Task<KernelSource> FetchAsync(KernelSourceRequest request, string folder, string requestedBy, Action<string> log, Action<double?, string> progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(log);
        ArgumentNullException.ThrowIfNull(progress);
        if (request.Check(Loopback) is { } fault)
        {
            throw new ArgumentException(fault, nameof(request));
        }

        try
        {
            using var place = await KernelSourceFolder.OpenAsync(folder, Wanted(request), cancellationToken);
            try
            {
                return await FetchAsync(request, place, requestedBy, log, progress, cancellationToken);
            }
            catch (KernelSourceRefusedException)
            {
                await place.ForgetAsync(CancellationToken.None); // the next call fetches it anew
                throw;
            }
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException(e.Message, e);
        }
        catch (IOException e) when (e is not KernelSourceRefusedException && e.Message.Contains("No space left on device", StringComparison.Ordinal))
        {
            throw new IOException($"the disk of {folder} is full; make room, then run this again", e);
        }
    }

    private async Task<KernelSource> FetchAsync(KernelSourceRequest request, KernelSourceFolder folder, string requestedBy, Action<string> log, Action<double?, string> progress, CancellationToken cancellationToken)
    {
        if (!Directory.Exists(folder.Tree))
        {
            if (!File.Exists(folder.Checked) || await folder.ReadFoundAsync(cancellationToken) is null)
            {
                WriteKeys(request, folder);
                var (source, tar) = request.Kind switch
                {
                    KernelSourceKind.Distribution => await DistributionAsync(request, folder, log, progress, cancellationToken),
                    KernelSourceKind.Git => await GitAsync(request, folder, requestedBy, log, progress, cancellationToken),
                    KernelSourceKind.Tarball => await TarballAsync(request, folder, requestedBy, log, progress, cancellationToken),
                    _ => await ArchiveAsync(request, request.File!, request.SignatureFile ?? KernelSourceRequest.SignatureOf(request.File!), request.File!, folder, requestedBy, progress, cancellationToken),
                };
                await folder.WriteFoundAsync(source, cancellationToken);
                File.Move(tar, folder.Checked, overwrite: true);
                log($"{source.Origin}: {source.Authenticity}");
            }

            progress(null, "unpacking the source");
            await KernelTree.UnpackAsync(folder.Marked(commands), folder.Checked, folder.Tree, tree => FinishAsync(request, folder, tree, cancellationToken), cancellationToken);
        }

        progress(null, "tidying up");
        await folder.CleanAsync(cancellationToken);
        var found = (await folder.ReadFoundAsync(cancellationToken))!;
        log($"Linux {found.Version} is in {found.Tree}");
        return found;
    }

    private static async Task FinishAsync(KernelSourceRequest request, KernelSourceFolder folder, string tree, CancellationToken cancellationToken)
    {
        var version = KernelTree.Version(tree);
        if (!KernelTree.Fits(version, request.Version, series: request.Kind == KernelSourceKind.Distribution))
        {
            throw new KernelSourceRefusedException(KernelSourceVerdict.OtherVersion, $"the source is Linux {version}, and {request.Version} was asked for: a newer one may have been replaced by an old one");
        }

        await folder.WriteFoundAsync((await folder.ReadFoundAsync(cancellationToken))! with { Version = version }, cancellationToken);
    }

    private async Task<(KernelSource, string Tar)> DistributionAsync(KernelSourceRequest request, KernelSourceFolder folder, Action<string> log, Action<double?, string> progress, CancellationToken cancellationToken)
    {
        var apt = new KernelAptSource(folder.Marked(commands));
        var (package, version) = await apt.ResolveAsync(request.Package, request.Version, cancellationToken);
        var got = await apt.FetchAsync(package, version, folder, log, progress, cancellationToken);
        progress(null, "checking the archive");
        var name = Path.GetFileName(got.Archive);
        var top = name[..name.IndexOf(".tar.", StringComparison.Ordinal)] + "/";
        var checkedResult = Demand(await new KernelSourceCheck(folder.Marked(commands), LargestTar).LookAsync(
            got.Archive, top, await folder.EmptyCheckAsync(cancellationToken), new(KernelSourceVerdict.Authentic, "the package manager checked who made the package"), cancellationToken));
        return (new("", folder.Tree, got.Origin, "a package of the distribution; the package manager checked that it is the distribution's own", null, await HashAsync(got.Package, cancellationToken)), checkedResult.Archive!);
    }

    private async Task<(KernelSource, string Tar)> TarballAsync(KernelSourceRequest request, KernelSourceFolder folder, string requestedBy, Action<string> log, Action<double?, string> progress, CancellationToken cancellationToken)
    {
        using var download = new KernelDownload(time, Loopback);
        var archive = Path.Combine(folder.Download, "archive" + Path.GetExtension(request.Address!));
        var signature = Path.Combine(folder.Download, "signature");
        var address = request.SignatureAddress ?? KernelSourceRequest.SignatureOf(request.Address!);
        try
        {
            progress(null, "fetching the signature");
            await download.RunAsync(new(address), signature, LargestSignature, log, (_, _) => { }, cancellationToken);
        }
        catch (NothingThereException) when (request.AllowUnsigned)
        {
            log($"there is no signature at {address}");
        }
        catch (NothingThereException)
        {
            throw new KernelSourceRefusedException(KernelSourceVerdict.Unsigned, $"there is no signature at {address}, so nothing was fetched; name its address, or an archive that is signed");
        }

        await download.RunAsync(new(request.Address!), archive, LargestArchive, log, progress, cancellationToken);
        return await ArchiveAsync(request, archive, signature, request.Address!, folder, requestedBy, progress, cancellationToken);
    }

    private async Task<(KernelSource, string Tar)> ArchiveAsync(KernelSourceRequest request, string archive, string signature, string origin, KernelSourceFolder folder, string requestedBy, Action<double?, string> progress, CancellationToken cancellationToken)
    {
        // Also what is no file has a length here: none.
        if (new FileInfo(archive) is not { Exists: true, Length: > 0 })
        {
            throw new IOException($"{origin} is no file with anything in it");
        }

        progress(null, "checking signature and names");
        var result = Demand(await new KernelSourceCheck(folder.Marked(commands), LargestTar).RunAsync(archive, signature, folder.Keys, request.Version!, await folder.EmptyCheckAsync(cancellationToken), request.AllowUnsigned, cancellationToken));
        var source = new KernelSource("", folder.Tree, origin, await VouchAsync(request, result, origin, requestedBy, cancellationToken), SignerOf(result), await HashAsync(archive, cancellationToken));
        return (source, result.Archive!);
    }

    private async Task<(KernelSource, string Tar)> GitAsync(KernelSourceRequest request, KernelSourceFolder folder, string requestedBy, Action<string> log, Action<double?, string> progress, CancellationToken cancellationToken)
    {
        const string Top = "linux/";
        var git = new KernelGitSource(folder.Marked(commands), Loopback);
        var (commit, vouched) = await git.FetchAsync(request.Address!, request.Ref!, folder.Keys, folder, log, progress, cancellationToken);
        if (vouched.Verdict != KernelSourceVerdict.Authentic && !(request.AllowUnsigned && KernelSourceCheck.MayBeAllowed(vouched.Verdict)))
        {
            Demand(vouched);
        }

        progress(null, "writing and checking the source");
        var work = await folder.EmptyCheckAsync(cancellationToken);
        var tar = Path.Combine(work, "source.tar");
        await git.ArchiveAsync(commit, Top, tar, folder, cancellationToken);
        var result = Demand(await new KernelSourceCheck(folder.Marked(commands), LargestTar).LookAsync(tar, Top, work, vouched, cancellationToken));
        var origin = $"{request.Address} {request.Ref} (commit {commit})";
        return (new("", folder.Tree, origin, await VouchAsync(request, result, origin, requestedBy, cancellationToken), SignerOf(result), null), tar);
    }

    private async Task<string> VouchAsync(KernelSourceRequest request, KernelSourceResult result, string origin, string requestedBy, CancellationToken cancellationToken)
    {
        if (result.Verdict == KernelSourceVerdict.Authentic)
        {
            return $"signed by the key {result.Signer}, which is one of {(request.Keyring is { } keyring ? $"the keys in {keyring}" : "the keys of kernel.org that come with MPSec")}";
        }

        // Before it is used, and not only after.
        await audit.AppendAsync(requestedBy, "kernel.source.unsigned", "host", origin, $"allowed: {result.Verdict}", cancellationToken);
        return $"nobody vouches for it ({result.Sentence}); {requestedBy} took that on";
    }

    private static KernelSourceResult Demand(KernelSourceResult result) => result.Archive is null ? throw new KernelSourceRefusedException(result.Verdict, result.Sentence) : result;

    private static string? SignerOf(KernelSourceResult result) => result.Verdict == KernelSourceVerdict.Authentic ? result.Signer : null;

    private static void WriteKeys(KernelSourceRequest request, KernelSourceFolder folder)
    {
        if (request.Keyring is null)
        {
            KernelKeyring.Write(folder.Keys);
            return;
        }

        if (new FileInfo(request.Keyring) is not { Exists: true, Length: > 0 and <= LargestSignature * 16 })
        {
            throw new IOException($"keyring: {request.Keyring} is no file with public keys, as gpg --export writes it");
        }

        File.Copy(request.Keyring, folder.Keys, overwrite: true);
    }

    private static async Task<string> HashAsync(string file, CancellationToken cancellationToken)
    {
        var stream = File.OpenRead(file);
        await using (stream)
        {
            return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken));
        }
    }

    // A file on this machine may be another one of the same name by now.
    private static string Wanted(KernelSourceRequest request) =>
        JsonSerializer.Serialize(request) + (request.File is { } file && new FileInfo(file) is { Exists: true } seen ? string.Create(CultureInfo.InvariantCulture, $" {seen.Length} {seen.LastWriteTimeUtc.Ticks}") : "");
}
