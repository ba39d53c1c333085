using System.Text.RegularExpressions;

namespace MPSec.Features.Kernel;

/// <summary>Where the source of a kernel comes from.</summary>
public enum KernelSourceKind
{
    /// <summary>The source package of the distribution.</summary>
    Distribution,

    /// <summary>An archive from an address.</summary>
    Tarball,

    /// <summary>A repository.</summary>
    Git,

    /// <summary>An archive on this machine.</summary>
    File,
}

/// <summary>A source that is asked for. Fields that its kind does not use must be null, so that nothing asked for is left out without a word.</summary>
/// <param name="Kind">Where it comes from.</param>
public sealed partial record KernelSourceRequest(KernelSourceKind Kind)
{
    private const int LongestText = 2000;

    /// <summary>Distribution: its source package, such as linux-source-6.1; null: the newest that the package manager offers and that fits <see cref="Version"/>.</summary>
    public string? Package { get; init; }

    /// <summary>Tarball: https address of the archive. Git: https address of the repository.</summary>
    public string? Address { get; init; }

    /// <summary>Tarball: https address of the detached signature; null: the archive's address without its last ending and with .sign.</summary>
    public string? SignatureAddress { get; init; }

    /// <summary>Git: a tag or a branch, without refs/.</summary>
    public string? Ref { get; init; }

    /// <summary>The version it must be, such as 6.12.48; needed for an archive. Distribution: also a series such as 6.1.</summary>
    public string? Version { get; init; }

    /// <summary>File: absolute path of the archive.</summary>
    public string? File { get; init; }

    /// <summary>File: absolute path of the detached signature; null: the archive's path without its last ending and with .sign.</summary>
    public string? SignatureFile { get; init; }

    /// <summary>Absolute path of the keys to trust, as gpg --export writes them; null: those that MPSec ships (<see cref="KernelKeyring"/>).</summary>
    public string? Keyring { get; init; }

    /// <summary>Takes a source that nobody signed, or whose signer is not trusted here. One that was altered, has expired or leads out of its folder is refused all the same.</summary>
    public bool AllowUnsigned { get; init; }

    /// <summary>Null when all is well, else one sentence that names the field and the fix.</summary>
    public string? Check() => Check(loopback: false);

    /// <summary>The same for tests, which have a server and repositories of their own on this machine.</summary>
    internal string? Check(bool loopback) =>
        !Enum.IsDefined(Kind) ? "kind: must be distribution, tarball, git or file"
        : Unused() is { } unused ? $"{unused}: has no meaning for a source of the kind {Kind.ToString().ToLowerInvariant()}; leave it out"
        : Version is not null && !VersionForm().IsMatch(Version) ? "version: must be a version such as 6.12.48"
        : Keyring is not null && !IsPath(Keyring) ? "keyring: must be the absolute path of a file with public keys"
        : Kind switch
        {
            KernelSourceKind.Distribution => Package is null || PackageForm().IsMatch(Package) ? null : "package: must be a source package of the distribution, such as linux-source-6.1",
            KernelSourceKind.Tarball => CheckAddress("address", Address, loopback)
                ?? (IsArchive(Address!) ? null : "address: must end in .tar, .tar.gz or .tar.xz")
                ?? (SignatureAddress is null ? null : CheckAddress("signatureAddress", SignatureAddress, loopback))
                ?? NeedVersion(),
            KernelSourceKind.Git => CheckAddress("address", Address, loopback, repository: true)
                ?? (Ref is null ? "ref: name the tag or branch" : IsRef(Ref) ? null : "ref: must be the name of a tag or branch such as v6.12.48"),
            _ => !IsPath(File) || !IsArchive(File!) ? "file: must be the absolute path of an archive that ends in .tar, .tar.gz or .tar.xz"
                : SignatureFile is not null && !IsPath(SignatureFile) ? "signatureFile: must be the absolute path of a file"
                : NeedVersion(),
        };

    /// <summary>An archive's name without its last ending and with .sign: so kernel.org names a signature, which is over the uncompressed archive.</summary>
    internal static string SignatureOf(string archive) => (archive.EndsWith(".tar", StringComparison.Ordinal) ? archive : Path.ChangeExtension(archive, null)) + ".sign";

