using System.Collections.Immutable;
using System.Net;
using MPSec.Changes;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>Names a route in the kernel: only one of each can be.</summary>
internal readonly record struct RouteKey(IpPrefix Destination, uint Table, uint Metric);

/// <summary>
/// Everything that a document asks for, as operations: what its paths, roles and tables mean is said here once, and planning, folding and checking agree
/// about it. Pure.
/// </summary>
internal sealed record NetworkWants
{
    /// <summary>Table main.</summary>
    public const uint Main = 254;

    // Lower wins. The kernel makes 1024 of an IPv6 zero, so one is the best that IPv6 has.
    private const uint BestV4 = 0;
    private const uint BestV6 = 1;
    private const uint UsualV6 = 1024;

    public ImmutableArray<AddAddress> Addresses { get; private init; } = [];

    public ImmutableArray<SetLinkState> Links { get; private init; } = [];

    public ImmutableArray<SetMtu> Mtus { get; private init; } = [];

    /// <summary>Routes on the link first, then those by a next hop, then those that drop: a next hop must be reachable.</summary>
    public ImmutableArray<RouteSpec> Routes { get; private init; } = [];

    public ImmutableArray<AddRule> Rules { get; private init; } = [];

    public ImmutableArray<AddEndpoint> Endpoints { get; private init; } = [];

    public SetMptcpLimits? Limits { get; private init; }

    public ImmutableArray<WriteSysctl> Settings { get; private init; } = [];

    public ImmutableArray<SetShaper> Shapers { get; private init; } = [];

    /// <param name="document">A document without faults.</param>
    /// <param name="gateway">The gateway it is for.</param>
    /// <param name="suspend">Leave out what the kernel drops while a path's link is down: its routes and IPv6 addresses.</param>
    public static NetworkWants Of(NetworkDocument document, GatewayName gateway, bool suspend = true)
    {
        bool Carries(RouteSpec route) => !suspend || route.Interface is not { } device || document.FindPath(device.Value) is not { Up: false };
        var more = document.More.Select(o => o with { Gateway = gateway }).ToList();
        var routes = document.Paths.SelectMany(p => TableRoutes(p).Concat(MainDefaults(p))).Concat(more.OfType<ReplaceRoute>().Select(o => o.Route));
        var rules = document.Paths.SelectMany(p => TableRules(p, gateway)).Concat(more.OfType<AddRule>());
        return new()
        {
            Addresses = [.. document.Paths.SelectMany(p => p.Addresses.Where(a => p.Up || !suspend || !a.Address.IsIPv6()).Select(a => new AddAddress(gateway, p.Interface, a)))],
            Links = [.. document.Paths.Select(p => new SetLinkState(gateway, p.Interface, p.Up))],
            Mtus = [.. document.Paths.Where(p => p.Mtu is not null).Select(p => new SetMtu(gateway, p.Interface, p.Mtu!.Value))],
            Routes = [.. routes.Where(Carries).DistinctBy(Key).OrderBy(Order)],
            Rules = [.. rules.Distinct()],
            Endpoints = [.. (document.Mptcp?.Endpoints ?? []).Select(e => Endpoint(document, gateway, e)).OfType<AddEndpoint>()],
            Limits = document.Mptcp is { Subflows: { } subflows, AddAddrAccepted: { } accepted } ? new(gateway, subflows, accepted) : null,
            Settings =
            [
                .. document.Settings.Select(s => new WriteSysctl(gateway, SysctlKey.Parse(s.Key), s.Value)),
                .. document.Mptcp?.Enabled is { } enabled ? (WriteSysctl[])[new(gateway, SysctlKey.Parse("net.mptcp.enabled"), enabled ? "1" : "0")] : [],
            ],
            Shapers = [.. more.OfType<SetShaper>()],
        };
    }

    /// <summary>Whether two documents ask for the same; they may differ in names.</summary>
    public static bool AreSame(NetworkDocument a, NetworkDocument b)
    {
        var (one, other) = (Of(a, GatewayName.Host), Of(b, GatewayName.Host));
        return one.Addresses.SequenceEqual(other.Addresses) && one.Links.SequenceEqual(other.Links) && one.Mtus.SequenceEqual(other.Mtus) && one.Routes.SequenceEqual(other.Routes)
            && one.Rules.SequenceEqual(other.Rules) && one.Endpoints.SequenceEqual(other.Endpoints) && one.Limits == other.Limits && one.Settings.SequenceEqual(other.Settings)
            && one.Shapers.SequenceEqual(other.Shapers)
            && a.Paths.Select(p => (p.Interface, p.Role)).SequenceEqual(b.Paths.Select(p => (p.Interface, p.Role)));
    }

