using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using MPSec.Changes;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>What is wrong with a document.</summary>
/// <param name="Path">Interface of the path; null when it is about the gateway.</param>
/// <param name="Field">Name of the field in the file, for example <c>nextHops</c>.</param>
/// <param name="Sentence">One English sentence that names path, field and fix.</param>
public sealed record NetworkDocumentFault(string? Path, string Field, string Sentence);

// What a document must hold beyond its types, so that it can be applied and means one thing only.
public sealed partial record NetworkDocument
{
    private const int MostSettings = 200;
    private const int MostOperations = 500;

    /// <summary>Everything that is wrong; nothing when the document can be applied.</summary>
    public IEnumerable<NetworkDocumentFault> Faults()
    {
        if (Version != CurrentVersion)
        {
            return [Fault("version", $"version: this program reads version {CurrentVersion}, the file has {Version}")];
        }

        if (Paths.IsDefault || Paths.Length > MostPaths || Paths.Any(p => p is null))
        {
            return [Fault("paths", $"paths: must be a list of at most {MostPaths} paths, none of them null")];
        }

        if (Paths.Select(NetworkPathFaults.Shape).FirstOrDefault(f => f is not null) is { } shape)
        {
            return [shape];
        }

        // What compares paths needs paths that are right.
        var own = Paths.SelectMany(NetworkPathFaults.Of).Concat(NetworkMptcpFaults.Of(this)).Concat(SettingFaults()).Concat(MoreFaults()).ToList();
        return own.Count > 0 ? own : [.. BetweenPaths(), .. Doubled()];
    }

    private static NetworkDocumentFault Fault(string field, string sentence) => new(null, field, sentence);

    private static IEnumerable<NetworkDocumentFault> Twice<T>(IEnumerable<NetworkDocumentPath> paths, Func<NetworkDocumentPath, T?> key, string field, string hint) =>
        paths.Where(p => key(p) is not null).GroupBy(key).Where(g => g.Count() > 1)
            .Select(g => new NetworkDocumentFault(g.Last().Interface.Value, field, $"path {g.Last().Interface}: {field} {g.Key} is used by path {g.First().Interface} too; {hint}"));

    private IEnumerable<NetworkDocumentFault> BetweenPaths()
    {
        if (Paths.GroupBy(p => p.Interface).FirstOrDefault(g => g.Count() > 1) is { } interfaces)
        {
            yield return new(interfaces.Key.Value, "interface", $"paths: interface {interfaces.Key} occurs more than once; put everything about it into one path");
            yield break;
        }

        foreach (var fault in Twice(Paths, p => p.Name?.Normalize(NormalizationForm.FormC).ToUpperInvariant() is null ? null : p.Name!.Normalize(NormalizationForm.FormC).ToLowerInvariant(), "name", "give each path its own")
            .Concat(Twice(Paths, p => p.Table, "table", "each path needs its own"))
            .Concat(Twice(Paths, p => p.EffectivePriority, "rulePriority", "each path needs its own, or the order of their rules is chance")))
        {
            yield return fault;
        }

        if (Paths.FirstOrDefault(p => p.Name is not null && Paths.Any(o => o != p && o.Interface.Value == p.Name)) is { } borrowed)
        {
            yield return new(borrowed.Interface.Value, "name", $"path {borrowed.Interface}: name {borrowed.Name} is the interface of another path; choose another");
        }

        if (Paths.Where(p => p.Role == NetworkPathRole.Primary).Skip(1).FirstOrDefault() is { } second)
        {
            yield return new(second.Interface.Value, "role", $"path {second.Interface}: role primary belongs to path {Paths.First(p => p.Role == NetworkPathRole.Primary).Interface} already; only one path can have the default route of table main");
        }

        foreach (var (a, one, b, other) in from i in Enumerable.Range(0, Paths.Length)
                                           from j in Enumerable.Range(i + 1, Paths.Length - i - 1)
                                           from one in Paths[i].Addresses
                                           from other in Paths[j].Addresses
                                           select (Paths[i], one, Paths[j], other))
        {
            if (one.Address.Equals(other.Address))
            {
                yield return new(b.Interface.Value, "addresses", $"path {b.Interface}: address {other.Address} belongs to path {a.Interface} already; each address can be in one place only");
            }
            else if (!one.IsAlone() && !other.IsAlone() && (one.Contains(other.Network.Address) || other.Contains(one.Network.Address)))
            {
                yield return new(b.Interface.Value, "addresses", $"path {b.Interface}: network {other.Network} overlaps {one.Network} of path {a.Interface}; the kernel could not tell by which of the two a neighbour is reached, so give each path a network of its own");
            }
        }

        foreach (var (path, hop) in Paths.SelectMany(p => p.NextHops.Select(n => (p, n))).Where(x => FindPath(x.n) is { } owner && owner != x.p))
        {
            yield return new(path.Interface.Value, "nextHops", $"path {path.Interface}: next hop {hop} is an address of path {FindPath(hop)!.Interface}, so of this gateway itself; name the router there");
        }
    }

