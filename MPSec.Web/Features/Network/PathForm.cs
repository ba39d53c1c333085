using System.Globalization;
using System.Net;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>One path as text fields, for the editor: what was typed stays as it was typed until it is taken over.</summary>
public sealed class PathForm
{
    /// <summary>Name that a person gave; empty for none.</summary>
    public string Name { get; set; } = "";

    /// <summary>Role; null leaves endpoints and the main default route alone.</summary>
    public NetworkPathRole? Role { get; set; }

    /// <summary>Addresses with prefix length, separated by spaces, commas or line ends.</summary>
    public string Addresses { get; set; } = "";

    /// <summary>Next hops, at most one per family, separated like the addresses.</summary>
    public string NextHops { get; set; } = "";

    /// <summary>Routing table; empty for none of its own.</summary>
    public string Table { get; set; } = "";

    /// <summary>Priority of the rules; empty for the table's number.</summary>
    public string Priority { get; set; } = "";

    /// <summary>MTU in bytes; empty leaves it alone.</summary>
    public string Mtu { get; set; } = "";

    /// <summary>Whether the link is to be up.</summary>
    public bool Up { get; set; } = true;

    /// <summary>The fields of a path.</summary>
    public static PathForm Of(NetworkDocumentPath path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return new()
        {
            Name = path.Name ?? "",
            Role = path.Role,
            Addresses = string.Join('\n', path.Addresses),
            NextHops = string.Join('\n', path.NextHops),
            Table = Text(path.Table),
            Priority = Text(path.RulePriority),
            Mtu = Text(path.Mtu),
            Up = path.Up,
        };
    }

    /// <summary>The path that the fields describe.</summary>
    /// <param name="before">The path as it was; gives the interface.</param>
    /// <param name="faults">By field, what was typed and cannot be read.</param>
    /// <returns>Null when there are faults.</returns>
    public NetworkDocumentPath? Build(NetworkDocumentPath before, out IReadOnlyDictionary<string, string> faults)
    {
        ArgumentNullException.ThrowIfNull(before);
        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        var path = before with
        {
            Name = string.IsNullOrWhiteSpace(Name) ? null : Name.Trim(),
            Role = Role,
            Addresses = [.. Words(Addresses).Select(w => Read("addresses", w, t => IpPrefix.TryParse(t, out var prefix, out _) ? prefix : null)).OfType<IpPrefix>()],
            NextHops = [.. Words(NextHops).Select(w => Read("nextHops", w, t => IPAddress.TryParse(t, out var hop) && (hop.IsIPv6() || t.Count(c => c == '.') == 3) ? hop : null)).OfType<IPAddress>()],
            Table = Number("table", Table),
            RulePriority = Number("rulePriority", Priority),
            Mtu = Number("mtu", Mtu),
            Up = Up,
        };
        faults = found;
        return found.Count == 0 ? path : null;

        T? Read<T>(string field, string word, Func<string, T?> parse)
            where T : class
        {
            var value = parse(word);
            if (value is null)
            {
                found.TryAdd(field, word.Length > 60 ? word[..60] + "…" : word);
            }

            return value;
        }

        uint? Number(string field, string text)
        {
            if (string.IsNullOrWhiteSpace(text))
            {
                return null;
            }

            if (uint.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            {
                return number;
            }

            found.TryAdd(field, text.Trim());
            return null;
        }
    }

    private static string[] Words(string text) => text.Split([' ', ',', ';', '\n', '\r', '\t'], StringSplitOptions.RemoveEmptyEntries);

    private static string Text(uint? number) => number?.ToString(CultureInfo.InvariantCulture) ?? "";
}
