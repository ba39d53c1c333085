// Requests of NETLINK_ROUTE: include/uapi/linux/rtnetlink.h (rtmsg), if_addr.h (ifaddrmsg), fib_rules.h (fib_rule_hdr). The caller has begun the message.
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;

namespace MPSec.Changes.Kernel;

/// <summary>Encodes changes of addresses, routes and rules.</summary>
internal static class RouteMessages
{
    public const ushort NewAddress = 20;
    public const ushort DeleteAddress = 21;
    public const ushort GetAddress = 22;
    public const ushort NewRoute = 24;
    public const ushort DeleteRoute = 25;
    public const ushort GetRoute = 26;
    public const ushort NewRule = 32;
    public const ushort DeleteRule = 33;

    /// <summary>RTNH_F_ONLINK.</summary>
    public const uint OnLink = 4;

    private const byte ActionToTable = 1;

    /// <summary>RTM_NEWADDR and RTM_DELADDR.</summary>
    public static NetlinkWriter Address(NetlinkWriter writer, int interfaceIndex, IpPrefix prefix, AddressOptions? options = null)
    {
        Span<byte> header = stackalloc byte[8];
        header.Clear();
        header[0] = Family(prefix.Address);
        header[1] = (byte)prefix.Length;
        header[3] = options?.Scope ?? 0;
        MemoryMarshal.Write(header[4..], interfaceIndex);
        writer.Raw(header).Attribute(2, Bytes(prefix.Address)).Attribute(1, Bytes(options?.Peer ?? prefix.Address));
        if (options is null)
        {
            return writer;
        }

        if (options.Broadcast is { } broadcast)
        {
            writer.Attribute(4, Bytes(broadcast));
        }

        if (options.Label is { } label)
        {
            writer.Attribute(3, label);
        }

        if (options.Flags != 0)
        {
            writer.Attribute(8, options.Flags);
        }

        if (options.Metric != 0)
        {
            writer.Attribute(9, options.Metric);
        }

        if (options.ValidSeconds is not null || options.PreferredSeconds is not null)
        {
            Span<uint> lifetimes = [options.PreferredSeconds ?? uint.MaxValue, options.ValidSeconds ?? uint.MaxValue, 0, 0]; // struct ifa_cacheinfo
            writer.Attribute(6, MemoryMarshal.AsBytes(lifetimes));
        }

        return writer;
    }

    /// <summary>RTM_NEWROUTE and RTM_DELROUTE.</summary>
    /// <param name="writer">The message, begun.</param>
    /// <param name="route">The route.</param>
    /// <param name="interfaceIndex">Index of its interface; null when it has none.</param>
    /// <param name="delete">RTM_DELROUTE.</param>
    /// <param name="indexOf">Index of an interface, for routes of several next hops.</param>
    public static NetlinkWriter Route(NetlinkWriter writer, RouteSpec route, int? interfaceIndex, bool delete, Func<InterfaceName, int>? indexOf = null)
    {
        Span<byte> header = stackalloc byte[12];
        header.Clear();
        header[0] = Family(route.Destination.Address);
        header[1] = (byte)route.Destination.Length;
        header[3] = route.Options?.TypeOfService ?? 0;
        header[4] = route.Table < 256 ? (byte)route.Table : (byte)0;
        header[5] = delete ? (byte)0 : route.Protocol;
        header[6] = delete && route.Scope is null ? (byte)255 : route.EffectiveScope; // RT_SCOPE_NOWHERE matches any when deleting
        header[7] = (byte)route.Kind;
        MemoryMarshal.Write(header[8..], route.Options is { IsOnLink: true } ? OnLink : 0u);
        writer.Raw(header).Attribute(15, route.Table);
        if (route.Destination.Length > 0)
        {
            writer.Attribute(1, Bytes(route.Destination.Address));
        }

        if (route.NextHop is { } hop)
        {
            Hop(writer, hop, route.Destination.Address);
        }

        if (interfaceIndex is { } index)
        {
            writer.Attribute(4, index);
        }

        if (route.Source is { } source)
        {
            writer.Attribute(7, Bytes(source));
        }

        if (route.Metric != 0)
        {
            writer.Attribute(6, route.Metric);
        }

        // Several next hops are deleted by what they have in common, as ip-route(8) does.
        return delete || route.Options is not { } options ? writer : Options(writer, route, options, indexOf);
    }

    /// <summary>RTM_NEWRULE and RTM_DELRULE: from a source prefix to a table.</summary>
    public static NetlinkWriter Rule(NetlinkWriter writer, uint priority, IpPrefix source, uint table)
    {
        Span<byte> header = stackalloc byte[12];
        header.Clear();
        header[0] = Family(source.Address);
        header[2] = (byte)source.Length;
        header[4] = table < 256 ? (byte)table : (byte)0;
        header[7] = ActionToTable;
        writer.Raw(header).Attribute(6, priority).Attribute(15, table);
        return source.Length > 0 ? writer.Attribute(2, source.Network.Address.GetAddressBytes().AsSpan()) : writer;
    }

    private static NetlinkWriter Options(NetlinkWriter writer, RouteSpec route, RouteOptions options, Func<InterfaceName, int>? indexOf)
    {
        if (options.Preference != 0)
        {
            writer.Attribute(20, options.Preference);
        }

        if (options.Metrics is { Count: > 0 } metrics)
        {
            writer.Nest(8, nest =>
            {
                foreach (var metric in metrics)
                {
                    _ = metric.Text is { } text ? nest.Attribute((ushort)metric.Name, text) : nest.Attribute((ushort)metric.Name, metric.Value);
                }

                if (metrics.Where(m => m.IsLocked).Aggregate(0u, (bits, m) => bits | (1u << (int)m.Name)) is var locked and not 0)
                {
                    nest.Attribute(1, locked);
                }
            }, flag: false);
        }

        return options.Hops is not { } hops ? writer : writer.Nest(9, nest =>
        {
            var one = new NetlinkWriter();
            Span<byte> header = stackalloc byte[8]; // struct rtnexthop: length with its attributes, flags, weight less one, interface
            foreach (var hop in hops)
            {
                one.Begin(0, 0, 0);
                if (hop.NextHop is { } address)
                {
                    Hop(one, address, route.Destination.Address);
                }

                var attributes = one.Bytes[16..];
                MemoryMarshal.Write(header, (ushort)(8 + attributes.Length));
                header[2] = hop.IsOnLink ? (byte)OnLink : (byte)0;
                header[3] = (byte)(hop.Weight - 1);
                MemoryMarshal.Write(header[4..], indexOf!(hop.Interface));
                nest.Raw(header).Raw(attributes);
            }
        }, flag: false);
    }

    // RTA_GATEWAY, or RTA_VIA for a next hop of the other family.
    private static void Hop(NetlinkWriter writer, IPAddress hop, IPAddress destination)
    {
        if (hop.AddressFamily == destination.AddressFamily)
        {
            writer.Attribute(5, Bytes(hop));
            return;
        }

        Span<byte> via = stackalloc byte[18];
        MemoryMarshal.Write(via, (ushort)Family(hop));
        Bytes(hop).CopyTo(via[2..]);
        writer.Attribute(18, via);
    }

    private static ReadOnlySpan<byte> Bytes(IPAddress address) => address.GetAddressBytes();

    private static byte Family(IPAddress address) => address.AddressFamily == AddressFamily.InterNetwork ? (byte)2 : (byte)10;
}