    private string? Unused() =>
        new (string Name, bool IsSet, KernelSourceKind[] Kinds)[]
        {
            ("package", Package is not null, [KernelSourceKind.Distribution]),
            ("address", Address is not null, [KernelSourceKind.Tarball, KernelSourceKind.Git]),
            ("signatureAddress", SignatureAddress is not null, [KernelSourceKind.Tarball]),
            ("ref", Ref is not null, [KernelSourceKind.Git]),
            ("file", File is not null, [KernelSourceKind.File]),
            ("signatureFile", SignatureFile is not null, [KernelSourceKind.File]),
            ("keyring", Keyring is not null, [KernelSourceKind.Tarball, KernelSourceKind.Git, KernelSourceKind.File]),
            ("allowUnsigned", AllowUnsigned, [KernelSourceKind.Tarball, KernelSourceKind.Git, KernelSourceKind.File]),
        }.FirstOrDefault(f => f.IsSet && !f.Kinds.Contains(Kind)).Name;

    private string? NeedVersion() => Version is null ? "version: say which version it must be, such as 6.12.48" : null;

    private static string? CheckAddress(string field, string? address, bool loopback, bool repository = false) =>
        // What the parser of addresses would quietly put right is not taken either: git and the server must see what was checked.
        address is { Length: > 0 and <= LongestText } && address.All(c => c is > ' ' and < '\x7f' and not ('"' or '\'' or '\\' or '<' or '>' or '`'))
        && Uri.TryCreate(address, UriKind.Absolute, out var uri) && uri.UserInfo.Length == 0 && uri.Query.Length == 0 && uri.Fragment.Length == 0 && !address.Contains('@', StringComparison.Ordinal)
        && ((uri.Scheme == Uri.UriSchemeHttps && uri.Host.Length > 0 && uri.AbsolutePath.Length > 1) || (loopback && (uri is { IsLoopback: true, Scheme: "http" } || (repository && uri.IsFile))))
            ? null
            : $"{field}: must be an address that begins with https://, without name, password, question mark or number sign";

    private static bool IsArchive(string name) => name.EndsWith(".tar", StringComparison.Ordinal) || name.EndsWith(".tar.gz", StringComparison.Ordinal) || name.EndsWith(".tar.xz", StringComparison.Ordinal);

    private static bool IsPath(string? path) => path is { Length: > 1 and <= LongestText } && Path.IsPathFullyQualified(path) && !path.Any(char.IsControl);

    // git check-ref-format(1), and of that only what no program takes for something else.
    private static bool IsRef(string name) =>
        RefForm().IsMatch(name) && !name.Contains("..", StringComparison.Ordinal)
        && name.Split('/').All(p => p.Length > 0 && p[0] is not ('.' or '-') && p[^1] != '.' && !p.EndsWith(".lock", StringComparison.Ordinal));

    [GeneratedRegex(@"\A[0-9]{1,3}(\.[0-9]{1,4}){1,3}(-rc[0-9]{1,3})?\z", RegexOptions.CultureInvariant)]
    private static partial Regex VersionForm();

    [GeneratedRegex(@"\Alinux-source-[0-9][a-z0-9.+-]{0,60}\z", RegexOptions.CultureInvariant)]
    private static partial Regex PackageForm();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._/+-]{0,199}\z", RegexOptions.CultureInvariant)]
    private static partial Regex RefForm();
}

/// <summary>A source that was fetched, checked and unpacked.</summary>
/// <param name="Version">As its Makefile tells it.</param>
/// <param name="Tree">Absolute path of the unpacked source.</param>
/// <param name="Origin">Package with version and distribution, or address with ref and commit, or file.</param>
/// <param name="Authenticity">Who vouches for it, in one sentence.</param>
/// <param name="Signer">Fingerprint of the key that signed it; null when the package manager vouches for it, or nobody.</param>
/// <param name="Sha256">Hash of what was fetched, hexadecimal; null for a repository, where the commit stands in <paramref name="Origin"/>.</param>
public sealed record KernelSource(string Version, string Tree, string Origin, string Authenticity, string? Signer, string? Sha256);

/// <summary>A source is not what it must be; nothing of it is used.</summary>
public sealed class KernelSourceRefusedException(KernelSourceVerdict verdict, string sentence) : IOException(sentence)
{
    /// <summary>Why.</summary>
    public KernelSourceVerdict Verdict { get; } = verdict;
}
