using System.Net;
using System.Net.Sockets;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Processes;
using MPSec.Linux.Sockets;
using MPSec.Linux.Values;

namespace MPSec.Hosting.Bench;

/// <summary>
/// What the sampling bench measures: a namespace with 65 interfaces and 1,000 idle MPTCP connections of two subflows each to a second namespace.
/// Everything is removed by <see cref="DisposeAsync"/>.
/// </summary>
public sealed class SamplingWorld : IAsyncDisposable
{
    /// <summary>MPTCP connections.</summary>
    public const int Connections = 1000;

    /// <summary>Interfaces of the measured namespace, loopback included.</summary>
    public const int Interfaces = 65;

    private const int Port = 5000;
    private readonly BenchNamespaces _namespaces;
    private readonly TimeProvider _time;
    private readonly List<Socket> _sockets = [];

    private SamplingWorld(ICommandRunner runner, TimeProvider time)
    {
        _namespaces = new(runner, "ab");
        _time = time;
        Measured = BenchNamespaces.Name('a');
        Peer = BenchNamespaces.Name('b');
    }

    /// <summary>The namespace that is measured; it opens the connections.</summary>
    public GatewayName Measured { get; }

    /// <summary>The namespace that accepts them.</summary>
    public GatewayName Peer { get; }

    /// <summary>Makes the world.</summary>
    /// <exception cref="IOException">A step failed; nothing is left.</exception>
    public static async Task<SamplingWorld> CreateAsync(ICommandRunner runner, TimeProvider time, CancellationToken cancellationToken)
    {
        var world = new SamplingWorld(runner, time);
        try
        {
            ResourceUsage.AllowOpenFiles(16 * 1024);
            await world.MakeNamespacesAsync(cancellationToken);
            world.Connect(cancellationToken);
            await world.WaitForSubflowsAsync(cancellationToken);
            return world;
        }
        catch
        {
            await world.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var socket in _sockets)
        {
            socket.Close(0); // reset instead of a thousand goodbyes
        }

        _sockets.Clear();
        await _namespaces.DisposeAsync();
    }

    private async Task MakeNamespacesAsync(CancellationToken cancellationToken)
    {
        await _namespaces.MakeAsync(cancellationToken);
        List<string> measured = ["link set lo up"], peer = ["link set lo up"];
        foreach (var path in new[] { 1, 2 })
        {
            measured.AddRange([$"link add p{path} type veth peer name p{path} netns {Peer}", $"address add 10.98.{path}.1/24 dev p{path}", $"link set p{path} up"]);
            peer.AddRange([$"address add 10.98.{path}.2/24 dev p{path}", $"link set p{path} up"]);
        }

        for (var pair = 0; pair < (Interfaces - 3) / 2; pair++)
        {
            measured.AddRange([
                $"link add x{pair} type veth peer name y{pair}", $"address add 10.97.{pair}.1/24 dev x{pair}", $"link set x{pair} up", $"link set y{pair} up"]);
        }

        measured.AddRange(["mptcp limits set subflows 1 add_addr_accepted 1"]);
        peer.AddRange(["mptcp limits set subflows 1", "mptcp endpoint add 10.98.2.2 dev p2 signal"]);
        await _namespaces.BatchAsync(Measured, measured, cancellationToken);
        await _namespaces.BatchAsync(Peer, peer, cancellationToken);
    }

    private void Connect(CancellationToken cancellationToken)
    {
        var listener = NamespaceThread.Run(Peer, () => MptcpSocket.OpenHere(AddressFamily.InterNetwork));
        _sockets.Add(listener);
        listener.Bind(new IPEndPoint(IPAddress.Any, Port));
        listener.Listen(Connections);
        NamespaceThread.Run(Measured, () =>
        {
            var remote = new IPEndPoint(IPAddress.Parse("10.98.1.2"), Port);
            Span<byte> some = stackalloc byte[64];
            for (var i = 0; i < Connections; i++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var client = MptcpSocket.OpenHere(AddressFamily.InterNetwork);
                _sockets.Add(client);
                client.Connect(remote);
                var server = listener.Accept();
                _sockets.Add(server);

                // Data both ways makes the connection fully established; only then the kernel opens the second subflow.
                client.Send(some);
                server.Receive(some);
                server.Send(some);
                client.Receive(some);
            }
        });
    }

    private async Task WaitForSubflowsAsync(CancellationToken cancellationToken)
    {
        using var reader = GatewayReader.Open(Measured);
        var count = 0;
        for (var attempt = 0; attempt < 300; attempt++)
        {
            count = reader.Read(ReadingScope.Subflows).Subflows.Count(s => s.State == 1);
            if (count == 2 * Connections)
            {
                return;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(200), _time, cancellationToken);
        }

        throw new IOException($"the bench needs {2 * Connections} subflows, the kernel made {count}");
    }
}
