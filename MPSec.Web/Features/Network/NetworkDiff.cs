using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using MPSec.Changes;

namespace MPSec.Features.Network;

/// <summary>What became of one thing between two documents.</summary>
public enum NetworkDiffKind
{
    /// <summary>It is new.</summary>
    Added,

    /// <summary>It is gone.</summary>
    Removed,

    /// <summary>It has another value.</summary>
    Changed,
}

/// <summary>One difference between two documents.</summary>
/// <param name="Kind">Added, removed or changed.</param>
/// <param name="Path">Interface of the path; null when it is about the gateway.</param>
/// <param name="Field">
/// Code of the field: <c>path</c>, <c>name</c>, <c>role</c>, <c>up</c>, <c>mtu</c>, <c>address</c>, <c>nextHop</c>, <c>table</c>, <c>rulePriority</c>,
/// <c>mptcp</c>, <c>subflows</c>, <c>addAddrAccepted</c>, <c>endpoint</c>, <c>setting</c>, <c>more</c>.
/// </param>
/// <param name="Subject">Which one, where there are several: id of the endpoint, name of the setting; null otherwise.</param>
/// <param name="Old">The value before; null when it is new.</param>
/// <param name="New">The value after; null when it is gone.</param>
public sealed record NetworkDiffLine(NetworkDiffKind Kind, string? Path, string Field, string? Subject, string? Old, string? New);

/// <summary>The differences between two documents.</summary>
/// <param name="Lines">One per difference: paths in the order of their interfaces, then the rest.</param>
/// <param name="Text">The same as a unified text of the two files; empty when they are equal.</param>
public sealed record NetworkDiff(ImmutableArray<NetworkDiffLine> Lines, string Text)
{
    /// <summary>Whether nothing differs.</summary>
    public bool IsEmpty => Lines.IsEmpty;

    /// <summary>Compares two documents; null stands for the time before the first one.</summary>
    public static NetworkDiff Between(NetworkDocument? before, NetworkDocument? after, string beforeName = "before", string afterName = "after")
    {
        var (a, b) = (before ?? NetworkDocument.Empty, after ?? NetworkDocument.Empty);
        var lines = new List<NetworkDiffLine>();
        foreach (var name in a.Paths.Concat(b.Paths).Select(p => p.Interface.Value).Distinct().Order(StringComparer.Ordinal))
        {
            Path(lines, name, a.FindPath(name), b.FindPath(name));
        }

        Value(lines, null, "mptcp", null, Word(a.Mptcp?.Enabled), Word(b.Mptcp?.Enabled));
        Value(lines, null, "subflows", null, Number(a.Mptcp?.Subflows), Number(b.Mptcp?.Subflows));
        Value(lines, null, "addAddrAccepted", null, Number(a.Mptcp?.AddAddrAccepted), Number(b.Mptcp?.AddAddrAccepted));
        Named(lines, "endpoint", (a.Mptcp?.Endpoints ?? []).ToDictionary(e => e.Id.ToString(CultureInfo.InvariantCulture), Words), (b.Mptcp?.Endpoints ?? []).ToDictionary(e => e.Id.ToString(CultureInfo.InvariantCulture), Words));
        Named(lines, "setting", a.Settings, b.Settings);
        Set(lines, null, "more", a.More.Select(Words), b.More.Select(Words));
        return new([.. lines], UnifiedText.Of(before?.ToJson() ?? "", after?.ToJson() ?? "", beforeName, afterName));
    }

    /// <summary>An operation in the words of its command, without the tool and the gateway.</summary>
    private static string Words(HostOperation operation) => (operation with { Gateway = Linux.Values.GatewayName.Host }).ToShellText();

    private static string Words(NetworkDocumentEndpoint endpoint)
    {
        var text = new StringBuilder(endpoint.Address.ToString());
        if (endpoint.Port is { } port)
        {
            text.Append(CultureInfo.InvariantCulture, $" port {port}");
        }

        text.Append(' ').AppendJoin(' ', endpoint.Flags.Order().Select(f => f.ToString().ToLowerInvariant()));
        return (endpoint.Interface is { } device ? text.Append(CultureInfo.InvariantCulture, $" dev {device}") : text).ToString();
    }

