using System.Net;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Changes.Kernel;

/// <summary>Computes what undoes an operation from the kernel's state before it. Reads only.</summary>
internal static class KernelInverse
{
    private const uint UsualMtu = 1500; // of a veth interface that was just made

    public static IReadOnlyList<HostOperation> Of(HostOperation operation, GatewayHandle gateway, Func<GatewayName, GatewayHandle> at)
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
                return (gateway.FindLink(o.Interface), at(o.PeerGateway).FindLink(o.PeerInterface)) switch
                {
                    ({ Kind: "veth" }, { Kind: "veth" }) => [],
                    (null, null) => [new DeleteVethPair(o.Gateway, o.Interface, o.PeerGateway, o.PeerInterface)],
                    ({ }, _) => throw new ChangeException(ChangeFault.Foreign, $"gateway {o.Gateway}: there is an interface {o.Interface} already"),
                    _ => throw new ChangeException(ChangeFault.Foreign, $"gateway {o.PeerGateway}: there is an interface {o.PeerInterface} already"),
                };
            case DeleteVethPair o:
                return gateway.FindLink(o.Interface) switch
                {
                    null => [],
                    { Kind: "veth" } => Rebuild(o, gateway, at(o.PeerGateway)),
                    _ => throw new ChangeException(ChangeFault.Foreign, $"gateway {o.Gateway}: {o.Interface} is no veth interface"),
                };
            case SetLinkState o:
                var link = gateway.Link(o.Interface);
                return link.IsUp == o.Up ? [] : o.Up
                    ? [new SetLinkState(o.Gateway, o.Interface, false)]
                    : [new SetLinkState(o.Gateway, o.Interface, true), .. KernelLosses.ByLinkDown(gateway, link, o.Interface)];
            case SetMtu o:
                var sized = gateway.Link(o.Interface);
                return sized.Mtu == o.Mtu ? [] : [o with { Mtu = sized.Mtu }, .. KernelLosses.ByMtu(gateway, sized, o.Interface, o.Mtu)];
            case BlockInterface o:
                return InverseOfBlock(o, gateway);
            case AddAddress o:
                return FindAddress(gateway, o.Interface, o.Address) is not null ? [] : [new RemoveAddress(o.Gateway, o.Interface, o.Address)];
            case RemoveAddress o:
                return FindAddress(gateway, o.Interface, o.Address) is { } held ? [.. KernelLosses.ByAddress(gateway, gateway.Link(o.Interface), o.Interface, held)] : [];
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
                var value = SettingFiles.Read(o.Gateway, o.Key);
                return value == SettingFiles.Normal(o.Value) ? [] : [o with { Value = value }, .. KernelLosses.BySetting(gateway, o, value)];
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

    public static HeldAddress? FindAddress(GatewayHandle gateway, InterfaceName name, IpPrefix prefix)
    {
        var index = gateway.Link(name).Index;
        return gateway.HeldAddresses.FirstOrDefault(a => a.Reading.InterfaceIndex == index && a.Reading.Prefix == prefix);
    }

    private static IReadOnlyList<HostOperation> InverseOfBlock(BlockInterface o, GatewayHandle gateway)
    {
        if (o.Blocked)
        {
            _ = gateway.Link(o.Interface); // a name mistyped would block nothing, for ever
        }

        var chains = gateway.Blocks.Where(r => r.Interface == o.Interface.Value).Select(r => r.Chain).Distinct().Count();
        return chains == (o.Blocked ? BlockInterface.Chains.Length : 0) ? [] : [o with { Blocked = !o.Blocked }];
    }

    private static IReadOnlyList<HostOperation> InverseOfReplace(ReplaceRoute o, GatewayHandle gateway)
    {
        if (FindRoute(gateway, o.Route, exact: true) is not null)
        {
            return [];
        }

        // A route that belongs to an address is not wanted without it.
        if (o.Route is { Options.IsImplied: true, Interface: { } device } && gateway.Link(device) is var link && !(link.IsUp && KernelLosses.IsImplied(gateway, link.Index, o.Route.Destination, o.Route.Metric)))
        {
            return [];
        }

        return FindRoute(gateway, o.Route, exact: false) is { } replaced ? [new ReplaceRoute(o.Gateway, replaced)] : [new RemoveRoute(o.Gateway, o.Route)];
    }

    private static RouteSpec? FindRoute(GatewayHandle gateway, RouteSpec wanted, bool exact)
    {
        foreach (var route in gateway.RoutesOf(wanted.Destination, wanted.Table, wanted.EffectiveMetric))
        {
            if (route.Kind is null || route.Options.TypeOfService != (wanted.Options?.TypeOfService ?? 0))
            {
                continue;
            }

            if (!exact)
            {
                return KernelLosses.Describe(gateway, route);
            }

            if (!route.IsEncapsulated && KernelLosses.Describe(gateway, route) is var found
                && found.Kind == wanted.Kind && found.Interface == wanted.Interface && Equals(found.NextHop, wanted.NextHop) && Equals(found.Source, wanted.Source)
                && (wanted.Options is null ? found.Options?.Hops is null : wanted.Options.Equals(found.Options) && found.Protocol == wanted.Protocol && found.Scope == wanted.EffectiveScope))
            {
                return found;
            }
        }

        return null;
    }

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

    private static AddEndpoint Describe(MptcpEndpoint endpoint, GatewayHandle gateway) =>
        new(gateway.Name, endpoint.Id, endpoint.Address, endpoint.Flags, gateway.NameOf(endpoint.InterfaceIndex), endpoint.Port);

    private static List<HostOperation> Rebuild(DeleteVethPair o, GatewayHandle gateway, GatewayHandle peer)
    {
        var operations = new List<HostOperation> { new AddVethPair(o.Gateway, o.Interface, o.PeerGateway, o.PeerInterface) };
        var ends = new[] { (Handle: gateway, Name: o.Interface), (Handle: peer, Name: o.PeerInterface) };
        foreach (var (handle, name) in ends)
        {
            var link = handle.Link(name);
            if (link.Mtu != UsualMtu)
            {
                operations.Add(new SetMtu(handle.Name, name, link.Mtu));
            }

            operations.AddRange(handle.HeldAddresses
                .Where(a => a.Reading.InterfaceIndex == link.Index && a.IsPermanent && !KernelLosses.IsMadeByKernel(handle, a))
                .Select(a => a.Again(handle.Name, name)));
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
            var index = handle.Link(name).Index;
            operations.AddRange(KernelLosses.Routes(handle, r => r.LeavesBy(index)));
        }

        return operations;
    }

    private static IpPrefix Any(bool isIPv6) => isIPv6 ? new(IPAddress.IPv6Any, 0) : new(IPAddress.Any, 0);
}
