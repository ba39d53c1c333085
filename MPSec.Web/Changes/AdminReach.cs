using System.Collections.Immutable;
using System.Net;
using MPSec.Changes.Kernel;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;

namespace MPSec.Changes;

/// <summary>The way by which a person's browser reaches this machine.</summary>
/// <param name="Client">Address of the browser as this machine sees it; null when unknown.</param>
/// <param name="Server">Own address that it speaks to; null when unknown, as behind a reverse proxy on this machine.</param>
/// <param name="Devices">Interfaces of this machine that its packets come and go by.</param>
/// <param name="IsHidden">It comes from this machine itself: a browser here, or a tunnel such as <c>ssh -L</c> whose own way cannot be seen.</param>
/// <param name="CrossesNamespaces">One of the interfaces leads into another network namespace of this machine, or may.</param>
public sealed record AdminWay(IPAddress? Client, IPAddress? Server, ImmutableArray<string> Devices, bool IsHidden, bool CrossesNamespaces)
{
    /// <summary>Nothing is known: a change may always cut such a browser off.</summary>
    public static AdminWay Unknown { get; } = new(null, null, [], true, false);
}

/// <summary>
/// Tells whether a plan may cut off the browser that asks for it. In doubt it may. An error here is no harm: every change made on a page is undone unless
/// a new connection from that browser gets through.
/// </summary>
public static class AdminReach
{
    private static readonly string[] s_inner = ["veth", "bridge", "macvlan", "ipvlan", "macvtap"];

    /// <summary>Asks the kernel by which interfaces packets to a browser leave and those from it come in.</summary>
    /// <param name="server">Address of this end of its connection.</param>
    /// <param name="client">Address of the other end, or what a trusted proxy says of it.</param>
    public static AdminWay Find(IPAddress? server, IPAddress? client)
    {
        (client, server) = (Plain(client), Plain(server));
        if (client is null || IPAddress.IsLoopback(client))
        {
            return AdminWay.Unknown with { Client = client, Server = server };
        }

        var own = server is null || IPAddress.IsLoopback(server) || server.AddressFamily != client.AddressFamily ? null : server;
        try
        {
            using var gateway = new GatewayHandle(GatewayName.Host);
            var (links, addresses) = (gateway.Links, gateway.Addresses);
            using var query = RouteQuery.Open(GatewayName.Host);
            var answer = query.Ask(own ?? (client.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any), client);
            int?[] indices = [answer.InterfaceIndex, addresses.FirstOrDefault(a => own is not null && a.Prefix.Address.Equals(own))?.InterfaceIndex];
            var devices = links.Where(l => indices.Contains(l.Index)).ToList();
            var hidden = devices.Count == 0 || devices.Exists(l => l.IsLoopback);
            return new(client, own, [.. devices.Select(l => l.Name)], hidden, devices.Exists(l => s_inner.Contains(l.Kind)));
        }
        catch (Exception e) when (e is IOException or NetlinkFormatException)
        {
            return AdminWay.Unknown with { Client = client, Server = own };
        }
    }

    /// <summary>Whether the plan may cut off a browser that comes by <paramref name="way"/>.</summary>
    public static bool MayCutOff(ChangePlan plan, AdminWay way)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(way);
        return plan.Operations.Any(o => o.Gateways.Contains(GatewayName.Host) ? TouchesHost(o, way) : way.CrossesNamespaces && MovesPackets(o));
    }

    /// <summary>
    /// The address by which the machine answers afterwards in place of the one that the browser speaks to, when the plan replaces that one by others; null when
    /// it stays, or nothing takes its place.
    /// </summary>
    public static IPAddress? NewServer(ChangePlan plan, AdminWay way)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(way);
        var removed = plan.Operations.OfType<RemoveAddress>().Any(o => o.Gateway.IsHost && o.Address.Address.Equals(way.Server));
        var added = plan.Operations.OfType<AddAddress>().Where(o => o.Gateway.IsHost && o.Address.Address.AddressFamily == way.Server?.AddressFamily).ToList();
        return removed && !added.Exists(o => o.Address.Address.Equals(way.Server))
            ? (added.Find(o => way.Devices.Contains(o.Interface.Value)) ?? added.FirstOrDefault())?.Address.Address : null;
    }

    private static bool TouchesHost(HostOperation operation, AdminWay way)
    {
        return operation switch
        {
            CreateNamespace or DeleteNamespace or AddVethPair => false,
            WriteSysctl o => Touches(o, way),
            _ when !MovesPackets(operation) => false,
            SetLinkState { Up: true } => false,
            SetLinkState { Interface.Value: "lo" } => true,
            _ when way.IsHidden => true,
            SetLinkState o => IsOn(o.Interface),
            SetShaper o => IsOn(o.Interface),
            RemoveShaper o => IsOn(o.Interface),
            DeleteVethPair o => IsOn(o.Interface) || IsOn(o.PeerInterface),
            AddAddress o => o.Address.Contains(way.Client!) || o.Address.Address.Equals(way.Server),
            RemoveAddress o => IsOn(o.Interface) || o.Address.Address.Equals(way.Server), // the kernel may drop secondary addresses with the primary one
            ReplaceRoute o => o.Route.Destination.Contains(way.Client!),
            RemoveRoute o => o.Route.Destination.Contains(way.Client!),
            AddRule o => way.Server is null || o.Source.Contains(way.Server),
            RemoveRule o => way.Server is null || o.Source.Contains(way.Server),
            _ => true,
        };

        bool IsOn(InterfaceName name) => way.Devices.Contains(name.Value);
    }

    // What MPTCP does leaves the page alone: it is served over plain TCP.
    private static bool MovesPackets(HostOperation operation) => operation is not (AddEndpoint or RemoveEndpoint or SetEndpointFlags or SetMptcpLimits);

    private static bool Touches(WriteSysctl write, AdminWay way) => write.Key.Value.Split('.', '/') switch
    {
        ["net", "mptcp", ..] => false,
        ["net", "ipv4", "conf", _, "rp_filter"] when write.Value is "0" or "2" => false,
        ["net", "ipv4" or "ipv6", "conf" or "neigh", "default", ..] => false,
        ["net", "ipv4" or "ipv6", "conf" or "neigh", var device, ..] => device == "all" || way.IsHidden || way.Devices.Any(d => d.Split('.')[0] == device),
        ["net", "ipv4", "tcp_mem" or "tcp_rmem" or "tcp_wmem"] => true,
        ["net", "ipv4", var name] when name.StartsWith("tcp_", StringComparison.Ordinal) => false,
        _ => true,
    };

    private static IPAddress? Plain(IPAddress? address) => address is { IsIPv4MappedToIPv6: true } ? address.MapToIPv4() : address;
}
