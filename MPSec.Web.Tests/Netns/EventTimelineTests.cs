using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using MPSec.Data.History;
using MPSec.Hosting;
using MPSec.Hosting.History;
using MPSec.Linux.Gateways;
using MPSec.Linux.Sockets;
using MPSec.Tests.Data.History;

namespace MPSec.Tests.Netns;

/// <summary>The life of a connection in a pair of namespaces, as history tells it.</summary>
public sealed class EventTimelineTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Life_ConnectTwoJoinsAddressRemovedPathDownUpClose_GivesExactlyTheseEvents()
    {
        using var scope = new NamespaceScope();
        var (a, b) = (scope.Add("a"), scope.Add("b"));
        for (var i = 1; i <= 3; i++)
        {
            scope.Veth(a, "p" + i, $"10.9.{i}.1/24", b, "p" + i, $"10.9.{i}.2/24");
        }

        NamespaceScope.Ip(b, "mptcp", "limits", "set", "subflow", "4", "add_addr_accepted", "4");
        NamespaceScope.Ip(a, "mptcp", "limits", "set", "subflow", "4", "add_addr_accepted", "0"); // announced addresses are told, not used
        await using var history = await HistoryScope.StartAsync();
        await using var gateway = new WatchedGateway(a, TimeProvider.System);
        var recorder = new GatewayRecorder(history.Store, new(history.Store, [], NullLogger<SeriesRecorder<GatewaySnapshot>>.Instance), TimeProvider.System);
        recorder.Follow(a.Value, gateway);
        recorder.Record(GatewaySnapshot.Derive(null, gateway.Read(), TimeSpan.Zero), DateTimeOffset.UtcNow);
        var seen = 0;

        using var listener = MptcpSocket.Open(b, AddressFamily.InterNetwork);
        listener.Bind(new IPEndPoint(IPAddress.Any, 5000));
        listener.Listen(4);
        using var client = MptcpSocket.Open(a, AddressFamily.InterNetwork);
        await client.ConnectAsync(IPEndPoint.Parse("10.9.1.2:5000"), Token);
        using var server = await listener.AcceptAsync(Token);
        await Exchange();
        var begin = await NextAsync("connection-created", "connection-established");
        Assert.All(begin, e => Assert.Equal(("p1", "10.9.1.2:5000", begin[0].Token), (e.Interface, e.Remote, e.Token)));

        NamespaceScope.Ip(a, "mptcp", "endpoint", "add", "10.9.2.1", "dev", "p2", "subflow");
        Assert.Equal(("p2", false, begin[0].Token), await NextAsync("subflow-established") is [var second] ? (second.Interface, second.Backup, second.Token) : default);
        // The kernel tells what the peer asked for; it is this side that wants the third one as backup.
        NamespaceScope.Ip(a, "mptcp", "endpoint", "add", "10.9.3.1", "dev", "p3", "subflow", "backup");
        Assert.Equal(("p3", false), await NextAsync("subflow-established") is [var third] ? (third.Interface, third.Backup) : default);

        NamespaceScope.Ip(b, "mptcp", "endpoint", "add", "10.9.2.2", "signal");
        var announced = Assert.Single(await NextAsync("address-announced"));
        Assert.StartsWith("10.9.2.2", announced.Remote, StringComparison.Ordinal);
        NamespaceScope.Ip(b, "mptcp", "endpoint", "del", "id", announced.AddressId!.Value.ToString(System.Globalization.CultureInfo.InvariantCulture));
        var withdrawn = await NextAsync("address-withdrawn");
        Assert.Equal(announced.AddressId, withdrawn[0].AddressId);

        NamespaceScope.Ip(a, "mptcp", "endpoint", "del", "id", "1");
        var closed = Assert.Single(await NextAsync("subflow-closed"));
        Assert.Equal(("p2", begin[0].Token, "10.9.2.1"), (closed.Interface, closed.Token, closed.Local?.Split(':')[0]));

        NamespaceScope.Ip(a, "link", "set", "p3", "down");
        Assert.Equal("p3", (await NextAsync("link-down"))[0].Interface);
        NamespaceScope.Ip(a, "link", "set", "p3", "up");
        Assert.Equal("p3", (await NextAsync("link-up"))[0].Interface);
        NamespaceScope.Ip(a, "addr", "add", "10.9.7.1/24", "dev", "p2");
        NamespaceScope.Ip(a, "addr", "del", "10.9.7.1/24", "dev", "p2");
        Assert.All(await NextAsync("ip-added", "ip-removed"), e => Assert.Equal(("p2", "10.9.7.1/24"), (e.Interface, e.Local)));

        // What the kernel counted for the connection is there when it has ended.
        var last = gateway.Read();
        recorder.Record(GatewaySnapshot.Derive(null, last, TimeSpan.Zero), DateTimeOffset.UtcNow);
        var counted = last.Connections.First(c => c.Token == begin[0].Token);
        client.Close();
        server.Close();
        var end = await NextAsync("connection-closed");
        Assert.Equal((begin[0].Token, "10.9.1.2:5000"), (end[^1].Token, end[^1].Remote));
        Assert.Equal(((long?)counted.BytesSent, (long?)counted.BytesReceived), (end[^1].BytesSent, end[^1].BytesReceived));
        Assert.InRange(end[^1].Lasted!.Value, TimeSpan.FromMilliseconds(1), end[^1].At - begin[0].At + TimeSpan.FromSeconds(10));
        Assert.Equal(new PathJoins(1, 0, 0), recorder.Joins(a.Value)["p2"]);
        Assert.Equal(closed.Id, Assert.Single(history.Store.Events(new(a.Value) { Kinds = ["subflow-closed"], Interface = "p2", Token = begin[0].Token })).Id);

        async Task Exchange()
        {
            await client.SendAsync(new byte[100], Token);
            await server.ReceiveAsync(new byte[100], Token);
            await server.SendAsync(new byte[100], Token);
            await client.ReceiveAsync(new byte[100], Token);
        }

        // The events since the last look, oldest first. Subflows that end with their connection may come before its own end; IPv6 gets its own addresses at any time.
        async Task<IReadOnlyList<HistoryEvent>> NextAsync(params string[] kinds)
        {
            while (true)
            {
                await history.Store.FlushAsync(Token);
                var events = history.Store.Events(new(a.Value) { After = seen, Limit = 1000 }).Reverse()
                    .Where(e => e.Local?.StartsWith("fe80", StringComparison.Ordinal) != true && !(kinds[0] == "connection-closed" && e.Kind == "subflow-closed")).ToArray();
                if (events.Length >= kinds.Length)
                {
                    Assert.Equal(kinds, events.Select(e => e.Kind));
                    seen = (int)history.Store.Events(new(a.Value) { Limit = 1 })[0].Id;
                    return events;
                }

                await Task.Delay(20, Token);
            }
        }
    }

    [Fact]
    public async Task Join_OverAPathWithoutAnAnswer_IsAFailureOfThatPath()
    {
        using var scope = new NamespaceScope();
        var (a, b) = (scope.Add("a"), scope.Add("b"));
        for (var i = 1; i <= 2; i++)
        {
            scope.Veth(a, "p" + i, $"10.9.{i}.1/24", b, "p" + i, $"10.9.{i}.2/24");
        }

        NamespaceScope.Ip(a, "mptcp", "limits", "set", "subflow", "4");
        NamespaceScope.Ip(b, "mptcp", "limits", "set", "subflow", "4");
        NamespaceScope.Ip(b, "route", "add", "prohibit", "10.9.2.1/32"); // no answer goes back to the second address
        NamespaceScope.In(a, "sysctl", "-w", "net.ipv4.tcp_syn_retries=1");
        await using var history = await HistoryScope.StartAsync();
        await using var gateway = new WatchedGateway(a, TimeProvider.System);
        var recorder = new GatewayRecorder(history.Store, new(history.Store, [], NullLogger<SeriesRecorder<GatewaySnapshot>>.Instance), TimeProvider.System);
        recorder.Follow(a.Value, gateway);
        recorder.Record(GatewaySnapshot.Derive(null, gateway.Read(), TimeSpan.Zero), DateTimeOffset.UtcNow);
        NamespaceScope.Ip(a, "mptcp", "endpoint", "add", "10.9.2.1", "dev", "p2", "subflow");

        using var listener = MptcpSocket.Open(b, AddressFamily.InterNetwork);
        listener.Bind(new IPEndPoint(IPAddress.Any, 5000));
        listener.Listen(4);
        using var client = MptcpSocket.Open(a, AddressFamily.InterNetwork);
        await client.ConnectAsync(IPEndPoint.Parse("10.9.1.2:5000"), Token);
        using var server = await listener.AcceptAsync(Token);
        await client.SendAsync(new byte[100], Token);
        await server.ReceiveAsync(new byte[100], Token);
        await server.SendAsync(new byte[100], Token);
        await client.ReceiveAsync(new byte[100], Token);

        await LabScope.UntilAsync(() => recorder.Joins(a.Value).ContainsKey("p2"), "the join over the second path has ended");
        Assert.Equal(new PathJoins(1, 1, 0), Assert.Single(recorder.Joins(a.Value)).Value);
        await history.Store.FlushAsync(Token);
        var failed = Assert.Single(history.Store.Events(new(a.Value) { Kinds = [HistoryEventKind.SubflowFailed] }));
        Assert.Equal(("p2", 110, "10.9.2.1"), (failed.Interface, failed.Error, failed.Local?.Split(':')[0]));
    }
}
