using System.Formats.Tar;
using System.IO.Compression;
using MPSec.Linux.Processes;

namespace MPSec.Features.Kernel;

/// <summary>What a check of a kernel's source came to.</summary>
public enum KernelSourceVerdict
{
    /// <summary>Signed by a key that is trusted, and what it says to be.</summary>
    Authentic,

    /// <summary>There is no signature, or what should be one is none.</summary>
    Unsigned,

    /// <summary>The signature does not belong to these bytes.</summary>
    BadSignature,

    /// <summary>The signature is by a key that is not trusted here.</summary>
    ForeignKey,

    /// <summary>The signature or its key has expired, or the key was revoked.</summary>
    Expired,

    /// <summary>The archive cannot be read to its end.</summary>
    Damaged,

    /// <summary>The archive grows beyond what a kernel's source may have.</summary>
    TooLarge,

    /// <summary>Another version than was asked for.</summary>
    OtherVersion,

    /// <summary>It holds names or links that lead out of its folder.</summary>
    LeadsOut,
}

/// <summary>A checked source.</summary>
/// <param name="Verdict">What it came to.</param>
/// <param name="Sentence">Why, and what to do.</param>
/// <param name="Signer">Fingerprint of the key of a good signature.</param>
/// <param name="Archive">The uncompressed archive that was checked and may be unpacked, in the work folder; null when it was refused.</param>
public sealed record KernelSourceResult(KernelSourceVerdict Verdict, string Sentence, string? Signer = null, string? Archive = null);

/// <summary>
/// Checks a kernel's source before anything of it is unpacked, as kernel.org signs it: a detached OpenPGP signature over the uncompressed tar. The archive is
/// copied first, so what is unpacked later is what was checked.
/// </summary>
/// <param name="commands">Runs xz, bzip2 and gpgv.</param>
/// <param name="largest">Bytes that the uncompressed archive may have; a kernel of today has 1.5 GB.</param>
public sealed class KernelSourceCheck(ICommandRunner commands, long largest = 4L << 30)
{
    private const int LargestSignature = 65536;
    private const int ExitOnFileSize = 128 + 25; // SIGXFSZ
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(15);
    private static readonly (string Ending, string Program)[] s_programs = [(".xz", "xz"), (".bz2", "bzip2")];

    /// <summary>Checks an archive (.tar, .tar.gz, .tar.xz or .tar.bz2).</summary>
    /// <param name="archive">The archive.</param>
    /// <param name="signature">Its detached signature; null when there is none.</param>
    /// <param name="keyring">File with the keys that are trusted, in the form of <c>gpg --export</c>.</param>
    /// <param name="version">The version that was asked for, such as 6.12.48: all of it must be below <c>linux-VERSION/</c>.</param>
    /// <param name="work">An empty folder that only the caller can write; holds the archive afterwards, and nothing when it was refused.</param>
    /// <param name="allowUnsigned">Somebody takes it on himself that nobody trusted signed it: then that verdict comes with an archive. Everything else is refused as ever.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="IOException">A file cannot be read or written.</exception>
    /// <exception cref="ProgramMissingException">xz, prlimit or gpgv is not installed.</exception>
    public async Task<KernelSourceResult> RunAsync(string archive, string? signature, string keyring, string version, string work, bool allowUnsigned, CancellationToken cancellationToken)
    {
        var isSigned = signature is not null && File.Exists(signature) && new FileInfo(signature).Length is > 0 and <= LargestSignature;
        var unsigned = new KernelSourceResult(KernelSourceVerdict.Unsigned, "the archive has no signature; fetch the file that ends in .sign beside it");
        if (!isSigned && !allowUnsigned)
        {
            return unsigned;
        }

        var tar = Path.Combine(work, "source.tar");
        var result = await ExpandAsync(archive, tar, cancellationToken)
            ?? (isSigned ? await VerifyAsync(tar, signature!, keyring, "archive", cancellationToken) : unsigned);
        if (result.Verdict == KernelSourceVerdict.Authentic || (allowUnsigned && MayBeAllowed(result.Verdict)))
        {
            result = await Task.Run(() => Look(tar, $"linux-{version}/"), cancellationToken) ?? result with { Archive = tar };
        }

        return Settle(result, tar);
    }

    /// <summary>Checks the names, links and size of an archive for which somebody else vouches; unpacks nothing.</summary>
    /// <param name="archive">The archive; <c>source.tar</c> in the work folder is not copied.</param>
    /// <param name="folder">The folder that all of it must be in, with a slash at its end.</param>
    /// <param name="work">As in <see cref="RunAsync"/>.</param>
    /// <param name="vouched">What is known of who made it.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="IOException">As in <see cref="RunAsync"/>.</exception>
    public async Task<KernelSourceResult> LookAsync(string archive, string folder, string work, KernelSourceResult vouched, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(vouched);
        var tar = Path.Combine(work, "source.tar");
        return Settle((archive == tar ? null : await ExpandAsync(archive, tar, cancellationToken)) ?? await Task.Run(() => Look(tar, folder), cancellationToken) ?? vouched with { Archive = tar }, tar);
    }

