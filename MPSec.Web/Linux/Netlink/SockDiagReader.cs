// NETLINK_SOCK_DIAG: include/uapi/linux/inet_diag.h, sock_diag.h, tcp.h (struct tcp_info), mptcp.h (struct mptcp_info); sock_diag(7).
using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Net;
using System.Runtime.InteropServices;
using MPSec.Linux.Gateways;

namespace MPSec.Linux.Netlink;

/// <summary>TCP sockets of a gateway: the subflows, and how many are plain.</summary>
/// <param name="Subflows">Sockets that belong to an MPTCP connection.</param>
/// <param name="PlainEstablished">Other sockets in state ESTABLISHED.</param>
public sealed record TcpSockets(ImmutableArray<Subflow> Subflows, int PlainEstablished);

/// <summary>Reads MPTCP sockets and their subflows. Needs no privilege. Not thread-safe.</summary>
public sealed class SockDiagReader(NetlinkConversation conversation)
{
    private const ushort ByFamily = 20; // SOCK_DIAG_BY_FAMILY
    private const ushort TcpOfAllFamilies = 18; // TCPDIAG_GETSOCK
    private const ushort AttributeInfo = 2;
    private const ushort AttributeCongestion = 4;
    private const ushort AttributeUlp = 19;
    private const byte StateEstablished = 1;
    private const byte StateListen = 10;

    // What ss shows when asked for nothing else: no TIME-WAIT, SYN-RECV, CLOSE, LISTEN. Those carry no subflow.
    private const uint ConnectedStates = 0xfff & ~((1u << 3) | (1u << 6) | (1u << 7) | (1u << StateListen));
    private const byte AskInfo = 1 << (AttributeInfo - 1);
    private const byte AskCongestion = 1 << (AttributeCongestion - 1);
    private const int HeaderLength = 72; // struct inet_diag_msg

    private readonly KernelTextCache _cache = new();
    private int _connections = 16;
    private int _subflows = 16;
    private bool _oneWalk = true;

    /// <summary>MPTCP sockets.</summary>
    /// <param name="listeners">Also those that listen.</param>
    public ImmutableArray<MptcpConnection> ReadConnections(bool listeners)
    {
        var states = listeners ? uint.MaxValue : ~(1u << StateListen);
        var list = ImmutableArray.CreateBuilder<MptcpConnection>(_connections);
        var v4 = 0;
        foreach (var family in (ReadOnlySpan<byte>)[LibC.AfInet, LibC.AfInet6])
        {
            // 262 does not fit the protocol byte: 255 there and the number as INET_DIAG_REQ_PROTOCOL.
            conversation.Begin(ByFamily, NetlinkWriter.Dump).Raw(RequestV2(family, 255, AskInfo, states)).Attribute(3, (uint)LibC.IpprotoMptcp);
            conversation.Dump((_, payload) => list.Add(DecodeConnection(payload, _cache)), () => list.Count = v4);
            v4 = list.Count;
        }

        _connections = list.Count + 16;
        return list.DrainToImmutable();
    }

    /// <summary>TCP sockets that are connected or connecting.</summary>
    public TcpSockets ReadTcp()
    {
        var list = ImmutableArray.CreateBuilder<Subflow>(_subflows);
        var plain = 0;
        if (_oneWalk)
        {
            try
            {
                // The older request walks the kernel's socket table once for both families. Same answers, half the walk.
                conversation.Begin(TcpOfAllFamilies, NetlinkWriter.Dump).Raw(RequestV1(AskInfo | AskCongestion, ConnectedStates));
                conversation.Dump(
                    (_, payload) => Add(payload),
                    () =>
                    {
                        list.Clear();
                        plain = 0;
                    });
            }
            catch (NetlinkException e) when (e.Errno is 2 or 22 or 95)
            {
                _oneWalk = false;
            }
        }

        if (!_oneWalk)
        {
            foreach (var family in (ReadOnlySpan<byte>)[LibC.AfInet, LibC.AfInet6])
            {
                var (count, plainBefore) = (list.Count, plain);
                conversation.Begin(ByFamily, NetlinkWriter.Dump).Raw(RequestV2(family, 6, AskInfo | AskCongestion, ConnectedStates));
                conversation.Dump(
                    (_, payload) => Add(payload),
                    () =>
                    {
                        list.Count = count;
                        plain = plainBefore;
                    });
            }
        }

        _subflows = list.Count + 16;
        return new(list.DrainToImmutable(), plain);

        void Add(ReadOnlySpan<byte> payload)
        {
            if (DecodeSubflow(payload, _cache) is { } subflow)
            {
                list.Add(subflow);
            }
            else if (payload[1] == StateEstablished)
            {
                plain++;
            }
        }
    }

