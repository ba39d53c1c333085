using System.Collections.Immutable;
using System.Net;
using System.Text;

namespace MPSec.Features.Connections;

/// <summary>What is wrong with a filter, and where.</summary>
/// <param name="Code">Key of its text, without <c>Filter_</c>.</param>
/// <param name="Position">First character that is wrong, from 0.</param>
/// <param name="Length">How many characters are wrong; 0 when something is missing at <paramref name="Position"/>.</param>
/// <param name="Subject">The wrong word, at most 40 characters.</param>
/// <param name="Choices">What could stand there.</param>
public sealed record ConnectionFilterProblem(string Code, int Position, int Length, string Subject, ImmutableArray<string> Choices);

/// <summary>
/// A filter for connections. Terms stand one after the other and must all hold: a word, <c>"some words"</c>, <c>field:value</c>, <c>field=value</c>,
/// <c>field&gt;number</c>, <c>field&gt;=number</c>, <c>field&lt;number</c>, <c>field&lt;=number</c>; a minus sign before a term turns it round. A field of
/// subflows holds when it holds for one of them.
/// </summary>
public sealed class ConnectionFilter
{
    /// <summary>Longest filter, in characters.</summary>
    public const int LongestText = 1024;

    /// <summary>Most terms.</summary>
    public const int MostTerms = 32;

    private readonly ImmutableArray<(bool Not, Func<ConnectionRow, bool> Holds)> _terms;

    private ConnectionFilter(string text, ImmutableArray<(bool, Func<ConnectionRow, bool>)> terms) => (Text, _terms) = (text, terms);

    /// <summary>Lets every connection through.</summary>
    public static ConnectionFilter All { get; } = new("", []);

    /// <summary>As it was written.</summary>
    public string Text { get; }

    /// <summary>How many terms it has.</summary>
    public int Count => _terms.Length;

    /// <summary>Whether all terms hold for <paramref name="row"/>.</summary>
    public bool Matches(ConnectionRow row)
    {
        foreach (var (not, holds) in _terms)
        {
            if (holds(row) == not)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Understands <paramref name="text"/>; otherwise says what is wrong and where.</summary>
    public static bool TryParse(string? text, out ConnectionFilter filter, out ConnectionFilterProblem? problem)
    {
        text ??= "";
        filter = All;
        problem = null;
        if (text.Length > LongestText)
        {
            problem = new("TooLong", LongestText, text.Length - LongestText, LongestText.ToString(System.Globalization.CultureInfo.InvariantCulture), []);
            return false;
        }

        var terms = ImmutableArray.CreateBuilder<(bool, Func<ConnectionRow, bool>)>();
        var reader = new FilterReader(text);
        while (reader.SkipSpace())
        {
            if (terms.Count == MostTerms)
            {
                problem = new("TooMany", reader.At, text.Length - reader.At, MostTerms.ToString(System.Globalization.CultureInfo.InvariantCulture), []);
                return false;
            }

            var not = reader.Take('-');
            problem = reader.Term(out var holds);
            if (problem is not null)
            {
                return false;
            }

            terms.Add((not, holds!));
        }

        filter = terms.Count == 0 ? All : new(text, terms.DrainToImmutable());
        return true;
    }

    /// <summary>Goes through the characters once.</summary>
    private ref struct FilterReader(string text)
    {
        private int _at;

        public readonly int At => _at;

        public bool SkipSpace()
        {
            while (_at < text.Length && (char.IsWhiteSpace(text[_at]) || char.IsControl(text[_at])))
            {
                _at++;
            }

            return _at < text.Length;
        }

        public bool Take(char wanted)
        {
            if (_at < text.Length && text[_at] == wanted)
            {
                _at++;
                return true;
            }

            return false;
        }

        public ConnectionFilterProblem? Term(out Func<ConnectionRow, bool>? holds)
        {
            holds = null;
            var start = _at;
            if (Value() is { } problem)
            {
                return problem;
            }

            var word = text.AsSpan(start, _at - start);
            if (word is [] or ['-', ..])
            {
                return new("NoTerm", start, 0, "", []); // a word that begins with a minus sign goes in quotes
            }

            if (word[0] == '"')
            {
                holds = Word(Unquoted(word));
                return null;
            }

            // Addresses have colons too: fe80::1, ::1, 10.0.0.1:443.
            var operation = word.IndexOfAny(":=<>");
            if (operation < 0 || word.IndexOf('"') is var quote and >= 0 && quote < operation
                || char.IsDigit(word[0]) || IPAddress.TryParse(word, out _) || IPEndPoint.TryParse(word, out _))
            {
                holds = Word(Unquoted(word));
                return null;
            }

            var name = word[..operation].ToString();
            if (name.Length == 0)
            {
                return new("NoField", start, 0, "", []);
            }

            if (ConnectionFields.Find(name) is not { } field)
            {
                return new("NoSuchField", start, name.Length, Short(name), ConnectionFields.Like(name));
            }

            var length = operation + 1 < word.Length && word[operation] is '<' or '>' && word[(operation + 1)..] is ['=', ..] ? 2 : 1;
            var comparison = word.Slice(operation, length).ToString();
            var value = word[(operation + length)..];
            var at = start + operation + length;
            if (value.IsEmpty || value is "\"\"")
            {
                return new("NoValue", at, value.Length, name, field.Choices);
            }

            holds = field.Compare(comparison, Unquoted(value), out var code);
            return holds is not null ? null
                : code == "NotOrdered" ? new(code, start + operation, length, name, [":", "="])
                : new(code!, at, value.Length, Short(Unquoted(value)), field.Choices);
        }

        // To the next space outside of quotes; a backslash takes the next character as it is.
        private ConnectionFilterProblem? Value()
        {
            while (_at < text.Length && !char.IsWhiteSpace(text[_at]) && !char.IsControl(text[_at]))
            {
                if (text[_at] != '"')
                {
                    _at++;
                    continue;
                }

                var open = _at++;
                while (_at < text.Length && text[_at] != '"')
                {
                    _at += text[_at] == '\\' && _at + 1 < text.Length ? 2 : 1;
                }

                if (_at >= text.Length)
                {
                    return new("OpenQuote", open, 1, "\"", []);
                }

                _at++;
                return null; // what follows is the next term
            }

            return null;
        }

        private static string Unquoted(ReadOnlySpan<char> value)
        {
            var open = value.IndexOf('"');
            if (open < 0 || value[^1] != '"' || open == value.Length - 1)
            {
                return value.ToString();
            }

            var plain = new StringBuilder(value.Length).Append(value[..open]);
            for (var i = open + 1; i < value.Length - 1; i++)
            {
                i += value[i] == '\\' && i + 1 < value.Length - 1 ? 1 : 0;
                plain.Append(value[i]);
            }

            return plain.ToString();
        }

        private static Func<ConnectionRow, bool> Word(string word) => row => ConnectionFields.Texts(row).Any(t => t.Contains(word, StringComparison.OrdinalIgnoreCase));

        private static string Short(string value) => value.Length <= 40 ? value : value[..39] + "…";
    }
}
