using System.Net;
using System.Net.Sockets;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Netlink;
using MPSec.Linux.Sockets;

namespace MPSec.Tests.Netns;

public sealed class NetlinkMonitorTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ReadAllAsync_LinkAddressRouteRule_AreToldInOrder()
    {
        using var scope = new NamespaceScope();
        var (a, b) = (scope.Add("a"), scope.Add("b"));
        await using var monitor = NetlinkMonitor.Open(a);

        scope.Veth(a, "p1", "10.9.1.1/24", b, "p1", "10.9.1.2/24");
        NamespaceScope.Ip(a, "route", "add", "10.77.0.0/16", "via", "10.9.1.2", "table", "101", "metric", "7");
        NamespaceScope.Ip(a, "rule", "add", "from", "10.9.1.1", "table", "101", "priority", "1001");
        NamespaceScope.Ip(a, "rule", "del", "priority", "1001");
        NamespaceScope.Ip(a, "addr", "del", "10.9.1.1/24", "dev", "p1");
        NamespaceScope.Ip(a, "link", "del", "p1");

        var events = await UntilAsync(monitor, e => e is LinkGone);
        Assert.Contains(events, e => e is LinkChanged { Link: { Name: "p1", IsUp: true, Kind: "veth" } });
        Assert.Contains(events, e => e is AddressAdded { Address: { Label: "p1" } added } && added.Prefix.ToString() == "10.9.1.1/24");
        Assert.Contains(events, e => e is AddressRemoved { Address.Prefix.Length: 24 });
        Assert.Contains(events, e => e is RouteChanged { Removed: false, Route: { Table: 101, Metric: 7 } route } && route.Destination.ToString() == "10.77.0.0/16");
        Assert.Contains(events, e => e is RuleChanged { Removed: false, Rule: { Priority: 1001, Table: 101 } });
        Assert.Contains(events, e => e is RuleChanged { Removed: true, Rule.Priority: 1001 });
        Assert.DoesNotContain(events, e => e is RouteChanged { Route.Table: 255 });
        Assert.Equal("p1", Assert.IsType<LinkGone>(events[^1]).Name);
    }

    [Fact]
    public async Task ReadAllAsync_MptcpConnection_TellsItsLife()
    {
        using var scope = new NamespaceScope();
        var (a, b) = (scope.Add("a"), scope.Add("b"));
        scope.Veth(a, "p1", "10.9.1.1/24", b, "p1", "10.9.1.2/24");
        await using var monitor = NetlinkMonitor.Open(b);
        Assert.Equal(MptcpEventAccess.Heard, monitor.Mptcp);
        uint token;
        using (var listener = MptcpSocket.Open(b, AddressFamily.InterNetwork))
        {
            listener.Bind(new IPEndPoint(IPAddress.Any, 4000));
            listener.Listen(8);
            using var client = MptcpSocket.Open(a, AddressFamily.InterNetwork);
            await client.ConnectAsync(new IPEndPoint(IPAddress.Parse("10.9.1.2"), 4000), Token);
            using var server = await listener.AcceptAsync(Token);
            await client.SendAsync(new byte[10], Token);
            await server.ReceiveAsync(new byte[10], Token);
            token = MptcpSocket.ReadInfo(server)!.Value.Token;
        }

        var events = await UntilAsync(monitor, e => e is MptcpEvent { Kind: MptcpEventKind.Closed });
        var created = Assert.Single(events.OfType<MptcpEvent>(), e => e.Kind == MptcpEventKind.Created);
        Assert.Equal(token, created.Token);
        Assert.Equal(new IPEndPoint(IPAddress.Parse("10.9.1.2"), 4000), created.Local);
        Assert.Equal(IPAddress.Parse("10.9.1.1"), created.Remote!.Address);
        Assert.True(created.ServerSide);
        Assert.Contains(events, e => e is MptcpEvent { Kind: MptcpEventKind.Established } m && m.Token == token);
        Assert.Contains(events, e => e is MptcpEvent { Kind: MptcpEventKind.ListenerCreated, Token: null });
    }

    [Fact]
    public async Task ReadAllAsync_NobodyReadsAndTheBufferIsTiny_SaysThatEventsWereLost()
    {
        using var scope = new NamespaceScope();
        var a = scope.Add("a");
        await using var monitor = NetlinkMonitor.Open(a, receiveBufferBytes: 2048, pendingEvents: 1);
        var batch = Path.GetTempFileName();
        try
        {
            // Nobody reads yet: one event waits here, the rest in a buffer for two or three.
            await File.WriteAllLinesAsync(batch, Enumerable.Range(0, 150).Select(i => $"link add v{i} type veth peer name w{i}"), Token);

            NamespaceScope.Ip(a, "-batch", batch);

            Assert.IsType<EventsLost>((await UntilAsync(monitor, e => e is EventsLost))[^1]);
        }
        finally
        {
            File.Delete(batch);
        }
    }

    [Fact]
    public async Task Open_WithoutNetAdmin_SaysThatMptcpEventsAreNotPermittedAndHearsTheRest()
    {
        using var scope = new NamespaceScope();
        var (a, b) = (scope.Add("a"), scope.Add("b"));
        await using var monitor = ThreadCapabilities.WithoutNetAdmin(() => NetlinkMonitor.Open(a));

        Assert.Equal(MptcpEventAccess.NotPermitted, monitor.Mptcp);

        scope.Veth(a, "p1", null, b, "p1", null);
        Assert.IsType<LinkChanged>((await UntilAsync(monitor, e => e is LinkChanged { Link.Name: "p1" }))[^1]);
    }

    [Fact]
    public void Read_WithoutNetAdmin_HasNoFaults()
    {
        using var scope = new NamespaceScope();
        var a = scope.Add("a");

        Assert.Empty(ThreadCapabilities.WithoutNetAdmin(() =>
        {
            using var reader = GatewayReader.Open(a);
            return reader.Read(ReadingScope.All).Faults;
        }));
    }

    [Fact]
    public async Task DisposeAsync_WhileWaiting_EndsTheReader()
    {
        using var scope = new NamespaceScope();
        var monitor = NetlinkMonitor.Open(scope.Add("a"));
        var reading = Task.Run(
            async () =>
            {
                await foreach (var _ in monitor.ReadAllAsync(Token))
                {
                }
            },
            Token);

        await monitor.DisposeAsync();
        await monitor.DisposeAsync();

        await reading.WaitAsync(Patience, Token);
    }

    private static async Task<List<GatewayEvent>> UntilAsync(NetlinkMonitor monitor, Func<GatewayEvent, bool> last)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Token);
        patience.CancelAfter(Patience);
        var events = new List<GatewayEvent>();
        await foreach (var e in monitor.ReadAllAsync(patience.Token))
        {
            events.Add(e);
            if (last(e))
            {
                break;
            }
        }

        return events;
    }
}
