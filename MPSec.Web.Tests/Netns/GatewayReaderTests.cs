using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using MPSec.Hosting.Bench;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Sockets;
using MPSec.Linux.Sysctl;
using MPSec.Linux.Values;

namespace MPSec.Tests.Netns;

public sealed class GatewayReaderTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void Read_FreshNamespace_HasLoopbackAndNoFaults()
    {
        using var scope = new NamespaceScope();
        using var reader = GatewayReader.Open(scope.Add("a"));

        var reading = reader.Read();

        Assert.Empty(reading.Faults);
        var lo = Assert.Single(reading.Links);
        Assert.Equal("lo", lo.Name);
        Assert.True(lo.IsUp);
        Assert.Equal(3, reading.Rules.Count(r => !r.IsIPv6));
        Assert.NotNull(reading.Limits);
        Assert.True(reading.MptcpEnabled);
        Assert.True(reading.Counters.ContainsKey("MPTcpExtMPCapableSYNTX"));
        Assert.Empty(reading.Connections);
        Assert.Equal(0, reading.PlainTcpEstablished);
    }

    [Fact]
    public void Read_NamespaceDeleted_ThrowsThatItIsGone()
    {
        using var scope = new NamespaceScope();
        var name = scope.Add("a");
        using var reader = GatewayReader.Open(name);
        reader.Read();

        scope.Delete(name);

        Assert.True(Assert.Throws<NamespaceException>(() => reader.Read()).IsGone);
    }

    [Fact]
    public void Read_NamespaceReplacedBySameName_ThrowsThatItIsGone()
    {
        using var scope = new NamespaceScope();
        var name = scope.Add("a");
        using var reader = GatewayReader.Open(name);

        NamespaceScope.Run("ip", "netns", "del", name.Value);
        NamespaceScope.Run("ip", "netns", "add", name.Value);

        Assert.True(Assert.Throws<NamespaceException>(() => reader.Read()).IsGone);
        using var second = GatewayReader.Open(name);
        Assert.False(Assert.Single(second.Read().Links).IsUp);
    }

    [Fact]
    public async Task Read_ConnectionsOverIPv4AndIPv6_EqualsTheToolsFieldByField()
    {
        using var scope = new NamespaceScope();
        var (a, b) = (scope.Add("a"), scope.Add("b"));
        scope.Veth(a, "p1", "10.9.1.1/24", b, "p1", "10.9.1.2/24");
        scope.Veth(a, "p2", "10.9.2.1/24", b, "p2", "10.9.2.2/24");
        scope.Veth(a, "p6", "2001:db8:6::1/64", b, "p6", "2001:db8:6::2/64");
        NamespaceScope.Ip(a, "mptcp", "limits", "set", "subflows", "2", "add_addr_accepted", "2");
        NamespaceScope.Ip(b, "mptcp", "limits", "set", "subflows", "2");
        NamespaceScope.Ip(b, "mptcp", "endpoint", "add", "10.9.2.2", "signal");
        NamespaceScope.Ip(a, "mptcp", "endpoint", "add", "10.9.2.1", "port", "10100", "id", "9", "signal");
        NamespaceScope.Ip(a, "mptcp", "endpoint", "add", "2001:db8:6::1", "dev", "p6", "id", "4", "subflow", "backup");
        var sockets = new List<Socket>();
        try
        {
            var listener = MptcpSocket.Open(b, AddressFamily.InterNetworkV6);
            sockets.Add(listener);
            listener.Bind(new IPEndPoint(IPAddress.IPv6Any, 5000));
            listener.Listen(8);
            foreach (var address in new[] { "10.9.1.2", "2001:db8:6::2" })
            {
                var remote = new IPEndPoint(IPAddress.Parse(address), 5000);
                var client = MptcpSocket.Open(a, remote.AddressFamily);
                sockets.Add(client);
                await client.ConnectAsync(remote, Token);
                var server = await listener.AcceptAsync(Token);
                sockets.Add(server);
                await client.SendAsync(new byte[3000], Token);
                await server.ReceiveAsync(new byte[3000], Token);
                await server.SendAsync(new byte[10], Token);
                await client.ReceiveAsync(new byte[10], Token);
            }

            foreach (var side in new[] { a, b })
            {
                using var reader = GatewayReader.Open(side);
                SortedSet<string> facts, tools;
                do
                {
                    // At rest, not in the middle of an acknowledgement.
                    facts = SamplingFacts.Of(reader.Read());
                    tools = SamplingFacts.Of(Tools(side));
                }
                while (!facts.SetEquals(SamplingFacts.Of(reader.Read())));

                var differences = tools.Except(facts).Select(f => "printed: " + f).Concat(facts.Except(tools).Select(f => "read: " + f));
                Assert.True(tools.SetEquals(facts), string.Join('\n', differences));
                Assert.Equal(2, facts.Count(f => f.StartsWith("mptcp ", StringComparison.Ordinal)));
                Assert.True(facts.Count(f => f.StartsWith("subflow ", StringComparison.Ordinal)) >= 3);
                var listeners = reader.Read(ReadingScope.Connections | ReadingScope.Listeners).Connections.Count(c => c.State == 10);
                Assert.Equal(NamespaceScope.In(side, "ss", "-HMnl").Split('\n', StringSplitOptions.RemoveEmptyEntries).Length, listeners);
            }
        }
        finally
        {
            sockets.ForEach(s => s.Dispose());
        }
    }

    [Fact]
    public void Read_RoutesAndRulesOfIPv6_EqualsIp()
    {
        using var scope = new NamespaceScope();
        var (a, b) = (scope.Add("a"), scope.Add("b"));
        scope.Veth(a, "p1", "2001:db8:1::1/64", b, "p1", "2001:db8:1::2/64");
        NamespaceScope.Ip(a, "-6", "route", "add", "default", "via", "2001:db8:1::2", "table", "300", "metric", "5");
        NamespaceScope.Ip(a, "-6", "route", "add", "blackhole", "2001:db8:dead::/48");
        NamespaceScope.Ip(a, "-6", "rule", "add", "from", "2001:db8:1::1", "to", "2001:db8:9::/48", "oif", "p1", "table", "300", "priority", "77");
        using var reader = GatewayReader.Open(a);
        GatewayReading reading;
        string ip;
        do
        {
            // The kernel's own routes come when the link-local address is ready.
            ip = NamespaceScope.Ip(a, "-j", "-6", "route", "show", "table", "all");
            reading = reader.Read(ReadingScope.Links | ReadingScope.Routes | ReadingScope.Rules);
        }
        while (ip != NamespaceScope.Ip(a, "-j", "-6", "route", "show", "table", "all"));

        var names = reading.Links.ToDictionary(l => l.Index, l => l.Name);
        var mine = reading.Routes.Where(r => r.Destination.Address.AddressFamily == AddressFamily.InterNetworkV6).Select(r =>
            $"{(r.Destination.Length == 0 ? "default" : r.Destination)} {(r.Table == 254 ? "main" : r.Table)} {r.Kind} {r.Gateway} {(r.InterfaceIndex is { } i ? names[i] : "")} {r.Metric}");
        var theirs = NamespaceScope.Parse(ip).EnumerateArray().Where(r => Text(r, "table") != "local").Select(r =>
            $"{Text(r, "dst")} {Text(r, "table", "main")} {Text(r, "type", "unicast")} {Text(r, "gateway")} {Text(r, "dev")} {Text(r, "metric", "0")}");
        Assert.Equal(theirs.Order(StringComparer.Ordinal), mine.Order(StringComparer.Ordinal));
        Assert.Contains(mine, r => r.StartsWith("default 300 unicast 2001:db8:1::2 p1 5", StringComparison.Ordinal));
        var rule = Assert.Single(reading.Rules, r => r.Priority == 77);
        Assert.Equal(("2001:db8:1::1/128", "2001:db8:9::/48", "p1", 300u, true), (rule.Source!.ToString(), rule.Destination!.ToString(), rule.OutputInterface, rule.Table, rule.IsIPv6));
    }

    [Fact]
    public void Read_Setting_IsThatOfTheGatewayNotOfTheHost()
    {
        using var scope = new NamespaceScope();
        var a = scope.Add("a");
        using var reader = GatewayReader.Open(a);
        Assert.Equal("4", reader.Read(ReadingScope.Settings).MptcpSettings["net.mptcp.stale_loss_cnt"]);

        NamespaceScope.In(a, "sysctl", "-qw", "net.mptcp.stale_loss_cnt=9", "net.mptcp.enabled=0", "net.ipv4.tcp_retries2=6");

        var reading = reader.Read(ReadingScope.Settings);
        Assert.Equal("9", reading.MptcpSettings["net.mptcp.stale_loss_cnt"]);
        Assert.False(reading.MptcpEnabled);
        Assert.Equal("6", SysctlReader.Read(a, SysctlKey.Parse("net.ipv4.tcp_retries2")));
        Assert.Null(SysctlReader.Read(a, SysctlKey.Parse("net.mptcp.not_here")));
    }

    [Fact]
    public async Task Read_InterfacesComeAndGoMeanwhile_NeverThrows()
    {
        using var scope = new NamespaceScope();
        var a = scope.Add("a");
        using var reader = GatewayReader.Open(a);
        var churn = Task.Run(
            () =>
            {
                for (var i = 0; i < 20; i++)
                {
                    NamespaceScope.Ip(a, "link", "add", "v1", "type", "veth", "peer", "name", "v2");
                    NamespaceScope.Ip(a, "link", "del", "v1");
                }
            },
            Token);

        var readings = 0;
        while (!churn.IsCompleted)
        {
            // A list that changes under the reader may be told as a fault; nothing else may.
            Assert.All(reader.Read().Faults, f => Assert.Equal(4, f.Errno));
            readings++;
        }

        await churn;
        Assert.True(readings > 0);
        Assert.Equal("lo", Assert.Single(reader.Read().Links).Name);
    }

    [Fact]
    public async Task Read_NamespaceDeletedMeanwhile_EndsWithGone()
    {
        using var scope = new NamespaceScope();
        var a = scope.Add("a");
        using var reader = GatewayReader.Open(a);
        var delete = Task.Run(() => NamespaceScope.Run("ip", "netns", "del", a.Value), Token);

        NamespaceException? gone = null;
        while (gone is null)
        {
            try
            {
                reader.Read();
            }
            catch (NamespaceException e)
            {
                gone = e;
            }
        }

        await delete;
        Assert.True(gone.IsGone);
        Assert.True(Assert.Throws<NamespaceException>(() => GatewayReader.Open(a)).IsGone);
    }

    private static ToolOutputs Tools(GatewayName gateway) => new(
        NamespaceScope.In(gateway, "ss", "-Mni"),
        NamespaceScope.In(gateway, "ss", "-tni"),
        NamespaceScope.Ip(gateway, "-j", "-s", "link"),
        NamespaceScope.Ip(gateway, "-j", "mptcp", "endpoint"),
        NamespaceScope.In(gateway, "nstat", "-j", "-as"));

    private static string Text(JsonElement element, string name, string missing = "") =>
        element.TryGetProperty(name, out var value) ? value.ToString() : missing;
}
