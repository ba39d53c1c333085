using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>What one path must hold.</summary>
internal static class NetworkPathFaults
{
    private const int MostAddresses = 16;
    private const int LongestName = 32;

    /// <summary>Lists that are none.</summary>
    public static NetworkDocumentFault? Shape(NetworkDocumentPath path) =>
        path.Interface.Value.Length == 0 ? new(null, "interface", "paths: interface is missing")
        : path.Addresses.IsDefault || path.NextHops.IsDefault || path.Addresses.Any(a => a is null) || path.NextHops.Any(n => n is null)
            ? new(path.Interface.Value, "addresses", $"path {path.Interface}: addresses and nextHops must be lists without null")
        : null;

    public static IEnumerable<NetworkDocumentFault> Of(NetworkDocumentPath path)
    {
        NetworkDocumentFault Fault(string field, string sentence) => new(path.Interface.Value, field, $"path {path.Interface}: {sentence}");

        if (NameFault(path.Name) is { } name)
        {
            yield return Fault("name", $"name: {name}");
        }

        if (path.Role is { } role && !Enum.IsDefined(role))
        {
            yield return Fault("role", "role: must be one of primary, bonded, backup, off");
        }

        if (path.Addresses.Length > MostAddresses)
        {
            yield return Fault("addresses", $"addresses: at most {MostAddresses} are allowed");
        }

        foreach (var address in path.Addresses)
        {
            if (AddressFault(address) is { } sentence)
            {
                yield return Fault("addresses", $"address {address} {sentence}");
            }
        }

        if (path.Addresses.GroupBy(a => a.Address).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            yield return Fault("addresses", $"address {twice.Key} is there twice; take one out");
        }

        if (path.Mtu is < 68 or > 65535)
        {
            yield return Fault("mtu", $"mtu {path.Mtu} is out of range; it must be 68 to 65535");
        }
        else if (path.Mtu < 1280 && path.Addresses.Any(a => a.Address.IsIPv6()))
        {
            yield return Fault("mtu", $"mtu {path.Mtu} is too small for IPv6, which needs 1280; raise it or take the IPv6 addresses out");
        }

        foreach (var fault in TableFaults(path).Concat(HopFaults(path)))
        {
            yield return Fault(fault.Field, fault.Sentence);
        }
    }

    /// <summary>What is wrong with a name; null when nothing.</summary>
    public static string? NameFault(string? name)
    {
        if (name is null)
        {
            return null;
        }

        var runes = name.EnumerateRunes().ToList();
        return runes.Count is 0 or > LongestName ? $"must have 1 to {LongestName} characters"
            : runes.Exists(r => r == Rune.ReplacementChar || Rune.GetUnicodeCategory(r) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse
                or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator) ? "must have printable characters only"
            : Rune.IsWhiteSpace(runes[0]) || Rune.IsWhiteSpace(runes[^1]) ? "must not begin or end with a blank"
            : null;
    }

    private static IEnumerable<(string Field, string Sentence)> TableFaults(NetworkDocumentPath path)
    {
        if (path.Table is 0 or 253 or 254 or 255)
        {
            yield return ("table", $"table {path.Table} belongs to the kernel; choose another such as 101");
        }
        else if (path.Table is not null && path.Addresses.IsEmpty)
        {
            yield return ("table", $"table {path.Table} has no use without addresses; list those whose packets it is for, or take it out");
        }

        if (path.RulePriority is 0 or > 32765)
        {
            yield return ("rulePriority", "rulePriority must be 1 to 32765, before the kernel's own rules");
        }
        else if (path is { RulePriority: not null, Table: null })
        {
            yield return ("rulePriority", "rulePriority needs a table; add one such as 101, or take it out");
        }

        if (path is { Table: > 32765, RulePriority: null })
        {
            yield return ("rulePriority", "give a rulePriority of 1 to 32765, the table's number is too large to be one");
        }
    }

