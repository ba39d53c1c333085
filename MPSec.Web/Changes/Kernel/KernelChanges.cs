using System.Runtime.InteropServices;
using MPSec.Linux;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;

namespace MPSec.Changes.Kernel;

/// <summary>Applies operations by netlink and by files of <c>/proc/sys</c> inside the gateway's namespace. Never starts a program.</summary>
internal static class KernelChanges
{
    private const int Enoent = 2;
    private const int Esrch = 3;
    private const int Eexist = 17;
    private const int Einval = 22;
    private const int Enodev = 19;
    private const int Eaddrnotavail = 99;

    public static void Apply(HostOperation operation, GatewayHandle gateway, Func<GatewayName, GatewayHandle> at)
    {
        switch (operation)
        {
            case CreateNamespace o:
                if (NamespaceFiles.StateOf(o.Gateway, o.Marker) != NamespaceState.Ours)
                {
                    NamespaceFiles.Create(o.Gateway, o.Marker);
                }

                break;
            case DeleteNamespace o:
                KernelInverse.RequireNotForeign(o.Gateway, o.Marker);
                if (NamespaceFiles.StateOf(o.Gateway, o.Marker) != NamespaceState.Absent)
                {
                    NamespaceFiles.Delete(o.Gateway);
                }

                break;
            case AddVethPair o:
                AddVeth(o, gateway, at(o.PeerGateway));
                break;
            case DeleteVethPair o:
                Change(gateway, LinkMessages.DeleteLink, 0, w => LinkMessages.Link(w, o.Interface), $"interface {o.Interface} cannot be deleted", Enodev);
                break;
            case SetLinkState o:
                var link = gateway.Link(o.Interface);
                Change(gateway, LinkMessages.NewLink, 0, w => LinkMessages.Link(w, link.Index, o.Up), $"interface {o.Interface} cannot be set {(o.Up ? "up" : "down")}");
                break;
            case SetMtu o:
                var sized = gateway.Link(o.Interface);
                Change(gateway, LinkMessages.NewLink, 0, w => LinkMessages.Mtu(w, sized.Index, o.Mtu), $"interface {o.Interface} cannot get the MTU {o.Mtu}");
                break;
            case BlockInterface o:
                InterfaceFilter.Apply(o, gateway);
                break;
            case AddAddress o:
                var given = gateway.Link(o.Interface);
                Change(gateway, RouteMessages.NewAddress, NetlinkWriter.Create | NetlinkWriter.Exclusive, w => RouteMessages.Address(w, given.Index, o.Address, o.Options), $"address {o.Address} of {o.Interface} cannot be added", Eexist);
                break;
            case RemoveAddress o:
                if (KernelInverse.FindAddress(gateway, o.Interface, o.Address) is { } held)
                {
                    // A point-to-point address is only found together with its other end.
                    Change(gateway, RouteMessages.DeleteAddress, 0, w => RouteMessages.Address(w, held.Reading.InterfaceIndex, o.Address, new() { Peer = held.Options.Peer }), $"address {o.Address} of {o.Interface} cannot be removed", Eaddrnotavail);
                }

                break;
            case ReplaceRoute o:
                SetRoute(gateway, o.Route);
                break;
            case RemoveRoute o:
                var index = o.Route.Interface is { } device ? gateway.FindLink(device)?.Index : null;
                if (o.Route.Interface is null || index is not null)
                {
                    Change(gateway, RouteMessages.DeleteRoute, 0, w => RouteMessages.Route(w, o.Route, index, delete: true), $"route {o.Route.Destination} cannot be removed", Esrch);
                }

                break;
            case AddRule o:
                Change(gateway, RouteMessages.NewRule, NetlinkWriter.Create | NetlinkWriter.Exclusive, w => RouteMessages.Rule(w, o.Priority, o.Source, o.Table), $"rule {o.Priority} cannot be added", Eexist);
                break;
            case RemoveRule o:
                Change(gateway, RouteMessages.DeleteRule, 0, w => RouteMessages.Rule(w, o.Priority, o.Source, o.Table), $"rule {o.Priority} cannot be removed", Enoent);
                break;
            case SetShaper o:
                Shape(gateway, o);
                break;
            case RemoveShaper o:
                var shaped = gateway.Link(o.Interface);
                Change(gateway, LinkMessages.DeleteQdisc, 0, w => LinkMessages.RootQdisc(w, shaped.Index), $"the shaper of {o.Interface} cannot be removed", Enoent, Einval);
                break;
            case AddEndpoint o:
                SetEndpoint(gateway, o);
                break;
            case RemoveEndpoint o:
                if (gateway.Endpoints.Any(e => e.Id == o.Id && e.Address.Equals(o.Address)))
                {
                    PathManager(gateway, w => EndpointMessages.Remove(w, o.Id, o.Address), $"MPTCP endpoint {o.Id} cannot be removed", Einval);
                }

                break;
            case SetEndpointFlags o:
                _ = KernelInverse.FindEndpoint(o, gateway);
                PathManager(gateway, w => EndpointMessages.Flags(w, o.Id, (o.Backup ? MptcpEndpointFlags.Backup : 0) | (o.Fullmesh ? MptcpEndpointFlags.Fullmesh : 0)),
                    $"the flags of MPTCP endpoint {o.Id} cannot be changed");
                break;
            case SetMptcpLimits o:
                PathManager(gateway, w => EndpointMessages.Limits(w, o.Subflows, o.AddAddrAccepted), "the MPTCP limits cannot be set");
                break;
            case WriteSysctl o:
                SettingFiles.Write(o.Gateway, o.Key, o.Value);
                break;
            default:
                throw new ChangeException(ChangeFault.NotAvailable, $"the operation {operation.GetType().Name} is not known");
        }
    }

