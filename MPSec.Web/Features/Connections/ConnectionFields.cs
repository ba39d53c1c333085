using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Globalization;

namespace MPSec.Features.Connections;

/// <summary>A field that filters know.</summary>
/// <param name="Name">As it is written.</param>
/// <param name="Choices">The values that it has, when they are few.</param>
public abstract record ConnectionField(string Name, ImmutableArray<string> Choices)
{
    /// <summary>The test for a value; null with the code of what is wrong.</summary>
    /// <param name="comparison">: = &lt; &gt; &lt;= &gt;=.</param>
    /// <param name="value">What stands behind it, without quotes.</param>
    /// <param name="problem">NotOrdered, NotANumber, NotYesOrNo or NotAChoice.</param>
    public abstract Func<ConnectionRow, bool>? Compare(string comparison, string value, out string? problem);
}

/// <summary>All fields that filters know.</summary>
public static class ConnectionFields
{
    private static readonly string[] s_yes = ["yes", "true", "1", "on", "예"];
    private static readonly string[] s_no = ["no", "false", "0", "off", "아니요"];

    private static readonly ImmutableArray<ConnectionField> s_all =
    [
        new PathField(),
        new StateField(),
        new TextField("local", r => r.Subflows.Select(s => s.Local.ToString()).Prepend(r.Local.ToString())),
        new TextField("remote", r => r.Subflows.Select(s => s.Remote.ToString()).Prepend(r.Remote.ToString())),
        new TextField("token", r => r.Token is { } token ? [token] : []),
        new TextField("cc", r => r.Subflows.Select(s => s.Kernel.CongestionControl).OfType<string>()),
        new NumberField("port", r => [r.Local.Port, r.Remote.Port, .. r.Subflows.SelectMany(s => new double?[] { s.Local.Port, s.Remote.Port })]),
        new NumberField("subflows", r => [r.Subflows.Length]),
        new NumberField("rtt", r => r.Subflows.Select(s => s.RttMs)),
        new NumberField("rttvar", r => r.Subflows.Select(s => s.RttVariationMs)),
        new NumberField("minrtt", r => r.Subflows.Select(s => s.MinRttMs)),
        new NumberField("cwnd", r => r.Subflows.Select(s => (double?)s.Kernel.CongestionWindow)),
        new NumberField("rate", r => [r.Bits / 1e6]),
        new NumberField("tx", r => [r.SendBits / 1e6]),
        new NumberField("rx", r => [r.ReceiveBits / 1e6]),
        new NumberField("flight", r => [r.FlightBytes], Bytes: true),
        new NumberField("sent", r => [r.Kernel.BytesSent], Bytes: true),
        new NumberField("received", r => [r.Kernel.BytesReceived], Bytes: true),
        new NumberField("retrans", r => [r.Retransmissions]),
        new NumberField("ooo", r => [r.OutOfOrder]),
        new NumberField("idle", r => [r.LastDataMs / 1000.0]),
        new NumberField("uid", r => [r.Kernel.Uid]),
        new FlagField("backup", r => r.Subflows.Any(s => s.Kernel.IsBackup)),
        new FlagField("fallback", r => r.IsFallback == true),
    ];

    private static readonly FrozenDictionary<string, ConnectionField> s_byName = s_all.ToFrozenDictionary(f => f.Name, StringComparer.OrdinalIgnoreCase);

    /// <summary>Names of all fields.</summary>
    public static ImmutableArray<string> Names { get; } = [.. s_all.Select(f => f.Name)];

    /// <summary>The field called <paramref name="name"/>; null when there is none.</summary>
    public static ConnectionField? Find(string name) => s_byName.GetValueOrDefault(name);

    /// <summary>Fields whose names are like <paramref name="name"/>, the likest first; all when none is.</summary>
    public static ImmutableArray<string> Like(string name)
    {
        var word = name.ToLowerInvariant();
        var near = Names.Select(n => (Name: n, Far: Distance(word, n)))
            .Where(n => n.Far <= Math.Max(1, n.Name.Length / 3) || (word.Length > 1 && (n.Name.StartsWith(word, StringComparison.Ordinal) || word.StartsWith(n.Name, StringComparison.Ordinal))))
            .OrderBy(n => n.Far).Select(n => n.Name).Take(3).ToImmutableArray();
        return near.IsEmpty ? Names : near;
    }

    /// <summary>Everything of a row that a plain word is searched in.</summary>
    public static IEnumerable<string> Texts(ConnectionRow row)
    {
        ArgumentNullException.ThrowIfNull(row);
        yield return row.Local.ToString();
        yield return row.Remote.ToString();
        yield return row.State;
        if (row.Token is { } token)
        {
            yield return token;
        }

        foreach (var subflow in row.Subflows)
        {
            yield return subflow.Local.ToString();
            yield return subflow.Remote.ToString();
            yield return subflow.Interface ?? "";
            yield return subflow.Kernel.CongestionControl ?? "";
        }
    }

