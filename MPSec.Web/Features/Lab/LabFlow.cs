using System.Net;
using System.Net.Sockets;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Sockets;

namespace MPSec.Features.Lab;

/// <summary>
/// One connection of the transfer with both its ends: the socket of a and the socket that b accepted. Both are non-blocking and are served in turns by one
/// loop: at 140 Mbit/s some 12,000 packets arrive each second, and waking up for each would cost ten times the processor time of looking every 10 ms.
/// </summary>
internal sealed class LabFlow : IDisposable
{
    // Enough for 10 ms at 3 Gbit/s; more per turn would let one connection starve the others.
    private const int MostPerTurn = 4 << 20;

    private static readonly TimeSpan s_connectPatience = TimeSpan.FromSeconds(2);

    private readonly Socket _a;
    private readonly Socket _b;

    // Stays open: the kernel takes an additional subflow only while somebody listens on the port. Closed right after accept, one connection in ten
    // stayed on its first path, and none got a lost path back.
    private readonly Socket _listener;

    private LabFlow(Socket a, Socket b, Socket listener, bool multipath)
    {
        _listener = listener;
        _a = a;
        _b = b;
        Multipath = multipath;
        a.Blocking = false;
        b.Blocking = false;
    }

    /// <summary>Both sockets were opened as MPTCP.</summary>
    public bool Multipath { get; }

    /// <summary>Bytes received at b.</summary>
    public long ReceivedByB { get; private set; }

    /// <summary>Bytes received at a.</summary>
    public long ReceivedByA { get; private set; }

    /// <summary>Connects by the first path that answers.</summary>
    /// <exception cref="IOException">No path answers, or the kernel gives no such socket.</exception>
    public static async Task<LabFlow> ConnectAsync(LabSpec spec, string? congestion, TimeProvider time, CancellationToken cancellationToken)
    {
        var listener = OpenSocket(spec, onA: false, out var listenerMultipath);
        try
        {
            return await ConnectAsync(spec, listener, listenerMultipath, congestion, time, cancellationToken);
        }
        catch
        {
            listener.Dispose();
            throw;
        }
    }

    private static async Task<LabFlow> ConnectAsync(LabSpec spec, Socket listener, bool listenerMultipath, string? congestion, TimeProvider time, CancellationToken cancellationToken)
    {
        listener.Bind(new IPEndPoint(IPAddress.Any, 0));
        SetCongestion(listener, congestion); // accepted sockets inherit it
        listener.Listen(1);
        listener.Blocking = false;
        var port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        for (var i = 1; i <= spec.Paths.Length; i++)
        {
            var client = OpenSocket(spec, onA: true, out var multipath);
            try
            {
                client.Bind(new IPEndPoint(LabLayout.Address(i, onA: true), 0));
                SetCongestion(client, congestion);
                if (await ConnectAsync(client, listener, new(LabLayout.Address(i, onA: false), port), time, cancellationToken) is { } server)
                {
                    return new(client, server, listener, multipath && listenerMultipath);
                }
            }
            catch
            {
                client.Dispose();
                throw;
            }

            client.Dispose();
        }

        throw new IOException($"no path of lab {spec.Name} answers");
    }

    // Neither ConnectAsync nor AcceptAsync: they would enrol the sockets with .NET's event loop for good, which then wakes up for every packet that
    // arrives (measured: 70 % of a core instead of 6 % at 94 Mbit/s).
    private static async Task<Socket?> ConnectAsync(Socket client, Socket listener, IPEndPoint target, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            client.Blocking = false;
            client.Connect(target);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
        {
            // On its way.
        }
        catch (SocketException)
        {
            return null; // The path is down: no route.
        }

        var begun = time.GetTimestamp();
        while (true)
        {
            var late = time.GetElapsedTime(begun) >= s_connectPatience; // asked first: what came while nobody could look counts
            if (client.Poll(0, SelectMode.SelectError))
            {
                return null;
            }

            if (client.Poll(0, SelectMode.SelectWrite) && listener.Poll(0, SelectMode.SelectRead))
            {
                return listener.Accept();
            }

            if (late)
            {
                return null;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(5), time, cancellationToken);
        }
    }

    /// <summary>Takes what has arrived and gives what fits; returns false when the connection is broken.</summary>
    /// <param name="direction">Who sends.</param>
    /// <param name="payload">Bytes to send; also where received bytes go, their content does not matter.</param>
    /// <param name="eager">Set when so much moved that the next turn should come at once.</param>
    public bool Turn(LabDirection direction, byte[] payload, ref bool eager)
    {
        var whole = true;
        if (direction != LabDirection.BToA)
        {
            whole = Receive(_b, payload, out var got, ref eager) && Send(_a, payload);
            ReceivedByB += got;
        }

        if (whole && direction != LabDirection.AToB)
        {
            whole = Receive(_a, payload, out var got, ref eager) && Send(_b, payload);
            ReceivedByA += got;
        }

        return whole;
    }

    /// <summary>What the connecting side's kernel says; null for plain TCP.</summary>
    public MptcpSocketInfo? ReadInfo() => MptcpSocket.ReadInfo(_a);

    /// <inheritdoc/>
    public void Dispose()
    {
        // A reset: the buffers may hold megabytes that nobody waits for.
        Abort(_a);
        Abort(_b);
        _listener.Dispose();
    }

    private static void Abort(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (SocketException)
        {
            // Broken already.
        }

        socket.Dispose();
    }

    private static Socket OpenSocket(LabSpec spec, bool onA, out bool multipath)
    {
        multipath = true;
        try
        {
            return MptcpSocket.Open(onA ? spec.A : spec.B, AddressFamily.InterNetwork);
        }
        catch (MptcpSocketException e) when (e.IsSwitchedOff)
        {
            // MP OFF: the same transfer over plain TCP, so that the difference can be seen.
            multipath = false;
            return MptcpSocket.Open(onA ? spec.A : spec.B, AddressFamily.InterNetwork, multipath: false);
        }
    }

    // After bind: before it an MPTCP socket has no subflow, and the kernel takes any name without looking at it.
    private static void SetCongestion(Socket socket, string? congestion)
    {
        if (congestion is not null)
        {
            MptcpSocket.SetCongestionControl(socket, congestion);
        }
    }

    private static bool Receive(Socket socket, byte[] buffer, out long got, ref bool eager)
    {
        got = 0;
        while (got < MostPerTurn)
        {
            var n = socket.Receive(buffer, 0, buffer.Length, SocketFlags.None, out var error);
            if (n > 0)
            {
                got += n;
                continue;
            }

            return error == SocketError.WouldBlock;
        }

        eager = true;
        return true;
    }

    private static bool Send(Socket socket, byte[] buffer)
    {
        for (var given = 0; given < MostPerTurn;)
        {
            var n = socket.Send(buffer, 0, buffer.Length, SocketFlags.None, out var error);
            if (n <= 0)
            {
                return error is SocketError.WouldBlock or SocketError.Success;
            }

            given += n;
        }

        return true;
    }
}
