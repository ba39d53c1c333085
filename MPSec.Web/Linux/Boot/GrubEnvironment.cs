// grub-core/lib/envblk.c: a signature, lines name=value with \ before \ and line ends, filled up with # to a block of 1024 bytes.
using System.Text;

namespace MPSec.Linux.Boot;

/// <summary>GRUB's own memory between two starts (<c>grubenv</c>).</summary>
public sealed class GrubEnvironment
{
    private const int Largest = 64 * 1024;
    private const string Signature = "# GRUB Environment Block\n";

    private readonly Dictionary<string, string> _values;

    private GrubEnvironment(Dictionary<string, string> values, bool isWhole) => (_values, IsWhole) = (values, isWhole);

    /// <summary>The block has its signature: GRUB reads it.</summary>
    public bool IsWhole { get; }

    /// <summary>Value of a variable; null when it is not set.</summary>
    public string? this[string name] => _values.GetValueOrDefault(name);

    /// <summary>Reads the file; a missing one has no values.</summary>
    /// <exception cref="IOException">It is there and cannot be read.</exception>
    public static GrubEnvironment Read(string file)
    {
        var info = new FileInfo(file);
        return !info.Exists ? Parse("") : info.Length <= Largest ? Parse(File.ReadAllText(file, Encoding.Latin1)) : throw new IOException($"{file} is no environment of GRUB: it is too large");
    }

    /// <summary>Reads the text of a block.</summary>
    public static GrubEnvironment Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        if (!text.StartsWith(Signature, StringComparison.Ordinal))
        {
            return new(values, false);
        }

        var line = new StringBuilder();
        for (var i = Signature.Length; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 1 < text.Length)
            {
                line.Append(text[++i]);
            }
            else if (text[i] == '\n')
            {
                var said = line.ToString();
                if (said.IndexOf('=') is > 0 and var at && said[0] != '#')
                {
                    values[said[..at]] = said[(at + 1)..];
                }

                line.Clear();
            }
            else
            {
                line.Append(text[i]);
            }
        }

        return new(values, true);
    }
}
