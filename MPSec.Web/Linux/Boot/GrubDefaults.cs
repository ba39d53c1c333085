// The files are shell text that grub-mkconfig sources. They are read here and never run: simple assignments are understood, all else is left alone.
using System.Text;

namespace MPSec.Linux.Boot;

/// <summary>Settings of <c>/etc/default/grub</c> and <c>/etc/default/grub.d/*.cfg</c>, the later file wins.</summary>
public sealed class GrubDefaults
{
    private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _files = new(StringComparer.Ordinal);

    /// <summary>Value of a setting; null when no file sets it.</summary>
    public string? this[string name] => _values.GetValueOrDefault(name);

    /// <summary>File that sets it last, as seen from the root; null when none does.</summary>
    public string? FileOf(string name) => _files.GetValueOrDefault(name);

    /// <summary>Reads the files of a system.</summary>
    /// <param name="root">Folder that stands for <c>/</c>.</param>
    /// <param name="without">Name of a file below <c>grub.d</c> that is left out.</param>
    /// <exception cref="IOException">A file is there and cannot be read.</exception>
    public static GrubDefaults Read(string root, string? without = null)
    {
        var defaults = new GrubDefaults();
        var folder = Path.Combine(root, "etc/default/grub.d");
        IEnumerable<string> more = Directory.Exists(folder) ? Directory.GetFiles(folder, "*.cfg").Where(f => Path.GetFileName(f) is var name && name != without && name[0] != '.').Order(StringComparer.Ordinal) : [];
        foreach (var file in more.Prepend(Path.Combine(root, "etc/default/grub")).Where(File.Exists))
        {
            defaults.Apply("/" + Path.GetRelativePath(root, file), File.ReadAllText(file));
        }

        return defaults;
    }

    /// <summary>Takes over the assignments of a text.</summary>
    public void Apply(string file, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        foreach (var raw in text.Replace("\\\n", "", StringComparison.Ordinal).Split('\n'))
        {
            var line = raw.Trim();
            line = line.StartsWith("export ", StringComparison.Ordinal) ? line[7..].TrimStart() : line;
            var at = line.IndexOf('=');
            if (at > 0 && line[..at].All(c => char.IsAsciiLetterOrDigit(c) || c == '_') && !char.IsAsciiDigit(line[0]))
            {
                _values[line[..at]] = Value(line[(at + 1)..]);
                _files[line[..at]] = file;
            }
        }
    }

    // The first word after the sign: plain, '…' or "…" in any order, with $NAME and ${NAME} outside of '…'.
    private string Value(string text)
    {
        var value = new StringBuilder();
        var quote = '\0';
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (quote == '\0' && (char.IsWhiteSpace(c) || c == ';'))
            {
                break;
            }

            if (quote == c && quote != '\0')
            {
                quote = '\0';
            }
            else if (quote == '\0' && c is '\'' or '"')
            {
                quote = c;
            }
            else if (c == '\\' && quote != '\'' && i + 1 < text.Length)
            {
                value.Append(text[++i]);
            }
            else if (c == '$' && quote != '\'' && Name(text, i + 1) is { } name)
            {
                value.Append(_values.GetValueOrDefault(name.Name));
                i = name.End - 1;
            }
            else
            {
                value.Append(c);
            }
        }

        return value.ToString();
    }

    private static (string Name, int End)? Name(string text, int at)
    {
        var braces = at < text.Length && text[at] == '{';
        var begin = braces ? at + 1 : at;
        var end = begin;
        while (end < text.Length && (char.IsAsciiLetterOrDigit(text[end]) || text[end] == '_'))
        {
            end++;
        }

        return end == begin || (braces && (end == text.Length || text[end] != '}')) ? null : (text[begin..end], braces ? end + 1 : end);
    }
}
