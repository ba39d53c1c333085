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
    public const ushort NewRoute = 24;
    public const ushort DeleteRoute = 25;
    public const ushort NewRule = 32;
    public const ushort DeleteRule = 33;

    private const byte ActionToTable = 1;

    /// <summary>RTM_NEWADDR and RTM_DELADDR. IPv4 carries a broadcast address too, as <c>ip address add … brd +</c> does for prefixes below 31.</summary>
    public static NetlinkWriter Address(NetlinkWriter writer, int interfaceIndex, IpPrefix prefix)
    {
        Span<byte> header = stackalloc byte[8];
        header.Clear();
        header[0] = Family(prefix.Address);
        header[1] = (byte)prefix.Length;
        MemoryMarshal.Write(header[4..], interfaceIndex);
        var bytes = prefix.Address.GetAddressBytes();
        return writer.Raw(header).Attribute(2, bytes.AsSpan()).Attribute(1, bytes.AsSpan());
    }

    /// <summary>RTM_NEWROUTE and RTM_DELROUTE.</summary>
    public static NetlinkWriter Route(NetlinkWriter writer, RouteSpec route, int? interfaceIndex, bool delete)
    {
        Span<byte> header = stackalloc byte[12];
        header.Clear();
        header[0] = Family(route.Destination.Address);
        header[1] = (byte)route.Destination.Length;
        header[4] = route.Table < 256 ? (byte)route.Table : (byte)0;
        header[5] = delete ? (byte)0 : route.Protocol;
        header[6] = delete && route.Scope is null ? (byte)255 : route.EffectiveScope; // RT_SCOPE_NOWHERE matches any when deleting
        header[7] = (byte)route.Kind;
        writer.Raw(header).Attribute(15, route.Table);
        if (route.Destination.Length > 0)
        {
            writer.Attribute(1, route.Destination.Address.GetAddressBytes().AsSpan());
        }

        if (route.NextHop is { } hop)
        {
            writer.Attribute(5, hop.GetAddressBytes().AsSpan());
        }

        if (interfaceIndex is { } index)
        {
            writer.Attribute(4, index);
        }

        if (route.Source is { } source)
        {
            writer.Attribute(7, source.GetAddressBytes().AsSpan());
        }

        if (route.Metric != 0)
        {
            writer.Attribute(6, route.Metric);
        }

        return writer;
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

    private static byte Family(IPAddress address) => address.AddressFamily == AddressFamily.InterNetwork ? (byte)2 : (byte)10;
}
