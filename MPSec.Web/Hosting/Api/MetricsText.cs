using System.Globalization;
using System.Text;

namespace MPSec.Hosting.Api;

/// <summary>
/// Writes Prometheus text 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats): every family once with HELP and TYPE, its samples together. A value that is
/// not known has no sample.
/// </summary>
internal sealed class MetricsText
{
    private readonly SortedDictionary<string, Family> _families = new(StringComparer.Ordinal);

    /// <summary>A count that only grows; the name ends in <c>_total</c>.</summary>
    public void Counter(string name, string help, double? value, params ReadOnlySpan<(string Name, string Value)> labels) => Add(name, "counter", help, value, labels);

    /// <summary>A value that goes up and down.</summary>
    public void Gauge(string name, string help, double? value, params ReadOnlySpan<(string Name, string Value)> labels) => Add(name, "gauge", help, value, labels);

    /// <inheritdoc/>
    public override string ToString()
    {
        var text = new StringBuilder();
        foreach (var (name, family) in _families)
        {
            text.Append("# HELP ").Append(name).Append(' ').Append(family.Help.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)).Append('\n');
            text.Append("# TYPE ").Append(name).Append(' ').Append(family.Type).Append('\n');
            foreach (var (labels, value) in family.Samples)
            {
                text.Append(name).Append(labels).Append(' ').Append(value.ToString("R", CultureInfo.InvariantCulture)).Append('\n');
            }
        }

        return text.ToString();
    }

    /// <summary>The kernel's camel case as Prometheus wants it: MPCapableSYNRX becomes mp_capable_synrx.</summary>
    public static string SnakeCase(string name)
    {
        name = name.Replace("HMac", "Hmac", StringComparison.Ordinal); // one word; a lone h would be an hour
        var text = new StringBuilder(name.Length + 8);
        for (var i = 0; i < name.Length; i++)
        {
            var c = name[i];
            if (char.IsAsciiLetterUpper(c) && i > 0 && (char.IsAsciiLetterLower(name[i - 1]) || char.IsAsciiDigit(name[i - 1]) || (char.IsAsciiLetterUpper(name[i - 1]) && i + 1 < name.Length && char.IsAsciiLetterLower(name[i + 1]))))
            {
                text.Append('_');
            }

            text.Append(char.IsAsciiLetterOrDigit(c) ? char.ToLowerInvariant(c) : '_');
        }

        return text.ToString();
    }

    private void Add(string name, string type, string help, double? value, ReadOnlySpan<(string Name, string Value)> labels)
    {
        if (value is not { } known || !double.IsFinite(known))
        {
            return;
        }

        if (!_families.TryGetValue(name, out var family))
        {
            _families[name] = family = new(type, help);
        }

        var text = new StringBuilder();
        foreach (var (label, content) in labels)
        {
            text.Append(text.Length == 0 ? '{' : ',').Append(label).Append("=\"");
            foreach (var c in content)
            {
                _ = c switch { '\\' => text.Append("\\\\"), '"' => text.Append("\\\""), '\n' => text.Append("\\n"), _ => text.Append(c) };
            }

            text.Append('"');
        }

        // The same labels twice would make the whole answer void; the first one counts.
        family.Samples.TryAdd(text.Length == 0 ? "" : text.Append('}').ToString(), known);
    }

    private sealed record Family(string Type, string Help)
    {
        public SortedDictionary<string, double> Samples { get; } = new(StringComparer.Ordinal);
    }
}