    // Levenshtein; long words are far from every field anyway.
    private static int Distance(string a, string b)
    {
        if (a.Length > 32)
        {
            return a.Length;
        }

        var row = new int[b.Length + 1];
        for (var j = 0; j <= b.Length; j++)
        {
            row[j] = j;
        }

        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                (diagonal, row[j]) = (row[j], Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)));
            }
        }

        return row[b.Length];
    }

    private static Func<T, bool>? Unordered<T>(string comparison, Func<T, bool> contains, Func<T, bool> equals, out string? problem)
    {
        problem = comparison is ":" or "=" ? null : "NotOrdered";
        return problem is not null ? null : comparison == ":" ? contains : equals;
    }

    private sealed record TextField(string Name, Func<ConnectionRow, IEnumerable<string>> Values) : ConnectionField(Name, [])
    {
        public override Func<ConnectionRow, bool>? Compare(string comparison, string value, out string? problem) => Unordered<ConnectionRow>(
            comparison,
            r => Values(r).Any(v => v.Contains(value, StringComparison.OrdinalIgnoreCase)),
            r => Values(r).Any(v => v.Equals(value, StringComparison.OrdinalIgnoreCase)),
            out problem);
    }

    private sealed record PathField() : ConnectionField("path", [])
    {
        public override Func<ConnectionRow, bool>? Compare(string comparison, string value, out string? problem)
        {
            var number = int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : (int?)null;
            return Unordered<ConnectionRow>(
                comparison,
                r => r.Subflows.Any(s => number is { } wanted ? s.Path == wanted : s.Interface?.Contains(value, StringComparison.OrdinalIgnoreCase) == true),
                r => r.Subflows.Any(s => number is { } wanted ? s.Path == wanted : string.Equals(s.Interface, value, StringComparison.OrdinalIgnoreCase)),
                out problem);
        }
    }

    // The kernel's words, and what the page says of a subflow.
    private sealed record StateField() : ConnectionField("state", [.. ConnectionRow.StateNames.Skip(1).Where(s => s is not ("listen" or "new-syn-recv")), "active", "backup", "unanswered"])
    {
        public override Func<ConnectionRow, bool>? Compare(string comparison, string value, out string? problem)
        {
            var wanted = value.Equals("estab", StringComparison.OrdinalIgnoreCase) ? "established" : value.ToLowerInvariant();
            if (!Choices.Contains(wanted))
            {
                problem = comparison is ":" or "=" ? "NotAChoice" : "NotOrdered";
                return null;
            }

            bool Holds(ConnectionRow r) => r.State == wanted || r.Subflows.Any(s => wanted switch
            {
                "active" => s.State == SubflowState.Active,
                "backup" => s.State == SubflowState.Backup,
                "unanswered" => s.State == SubflowState.Unanswered,
                "established" => false, // of the connection itself; a connection that closes may have such subflows
                _ => s.StateName == wanted,
            });
            return Unordered<ConnectionRow>(comparison, Holds, Holds, out problem);
        }
    }

    private sealed record FlagField(string Name, Func<ConnectionRow, bool> Value) : ConnectionField(Name, ["yes", "no"])
    {
        public override Func<ConnectionRow, bool>? Compare(string comparison, string value, out string? problem)
        {
            var yes = s_yes.Contains(value, StringComparer.OrdinalIgnoreCase);
            if (!yes && !s_no.Contains(value, StringComparer.OrdinalIgnoreCase))
            {
                problem = comparison is ":" or "=" ? "NotYesOrNo" : "NotOrdered";
                return null;
            }

            return Unordered<ConnectionRow>(comparison, r => Value(r) == yes, r => Value(r) == yes, out problem);
        }
    }

    private sealed record NumberField(string Name, Func<ConnectionRow, IEnumerable<double?>> Values, bool Bytes = false) : ConnectionField(Name, [])
    {
        private const NumberStyles Style = NumberStyles.AllowDecimalPoint;

        public override Func<ConnectionRow, bool>? Compare(string comparison, string value, out string? problem)
        {
            var unit = !Bytes ? 1 : char.ToLowerInvariant(value[^1]) switch { 'k' => 1024, 'm' => 1 << 20, 'g' => 1 << 30, _ => 1 };
            if (!double.TryParse(unit == 1 ? value : value[..^1], Style, CultureInfo.InvariantCulture, out var number) || !double.IsFinite(number))
            {
                problem = "NotANumber";
                return null;
            }

            number *= unit;
            problem = null;
            Func<double, bool> holds = comparison switch
            {
                ">" => v => v > number,
                ">=" => v => v >= number,
                "<" => v => v < number,
                "<=" => v => v <= number,
                _ => v => v.Equals(number),
            };
            return r => Values(r).Any(v => v is { } known && holds(known));
        }
    }
}