    /// <summary>Checks a detached signature.</summary>
    /// <param name="signed">What was signed.</param>
    /// <param name="signature">The signature.</param>
    /// <param name="keyring">File with the keys that are trusted.</param>
    /// <param name="what">What it is, in one word, for the sentence.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ProgramMissingException">gpgv is not installed.</exception>
    public async Task<KernelSourceResult> VerifyAsync(string signed, string signature, string keyring, string what, CancellationToken cancellationToken)
    {
        var result = await commands.RunAsync(new("gpgv", "--status-fd", "1", "--keyring", Path.GetFullPath(keyring), "--", Path.GetFullPath(signature), signed) { Timeout = s_limit }, cancellationToken);
        var words = result.Output.Split('\n').Where(l => l.StartsWith("[GNUPG:] ", StringComparison.Ordinal)).Select(l => l.Split(' ')).ToLookup(l => l[1]);

        // gpgv ends with 0 for a good signature by an expired key: its words count, and one bad word outweighs any good one.
        return words.Contains("BADSIG") ? new(KernelSourceVerdict.BadSignature, $"the signature does not belong to this {what}: it was altered, or is another one; fetch both again")
            : words.Contains("EXPSIG") || words.Contains("EXPKEYSIG") || words.Contains("REVKEYSIG") ? new(KernelSourceVerdict.Expired, "the signature or its key has expired or was revoked; fetch a newer version")
            : words.Contains("NO_PUBKEY") || words.Contains("ERRSIG") ? new(KernelSourceVerdict.ForeignKey, $"the signature is by the key {words["ERRSIG"].FirstOrDefault()?.ElementAtOrDefault(2) ?? "?"}, which is not trusted here")
            : result.Succeeded && words["GOODSIG"].Count() == 1 && words["VALIDSIG"].Count() == 1 ? new(KernelSourceVerdict.Authentic, "signed by a trusted key", words["VALIDSIG"].First()[2])
            : new(KernelSourceVerdict.Unsigned, $"what should be the signature of this {what} is none; fetch it from where its makers publish it");
    }

    /// <summary>Whether somebody may take it on himself. That bytes were altered, or a signature has run out, is nobody's to allow.</summary>
    internal static bool MayBeAllowed(KernelSourceVerdict verdict) => verdict is KernelSourceVerdict.Unsigned or KernelSourceVerdict.ForeignKey;

    private static KernelSourceResult Settle(KernelSourceResult result, string tar)
    {
        if (result.Archive is null)
        {
            File.Delete(tar);
        }

        return result;
    }

    private async Task<KernelSourceResult?> ExpandAsync(string archive, string tar, CancellationToken cancellationToken)
    {
        if (s_programs.FirstOrDefault(p => archive.EndsWith(p.Ending, StringComparison.Ordinal)) is { Program: { } program, Ending: var ending })
        {
            File.Copy(archive, tar + ending);
            try
            {
                // The kernel ends the program at the limit: a small archive that grows without end fills no disk.
                var result = await commands.RunAsync(new("prlimit", $"--fsize={largest}", "--", program, "--decompress", "--", tar + ending) { Timeout = s_limit }, cancellationToken);
                return result.Succeeded ? null
                    : result.ExitCode == ExitOnFileSize || result.Error.Contains("File too large", StringComparison.Ordinal) ? TooLarge()
                    : result.Error.Contains("No space left on device", StringComparison.Ordinal) ? throw new IOException($"{Path.GetDirectoryName(tar)}: No space left on device")
                    : Damaged(result.Error.Split('\n')[0]);
            }
            finally
            {
                File.Delete(tar + ending);
            }
        }

        await using var input = File.OpenRead(archive);
        await using Stream plain = archive.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(input, CompressionMode.Decompress) : input;
        await using var output = new FileStream(tar, FileMode.CreateNew, FileAccess.Write);
        var buffer = new byte[1 << 20];
        try
        {
            while (await plain.ReadAsync(buffer, cancellationToken) is var length and > 0)
            {
                if (output.Length + length > largest)
                {
                    return TooLarge();
                }

                await output.WriteAsync(buffer.AsMemory(0, length), cancellationToken);
            }
        }
        catch (InvalidDataException e)
        {
            return Damaged(e.Message);
        }

        return null;
    }

    private static KernelSourceResult? Look(string tar, string folder)
    {
        var entries = 0;
        try
        {
            using var stream = File.OpenRead(tar);
            using var reader = new TarReader(stream);
            while (reader.GetNextEntry() is { } entry)
            {
                if (entry.EntryType == TarEntryType.GlobalExtendedAttributes)
                {
                    continue;
                }

                entries++;
                if (!(entry.Name + "/").StartsWith(folder, StringComparison.Ordinal))
                {
                    return Path.IsPathRooted(entry.Name) || Climbs(entry.Name) ? LeadsOut()
                        : new(KernelSourceVerdict.OtherVersion, $"not everything in the archive is below {folder}, so it is not the version that was asked for: a newer file may have been replaced by an old one");
                }

                var target = entry.EntryType switch
                {
                    TarEntryType.Directory or TarEntryType.RegularFile or TarEntryType.V7RegularFile => "",
                    TarEntryType.SymbolicLink => Path.Combine(Path.GetDirectoryName(entry.Name) ?? "", entry.LinkName),
                    TarEntryType.HardLink => entry.LinkName,
                    _ => "/", // devices and the like
                };
                if (Climbs(entry.Name) || Path.IsPathRooted(target) || (target.Length > 0 && !Path.GetFullPath(target, "/root/").StartsWith("/root/" + folder, StringComparison.Ordinal)))
                {
                    return LeadsOut();
                }
            }
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException)
        {
            return Damaged(e.Message);
        }

        return entries > 0 ? null : Damaged("it is empty");
    }

    private static bool Climbs(string name) => name.Split('/').Contains("..");

    private static KernelSourceResult Damaged(string why) => new(KernelSourceVerdict.Damaged, $"the archive is damaged or was cut off ({why}); fetch it again");

    private static KernelSourceResult LeadsOut() => new(KernelSourceVerdict.LeadsOut, "the archive holds names or links that lead out of its folder; do not use it");

    private KernelSourceResult TooLarge() => new(KernelSourceVerdict.TooLarge, $"the archive grows beyond {largest} bytes, so it is no kernel's source");
}