    /// <summary>Networks, default routes and last resorts of a path's own table.</summary>
    public static IEnumerable<RouteSpec> TableRoutes(NetworkDocumentPath path)
    {
        if (path is not { Table: { } table, Role: not NetworkPathRole.Off })
        {
            yield break;
        }

        foreach (var isIPv6 in (bool[])[false, true])
        {
            var own = path.Addresses.Where(a => a.Address.IsIPv6() == isIPv6).ToList();
            if (own.Count == 0)
            {
                continue;
            }

            // An IPv6 source may be named only after duplicate address detection, a second or two later; the rule has chosen it already.
            foreach (var network in own.Where(a => !a.IsAlone()).DistinctBy(a => a.Network))
            {
                yield return new() { Destination = network.Network, Interface = path.Interface, Source = isIPv6 ? null : network.Address, Table = table };
            }

            if (path.NextHop(isIPv6) is { } hop)
            {
                yield return new() { Destination = NetworkAddresses.Everything(isIPv6), Interface = path.Interface, NextHop = hop, Table = table };
            }

            yield return new() { Destination = NetworkAddresses.Everything(isIPv6), Kind = RouteKind.Unreachable, Metric = RoutingRepair.LastResortMetric, Table = table };
        }
    }

    /// <summary>The rules that lead a path's addresses to its table.</summary>
    public static IEnumerable<AddRule> TableRules(NetworkDocumentPath path, GatewayName gateway) =>
        path is { Table: { } table, EffectivePriority: { } priority, Role: not NetworkPathRole.Off }
            ? path.Addresses.Select(a => new AddRule(gateway, priority, a.Address.Alone(), table)).Distinct()
            : [];

    /// <summary>The default routes of table main that a primary path has, one per family with a next hop.</summary>
    public static IEnumerable<RouteSpec> MainDefaults(NetworkDocumentPath path) => path.Role == NetworkPathRole.Primary
        ? path.NextHops.Select(hop => new RouteSpec { Destination = NetworkAddresses.Everything(hop.IsIPv6()), Interface = path.Interface, NextHop = hop, Metric = hop.IsIPv6() ? BestV6 : BestV4 })
        : [];

    /// <summary>An endpoint with the flags that the role of its path gives it; null when the path is off.</summary>
    public static AddEndpoint? Endpoint(NetworkDocument document, GatewayName gateway, NetworkDocumentEndpoint endpoint)
    {
        var role = document.FindPath(endpoint.Address)?.Role;
        return role == NetworkPathRole.Off ? null : new(gateway, endpoint.Id, endpoint.Address, Flags(role, endpoint.AllFlags), endpoint.Interface, endpoint.Port ?? 0);
    }

    /// <summary>The flags of an endpoint on a path with this role.</summary>
    public static MptcpEndpointFlags Flags(NetworkPathRole? role, MptcpEndpointFlags flags) => role switch
    {
        NetworkPathRole.Backup => flags | MptcpEndpointFlags.Backup,
        NetworkPathRole.Bonded => flags & ~MptcpEndpointFlags.Backup,
        _ => flags,
    };

    /// <summary>What names a route.</summary>
    public static RouteKey Key(RouteSpec route) => new(route.Destination, route.Table, route is { IsIPv6: true, Metric: 0 } ? UsualV6 : route.Metric);

    /// <summary>Whether two routes do the same. A preferred IPv6 source makes no difference in a table that was chosen by source.</summary>
    public static bool IsSame(RouteSpec a, RouteSpec b) =>
        Key(a) == Key(b) && a.Kind == b.Kind && a.Interface == b.Interface && Equals(a.NextHop, b.NextHop) && (Equals(a.Source, b.Source) || (a.IsIPv6 && a.Table != Main && (a.Source is null || b.Source is null)));

    /// <summary>A route that the kernel has, as one that could be set; null for kinds and devices that cannot be written.</summary>
    public static RouteSpec? Describe(RouteReading route, string? device)
    {
        if (!Enum.TryParse<RouteKind>(route.Kind, ignoreCase: true, out var kind))
        {
            return null;
        }

        InterfaceName? name = kind == RouteKind.Unicast && InterfaceName.TryParse(device, out var parsed, out _) ? parsed : null;
        return new()
        {
            Destination = route.Destination,
            Table = route.Table,
            Kind = kind,
            Interface = name,
            NextHop = route.Gateway,
            Source = route.PreferredSource,
            Metric = route.Metric,
            Protocol = route.Protocol,
            Scope = route.Scope,
        };
    }

    private static int Order(RouteSpec route) => route switch
    {
        { Kind: not RouteKind.Unicast } => 2,
        { NextHop: null } => 0,
        _ => 1,
    };
}
