// Multicast groups: include/uapi/linux/rtnetlink.h (RTNLGRP_*), mptcp_pm.h (mptcp_pm_events); netlink(7) on ENOBUFS.
using System.Net.Sockets;
using System.Threading.Channels;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Values;

namespace MPSec.Linux.Netlink;

/// <summary>Whether MPTCP events of a gateway can be heard.</summary>
public enum MptcpEventAccess
{
    /// <summary>They are delivered.</summary>
    Heard,

    /// <summary>The kernel wants CAP_NET_ADMIN for them.</summary>
    NotPermitted,

    /// <summary>The kernel has no MPTCP, or one without events.</summary>
    NotInKernel,
}

/// <summary>
/// Listens to the changes of one gateway: interfaces, addresses, routes, rules and, where permitted, MPTCP events. It waits without a thread. A reader
/// that is too slow makes the kernel's buffer overflow, which arrives as <see cref="EventsLost"/>.
/// </summary>
public sealed class NetlinkMonitor : IAsyncDisposable
{
    /// <summary>Receive buffer of each socket in bytes when none is asked for; the kernel doubles it and caps it by net.core.rmem_max.</summary>
    public const int DefaultReceiveBuffer = 1 << 20;

    /// <summary>Decoded events that wait for the reader before the rest waits in the kernel.</summary>
    public const int DefaultPendingEvents = 4096;

    private const string EventGroup = "mptcp_pm_events";
    private static readonly uint[] RoutingGroups = [1, 5, 7, 8, 9, 11, 19]; // LINK, IPV4_IFADDR, _ROUTE, _RULE, IPV6_IFADDR, _ROUTE, _RULE

    private readonly Channel<GatewayEvent> _events;
    private readonly CancellationTokenSource _stop = new();
    private readonly Socket _routing;
    private readonly Socket? _mptcp;
    private readonly Task _pumps;

    private NetlinkMonitor(Socket routing, Socket? mptcp, ushort family, MptcpEventAccess access, int pendingEvents)
    {
        _events = Channel.CreateBounded<GatewayEvent>(new BoundedChannelOptions(pendingEvents) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });
        _routing = routing;
        _mptcp = mptcp;
        Mptcp = access;
        var decoder = new GatewayEventDecoder();
        var mptcpDecoder = new GatewayEventDecoder();
        _pumps = Task.WhenAll(
            PumpAsync(routing, decoder.DecodeRouting),
            mptcp is null ? Task.CompletedTask : PumpAsync(mptcp, (datagram, events) => mptcpDecoder.DecodeMptcp(family, datagram, events)));
    }

    /// <summary>Whether MPTCP events are among those delivered.</summary>
    public MptcpEventAccess Mptcp { get; }

    /// <summary>Begins to listen. Events from now on are kept until they are read.</summary>
    /// <exception cref="NamespaceException">The namespace is gone.</exception>
    /// <exception cref="NetlinkException">The kernel refuses rtnetlink.</exception>
    public static NetlinkMonitor Open(
        GatewayName gateway, int receiveBufferBytes = DefaultReceiveBuffer, int pendingEvents = DefaultPendingEvents) => NamespaceThread.Run(gateway, () =>
    {
        // This thread is inside already: "host" is the gateway here.
        using var routing = NetlinkSocket.Open(GatewayName.Host, NetlinkSocket.Route, receiveBufferBytes: receiveBufferBytes);
        foreach (var group in RoutingGroups)
        {
            try
            {
                routing.Join(group);
            }
            catch (NetlinkException) when (group > 8)
            {
                // A kernel without IPv6 has no such groups.
            }
        }

        var (mptcp, family, access) = OpenMptcp(receiveBufferBytes);
        return new NetlinkMonitor(routing.IntoSocket(), mptcp, family, access, pendingEvents);
    });

    /// <summary>The events in the order in which the kernel told them; ends when the monitor is disposed. One reader at a time.</summary>
    public IAsyncEnumerable<GatewayEvent> ReadAllAsync(CancellationToken cancellationToken = default) => _events.Reader.ReadAllAsync(cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
        {
            return;
        }

        await _stop.CancelAsync();
        await _pumps;
        _routing.Dispose();
        _mptcp?.Dispose();
        _stop.Dispose();
        _events.Writer.TryComplete();
    }

    private static (Socket? Socket, ushort Family, MptcpEventAccess Access) OpenMptcp(int receiveBufferBytes)
    {
        const int Eperm = 1;
        try
        {
            using var questions = new NetlinkConversation(NetlinkSocket.Open(GatewayName.Host, NetlinkSocket.Generic, TimeSpan.FromSeconds(5)));
            if (GenericNetlinkFamily.Find(questions, MptcpPmReader.FamilyName) is not { } family || !family.Groups.TryGetValue(EventGroup, out var group))
            {
                return (null, 0, MptcpEventAccess.NotInKernel);
            }

            using var events = NetlinkSocket.Open(GatewayName.Host, NetlinkSocket.Generic, receiveBufferBytes: receiveBufferBytes);
            events.Join(group);
            return (events.IntoSocket(), family.Id, MptcpEventAccess.Heard);
        }
        catch (NetlinkException e)
        {
            return (null, 0, e.Errno == Eperm ? MptcpEventAccess.NotPermitted : MptcpEventAccess.NotInKernel);
        }
    }

    private async Task PumpAsync(Socket socket, EventDecoder decode)
    {
        var buffer = new byte[64 * 1024];
        var batch = new List<GatewayEvent>();
        var stop = _stop.Token;
        try
        {
            while (true)
            {
                batch.Clear();
                try
                {
                    var length = await socket.ReceiveAsync(buffer, SocketFlags.None, stop);
                    decode(buffer.AsSpan(0, length), batch);
                }
                catch (SocketException e) when (e.SocketErrorCode == SocketError.NoBufferSpaceAvailable)
                {
                    batch.Add(new EventsLost("More happened than the receive buffer could hold; events were lost."));
                }
                catch (NetlinkFormatException e)
                {
                    batch.Add(new EventsLost($"An event could not be read: {e.Message}."));
                }

                foreach (var item in batch)
                {
                    await _events.Writer.WriteAsync(item, stop);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Disposed.
        }
        catch (SocketException e)
        {
            _events.Writer.TryComplete(new NetlinkException(e.NativeErrorCode, "the events of the gateway can no longer be heard"));
        }
    }

    private delegate void EventDecoder(ReadOnlySpan<byte> datagram, ICollection<GatewayEvent> events);
}
