// grub.cfg as grub-mkconfig writes it: util/grub.d/00_header.in and 10_linux.in of GRUB 2.06; the choice of an entry: grub-core/normal/menu.c (get_entry_number_helper).
using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace MPSec.Linux.Boot;

/// <summary>The menu in a <c>grub.cfg</c>.</summary>
public sealed class GrubMenu
{
    private readonly ImmutableArray<Node> _top;

    private GrubMenu(ImmutableArray<Node> top, bool isSaved, string? written) => (_top, DefaultIsSaved, WrittenDefault) = (top, isSaved, written);

    /// <summary>The default comes from <c>saved_entry</c> of the environment (<c>GRUB_DEFAULT=saved</c>).</summary>
    public bool DefaultIsSaved { get; }

    /// <summary>Default that is written into the file; null when it comes from the environment or is not told.</summary>
    public string? WrittenDefault { get; }

    /// <summary>Every entry that starts a Linux kernel, in order.</summary>
    public ImmutableArray<BootEntry> Entries => [.. _top.SelectMany(All)];

    /// <summary>Reads the text of a <c>grub.cfg</c>; what is not understood is left out.</summary>
    public static GrubMenu Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var top = new Builder("", "");
        var open = new Stack<Builder?>();
        bool isSaved = false;
        string? written = null;
        foreach (var raw in text.Split('\n'))
        {
            var line = raw.Trim();
            var words = Words(line);
            if (words is ["menuentry" or "submenu", _, .. , "{"])
            {
                var parent = open.FirstOrDefault(b => b is not null) ?? top;
                var at = words.IndexOf("$menuentry_id_option");
                var entry = new Builder(words[1], at > 0 && at + 1 < words.Count ? words[at + 1] : words[1]) { IsMenu = words[0] == "submenu" };
                parent.Children.Add(entry);
                open.Push(entry);
            }
            else if (line.EndsWith('{'))
            {
                open.Push(null); // a function
            }
            else if (line == "}")
            {
                open.TryPop(out _);
            }
            else if (open.TryPeek(out var inside) && inside is not null)
            {
                inside.Add(words);
            }
            else if (words is ["set", var set] && set.StartsWith("default=", StringComparison.Ordinal))
            {
                // The last one counts; the one before is the choice for once.
                var value = set["default=".Length..];
                isSaved = value == "${saved_entry}";
                written = value.StartsWith("${", StringComparison.Ordinal) ? null : value;
            }
        }

        return new([.. top.Children.Select(c => c.Build(""))], isSaved, written);
    }

    /// <summary>The menu seen with its environment: what starts by default, and what starts once.</summary>
    public BootMenu With(GrubEnvironment environment)
    {
        ArgumentNullException.ThrowIfNull(environment);
        var chosen = DefaultIsSaved ? environment["saved_entry"] ?? "" : WrittenDefault;
        return new(Entries, chosen is null ? null : Starts(chosen), environment["next_entry"] is { Length: > 0 } once ? Starts(once) : null);
    }

    /// <summary>Entry that GRUB would start for <paramref name="choice"/>: numbers, ids or titles parted by <c>&gt;</c>. What it does not know becomes the first entry, silently, as in GRUB.</summary>
    public BootEntry? Starts(string choice)
    {
        ArgumentNullException.ThrowIfNull(choice);
        var parts = new Queue<string>(choice.Replace(">>", "\0", StringComparison.Ordinal).Split('>').Select(p => p.Replace('\0', '>')));
        var level = _top;
        while (!level.IsEmpty)
        {
            var part = parts.TryDequeue(out var next) ? next : "";
            var chosen = int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                ? level.ElementAtOrDefault(number)
                : level.FirstOrDefault(n => n.Id == part || n.Title == part);
            chosen ??= level[0];
            if (!chosen.IsMenu)
            {
                return chosen.Entry;
            }

            level = chosen.Children;
        }

        return null;
    }

    private static IEnumerable<BootEntry> All(Node node) => (node.Entry is { } entry ? new[] { entry } : []).Concat(node.Children.SelectMany(All));

    /// <summary>Words of a line, without their quotes.</summary>
    internal static List<string> Words(string line)
    {
        var words = new List<string>();
        var word = new StringBuilder();
        var begun = false;
        var quote = '\0';
        for (var i = 0; i < line.Length; i++)
        {
            var c = line[i];
            if (quote != '\0' && c == quote)
            {
                quote = '\0';
            }
            else if (quote == '\0' && c is '\'' or '"')
            {
                (quote, begun) = (c, true);
            }
            else if (c == '\\' && quote != '\'' && i + 1 < line.Length)
            {
                word.Append(line[++i]);
                begun = true;
            }
            else if (quote == '\0' && char.IsWhiteSpace(c))
            {
                Take();
            }
            else if (quote == '\0' && c == '#' && !begun)
            {
                break;
            }
            else
            {
                word.Append(c);
                begun = true;
            }
        }

        Take();
        return words;

        void Take()
        {
            if (begun)
            {
                words.Add(word.ToString());
                word.Clear();
                begun = false;
            }
        }
    }

    private sealed record Node(string Title, string Id, bool IsMenu, BootEntry? Entry, ImmutableArray<Node> Children);

    private sealed class Builder(string title, string id)
    {
        private string? _image;
        private string _options = "";
        private bool _initrd;

        public bool IsMenu { get; init; }

        public List<Builder> Children { get; } = [];

        public void Add(List<string> words)
        {
            if (words is ["linux" or "linux16" or "linuxefi", var image, ..])
            {
                (_image, _options) = (image, string.Join(' ', words.Skip(2)));
            }
            else if (words is ["initrd" or "initrd16" or "initrdefi", _, ..])
            {
                _initrd = true;
            }
        }

        public Node Build(string above)
        {
            var path = above + id.Replace(">", ">>", StringComparison.Ordinal);
            var entry = _image is null ? null : new BootEntry(path, title, BootEntry.ReleaseOf(_image), _initrd, _options);
            return new(title, id, IsMenu, entry, [.. Children.Select(c => c.Build(path + ">"))]);
        }
    }
}
