namespace MPSec.Features.Kernel;

/// <summary>The public keys of those who sign the source of Linux, built into the program (kernel-keys.asc tells whose they are and where they are from).</summary>
public static class KernelKeyring
{
    private const string Resource = "kernel-keys.asc";
    private const string Begin = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
    private const string End = "-----END PGP PUBLIC KEY BLOCK-----";

    /// <summary>The keys in the form that gpgv reads.</summary>
    public static ReadOnlyMemory<byte> Keys { get; } = Load();

    /// <summary>Writes them to a file.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static void Write(string file) => File.WriteAllBytes(file, Keys.Span);

    /// <summary>The bytes of an armoured key block (RFC 4880, section 6.2).</summary>
    /// <exception cref="FormatException">It is none.</exception>
    internal static byte[] Dearmour(string text)
    {
        var begin = text.IndexOf(Begin, StringComparison.Ordinal);
        var end = text.IndexOf(End, StringComparison.Ordinal);
        if (begin < 0 || end < begin)
        {
            throw new FormatException("no PGP public key block");
        }

        // Headers end with an empty line; the last line of all, which begins with =, is a checksum against errors of transport.
        var lines = text[(begin + Begin.Length)..end].Split('\n').Select(l => l.Trim()).Skip(1);
        return Convert.FromBase64String(string.Concat(lines.SkipWhile(l => l.Length > 0).Where(l => !l.StartsWith('='))));
    }

    private static byte[] Load()
    {
        using var stream = typeof(KernelKeyring).Assembly.GetManifestResourceStream(Resource) ?? throw new InvalidOperationException($"{Resource} is not built in");
        using var reader = new StreamReader(stream);
        return Dearmour(reader.ReadToEnd());
    }
}