    private static void Path(List<NetworkDiffLine> lines, string name, NetworkDocumentPath? a, NetworkDocumentPath? b)
    {
        if (a is null || b is null)
        {
            lines.Add(new(a is null ? NetworkDiffKind.Added : NetworkDiffKind.Removed, name, "path", null, a is null ? null : name, b is null ? null : name));
        }

        Value(lines, name, "name", null, a?.Name, b?.Name);
        Value(lines, name, "role", null, a?.Role?.ToString().ToLowerInvariant(), b?.Role?.ToString().ToLowerInvariant());
        if (a is not null && b is not null)
        {
            Value(lines, name, "up", null, Word(a.Up), Word(b.Up));
        }
        else if ((a ?? b) is { Up: false })
        {
            Value(lines, name, "up", null, Word(a?.Up), Word(b?.Up));
        }

        Value(lines, name, "mtu", null, Number(a?.Mtu), Number(b?.Mtu));
        Set(lines, name, "address", (a?.Addresses ?? []).Select(x => x.ToString()), (b?.Addresses ?? []).Select(x => x.ToString()));
        foreach (var isIPv6 in (bool[])[false, true])
        {
            Value(lines, name, "nextHop", null, a?.NextHop(isIPv6)?.ToString(), b?.NextHop(isIPv6)?.ToString());
        }

        Value(lines, name, "table", null, Number(a?.Table), Number(b?.Table));
        Value(lines, name, "rulePriority", null, Number(a?.RulePriority), Number(b?.RulePriority));
    }

    private static void Value(List<NetworkDiffLine> lines, string? path, string field, string? subject, string? a, string? b)
    {
        if (a != b)
        {
            lines.Add(new(a is null ? NetworkDiffKind.Added : b is null ? NetworkDiffKind.Removed : NetworkDiffKind.Changed, path, field, subject, a, b));
        }
    }

    private static void Named(List<NetworkDiffLine> lines, string field, IReadOnlyDictionary<string, string> a, IReadOnlyDictionary<string, string> b)
    {
        foreach (var name in a.Keys.Union(b.Keys).OrderBy(n => n.Length).ThenBy(n => n, StringComparer.Ordinal))
        {
            Value(lines, null, field, name, a.GetValueOrDefault(name), b.GetValueOrDefault(name));
        }
    }

    private static void Set(List<NetworkDiffLine> lines, string? path, string field, IEnumerable<string> a, IEnumerable<string> b)
    {
        var (old, now) = (a.ToList(), b.ToList());
        lines.AddRange(old.Except(now).Select(x => new NetworkDiffLine(NetworkDiffKind.Removed, path, field, null, x, null)));
        lines.AddRange(now.Except(old).Select(x => new NetworkDiffLine(NetworkDiffKind.Added, path, field, null, null, x)));
    }

    private static string? Word(bool? value) => value switch { true => "true", false => "false", null => null };

    private static string? Number(uint? value) => value?.ToString(CultureInfo.InvariantCulture);
}

/// <summary>Two texts as a unified diff with three lines around each change.</summary>
internal static class UnifiedText
{
    private const int Around = 3;

    public static string Of(string before, string after, string beforeName, string afterName)
    {
        if (before == after)
        {
            return "";
        }

        var script = Script(Lines(before), Lines(after));
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"--- {beforeName}\n+++ {afterName}\n");
        for (var i = 0; i < script.Count;)
        {
            if (script[i].Mark == ' ')
            {
                i++;
                continue;
            }

            var start = Math.Max(0, i - Around);
            var end = i;
            for (var j = i; j < script.Count && j - end <= 2 * Around; j++)
            {
                end = script[j].Mark != ' ' ? j : end;
            }

            end = Math.Min(script.Count, end + 1 + Around);
            var hunk = script[start..end];
            var (oldAt, newAt) = (script[..start].Count(l => l.Mark != '+') + 1, script[..start].Count(l => l.Mark != '-') + 1);
            text.Append(CultureInfo.InvariantCulture, $"@@ -{oldAt},{hunk.Count(l => l.Mark != '+')} +{newAt},{hunk.Count(l => l.Mark != '-')} @@\n");
            foreach (var (mark, line) in hunk)
            {
                text.Append(mark).Append(line).Append('\n');
            }

            i = end;
        }

        return text.ToString();
    }

    private static string[] Lines(string text) => text.Length == 0 ? [] : text.TrimEnd('\n').Split('\n');

    // Longest common subsequence; a document has a few hundred lines.
    private static List<(char Mark, string Line)> Script(string[] a, string[] b)
    {
        var longest = new int[a.Length + 1, b.Length + 1];
        for (var i = a.Length - 1; i >= 0; i--)
        {
            for (var j = b.Length - 1; j >= 0; j--)
            {
                longest[i, j] = a[i] == b[j] ? longest[i + 1, j + 1] + 1 : Math.Max(longest[i + 1, j], longest[i, j + 1]);
            }
        }

        var script = new List<(char, string)>();
        for (var (x, y) = (0, 0); x < a.Length || y < b.Length;)
        {
            if (x < a.Length && y < b.Length && a[x] == b[y])
            {
                script.Add((' ', a[x++]));
                y++;
            }
            else if (y == b.Length || (x < a.Length && longest[x + 1, y] >= longest[x, y + 1]))
            {
                script.Add(('-', a[x++]));
            }
            else
            {
                script.Add(('+', b[y++]));
            }
        }

        return script;
    }
}