    private static IEnumerable<(string Field, string Sentence)> HopFaults(NetworkDocumentPath path)
    {
        if (path.NextHops.GroupBy(n => n.AddressFamily).FirstOrDefault(g => g.Count() > 1) is { } many)
        {
            yield return ("nextHops", $"nextHops may have one address per family; {string.Join(" and ", many)} are of one");
        }

        foreach (var hop in path.NextHops)
        {
            if (HopFault(path, hop) is { } sentence)
            {
                yield return ("nextHops", $"next hop {hop} {sentence}");
            }
        }

        if (path.Role == NetworkPathRole.Primary && path.NextHops.IsEmpty)
        {
            yield return ("role", "role primary needs a next hop for the default route of table main; name it in nextHops");
        }
    }

    /// <summary>Why <paramref name="hop"/> cannot be a next hop of this path; null when it can.</summary>
    public static string? HopFault(NetworkDocumentPath path, IPAddress hop)
    {
        var own = path.Addresses.Where(a => a.Address.IsIPv6() == hop.IsIPv6()).ToList();
        return own.Exists(a => a.Address.Equals(hop)) ? "is the path's own address; name the router at the other end"
            : Kind(hop) is { } kind ? $"is {kind}; name the address of a router"
            : own.Count == 0 ? $"is {(hop.IsIPv6() ? "IPv6" : "IPv4")}, and the path has no {(hop.IsIPv6() ? "IPv6" : "IPv4")} address; add one or take the next hop out"
            : hop.IsIPv6LinkLocal ? null
            : own.Find(a => a.Contains(hop)) is not { } around ? "lies in no prefix of the path's addresses; correct it, or the prefix length"
            : IsEdge(new(hop, around.Length)) is { } edge ? $"is the {edge} address of {around.Network}; name the address of a router"
            : null;
    }

    /// <summary>Why an address cannot be an interface's own; null when it can.</summary>
    public static string? AddressFault(IpPrefix prefix) =>
        Kind(prefix.Address) is { } kind ? $"is {kind}; write the interface's own address"
        : prefix.Address.IsIPv6LinkLocal ? "is link-local, which the kernel gives by itself; take it out"
        : prefix.Length == 0 ? "has the prefix length 0, which would be the whole world; give the network's length such as 24 or 64"
        : IsEdge(prefix) is { } edge ? $"is the {edge} address of {prefix.Network}; write the interface's own address"
        : null;

    /// <summary>What an address is that no interface can have; null when it is an ordinary one.</summary>
    public static string? Kind(IPAddress address)
    {
        var bytes = address.GetAddressBytes();
        return address switch
        {
            { AddressFamily: AddressFamily.InterNetwork } when bytes[0] == 0 => "unspecified",
            _ when address.Equals(IPAddress.IPv6Any) => "unspecified",
            _ when IPAddress.IsLoopback(address) => "loopback",
            { AddressFamily: AddressFamily.InterNetwork } when bytes[0] is >= 224 and <= 239 => "multicast",
            { IsIPv6Multicast: true } => "multicast",
            { IsIPv4MappedToIPv6: true } => "an IPv4 address in IPv6 writing",
            _ when address.Equals(IPAddress.Broadcast) => "the broadcast address",
            _ => null,
        };
    }

    // In /31 and /127 (RFC 3021, RFC 6164) and alone, every address is a host's.
    private static string? IsEdge(IpPrefix prefix)
    {
        var bits = prefix.Address.IsIPv6() ? 128 : 32;
        if (prefix.Length >= bits - 1)
        {
            return null;
        }

        if (prefix.Network.Address.Equals(prefix.Address))
        {
            return "network";
        }

        var bytes = prefix.Address.GetAddressBytes();
        return bits == 32 && Enumerable.Range(prefix.Length, bits - prefix.Length).All(bit => (bytes[bit / 8] & (0x80 >> (bit % 8))) != 0) ? "broadcast" : null;
    }
}