    private static void AddVeth(AddVethPair o, GatewayHandle gateway, GatewayHandle peer)
    {
        if (gateway.FindLink(o.Interface) is { Kind: "veth" } && peer.FindLink(o.PeerInterface) is { Kind: "veth" })
        {
            return;
        }

        var file = o.PeerGateway.IsHost ? "/proc/self/ns/net" : Path.Combine(NamespaceThread.Folder, o.PeerGateway.Value);
        var fd = LibC.Open(file, LibC.OReadOnly | LibC.OCloexec);
        if (fd < 0)
        {
            throw new NamespaceException(o.PeerGateway, Marshal.GetLastPInvokeError());
        }

        try
        {
            Change(gateway, LinkMessages.NewLink, NetlinkWriter.Create | NetlinkWriter.Exclusive, w => LinkMessages.Veth(w, o.Interface, o.PeerInterface, fd),
                $"the interfaces {o.Interface} and {o.PeerInterface} cannot be made");
        }
        finally
        {
            _ = LibC.Close(fd);
        }
    }

    private static void SetRoute(GatewayHandle gateway, RouteSpec route)
    {
        int? index = route.Interface is { } device ? gateway.Link(device).Index : null;
        var indices = (route.Options?.Hops ?? []).Select(h => h.Interface).Distinct().ToDictionary(name => name, name => gateway.Link(name).Index);
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                // IPv4 replaces the first route of the same destination, table and metric; IPv6 does too when destination and metric agree.
                Change(gateway, RouteMessages.NewRoute, NetlinkWriter.Create | NetlinkWriter.Replace, w => RouteMessages.Route(w, route, index, delete: false, name => indices[name]),
                    $"route {route.Destination} in table {route.Table} cannot be set");
                return;
            }
            catch (NetlinkException e) when (e.Errno == Einval && route is { IsIPv6: true, Source: not null } && attempt < 30)
            {
                // An IPv6 source may only be named once duplicate address detection is through with it: 1 to 2 s after the interface came up.
                Thread.CurrentThread.Join(100);
            }
        }
    }

    private static void Shape(GatewayHandle gateway, SetShaper o)
    {
        var link = gateway.Link(o.Interface);
        Change(gateway, LinkMessages.NewQdisc, NetlinkWriter.Create | NetlinkWriter.Replace, w => LinkMessages.TokenBucket(w, link.Index, o), $"interface {o.Interface} cannot be shaped (tbf)");
        if (o.Delay > TimeSpan.Zero)
        {
            Change(gateway, LinkMessages.NewQdisc, NetlinkWriter.Create | NetlinkWriter.Replace, w => LinkMessages.Delay(w, link.Index, o), $"interface {o.Interface} cannot be delayed (netem)");
        }
    }

    private static void SetEndpoint(GatewayHandle gateway, AddEndpoint o)
    {
        int? index = o.Interface is { } device ? gateway.Link(device).Index : null;
        foreach (var other in gateway.Endpoints.Where(e => e.Address.Equals(o.Address) || e.Id == o.Id))
        {
            if (KernelInverse.IsSame(other, o, index))
            {
                return;
            }

            PathManager(gateway, w => EndpointMessages.Remove(w, other.Id, other.Address), $"MPTCP endpoint {other.Id} cannot be replaced", Einval);
        }

        PathManager(gateway, w => EndpointMessages.Add(w, o, index), $"MPTCP endpoint {o.Address} cannot be added");
        gateway.Forget(Held.Endpoints);
        if (!gateway.Endpoints.Any(e => KernelInverse.IsSame(e, o, index)))
        {
            // Newer kernels ignore flags that they do not know instead of refusing them.
            PathManager(gateway, w => EndpointMessages.Remove(w, o.Id, o.Address), $"MPTCP endpoint {o.Address} cannot be removed again", Einval);
            throw new ChangeException(ChangeFault.NotAvailable, $"gateway {gateway.Name}: this kernel does not accept the flags {o.Flags} of MPTCP endpoint {o.Address}");
        }
    }

    private static void Change(GatewayHandle gateway, ushort type, int flags, Action<NetlinkWriter> encode, string what, params ReadOnlySpan<int> tolerated)
    {
        encode(gateway.Route.Begin(type, (ushort)(NetlinkWriter.Ack | flags)));
        Execute(gateway.Route, what, tolerated);
    }

    private static void PathManager(GatewayHandle gateway, Action<NetlinkWriter> encode, string what, params ReadOnlySpan<int> tolerated)
    {
        var family = gateway.PathManager;
        encode(gateway.Generic.Begin(family, NetlinkWriter.Ack));
        Execute(gateway.Generic, what, tolerated);
    }

    private static void Execute(NetlinkConversation conversation, string what, ReadOnlySpan<int> tolerated)
    {
        try
        {
            conversation.Execute(what);
        }
        catch (NetlinkException e) when (Contains(tolerated, e.Errno))
        {
            // The state asked for is there already.
        }
    }

    private static bool Contains(ReadOnlySpan<int> list, int errno)
    {
        foreach (var one in list)
        {
            if (one == errno)
            {
                return true;
            }
        }

        return false;
    }
}
