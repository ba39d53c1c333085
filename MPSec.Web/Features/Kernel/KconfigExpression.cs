using System.Text.RegularExpressions;

namespace MPSec.Features.Kernel;

/// <summary>
/// Expressions of the kernel's configuration language (Documentation/kbuild/kconfig-language.rst, "Menu dependencies"): values are n, m and y, with and, or and not
/// as minimum, maximum and difference to y.
/// </summary>
public static partial class KconfigExpression
{
    private const int Deepest = 100;

    /// <summary>Value of an expression: 0 is n, 1 is m, 2 is y. What only a running make knows (<c>$(cc-option,…)</c>) counts as y.</summary>
    /// <param name="expression">The expression.</param>
    /// <param name="value">Value of a symbol: y, m, n, a number or a text in quotes; null when it is not set.</param>
    public static int Evaluate(string expression, Func<string, string?> value)
    {
        ArgumentNullException.ThrowIfNull(value);
        var reader = new Reader([.. Words().Matches(expression).Select(m => m.Value)], value);
        return reader.Or(0);
    }

    /// <summary>Symbols that an expression names, each once.</summary>
    public static IReadOnlyList<string> Symbols(string expression) =>
        [.. Words().Matches(expression).Select(m => m.Value).Where(w => char.IsAsciiLetterOrDigit(w[0]) && w is not ("y" or "m" or "n") && !char.IsAsciiDigit(w[0])).Distinct()];

    /// <summary>The parts that must all hold: an expression taken apart at its outermost <c>&amp;&amp;</c>.</summary>
    public static IReadOnlyList<string> Terms(string expression)
    {
        ArgumentNullException.ThrowIfNull(expression);
        var (terms, depth, begin) = (new List<string>(), 0, 0);
        for (var i = 0; i < expression.Length; i++)
        {
            depth += expression[i] switch { '(' => 1, ')' => -1, _ => 0 };
            if (depth == 0 && expression[i] == '|' && expression.AsSpan(i).StartsWith("||"))
            {
                return [expression.Trim()];
            }

            if (depth == 0 && expression.AsSpan(i).StartsWith("&&"))
            {
                terms.Add(expression[begin..i].Trim());
                begin = i + 2;
                i++;
            }
        }

        terms.Add(expression[begin..].Trim());
        return terms;
    }

    [GeneratedRegex("""\$\([^()]*(?:\([^()]*\)[^()]*)*\)|"[^"]*"|'[^']*'|&&|\|\||!=|<=|>=|[!=<>()]|[A-Za-z0-9_]+""")]
    private static partial Regex Words();

    private sealed class Reader(string[] words, Func<string, string?> value)
    {
        private int _at;

        private string? Word => _at < words.Length ? words[_at] : null;

        public int Or(int depth)
        {
            var left = And(depth);
            while (Word == "||")
            {
                _at++;
                left = Math.Max(left, And(depth));
            }

            return left;
        }

        private int And(int depth)
        {
            var left = Not(depth);
            while (Word == "&&")
            {
                _at++;
                left = Math.Min(left, Not(depth));
            }

            return left;
        }

        private int Not(int depth)
        {
            if (depth > Deepest || Word is not { } word)
            {
                return 2; // cut off: what cannot be told does not stand in the way
            }

            _at++;
            if (word == "!")
            {
                return 2 - Not(depth + 1);
            }

            if (word == "(")
            {
                var inside = Or(depth + 1);
                _at += Word == ")" ? 1 : 0;
                return inside;
            }

            if (Word is "=" or "!=" or "<" or ">" or "<=" or ">=" && _at + 1 < words.Length)
            {
                var (sign, right) = (words[_at], words[_at + 1]);
                _at += 2;
                return Compare(Text(word), sign, Text(right)) ? 2 : 0;
            }

            return word[0] == '$' ? 2 : Text(word) switch { "y" => 2, "m" => 1, _ => 0 };
        }

        private string Text(string word) => word[0] is '"' or '\'' ? word[1..^1] : word is "y" or "m" or "n" || char.IsAsciiDigit(word[0]) ? word : (value(word) ?? "n").Trim('"');

        private static bool Compare(string left, string sign, string right)
        {
            var order = long.TryParse(left, out var a) && long.TryParse(right, out var b) ? a.CompareTo(b) : string.CompareOrdinal(left, right);
            return sign switch { "=" => order == 0, "!=" => order != 0, "<" => order < 0, ">" => order > 0, "<=" => order <= 0, _ => order >= 0 };
        }
    }
}
