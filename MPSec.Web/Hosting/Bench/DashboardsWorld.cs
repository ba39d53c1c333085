using System.Net;
using System.Net.Sockets;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Processes;
using MPSec.Linux.Sockets;
using MPSec.Linux.Values;

namespace MPSec.Hosting.Bench;

/// <summary>
/// What the dashboards show: a namespace with three paths to a second one, a connection that sends over two of them, and a third path that is silent until
/// <see cref="Burst"/>. Everything is removed by <see cref="DisposeAsync"/>.
/// </summary>
internal sealed class DashboardsWorld : IAsyncDisposable
{
    /// <summary>The silent path.</summary>
    public const string Silent = "p3";

    private const int Port = 5000;
    private readonly BenchNamespaces _namespaces;
    private readonly List<Socket> _sockets = [];
    private readonly CancellationTokenSource _stop = new();
    private Task _sending = Task.CompletedTask;

    private DashboardsWorld(ICommandRunner runner) => _namespaces = new(runner, "ef");

    /// <summary>The namespace that is shown.</summary>
    public GatewayName Shown { get; } = BenchNamespaces.Name('e');

    /// <summary>Makes the world.</summary>
    /// <exception cref="IOException">A step failed; nothing is left.</exception>
    public static async Task<DashboardsWorld> CreateAsync(ICommandRunner runner, CancellationToken cancellationToken)
    {
        var world = new DashboardsWorld(runner);
        try
        {
            await world._namespaces.MakeAsync(cancellationToken);
            var peer = BenchNamespaces.Name('f');
            List<string> shown = ["link set lo up"], other = ["link set lo up"];
            foreach (var path in new[] { 1, 2, 3 })
            {
                shown.AddRange([$"link add p{path} type veth peer name p{path} netns {peer}", $"link set p{path} addrgenmode none", $"address add 10.96.{path}.1/24 dev p{path}", $"link set p{path} up"]);
                other.AddRange([$"link set p{path} addrgenmode none", $"address add 10.96.{path}.2/24 dev p{path}", $"link set p{path} up"]);
            }

            shown.AddRange(["mptcp limits set subflows 2 add_addr_accepted 2"]);
            other.AddRange(["mptcp limits set subflows 2", "mptcp endpoint add 10.96.2.2 dev p2 signal"]);
            await world._namespaces.BatchAsync(world.Shown, shown, cancellationToken);
            await world._namespaces.BatchAsync(peer, other, cancellationToken);
            world.Connect(peer);
            return world;
        }
        catch
        {
            await world.DisposeAsync();
            throw;
        }
    }

    /// <summary>Sends a quarter of a megabyte over the silent path at once.</summary>
    public void Burst()
    {
        var socket = _sockets[0];
        for (var packet = 0; packet < 200; packet++)
        {
            socket.Send(new byte[1250]);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _sending;
        foreach (var socket in _sockets)
        {
            socket.Close(0);
        }

        _sockets.Clear();
        _stop.Dispose();
        await _namespaces.DisposeAsync();
    }

    private void Connect(GatewayName peer)
    {
        _sockets.Add(NamespaceThread.Run(Shown, () => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp)));
        _sockets[0].Bind(new IPEndPoint(IPAddress.Parse("10.96.3.1"), 0));
        _sockets[0].Connect(new IPEndPoint(IPAddress.Parse("10.96.3.2"), 9));
        var sink = NamespaceThread.Run(peer, () => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        sink.Bind(new IPEndPoint(IPAddress.Parse("10.96.3.2"), 9)); // nobody answers that nobody is there
        _sockets.Add(sink);
        var listener = MptcpSocket.Open(peer, AddressFamily.InterNetwork);
        listener.Bind(new IPEndPoint(IPAddress.Any, Port));
        listener.Listen(1);
        var client = MptcpSocket.Open(Shown, AddressFamily.InterNetwork);
        client.Connect(new IPEndPoint(IPAddress.Parse("10.96.1.2"), Port));
        var server = listener.Accept();
        _sockets.AddRange([listener, client, server]);
        _sending = Task.WhenAll(SendAsync(client), ReceiveAsync(server));
    }

    // Some 6 Mbit/s: enough to see, too little to cost.
    private async Task SendAsync(Socket client)
    {
        var block = new byte[16 * 1024];
        try
        {
            while (true)
            {
                await client.SendAsync(block, _stop.Token);
                await Task.Delay(20, _stop.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The world ends.
        }
    }

    private async Task ReceiveAsync(Socket server)
    {
        var block = new byte[64 * 1024];
        try
        {
            while (await server.ReceiveAsync(block, _stop.Token) > 0)
            {
                // Nobody wants it.
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The world ends.
        }
    }
}
