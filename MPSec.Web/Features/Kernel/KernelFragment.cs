using System.Collections.Immutable;
using System.Text;
using System.Text.RegularExpressions;
using MPSec.Linux.Procfs;

namespace MPSec.Features.Kernel;

/// <summary>An option that a fragment asks for.</summary>
/// <param name="Option">Without CONFIG_.</param>
/// <param name="Value">y, m, n, a number or a text in quotes.</param>
public sealed record KernelOption(string Option, string Value)
{
    /// <summary>As it stands in a <c>.config</c>.</summary>
    public override string ToString() => Value == "n" ? $"# CONFIG_{Option} is not set" : $"CONFIG_{Option}={Value}";
}

/// <summary>An option that did not come out as it was asked for.</summary>
/// <param name="Wanted">What was asked for.</param>
/// <param name="Found">What is there; n when it is not set.</param>
public sealed record KernelOptionFault(KernelOption Wanted, string Found)
{
    /// <summary>Built in instead of a module does no harm; everything else is a fault, since the build tools drop an option without a word.</summary>
    public bool IsHarmless => Wanted.Value == "m" && Found == "y";
}

/// <summary>Options that are laid over a base configuration; a later one counts.</summary>
public sealed partial class KernelFragment
{
    private const int LongestLine = 1000;
    private const int MostOptions = 20_000;

    private KernelFragment(ImmutableArray<KernelOption> options) => Options = options;

    /// <summary>Each option once, in order.</summary>
    public ImmutableArray<KernelOption> Options { get; }

    /// <summary>The fragment of these options; of one that is named twice the last counts.</summary>
    public static KernelFragment Of(IEnumerable<KernelOption> options) =>
        new([.. options.Reverse().DistinctBy(o => o.Option).Reverse()]);

    /// <summary>Reads the lines of a <c>.config</c>: options, "is not set", comments and nothing else.</summary>
    /// <param name="text">The lines.</param>
    /// <param name="error">The first line that is none of them, in one sentence.</param>
    /// <returns>Null when a line is wrong.</returns>
    public static KernelFragment? TryParse(string text, out string? error)
    {
        ArgumentNullException.ThrowIfNull(text);
        var options = new List<KernelOption>();
        var number = 0;
        foreach (var raw in text.AsSpan().EnumerateLines())
        {
            number++;
            if (raw.Length > LongestLine || options.Count > MostOptions)
            {
                error = $"line {number}: a line has at most {LongestLine} characters, and a fragment at most {MostOptions} options";
                return null;
            }

            var line = raw.Trim().ToString();
            if (Set().Match(line) is { Success: true } set)
            {
                options.Add(new(set.Groups[1].Value, set.Groups[2].Value));
            }
            else if (NotSet().Match(line) is { Success: true } off)
            {
                options.Add(new(off.Groups[1].Value, "n"));
            }
            else if (line.Length > 0 && (line[0] != '#' || line.StartsWith("# CONFIG_", StringComparison.Ordinal)))
            {
                error = $"line {number}: is neither CONFIG_NAME=value nor '# CONFIG_NAME is not set'; a value is y, m, n, a number or a text in quotes";
                return null;
            }
        }

        error = null;
        return Of(options);
    }

    /// <summary>This fragment with another one over it.</summary>
    public KernelFragment With(KernelFragment other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Of([.. Options, .. other.Options]);
    }

    /// <summary>Every option that is not in <paramref name="config"/> as it was asked for.</summary>
    public ImmutableArray<KernelOptionFault> Verify(KernelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        return [.. Options.Select(o => new KernelOptionFault(o, config[o.Option] ?? "n")).Where(f => f.Found != f.Wanted.Value)];
    }

    /// <summary>The lines, one option each.</summary>
    public override string ToString() => Options.Aggregate(new StringBuilder(), (text, option) => text.Append(option).Append('\n')).ToString();

    // A text may hold no quote and no backslash: neither make nor a shell ever sees something of its own in it.
    [GeneratedRegex("""\ACONFIG_([A-Za-z0-9_]{1,100})=(y|m|n|-?[0-9]{1,20}|0x[0-9A-Fa-f]{1,16}|"[^"\\$`\p{C}]*")\z""", RegexOptions.CultureInvariant)]
    private static partial Regex Set();

    [GeneratedRegex("""\A# CONFIG_([A-Za-z0-9_]{1,100}) is not set\z""", RegexOptions.CultureInvariant)]
    private static partial Regex NotSet();
}
