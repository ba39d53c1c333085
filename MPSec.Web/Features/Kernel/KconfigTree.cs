using System.Text.RegularExpressions;

namespace MPSec.Features.Kernel;

/// <summary>An option as a source describes it; one that is described at several places has several.</summary>
/// <param name="Name">Without CONFIG_.</param>
/// <param name="IsTristate">May be a module.</param>
/// <param name="HasPrompt">Can be chosen; otherwise it follows its defaults and what others choose.</param>
/// <param name="Depends">Expressions that must all hold: its own, and those of the menus around it.</param>
/// <param name="Defaults">Expressions that give its value when nobody chooses it.</param>
/// <param name="Choice">Number of the choice that it is a part of; null when of none.</param>
public sealed record KconfigOption(string Name, bool IsTristate, bool HasPrompt, IReadOnlyList<string> Depends, IReadOnlyList<string> Defaults, int? Choice);

/// <summary>
/// The options that a kernel's source offers and what each needs, read from its Kconfig files (Documentation/kbuild/kconfig-language.rst). It tells why an option
/// did not come out as it was asked for; the configuration itself is made by the kernel's own tools.
/// </summary>
public sealed partial class KconfigTree
{
    private const int MostFiles = 10_000;
    private const int LargestFile = 4 << 20;

    private readonly Dictionary<string, List<KconfigOption>> _options = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<string>> _selectors = new(StringComparer.Ordinal);
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);
    private readonly string _root;
    private readonly string _architecture;
    private int _choices;

    private KconfigTree(string root, string architecture) => (_root, _architecture) = (root, architecture);

    /// <summary>Reads a tree.</summary>
    /// <param name="root">The source.</param>
    /// <param name="architecture">Name of its folder below arch/: x86, arm64.</param>
    public static KconfigTree Read(string root, string architecture)
    {
        var tree = new KconfigTree(Path.GetFullPath(root), architecture);
        tree.File("Kconfig", []);
        return tree;
    }

    /// <summary>Descriptions of an option; none when this source does not know it.</summary>
    public IReadOnlyList<KconfigOption> Find(string name) => _options.GetValueOrDefault(name) ?? [];

    /// <summary>Options that choose <paramref name="name"/> when they are on.</summary>
    public IReadOnlyList<string> Selectors(string name) => _selectors.GetValueOrDefault(name) ?? [];

    /// <summary>Options that are parts of a choice.</summary>
    public IEnumerable<string> OfChoice(int choice) => _options.Values.SelectMany(o => o).Where(o => o.Choice == choice).Select(o => o.Name).Distinct();

    private void File(string name, IReadOnlyList<string> around)
    {
        var path = Path.GetFullPath(Path.Combine(_root, name));
        if (!path.StartsWith(_root + "/", StringComparison.Ordinal) || _read.Count > MostFiles || !_read.Add(path) || new FileInfo(path) is not { Exists: true, Length: < LargestFile })
        {
            return;
        }

        var lines = new LineReader(System.IO.File.ReadAllText(path));
        Block(lines, around, null, null);
    }

    // Reads up to the word that ends the block.
    private void Block(LineReader lines, IReadOnlyList<string> around, int? choice, string? end)
    {
        var depends = new List<string>(around);
        Draft? open = null;
        while (lines.Next() is { } line)
        {
            var (word, rest) = Split(line);
            if (word == end)
            {
                break;
            }

            switch (word)
            {
                case "config" or "menuconfig":
                    Put(open);
                    open = new Draft(rest.Trim(), depends, choice);
                    break;
                case "if":
                    Put(open);
                    open = null;
                    Block(lines, [.. depends, rest], choice, "endif");
                    break;
                case "menu" or "choice":
                    Put(open);
                    open = null;
                    Block(lines, depends, word == "choice" ? ++_choices : choice, "end" + word);
                    break;
                case "source" or "rsource" or "osource" or "orsource":
                    Put(open);
                    open = null;
                    File(rest.Trim('"', ' ').Replace("$(SRCARCH)", _architecture, StringComparison.Ordinal).Replace("$SRCARCH", _architecture, StringComparison.Ordinal), depends);
                    break;
                case "comment" or "mainmenu":
                    Put(open);
                    open = new Draft("", depends, choice); // what it depends on is not what follows depends on
                    break;
                case "help" or "---help---":
                    lines.SkipHelp();
                    break;
                case "depends":
                    (open?.Depends ?? depends).Add(rest["on".Length..].Trim());
                    break;
                default:
                    open?.Take(word, rest, _selectors);
                    break;
            }
        }

        Put(open);
    }

    private void Put(Draft? draft)
    {
        if (draft is { Name.Length: > 0 })
        {
            if (!_options.TryGetValue(draft.Name, out var list))
            {
                _options[draft.Name] = list = [];
            }

            list.Add(new(draft.Name, draft.IsTristate, draft.HasPrompt, draft.Depends, draft.Defaults, draft.Choice));
        }
    }

    private static (string Word, string Tail) Split(string line)
    {
        var text = line.Trim();
        var at = text.IndexOfAny([' ', '\t', '"']);
        return at < 0 ? (text, "") : (text[..at], text[at..].Trim());
    }

    [GeneratedRegex("""\bif\s+(.+)$""")]
    private static partial Regex Condition();

    private sealed class Draft(string name, IEnumerable<string> depends, int? choice)
    {
        public string Name => name;

        public int? Choice => choice;

        public List<string> Depends { get; } = [.. depends];

        public List<string> Defaults { get; } = [];

        public bool IsTristate { get; private set; }

        public bool HasPrompt { get; private set; }

        public void Take(string word, string rest, Dictionary<string, List<string>> selectors)
        {
            switch (word)
            {
                case "bool" or "tristate" or "int" or "hex" or "string":
                    IsTristate |= word == "tristate";
                    HasPrompt |= rest.Contains('"', StringComparison.Ordinal) || rest.Contains('\'', StringComparison.Ordinal);
                    break;
                case "prompt":
                    HasPrompt = true;
                    break;
                case "def_bool" or "def_tristate" or "default":
                    IsTristate |= word == "def_tristate";
                    var condition = Condition().Match(rest);
                    var value = condition.Success ? rest[..condition.Index].Trim() : rest;
                    Defaults.Add(condition.Success ? $"({value}) && ({condition.Groups[1].Value})" : value);
                    break;
                case "select":
                    var chosen = rest.Split([' ', '\t'], 2)[0];
                    if (!selectors.TryGetValue(chosen, out var list))
                    {
                        selectors[chosen] = list = [];
                    }

                    list.Add(name);
                    break;
            }
        }
    }

    /// <summary>Lines without comments, those that end in a backslash put together.</summary>
    private sealed class LineReader(string text)
    {
        private readonly string[] _lines = text.Split('\n');
        private int _at;

        public string? Next()
        {
            while (_at < _lines.Length)
            {
                var line = _lines[_at++];
                while (line.EndsWith('\\') && _at < _lines.Length)
                {
                    line = line[..^1] + " " + _lines[_at++].Trim();
                }

                if (line.AsSpan().TrimStart() is { Length: > 0 } seen && seen[0] != '#')
                {
                    return line;
                }
            }

            return null;
        }

        // The text of a help is what is indented as deep as its first line.
        public void SkipHelp()
        {
            var deep = -1;
            for (; _at < _lines.Length; _at++)
            {
                var line = _lines[_at];
                if (string.IsNullOrWhiteSpace(line))
                {
                    continue;
                }

                var indent = Indent(line);
                deep = deep < 0 ? indent : deep;
                if (deep == 0 || indent < deep)
                {
                    return;
                }
            }
        }

        private static int Indent(string line)
        {
            var indent = 0;
            foreach (var c in line)
            {
                if (c == '\t')
                {
                    indent = (indent / 8 + 1) * 8;
                }
                else if (c == ' ')
                {
                    indent++;
                }
                else
                {
                    break;
                }
            }

            return indent;
        }
    }
}