    /// <summary>Decodes inet_diag_msg of an MPTCP socket.</summary>
    /// <exception cref="NetlinkFormatException">The message is cut off.</exception>
    public static MptcpConnection DecodeConnection(ReadOnlySpan<byte> payload, KernelTextCache cache)
    {
        Require(payload);
        ReadOnlySpan<byte> info = default;
        var a = new NetlinkAttributes(payload[HeaderLength..]);
        while (a.Next())
        {
            info = a.Type == AttributeInfo ? a.Value : info;
        }

        var state = payload[1];
        return new MptcpConnection
        {
            Local = EndPoint(payload, 4, 8, cache),
            Remote = EndPoint(payload, 6, 24, cache),
            State = state,
            Uid = Read<uint>(payload, 64),
            Inode = Read<uint>(payload, 68),
            ReceiveQueue = Read<uint>(payload, 56),
            SendQueue = Read<uint>(payload, 60),
            Token = state == StateListen ? null : Field<uint>(info, 12),
            Subflows = Field<byte>(info, 0),
            AddAddrSignal = Field<byte>(info, 1),
            AddAddrAccepted = Field<byte>(info, 2),
            SubflowsMax = Field<byte>(info, 3),
            Flags = Field<uint>(info, 8),
            WriteSequence = Field<ulong>(info, 16),
            SendUnacknowledged = Field<ulong>(info, 24),
            ReceiveNext = Field<ulong>(info, 32),
            Retransmits = Field<uint>(info, 44),
            BytesRetransmitted = Field<ulong>(info, 48),
            BytesSent = Field<ulong>(info, 56),
            BytesReceived = Field<ulong>(info, 64),
            BytesAcked = Field<ulong>(info, 72),
            SubflowsTotal = Field<byte>(info, 80),
            LastDataSentMs = Field<uint>(info, 84),
            LastDataReceivedMs = Field<uint>(info, 88),
        };
    }