    private IEnumerable<NetworkDocumentFault> SettingFaults()
    {
        if (Settings.Count > MostSettings)
        {
            yield return Fault("settings", $"settings: at most {MostSettings} are allowed");
        }

        foreach (var (name, value) in Settings)
        {
            if (!SysctlKey.TryParse(name, out var key, out var error))
            {
                yield return Fault("settings", $"settings: '{Printable(name)}': {error}");
            }
            else if (name == "net.mptcp.enabled")
            {
                yield return Fault("settings", "settings: net.mptcp.enabled is written as mptcp.enabled in this file; move it there");
            }
            else if (Refusal(new WriteSysctl(GatewayName.Host, key, value ?? "")) is { } sentence)
            {
                yield return Fault("settings", $"settings: {sentence}");
            }
        }
    }

    private IEnumerable<NetworkDocumentFault> MoreFaults()
    {
        if (More.IsDefault || More.Length > MostOperations || More.Any(o => o is null))
        {
            yield return Fault("more", $"more: must be a list of at most {MostOperations} operations, none of them null");
            yield break;
        }

        for (var i = 0; i < More.Length; i++)
        {
            var sentence = More[i] switch
            {
                not (AddRule or ReplaceRoute or SetShaper) => "only rules, routes and shapers can stand here",
                AddRule { Source: null } => "the rule's source is missing",
                ReplaceRoute { Route: null or { Destination: null } } => "the route's destination is missing",
                ReplaceRoute { Route.Options: not null } => "a route with options cannot stand here",
                var operation => Refusal(operation),
            };
            if (sentence is not null)
            {
                yield return Fault("more", $"more: entry {i + 1}: {sentence}");
            }
        }
    }

    // Two lines that set the same thing differently would undo each other at every apply.
    private IEnumerable<NetworkDocumentFault> Doubled()
    {
        var wants = NetworkWants.Of(this with { More = [] }, GatewayName.Host, suspend: false);
        var routes = More.OfType<ReplaceRoute>().Select(o => o.Route).ToList();
        foreach (var twice in routes.GroupBy(NetworkWants.Key).Where(g => g.Count() > 1))
        {
            yield return Fault("more", $"more: route {twice.Key.Destination} in table {twice.Key.Table} with metric {twice.Key.Metric} is there twice; take one out");
        }

        foreach (var route in routes)
        {
            if (wants.Routes.FirstOrDefault(r => NetworkWants.Key(r) == NetworkWants.Key(route)) is { } said && !NetworkWants.IsSame(said, route))
            {
                yield return Fault("more", $"more: route {route.Destination} in table {route.Table} is what path {said.Interface?.Value ?? "with this table"} sets differently; change the path, or give the route another table or metric");
            }
        }

        if (More.OfType<AddRule>().GroupBy(r => r with { Gateway = GatewayName.Host }).FirstOrDefault(g => g.Count() > 1) is { Key: { } rule })
        {
            yield return Fault("more", $"more: the rule from {rule.Source} to table {rule.Table} is there twice; take one out");
        }

        if (More.OfType<SetShaper>().GroupBy(s => s.Interface).FirstOrDefault(g => g.Count() > 1) is { } shaper)
        {
            yield return Fault("more", $"more: interface {shaper.Key} has two shapers; take one out");
        }
    }

