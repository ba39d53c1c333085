using System.CommandLine;
using MPSec.Features.Kernel;

namespace MPSec.Hosting.Cli;

/// <summary>The options by which verbs name the source of a kernel.</summary>
internal static class KernelSourceOptions
{
    private static readonly Option<KernelSourceKind> s_kind = new("--source") { Description = "distribution (its source package), tarball (from --address), git (--address and --ref) or file (--file)", DefaultValueFactory = _ => KernelSourceKind.Distribution };
    private static readonly Option<string?> s_package = new("--source-package") { Description = "Source package of the distribution; the newest when nothing is said" };
    private static readonly Option<string?> s_address = new("--address") { Description = "Address of the archive or repository, https only" };
    private static readonly Option<string?> s_signature = new("--signature") { Description = "Address or file of the detached signature; beside the archive when nothing is said" };
    private static readonly Option<string?> s_ref = new("--ref") { Description = "Tag or branch of the repository" };
    private static readonly Option<string?> s_version = new("--version-wanted") { Description = "The version it must be, such as 6.12.48" };
    private static readonly Option<string?> s_file = new("--file") { Description = "Archive on this machine" };
    private static readonly Option<string?> s_keyring = new("--keyring") { Description = "The keys to trust, as gpg --export writes them; those of kernel.org when nothing is said" };
    private static readonly Option<bool> s_unsigned = new("--allow-unsigned") { Description = "Take a source that nobody signed; noted in the audit log" };

    /// <summary>Adds them to a verb.</summary>
    public static void AddTo(Command command)
    {
        foreach (var option in (Option[])[s_kind, s_package, s_address, s_signature, s_ref, s_version, s_file, s_keyring, s_unsigned])
        {
            command.Options.Add(option);
        }
    }

    /// <summary>What was asked for.</summary>
    public static KernelSourceRequest Read(ParseResult parse)
    {
        var kind = parse.GetValue(s_kind);
        return new(kind)
        {
            Package = parse.GetValue(s_package),
            Address = parse.GetValue(s_address),
            SignatureAddress = kind == KernelSourceKind.File ? null : parse.GetValue(s_signature),
            Ref = parse.GetValue(s_ref),
            Version = parse.GetValue(s_version),
            File = parse.GetValue(s_file) is { } file ? Path.GetFullPath(file) : null,
            SignatureFile = kind == KernelSourceKind.File && parse.GetValue(s_signature) is { } signature ? Path.GetFullPath(signature) : null,
            Keyring = parse.GetValue(s_keyring) is { } keyring ? Path.GetFullPath(keyring) : null,
            AllowUnsigned = parse.GetValue(s_unsigned),
        };
    }
}
