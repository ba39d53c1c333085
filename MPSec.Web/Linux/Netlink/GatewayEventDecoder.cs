// Multicast messages: include/uapi/linux/rtnetlink.h and mptcp_pm.h.
using System.Buffers.Binary;
using System.Net;
using MPSec.Linux.Gateways;

namespace MPSec.Linux.Netlink;

/// <summary>Turns multicast datagrams into events. Pure but for its cache; not thread-safe.</summary>
public sealed class GatewayEventDecoder
{
    private readonly KernelTextCache _cache = new();

    /// <summary>Decodes a datagram of NETLINK_ROUTE. Messages of other types are skipped.</summary>
    /// <exception cref="NetlinkFormatException">The datagram is malformed.</exception>
    public void DecodeRouting(ReadOnlySpan<byte> datagram, ICollection<GatewayEvent> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        var messages = new NetlinkMessages(datagram);
        while (messages.Next())
        {
            var payload = messages.Payload;
            switch (messages.Type)
            {
                case 16 or 17 when payload.Length > 0 && payload[0] != 0:
                    break; // a bridge port or the like, told again under its own family
                case 16:
                    events.Add(new LinkChanged(RtnetlinkReader.DecodeLink(payload, _cache)));
                    break;
                case 17:
                    var link = RtnetlinkReader.DecodeLink(payload, _cache);
                    events.Add(new LinkGone(link.Index, link.Name));
                    break;
                case 20 or 21 when RtnetlinkReader.DecodeAddress(payload, _cache) is { } address:
                    events.Add(messages.Type == 20 ? new AddressAdded(address) : new AddressRemoved(address));
                    break;
                case 24 or 25 when RtnetlinkReader.DecodeRoute(payload, _cache) is { } route:
                    events.Add(new RouteChanged(route, messages.Type == 25));
                    break;
                case 32 or 33:
                    events.Add(new RuleChanged(RtnetlinkReader.DecodeRule(payload, _cache), messages.Type == 33));
                    break;
            }
        }
    }

    /// <summary>Decodes a datagram of the MPTCP event group; messages of other families than <paramref name="family"/> are skipped.</summary>
    /// <exception cref="NetlinkFormatException">The datagram is malformed.</exception>
    public void DecodeMptcp(ushort family, ReadOnlySpan<byte> datagram, ICollection<GatewayEvent> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        var messages = new NetlinkMessages(datagram);
        while (messages.Next())
        {
            if (messages.Type == family)
            {
                events.Add(DecodeEvent(messages.Payload));
            }
        }
    }

    private MptcpEvent DecodeEvent(ReadOnlySpan<byte> payload)
    {
        if (payload.Length < 4)
        {
            throw new NetlinkFormatException("a generic netlink header needs 4 bytes");
        }

        uint? token = null, reason = null, resetFlags = null;
        byte? localId = null, remoteId = null, error = null;
        bool? backup = null, server = null;
        ushort? flags = null;
        ushort localPort = 0, remotePort = 0;
        int? interfaceIndex = null;
        IPAddress? local = null, remote = null;
        var a = new NetlinkAttributes(payload[4..]);
        while (a.Next())
        {
            switch (a.Type)
            {
                case 1:
                    token = a.UInt32;
                    break;
                case 3:
                    localId = a.Byte;
                    break;
                case 4:
                    remoteId = a.Byte;
                    break;
                case 5 or 6:
                    local = _cache.Address(a.Value);
                    break;
                case 7 or 8:
                    remote = _cache.Address(a.Value);
                    break;
                case 9:
                    localPort = BinaryPrimitives.ReverseEndianness(a.UInt16);
                    break;
                case 10:
                    remotePort = BinaryPrimitives.ReverseEndianness(a.UInt16);
                    break;
                case 11:
                    backup = a.Byte != 0;
                    break;
                case 12:
                    error = a.Byte;
                    break;
                case 13:
                    flags = a.UInt16;
                    break;
                case 15:
                    interfaceIndex = a.Int32;
                    break;
                case 16:
                    reason = a.UInt32;
                    break;
                case 17:
                    resetFlags = a.UInt32;
                    break;
                case 18:
                    server = a.Byte != 0;
                    break;
            }
        }

        return new MptcpEvent
        {
            Kind = Enum.IsDefined((MptcpEventKind)payload[0]) ? (MptcpEventKind)payload[0] : MptcpEventKind.Unknown,
            Token = token,
            LocalId = localId,
            RemoteId = remoteId,
            Local = local is null ? null : new(local, localPort),
            Remote = remote is null ? null : new(remote, remotePort),
            Backup = backup,
            Error = error,
            ResetReason = reason,
            ResetFlags = resetFlags,
            InterfaceIndex = interfaceIndex,
            ServerSide = server,
            Flags = flags,
        };
    }
}