    private static string? Refusal(HostOperation operation)
    {
        try
        {
            operation.Validate();
            return null;
        }
        catch (ChangeException e)
        {
            return e.Message;
        }
    }

    internal static string Printable(string text) => string.Concat((text.Length > 60 ? text[..60] + "…" : text).Select(c => char.IsControl(c) ? '?' : c));
}

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

/// <summary>What the MPTCP part must hold.</summary>
internal static class NetworkMptcpFaults
{
    private const int MostSubflows = 8;

    public static IEnumerable<NetworkDocumentFault> Of(NetworkDocument document)
    {
        if (document.Mptcp is not { } mptcp)
        {
            yield break;
        }

        if (mptcp.Subflows is > 8 || mptcp.AddAddrAccepted is > 8)
        {
            yield return Fault("subflows", "mptcp: limits must be 0 to 8");
        }

        if (mptcp.Subflows is null != mptcp.AddAddrAccepted is null)
        {
            yield return Fault("subflows", "mptcp: give both subflows and addAddrAccepted, or neither");
        }

        if (mptcp.Endpoints.IsDefault || mptcp.Endpoints.Any(e => e is null))
        {
            yield return Fault("endpoints", "mptcp: endpoints must be a list without null");
            yield break;
        }

        foreach (var endpoint in mptcp.Endpoints)
        {
            if (EndpointFault(document, endpoint) is { } sentence)
            {
                yield return Fault("endpoints", $"mptcp: endpoint {endpoint.Id}{sentence}");
            }
        }

        if (mptcp.Endpoints.GroupBy(e => e.Id).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            yield return Fault("endpoints", $"mptcp: endpoint id {twice.Key} occurs more than once; give each its own");
        }

        if (mptcp.Endpoints.Where(e => e.Address is not null).GroupBy(e => e.Address).FirstOrDefault(g => g.Count() > 1) is { } same)
        {
            yield return Fault("endpoints", $"mptcp: endpoint address {same.Key} occurs more than once; one endpoint can have several flags");
        }

        if (mptcp.Endpoints.Count(e => !e.Flags.IsDefault && e.Flags.Contains(MptcpEndpointFlags.Subflow)) is > MostSubflows and var many)
        {
            yield return Fault("endpoints", $"mptcp: {many} endpoints have the flag subflow, and the kernel takes {MostSubflows}; take it from some");
        }
    }

    private static NetworkDocumentFault Fault(string field, string sentence) => new(null, field, sentence);

    private static string? EndpointFault(NetworkDocument document, NetworkDocumentEndpoint endpoint) => endpoint switch
    {
        { Id: 0 } => ": an endpoint's id must be 1 to 255",
        { Address: null } => ": address must not be null",
        { Flags.IsDefaultOrEmpty: true } => " needs flags, such as [\"signal\"]",
        _ when endpoint.Flags.Any(f => f is MptcpEndpointFlags.None or MptcpEndpointFlags.Implicit || !Enum.IsDefined(f)) => ": flags must be of signal, subflow, backup, fullmesh, laminar",
        _ when endpoint.Flags.Distinct().Count() != endpoint.Flags.Length => ": a flag is there twice; take one out",
        _ when NetworkPathFaults.Kind(endpoint.Address) is { } kind => $": address {endpoint.Address} is {kind}; name an address of the gateway",
        { Address.IsIPv6LinkLocal: true } => $": address {endpoint.Address} is link-local, which no other network reaches; name a global one",
        { Port: 0 } => ": port must be 1 to 65535; leave it out for none",
        { Port: not null } when !endpoint.Flags.Contains(MptcpEndpointFlags.Signal) => ": a port needs the flag signal",
        _ when endpoint.Flags.Contains(MptcpEndpointFlags.Signal) && endpoint.Flags.Contains(MptcpEndpointFlags.Fullmesh) => ": signal and fullmesh exclude each other",
        { Interface: { } device } when document.FindPath(endpoint.Address) is { } path && path.Interface != device => $": interface {device} does not have {endpoint.Address}, path {path.Interface} has it; correct one of the two",
        _ => null,
    };
}
