using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace MPSec.Tests.Architecture;

/// <summary>Every sentence a user reads comes from a pair of resource files, and every pair is complete.</summary>
public sealed partial class TextTests
{
    private static readonly string s_source = FindSource();

    public static TheoryData<string> Pairs => new(Directory.EnumerateFiles(s_source, "*.resx", SearchOption.AllDirectories)
        .Where(f => !IsBuilt(f)).Select(f => Path.GetRelativePath(s_source, f)[..^5]).Select(f => f.EndsWith(".ko", StringComparison.Ordinal) ? f[..^3] : f).Distinct().Order());

    public static TheoryData<string> Pages => new(Directory.EnumerateFiles(s_source, "*.razor", SearchOption.AllDirectories)
        .Where(f => !IsBuilt(f)).Select(f => Path.GetRelativePath(s_source, f)).Order());

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Pair_OfTexts_HasTheSameKeysAndPlaceholdersAndNothingEmpty(string pair)
    {
        var english = Read(pair + ".resx");
        var korean = Read(pair + ".ko.resx");
        Assert.Equal(english.Keys.Order(), korean.Keys.Order());
        foreach (var (key, text) in english)
        {
            Assert.False(string.IsNullOrWhiteSpace(text), $"{pair} {key} is empty in English");
            Assert.False(string.IsNullOrWhiteSpace(korean[key]), $"{pair} {key} is empty in Korean");
            Assert.True(Placeholders(text).SequenceEqual(Placeholders(korean[key])), $"{pair} {key}: placeholders differ");
        }
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Pair_OfTexts_HasAMarkerType(string pair) =>
        Assert.True(Sources().Any(s => Regex.IsMatch(s.Text, $@"class {Path.GetFileName(pair)}\b")), $"no class {Path.GetFileName(pair)} beside {pair}.resx");

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Pair_OfTexts_HasNoKeyThatNobodyUses(string pair)
    {
        if (Path.GetFileName(pair) is "MudTexts" or "KernelSaidTexts" or "ChangeSaidTexts")
        {
            return; // asked for by MudBlazor; found by their words (SentenceTests)
        }

        var sources = string.Concat(Sources().Select(s => s.Text));
        // A key may be put together: L[$"State_{kind}"] uses every key that begins with State_.
        var prefixes = Prefix().Matches(sources).Select(m => m.Groups[1].Value).Where(p => p.Length > 1).ToArray();
        var unused = Read(pair + ".resx").Keys
            .Where(k => !sources.Contains($"\"{k}\"", StringComparison.Ordinal) && !prefixes.Any(p => k.StartsWith(p, StringComparison.Ordinal)));
        Assert.Empty(unused);
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Markup_OfAComponent_HasNoWordsOfItsOwn(string page)
    {
        var text = File.ReadAllText(Path.Combine(s_source, page));
        var markup = Regex.Replace(text, @"@code\s*\{.*\z", "", RegexOptions.Singleline);
        var words = new List<string>();
        // Attributes that people read.
        words.AddRange(Regex.Matches(markup, "(?:\\s)(?:title|aria-label|placeholder|alt|Title|Label|Detail|Text|Note|Name|Hint)=\"([^\"@]*\\p{L}{2}[^\"]*)\"")
            .Select(m => m.Groups[1].Value).Where(v => v.Contains(' ', StringComparison.Ordinal) || IsSentenceLike(v)));
        // Text between tags, once the code between them is gone.
        var plain = Regex.Replace(markup, @"@\*.*?\*@|<!--.*?-->|<script.*?</script>", "", RegexOptions.Singleline);
        plain = StripCode(plain);
        words.AddRange(Regex.Matches(plain, ">([^<>{}@]*\\p{L}{2}[^<>{}@]*)<").Select(m => Regex.Replace(m.Groups[1].Value, @"\b(return|if|else|break);?|[\s·;-]+", " ").Trim()).Where(v => v.Length > 0 && !s_names.Contains(v)));
        Assert.True(words.Count == 0, $"{page}: {string.Join(" | ", words)}");
    }

    [Fact]
    public void Sources_Everywhere_RenderDataAsText()
    {
        foreach (var (file, text) in Sources())
        {
            Assert.False(text.Contains("AddMarkupContent", StringComparison.Ordinal) || text.Contains("MarkupString", StringComparison.Ordinal), file);
        }

        foreach (var script in Directory.EnumerateFiles(s_source, "*.js", SearchOption.AllDirectories).Where(f => !IsBuilt(f)))
        {
            var text = File.ReadAllText(script);
            Assert.False(Regex.IsMatch(text, @"innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"), script);
        }
    }

    // Names that are the same in every language.
    private static readonly HashSet<string> s_names = ["MPSec", "Mbit/s", "KiB", "MiB", "GiB", "ms", "tx", "rx", "tx + rx", "RTT", "MPTCP", "ESP", "IP", "cwnd", "English"];

    private static bool IsSentenceLike(string value) => char.IsUpper(value[0]) && value.Skip(1).Any(char.IsLower) && !value.Contains("Kind.", StringComparison.Ordinal) && !value.Contains('.', StringComparison.Ordinal);

    // Razor expressions and directives are code, not text.
    private static string StripCode(string markup)
    {
        var lines = markup.Split('\n').Where(l => !Regex.IsMatch(l, @"^\s*(@(page|using|inject|inherits|implements|layout|attribute|typeparam|rendermode|namespace)\b|\}|\{|else\b|case\b|default:|break;|var\b|@(if|foreach|for|switch|while|else)\b)"));
        var text = string.Join('\n', lines);
        string before;
        do
        {
            before = text;
            text = Regex.Replace(text, @"\([^()]*\)|\[[^\[\]]*\]", "");
        }
        while (before != text);
        text = Regex.Replace(text, "=\"[^\"]*\"", "");
        return Regex.Replace(text, @"@[\w.?!]+", "");
    }

    private static IEnumerable<string> Placeholders(string text) => Placeholder().Matches(text).Select(m => m.Value).Distinct().Order();

    private static Dictionary<string, string> Read(string file) => XDocument.Load(Path.Combine(s_source, file)).Root!.Elements("data")
        .ToDictionary(d => d.Attribute("name")!.Value, d => d.Element("value")!.Value);

    private static IEnumerable<(string File, string Text)> Sources() => Directory.EnumerateFiles(s_source, "*.*", SearchOption.AllDirectories)
        .Where(f => f.EndsWith(".cs", StringComparison.Ordinal) || f.EndsWith(".razor", StringComparison.Ordinal)).Where(f => !IsBuilt(f)).Select(f => (f, File.ReadAllText(f)));

    private static bool IsBuilt(string file) => Regex.IsMatch(Path.GetRelativePath(s_source, file), @"(^|/)(bin|obj|node_modules|lib)/");

    private static string FindSource()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "MPSec.sln")))
        {
            folder = folder.Parent;
        }

        return Path.Combine(folder?.FullName ?? throw new InvalidOperationException("MPSec.sln is not above the tests"), "MPSec.Web");
    }

    [GeneratedRegex(@"\{\d+\}|\{\w+\}")]
    private static partial Regex Placeholder();

    [GeneratedRegex("\\$\"([A-Za-z_]+)\\{")]
    private static partial Regex Prefix();
}
