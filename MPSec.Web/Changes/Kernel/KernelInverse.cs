using System.Net;
using System.Net.Sockets;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Changes.Kernel;

/// <summary>Computes what undoes an operation from the kernel's state before it. Reads only.</summary>
internal static class KernelInverse
{
    private const uint Permanent = 0x80;
    private const byte ScopeLink = 253;
    private const byte ProtocolKernel = 2;
    private const byte ProtocolRouterAdvertisement = 9;

    public static IReadOnlyList<HostOperation> Of(HostOperation operation, GatewayHandle gateway)
    {
        switch (operation)
        {
            case CreateNamespace o:
                RequireNotForeign(o.Gateway, o.Marker);
                return NamespaceFiles.StateOf(o.Gateway, o.Marker) == NamespaceState.Ours ? [] : [new DeleteNamespace(o.Gateway, o.Marker)];
            case DeleteNamespace o:
                RequireNotForeign(o.Gateway, o.Marker);
                return [];
            case AddVethPair o:
                using (var peer = new GatewayHandle(o.PeerGateway))
                {
                    return (gateway.FindLink(o.Interface), peer.FindLink(o.PeerInterface)) switch
                    {
                        ({ Kind: "veth" }, { Kind: "veth" }) => [],
                        (null, null) => [new DeleteVethPair(o.Gateway, o.Interface, o.PeerGateway, o.PeerInterface)],
                        ({ }, _) => throw new ChangeException(ChangeFault.Foreign, $"gateway {o.Gateway}: there is an interface {o.Interface} already"),
                        _ => throw new ChangeException(ChangeFault.Foreign, $"gateway {o.PeerGateway}: there is an interface {o.PeerInterface} already"),
                    };
                }

            case DeleteVethPair o:
                return gateway.FindLink(o.Interface) switch
                {
                    null => [],
                    { Kind: "veth" } => Rebuild(o, gateway),
                    _ => throw new ChangeException(ChangeFault.Foreign, $"gateway {o.Gateway}: {o.Interface} is no veth interface"),
                };
            case SetLinkState o:
                var link = gateway.Link(o.Interface);
                return link.IsUp == o.Up ? [] : o.Up
                    ? [new SetLinkState(o.Gateway, o.Interface, false)]
                    : [new SetLinkState(o.Gateway, o.Interface, true), .. Lost(gateway, link, o.Interface)];
            case AddAddress o:
                return HasAddress(gateway, o.Interface, o.Address) ? [] : [new RemoveAddress(o.Gateway, o.Interface, o.Address)];
            case RemoveAddress o:
                // With the last address of a family the kernel drops the family's routes of the interface, with any address those that prefer it.
                return HasAddress(gateway, o.Interface, o.Address)
                    ? [new AddAddress(o.Gateway, o.Interface, o.Address), .. OwnRoutes(gateway, gateway.Link(o.Interface), o.Interface)]
                    : [];
            case ReplaceRoute o:
                return InverseOfReplace(o, gateway);
            case RemoveRoute o:
                return FindRoute(gateway, o.Route, exact: true) is { } present ? [new ReplaceRoute(o.Gateway, present)] : [];
            case AddRule o:
                return gateway.Rules.Any(r => Matches(r, o.Priority, o.Source, o.Table)) ? [] : [new RemoveRule(o.Gateway, o.Priority, o.Source, o.Table)];
            case RemoveRule o:
                return gateway.Rules.Any(r => Matches(r, o.Priority, o.Source, o.Table)) ? [new AddRule(o.Gateway, o.Priority, o.Source, o.Table)] : [];
            case SetShaper o:
                return Shaper(gateway, o.Interface) is { } before ? (before with { Delay = o.Delay }) == o ? [] : [before] : [new RemoveShaper(o.Gateway, o.Interface)];
            case RemoveShaper o:
                return Shaper(gateway, o.Interface) is { } shaper ? [shaper] : [];
            case AddEndpoint o:
                return InverseOfEndpoint(o, gateway);
            case RemoveEndpoint o:
                return gateway.Endpoints.FirstOrDefault(e => e.Id == o.Id && e.Address.Equals(o.Address)) is { } endpoint ? [Describe(endpoint, gateway)] : [];
            case SetEndpointFlags o:
                var flags = FindEndpoint(o, gateway).Flags;
                var flagged = o with { Backup = flags.HasFlag(MptcpEndpointFlags.Backup), Fullmesh = flags.HasFlag(MptcpEndpointFlags.Fullmesh) };
                return flagged == o ? [] : [flagged];
            case SetMptcpLimits o:
                var limits = gateway.Limits;
                return limits is null || (limits.Subflows == o.Subflows && limits.AddAddrAccepted == o.AddAddrAccepted)
                    ? []
                    : [new SetMptcpLimits(o.Gateway, limits.Subflows, limits.AddAddrAccepted)];
            case WriteSysctl o:
                var value = gateway.ReadSysctl(o.Key);
                return value == string.Join(' ', o.Value.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)) ? [] : [o with { Value = value }];
            default:
                throw new ChangeException(ChangeFault.NotAvailable, $"the operation {operation.GetType().Name} is not known");
        }
    }

    public static void RequireNotForeign(GatewayName gateway, string marker)
    {
        if (NamespaceFiles.StateOf(gateway, marker) == NamespaceState.Foreign)
        {
            throw new ChangeException(ChangeFault.Foreign, $"gateway {gateway}: a network namespace of this name exists that MPSec did not make; it is left alone. Choose another name, or remove it with: ip netns del {gateway}");
        }
    }

    public static bool Matches(RuleReading rule, uint priority, IpPrefix source, uint table) =>
        rule.Priority == priority && rule.Table == table && rule.Action == "lookup" && (rule.Source ?? Any(rule.IsIPv6)) == source.Network && rule.Destination is null;

    public static bool IsSame(MptcpEndpoint endpoint, AddEndpoint wanted, int? interfaceIndex) =>
        endpoint.Id == wanted.Id && endpoint.Address.Equals(wanted.Address) && endpoint.Flags == wanted.Flags && endpoint.Port == wanted.Port && endpoint.InterfaceIndex == interfaceIndex;

    /// <exception cref="ChangeException">The id belongs to no endpoint, or to another address by now.</exception>
    public static MptcpEndpoint FindEndpoint(SetEndpointFlags wanted, GatewayHandle gateway) =>
        gateway.Endpoints.FirstOrDefault(e => e.Id == wanted.Id && e.Address.Equals(wanted.Address))
            ?? throw new ChangeException(ChangeFault.NotFound, $"gateway {wanted.Gateway}: there is no MPTCP endpoint {wanted.Id} with the address {wanted.Address}");

    /// <summary>What the kernel forgets when the interface goes down: global IPv6 addresses (unless keep_addr_on_down) and routes by it that it did not make itself.</summary>
    private static IEnumerable<HostOperation> Lost(GatewayHandle gateway, LinkReading link, InterfaceName name) =>
    [
        .. gateway.Addresses
            .Where(a => a.InterfaceIndex == link.Index && a.Prefix.Address.AddressFamily == AddressFamily.InterNetworkV6 && a.Scope != ScopeLink && (a.Flags & Permanent) != 0)
            .Select(a => new AddAddress(gateway.Name, name, a.Prefix)),
        .. OwnRoutes(gateway, link, name),
    ];

    // Routes on the link first: a next hop must be reachable when the route by it is set.
    private static IEnumerable<HostOperation> OwnRoutes(GatewayHandle gateway, LinkReading link, InterfaceName name) =>
        gateway.Routes
            .Where(r => r.InterfaceIndex == link.Index && r.Protocol is not (ProtocolKernel or ProtocolRouterAdvertisement) && r.Kind == "unicast")
            .OrderBy(r => r.Gateway is not null)
            .Select(r => new ReplaceRoute(gateway.Name, Describe(r, name)));

    private static bool HasAddress(GatewayHandle gateway, InterfaceName name, IpPrefix prefix)
    {
        var index = gateway.Link(name).Index;
        return gateway.Addresses.Any(a => a.InterfaceIndex == index && a.Prefix == prefix);
    }

    private static IReadOnlyList<HostOperation> InverseOfReplace(ReplaceRoute o, GatewayHandle gateway)
    {
        if (FindRoute(gateway, o.Route, exact: true) is not null)
        {
            return [];
        }

        return FindRoute(gateway, o.Route, exact: false) is { } replaced ? [new ReplaceRoute(o.Gateway, replaced)] : [new RemoveRoute(o.Gateway, o.Route)];
    }

    private static RouteSpec? FindRoute(GatewayHandle gateway, RouteSpec wanted, bool exact)
    {
        var links = gateway.Links;
        foreach (var route in gateway.Routes)
        {
            if (route.Destination != wanted.Destination || route.Table != wanted.Table || route.Metric != EffectiveMetric(wanted) || KindOf(route) is null)
            {
                continue;
            }

            var device = links.FirstOrDefault(l => l.Index == route.InterfaceIndex)?.Name;
            InterfaceName? name = device is not null && InterfaceName.TryParse(device, out var parsed, out _) && KindOf(route) == RouteKind.Unicast ? parsed : null;
            var found = Describe(route, name);
            if (!exact || (found.Kind == wanted.Kind && found.Interface == wanted.Interface && Equals(found.NextHop, wanted.NextHop) && Equals(found.Source, wanted.Source)))
            {
                return found;
            }
        }

        return null;
    }

    private static uint EffectiveMetric(RouteSpec route) => route is { IsIPv6: true, Metric: 0 } ? 1024 : route.Metric;

    private static RouteKind? KindOf(RouteReading route) => Enum.TryParse<RouteKind>(route.Kind, ignoreCase: true, out var kind) ? kind : null;

    private static RouteSpec Describe(RouteReading route, InterfaceName? name) => new()
    {
        Destination = route.Destination,
        Table = route.Table,
        Kind = KindOf(route) ?? RouteKind.Unicast,
        Interface = name,
        NextHop = route.Gateway,
        Source = route.PreferredSource,
        Metric = route.Metric,
        Protocol = route.Protocol,
        Scope = route.Scope,
    };

    private static SetShaper? Shaper(GatewayHandle gateway, InterfaceName name)
    {
        var root = gateway.ReadRootQdisc(gateway.Link(name).Index);
        return root switch
        {
            null or { Handle: 0 } => null,
            { Kind: "tbf" } => new(gateway.Name, name, root.RateBitsPerSecond, root.BurstBytes, root.LimitBytes),
            _ => throw new ChangeException(ChangeFault.Foreign, $"gateway {gateway.Name}: {name} has the queueing discipline {root.Kind}, which MPSec did not set; it is left alone"),
        };
    }

    private static IReadOnlyList<HostOperation> InverseOfEndpoint(AddEndpoint o, GatewayHandle gateway)
    {
        int? index = o.Interface is { } device ? gateway.Link(device).Index : null;
        var before = gateway.Endpoints.Where(e => e.Id == o.Id || e.Address.Equals(o.Address)).ToList();
        if (before.Count == 1 && IsSame(before[0], o, index))
        {
            return [];
        }

        return [new RemoveEndpoint(o.Gateway, o.Id, o.Address), .. before.Where(e => (e.Flags & MptcpEndpointFlags.Implicit) == 0).Select(e => Describe(e, gateway))];
    }

    private static AddEndpoint Describe(MptcpEndpoint endpoint, GatewayHandle gateway)
    {
        InterfaceName? name = endpoint.InterfaceIndex is { } index && gateway.Links.FirstOrDefault(l => l.Index == index) is { } link ? InterfaceName.Parse(link.Name) : null;
        return new(gateway.Name, endpoint.Id, endpoint.Address, endpoint.Flags, name, endpoint.Port);
    }

    private static List<HostOperation> Rebuild(DeleteVethPair o, GatewayHandle gateway)
    {
        using var peer = new GatewayHandle(o.PeerGateway);
        var operations = new List<HostOperation> { new AddVethPair(o.Gateway, o.Interface, o.PeerGateway, o.PeerInterface) };
        var ends = new[] { (Handle: gateway, Name: o.Interface), (Handle: peer, Name: o.PeerInterface) };
        foreach (var (handle, name) in ends)
        {
            var link = handle.Link(name);
            operations.AddRange(handle.Addresses
                .Where(a => a.InterfaceIndex == link.Index && (a.Flags & Permanent) != 0 && a.Scope != ScopeLink)
                .Select(a => new AddAddress(handle.Name, name, a.Prefix)));
            if (Shaper(handle, name) is { } shaper)
            {
                operations.Add(shaper);
            }

            if (link.IsUp)
            {
                operations.Add(new SetLinkState(handle.Name, name, true));
            }
        }

        foreach (var (handle, name) in ends)
        {
            operations.AddRange(OwnRoutes(handle, handle.Link(name), name));
        }

        return operations;
    }

    private static IpPrefix Any(bool isIPv6) => isIPv6 ? new(IPAddress.IPv6Any, 0) : new(IPAddress.Any, 0);
}
