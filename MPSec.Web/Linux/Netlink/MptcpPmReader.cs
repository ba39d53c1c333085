// Generic netlink family mptcp_pm, version 1: include/uapi/linux/mptcp_pm.h and mptcp.h.
using System.Collections.Immutable;
using System.Net;
using MPSec.Linux.Gateways;

namespace MPSec.Linux.Netlink;

/// <summary>Reads the in-kernel path manager: endpoints and limits. Needs no privilege. Not thread-safe.</summary>
public sealed class MptcpPmReader(NetlinkConversation conversation)
{
    /// <summary>Name of the family.</summary>
    public const string FamilyName = "mptcp_pm";

    private const byte GetEndpoints = 3;
    private const byte GetLimits = 6;
    private const byte Version = 1;
    private readonly KernelTextCache _cache = new();
    private ushort? _family;

    /// <summary>Endpoints by id.</summary>
    /// <exception cref="MptcpMissingException">The kernel has no MPTCP.</exception>
    public ImmutableArray<MptcpEndpoint> ReadEndpoints()
    {
        conversation.Begin(Family(), NetlinkWriter.Dump).Raw([GetEndpoints, Version, 0, 0]);
        var list = ImmutableArray.CreateBuilder<MptcpEndpoint>();
        conversation.Dump(
            (_, payload) =>
            {
                if (DecodeEndpoint(payload, _cache) is { } endpoint)
                {
                    list.Add(endpoint);
                }
            },
            list.Clear);
        list.Sort(static (a, b) => a.Id.CompareTo(b.Id));
        return list.DrainToImmutable();
    }

    /// <summary>Limits of the path manager.</summary>
    /// <exception cref="MptcpMissingException">The kernel has no MPTCP.</exception>
    public MptcpLimits? ReadLimits()
    {
        conversation.Begin(Family(), NetlinkWriter.Ack).Raw([GetLimits, Version, 0, 0]);
        MptcpLimits? limits = null;
        conversation.Execute("the MPTCP limits could not be read", (_, payload) => limits = DecodeLimits(payload));
        return limits;
    }

    /// <summary>Decodes MPTCP_PM_CMD_GET_ADDR; null for a message without an address.</summary>
    /// <exception cref="NetlinkFormatException">The message is cut off.</exception>
    public static MptcpEndpoint? DecodeEndpoint(ReadOnlySpan<byte> payload, KernelTextCache cache)
    {
        var a = Attributes(payload);
        byte id = 0;
        IPAddress? address = null;
        ushort port = 0;
        uint flags = 0;
        int? interfaceIndex = null;
        while (a.Next())
        {
            if (a.Type != 1)
            {
                continue;
            }

            var inner = a.Nest;
            while (inner.Next())
            {
                switch (inner.Type)
                {
                    case 2:
                        id = inner.Byte;
                        break;
                    case 3 or 4:
                        address = cache.Address(inner.Value);
                        break;
                    case 5:
                        port = inner.UInt16; // host order, unlike the ports of events
                        break;
                    case 6:
                        flags = inner.UInt32;
                        break;
                    case 7:
                        interfaceIndex = inner.Int32 is var index and not 0 ? index : null;
                        break;
                }
            }
        }

        return address is null ? null : new(id, address, port, (MptcpEndpointFlags)flags, interfaceIndex);
    }

    /// <summary>Decodes MPTCP_PM_CMD_GET_LIMITS; null when a limit is missing.</summary>
    /// <exception cref="NetlinkFormatException">The message is cut off.</exception>
    public static MptcpLimits? DecodeLimits(ReadOnlySpan<byte> payload)
    {
        uint? accepted = null, subflows = null;
        var a = Attributes(payload);
        while (a.Next())
        {
            accepted = a.Type == 2 ? a.UInt32 : accepted;
            subflows = a.Type == 3 ? a.UInt32 : subflows;
        }

        return accepted is { } x && subflows is { } y ? new(y, x) : null;
    }

    private static NetlinkAttributes Attributes(ReadOnlySpan<byte> payload) =>
        payload.Length >= 4 ? new(payload[4..]) : throw new NetlinkFormatException("a generic netlink header needs 4 bytes");

    private ushort Family() => _family ??= GenericNetlinkFamily.Find(conversation, FamilyName)?.Id ?? throw new MptcpMissingException();
}

/// <summary>This kernel does not speak MPTCP.</summary>
public sealed class MptcpMissingException() : NotSupportedException("This kernel has no MPTCP (CONFIG_MPTCP, Linux 5.6 or newer).");