    /// <summary>Decodes inet_diag_msg of a TCP socket; null when it is no subflow.</summary>
    /// <exception cref="NetlinkFormatException">The message is cut off.</exception>
    public static Subflow? DecodeSubflow(ReadOnlySpan<byte> payload, KernelTextCache cache)
    {
        Require(payload);
        ReadOnlySpan<byte> info = default, congestion = default, ulp = default;
        var a = new NetlinkAttributes(payload[HeaderLength..]);
        while (a.Next())
        {
            switch (a.Type)
            {
                case AttributeInfo:
                    info = a.Value;
                    break;
                case AttributeCongestion:
                    congestion = a.Value;
                    break;
                case AttributeUlp:
                    ulp = a.Value;
                    break;
            }
        }

        if (ulp.IsEmpty || !FindMptcp(ulp, out var detail))
        {
            return null;
        }

        uint tokenLocal = 0, tokenRemote = 0, flags = 0;
        byte idLocal = 0, idRemote = 0;
        a = new NetlinkAttributes(detail);
        while (a.Next())
        {
            switch (a.Type)
            {
                case 1:
                    tokenRemote = a.UInt32;
                    break;
                case 2:
                    tokenLocal = a.UInt32;
                    break;
                case 8:
                    flags = a.UInt32;
                    break;
                case 9:
                    idRemote = a.Byte;
                    break;
                case 10:
                    idLocal = a.Byte;
                    break;
            }
        }

        return new Subflow
        {
            Local = EndPoint(payload, 4, 8, cache),
            Remote = EndPoint(payload, 6, 24, cache),
            State = payload[1],
            BoundInterfaceIndex = Read<uint>(payload, 40),
            ReceiveQueue = Read<uint>(payload, 56),
            SendQueue = Read<uint>(payload, 60),
            Inode = Read<uint>(payload, 68),
            TokenLocal = tokenLocal,
            TokenRemote = tokenRemote,
            LocalId = idLocal,
            RemoteId = idRemote,
            Flags = flags,
            CongestionControl = congestion.IsEmpty ? null : cache.Text(congestion),
            Backoff = Field<byte>(info, 4),
            RtoMicroseconds = Field<uint>(info, 8),
            SendMss = Field<uint>(info, 16),
            Unacknowledged = Field<uint>(info, 24),
            Lost = Field<uint>(info, 32),
            Retransmitting = Field<uint>(info, 36),
            RttMicroseconds = Field<uint>(info, 68),
            RttVariationMicroseconds = Field<uint>(info, 72),
            SlowStartThreshold = Field<uint>(info, 76),
            CongestionWindow = Field<uint>(info, 80),
            Reordering = Field<uint>(info, 88),
            TotalRetransmissions = Field<uint>(info, 100),
            PacingRateBytes = Field<ulong>(info, 104),
            BytesAcked = Field<ulong>(info, 120),
            BytesReceived = Field<ulong>(info, 128),
            SegmentsOut = Field<uint>(info, 136),
            SegmentsIn = Field<uint>(info, 140),
            MinRttMicroseconds = Field<uint>(info, 148),
            DeliveryRateBytes = Field<ulong>(info, 160),
            BytesSent = Field<ulong>(info, 200),
            BytesRetransmitted = Field<ulong>(info, 208),
            ReceivedOutOfOrder = Field<uint>(info, 224),
        };
    }

    private static bool FindMptcp(ReadOnlySpan<byte> ulp, out ReadOnlySpan<byte> detail)
    {
        detail = default;
        var found = false;
        var a = new NetlinkAttributes(ulp);
        while (a.Next())
        {
            switch (a.Type)
            {
                case 1:
                    found = a.Value.StartsWith("mptcp"u8);
                    break;
                case 3:
                    detail = a.Value;
                    break;
            }
        }

        return found;
    }

    private static byte[] RequestV2(byte family, byte protocol, byte ask, uint states)
    {
        var request = new byte[56]; // struct inet_diag_req_v2; the socket's identity stays zero
        request[0] = family;
        request[1] = protocol;
        request[2] = ask;
        BitConverter.TryWriteBytes(request.AsSpan(4), states);
        return request;
    }

    private static byte[] RequestV1(byte ask, uint states)
    {
        var request = new byte[60]; // struct inet_diag_req
        request[3] = ask;
        BitConverter.TryWriteBytes(request.AsSpan(52), states);
        return request;
    }

    private static IPEndPoint EndPoint(ReadOnlySpan<byte> payload, int port, int address, KernelTextCache cache) =>
        new(cache.Address(payload.Slice(address, payload[0] == LibC.AfInet6 ? 16 : 4)), BinaryPrimitives.ReadUInt16BigEndian(payload[port..]));

    // The structures grow at their end: a field is known when the kernel's answer is long enough.
    private static T? Field<T>(ReadOnlySpan<byte> info, int offset)
        where T : unmanaged =>
        info.Length >= offset + System.Runtime.CompilerServices.Unsafe.SizeOf<T>() ? MemoryMarshal.Read<T>(info[offset..]) : null;

    private static T Read<T>(ReadOnlySpan<byte> payload, int offset)
        where T : unmanaged => MemoryMarshal.Read<T>(payload[offset..]);

    private static void Require(ReadOnlySpan<byte> payload)
    {
        if (payload.Length < HeaderLength)
        {
            throw new NetlinkFormatException($"the header of a socket needs {HeaderLength} bytes, {payload.Length} are there");
        }
    }
}
