// RTM_GETROUTE for one destination: include/uapi/linux/rtnetlink.h, net/ipv4/route.c (inet_rtm_getroute), net/ipv6/route.c (inet6_rtm_getroute); ip-route(8) "get".
using System.Net;
using System.Net.Sockets;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Values;

namespace MPSec.Linux.Netlink;

/// <summary>Why the kernel would not send a packet.</summary>
public enum RouteRefusal
{
    /// <summary>It would send it.</summary>
    None,

    /// <summary>No route (ENETUNREACH 101; newer kernels say so of a foreign source too) or an unreachable route (EHOSTUNREACH 113).</summary>
    Unreachable,

    /// <summary>A prohibit route or rule (EACCES 13).</summary>
    Prohibited,

    /// <summary>EINVAL 22: the source is no unicast address of this gateway, or a blackhole route takes the packet.</summary>
    InvalidSource,

    /// <summary>Any other error; the errno says which.</summary>
    Other,
}

/// <summary>What the kernel would do with a packet of one source to one destination.</summary>
/// <param name="Source">Source asked about.</param>
/// <param name="Destination">Destination asked about.</param>
/// <param name="Refusal">Why it would not be sent; <see cref="RouteRefusal.None"/> when it would.</param>
/// <param name="Errno">Error number of the refusal, 0 when none.</param>
/// <param name="InterfaceIndex">Device it would leave by; null when refused.</param>
/// <param name="NextHop">Gateway it would be sent to; null when on link or refused.</param>
/// <param name="Table">Table that answered; null when the kernel did not tell.</param>
public sealed record KernelRouteAnswer(IPAddress Source, IPAddress Destination, RouteRefusal Refusal, int Errno, int? InterfaceIndex, IPAddress? NextHop, uint? Table);

/// <summary>
/// Asks the kernel which way a packet would take, through rules, tables and routes, without sending one. No output device is given: with one, the lookup may
/// skip the very route that is wrong. Not thread-safe.
/// </summary>
public sealed class RouteQuery(NetlinkConversation conversation) : IDisposable
{
    private const ushort GetRoute = 26;
    private const ushort NewRoute = 24;
    private const uint LookupTable = 0x1000; // RTM_F_LOOKUP_TABLE: tell the table that answered; IPv6 always tells it and refuses the flag
    private const byte KindBlackhole = 6;
    private const byte KindUnreachable = 7;
    private const byte KindProhibit = 8;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    /// <summary>Opens a conversation inside <paramref name="gateway"/>.</summary>
    /// <exception cref="NamespaceException">The gateway is gone.</exception>
    public static RouteQuery Open(GatewayName gateway) => new(new(NetlinkSocket.Open(gateway, NetlinkSocket.Route, s_patience)));

    /// <summary>The way from <paramref name="source"/> to <paramref name="destination"/>; both of one family.</summary>
    /// <exception cref="NetlinkException">The kernel does not answer.</exception>
    /// <exception cref="NetlinkFormatException">The answer is malformed.</exception>
    public KernelRouteAnswer Ask(IPAddress source, IPAddress destination)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(destination);
        if (source.AddressFamily != destination.AddressFamily)
        {
            throw new ArgumentException($"{source} and {destination} are of different families", nameof(destination));
        }

        KernelRouteAnswer? answer = null;
        Encode(conversation.Begin(GetRoute, NetlinkWriter.Ack), source, destination);
        try
        {
            conversation.Execute("the route could not be asked for", (type, payload) => answer = type == NewRoute ? Decode(payload, source, destination) : answer);
        }
        catch (NetlinkException e) when (Refused(e.Errno) is { } refusal)
        {
            return new(source, destination, refusal, e.Errno, null, null, null);
        }

        return answer ?? throw new NetlinkFormatException("the kernel acknowledged the question for a route and gave none");
    }

    /// <inheritdoc/>
    public void Dispose() => conversation.Dispose();

    /// <summary>Writes struct rtmsg and the two addresses.</summary>
    internal static void Encode(NetlinkWriter writer, IPAddress source, IPAddress destination)
    {
        var isIPv6 = destination.AddressFamily == AddressFamily.InterNetworkV6;
        var bits = (byte)(isIPv6 ? 128 : 32);
        Span<byte> header = stackalloc byte[12];
        header.Clear();
        header[0] = (byte)(isIPv6 ? LibC.AfInet6 : LibC.AfInet);
        header[1] = bits;
        header[2] = bits;
        BitConverter.TryWriteBytes(header[8..], isIPv6 ? 0 : LookupTable);
        writer.Raw(header).Attribute(1, destination.GetAddressBytes().AsSpan()).Attribute(2, source.GetAddressBytes().AsSpan());
    }

    /// <summary>Decodes the RTM_NEWROUTE that answers. IPv6 describes a rejecting route instead of an error.</summary>
    /// <exception cref="NetlinkFormatException">The message is cut off.</exception>
    internal static KernelRouteAnswer Decode(ReadOnlySpan<byte> payload, IPAddress source, IPAddress destination)
    {
        if (payload.Length < 12)
        {
            throw new NetlinkFormatException($"the header of a route needs 12 bytes, {payload.Length} are there");
        }

        uint table = payload[4];
        int? device = null;
        IPAddress? hop = null;
        var a = new NetlinkAttributes(payload[12..]);
        while (a.Next())
        {
            switch (a.Type)
            {
                case 4:
                    device = a.Int32;
                    break;
                case 5:
                    hop = a.Address;
                    break;
                case 15:
                    table = a.UInt32;
                    break;
                case 18 when a.Value.Length is 6 or 18: // struct rtvia: family, then an address of another family
                    hop = new IPAddress(a.Value[2..]);
                    break;
            }
        }

        return payload[7] switch
        {
            KindUnreachable => new(source, destination, RouteRefusal.Unreachable, 113, null, null, table),
            KindProhibit => new(source, destination, RouteRefusal.Prohibited, 13, null, null, table),
            KindBlackhole => new(source, destination, RouteRefusal.InvalidSource, 22, null, null, table),
            _ => new(source, destination, RouteRefusal.None, 0, device, hop, table == 0 ? null : table),
        };
    }

    private static RouteRefusal? Refused(int errno) => errno switch
    {
        101 or 113 => RouteRefusal.Unreachable,
        13 => RouteRefusal.Prohibited,
        22 => RouteRefusal.InvalidSource,
        11 or 105 => null, // no answer, or answers were lost
        _ => RouteRefusal.Other,
    };
}
