using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Resources;
using System.Text;
using System.Text.RegularExpressions;

namespace MPSec.Components;

/// <summary>A pair of texts that holds sentences; see <see cref="Sentences"/>.</summary>
/// <param name="Texts">The type that names the pair.</param>
public sealed record SentenceTexts(Type Texts);

/// <summary>
/// Jobs and refusals speak English: logs, the audit trail, the command line and programs read the same words everywhere. A page shows them in the language of its
/// reader. For that a pair of texts holds each sentence in its English form, with {0} where something is put in, and in the other language. What has no known form
/// stays as it is.
/// </summary>
/// <param name="texts">The pairs.</param>
public sealed class Sentences(IEnumerable<SentenceTexts> texts)
{
    private const int Deepest = 3;

    private readonly Lazy<Form[]> _forms = new(() => [.. texts.SelectMany(t => Forms(new ResourceManager(t.Texts))).OrderByDescending(f => f.Weight)]);

    /// <summary>The sentence in the language of the reader; null when there is none.</summary>
    [return: NotNullIfNotNull(nameof(sentence))]
    public string? Of(string? sentence) => sentence is null || CultureInfo.CurrentUICulture.TwoLetterISOLanguageName == "en" ? sentence : Say(sentence, Deepest);

    private static IEnumerable<Form> Forms(ResourceManager resources)
    {
        foreach (DictionaryEntry entry in resources.GetResourceSet(CultureInfo.InvariantCulture, createIfNotExists: true, tryParents: true)!)
        {
            if (entry is { Key: string key, Value: string english })
            {
                yield return new Form(english, culture => resources.GetString(key, culture));
            }
        }
    }

    private string Say(string sentence, int depth)
    {
        var culture = CultureInfo.CurrentUICulture;
        foreach (var form in _forms.Value)
        {
            if (form.Match(sentence) is { } arguments && form.In(culture) is { } words)
            {
                return string.Format(culture, words, [.. arguments.Select(a => depth > 0 ? Say(a, depth - 1) : a)]);
            }
        }

        // Several in one, as a list of reasons is told.
        return depth > 0 && sentence.Contains("; ", StringComparison.Ordinal) ? string.Join("; ", sentence.Split("; ").Select(part => Say(part, 0))) : sentence;
    }

    /// <summary>One sentence. What is put in may be hostile, so the pattern is one that needs time in proportion to the length only.</summary>
    private sealed class Form
    {
        private readonly Lazy<Regex> _pattern;
        private readonly string _begin;
        private readonly string _end;
        private readonly Func<CultureInfo, string?> _in;
        private readonly int _arguments;

        public Form(string english, Func<CultureInfo, string?> inLanguage)
        {
            var parts = Regex.Split(english, @"\{(\d)\}"); // words and numbers in turns
            (_begin, _end, _in) = (parts[0], parts[^1], inLanguage);
            var pattern = new StringBuilder(@"\A");
            for (var i = 0; i < parts.Length; i++)
            {
                if (i % 2 == 0)
                {
                    pattern.Append(Regex.Escape(parts[i]));
                    Weight += parts[i].Length;
                }
                else
                {
                    pattern.Append(CultureInfo.InvariantCulture, $"(?<a{parts[i]}>.+?)");
                    _arguments = Math.Max(_arguments, parts[i][0] - '0' + 1);
                }
            }

            _pattern = new(() => new Regex(pattern.Append(@"\z").ToString(), RegexOptions.Singleline | RegexOptions.NonBacktracking | RegexOptions.CultureInvariant));
        }

        /// <summary>Length of its own words: the more of them, the surer that it is this one.</summary>
        public int Weight { get; }

        public string? In(CultureInfo culture) => _in(culture);

        /// <summary>What was put in, by number; null when it is another sentence.</summary>
        public IReadOnlyList<string>? Match(string sentence) =>
            sentence.StartsWith(_begin, StringComparison.Ordinal) && sentence.EndsWith(_end, StringComparison.Ordinal) && _pattern.Value.Match(sentence) is { Success: true } found
                ? [.. Enumerable.Range(0, _arguments).Select(i => found.Groups[string.Create(CultureInfo.InvariantCulture, $"a{i}")].Value)]
                : null;
    }
}
