// Documentation/kbuild/kconfig-language.rst, kernel/configs.c (CONFIG_IKCONFIG_PROC).
using System.IO.Compression;
using System.Text;

namespace MPSec.Linux.Procfs;

/// <summary>The options that a kernel was compiled with.</summary>
public sealed class KernelConfig
{
    private const string Prefix = "CONFIG_";

    // A distribution's configuration has 300 KB; a packed file that grows beyond this is none.
    private const int Largest = 8 << 20;

    private readonly Dictionary<string, string> _values;

    private KernelConfig(string source, Dictionary<string, string> values) => (Source, _values) = (source, values);

    /// <summary>The file that tells.</summary>
    public string Source { get; }

    /// <summary>Options that are set, with their values.</summary>
    public IReadOnlyDictionary<string, string> Values => _values;

    /// <summary>Value of an option without its CONFIG_: y, m, a number or a text in quotes; null when it is not set, or when this kernel does not know it.</summary>
    public string? this[string option] => _values.GetValueOrDefault(option);

    /// <summary>The configuration of the kernel <paramref name="release"/>: from the running kernel itself, else from the file that its package brought; null when there is none.</summary>
    /// <param name="root">Folder that stands for <c>/</c>.</param>
    /// <param name="release">As <c>uname -r</c> prints it.</param>
    public static KernelConfig? Read(string root, string? release) => ReadText(root, release) is { } found ? Parse(found.Source, found.Text) : null;

    /// <summary>As <see cref="Read"/>, word for word: with the lines that say what is not set, which a build needs.</summary>
    public static (string Source, string Text)? ReadText(string root, string? release)
    {
        var files = new List<string> { "proc/config.gz" };
        if (release is not null && !release.Contains('/', StringComparison.Ordinal))
        {
            files.AddRange([$"boot/config-{release}", $"lib/modules/{release}/config"]);
        }

        foreach (var file in files)
        {
            try
            {
                using var stream = File.OpenRead(Path.Combine(root, file));
                using Stream plain = file.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(stream, CompressionMode.Decompress) : stream;
                return ("/" + file, Text(plain));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
            {
                // The next one may tell.
            }
        }

        return null;
    }

    /// <summary>Reads the text of a <c>.config</c>; lines that are none are left out.</summary>
    public static KernelConfig Parse(string source, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            if (line.StartsWith(Prefix) && line.IndexOf('=') is var at && at > Prefix.Length)
            {
                values[line[Prefix.Length..at].ToString()] = line[(at + 1)..].Trim().ToString();
            }
        }

        return new(source, values);
    }

    private static string Text(Stream stream)
    {
        var bytes = new MemoryStream();
        var buffer = new byte[65536];
        while (stream.Read(buffer) is var length and > 0)
        {
            bytes.Write(buffer, 0, length);
            if (bytes.Length > Largest)
            {
                throw new InvalidDataException($"longer than {Largest} bytes");
            }
        }

        return Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length);
    }
}
