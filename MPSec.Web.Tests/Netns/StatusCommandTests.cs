using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.RegularExpressions;
using MPSec.Linux.Sockets;
using MPSec.Linux.Values;

namespace MPSec.Tests.Netns;

/// <summary>What <c>mpsec status --json</c> prints, field by field against ip, tc, ss, nstat and /proc/sys at rest.</summary>
public sealed partial class StatusCommandTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Status_OfGatewayWithTwoPathsAndConnections_EqualsTheTools()
    {
        using var scope = new NamespaceScope();
        var (a, b) = (scope.Add("a"), scope.Add("b"));
        Build(scope, a, b);
        using var sockets = await ConnectAsync(a, b);

        // Neighbour discovery and delayed acknowledgements end before both sides are read.
        JsonElement status;
        string[] before;
        do
        {
            before = Facts(a);
            status = NamespaceScope.Parse(NamespaceScope.Run("dotnet", Path.Combine(AppContext.BaseDirectory, "mpsec.dll"), "status", "--gateway", a.Value, "--json"));
        }
        while (!before.SequenceEqual(Facts(a)));

        Links(status, NamespaceScope.Parse(before[0]));
        Addresses(status, NamespaceScope.IpJson(a, "-j", "addr"));
        Routes(status, NamespaceScope.IpJson(a, "-j", "-4", "route", "show", "table", "all"));
        Rules(status, NamespaceScope.IpJson(a, "-j", "-4", "rule"));
        Shapers(status, a);
        Mptcp(status, a);
        Connections(status, a);
        Counters(status, NamespaceScope.Parse(before[1]).GetProperty("kernel"));
    }

    [GeneratedRegex(@"token:([0-9a-f]+)")]
    private static partial Regex ConnectionToken();

    [GeneratedRegex(@"token:[0-9a-f]+\(id:(\d+)\)/([0-9a-f]+)\(id:(\d+)\)")]
    private static partial Regex SubflowTokens();

    private static void Build(NamespaceScope scope, GatewayName a, GatewayName b)
    {
        for (var i = 1; i <= 2; i++)
        {
            scope.Veth(a, $"path{i}", $"10.99.{i}.1/24", b, $"path{i}", $"10.99.{i}.2/24");
            NamespaceScope.Run("tc", "-n", a.Value, "qdisc", "add", "dev", $"path{i}", "root", "tbf", "rate", $"{i}0mbit", "burst", "32kb", "latency", "50ms");
            NamespaceScope.Ip(a, "rule", "add", "pref", $"100{i}", "from", $"10.99.{i}.1", "table", $"10{i}");
            NamespaceScope.Ip(a, "route", "add", "default", "via", $"10.99.{i}.2", "dev", $"path{i}", "table", $"10{i}");
            NamespaceScope.Ip(a, "route", "add", "unreachable", "default", "metric", "4278198272", "table", $"10{i}");
        }

        foreach (var gateway in new[] { a, b })
        {
            NamespaceScope.Ip(gateway, "mptcp", "limits", "set", "subflows", "8", "add_addr_accepted", "8");
        }

        NamespaceScope.Ip(a, "mptcp", "endpoint", "add", "10.99.2.1", "dev", "path2", "id", "7", "backup", "subflow");
        NamespaceScope.Ip(b, "mptcp", "endpoint", "add", "10.99.2.2", "id", "2", "signal");
    }

    private static async Task<SocketSet> ConnectAsync(GatewayName a, GatewayName b)
    {
        var set = new SocketSet();
        var listener = set.Add(MptcpSocket.Open(b, AddressFamily.InterNetwork));
        listener.Bind(new IPEndPoint(IPAddress.Any, 5001));
        listener.Listen(8);
        for (var i = 0; i < 3; i++)
        {
            var client = set.Add(MptcpSocket.Open(a, AddressFamily.InterNetwork, multipath: i < 2));
            await client.ConnectAsync(new IPEndPoint(IPAddress.Parse("10.99.1.2"), 5001), Token);
            var server = set.Add(await listener.AcceptAsync(Token));
            await client.SendAsync(new byte[20_000], Token);
            for (var received = 0; received < 20_000;)
            {
                received += await server.ReceiveAsync(new byte[20_000], Token);
            }
        }

        return set;
    }

    /// <summary>Counters that must stand still while both sides are read.</summary>
    private static string[] Facts(GatewayName gateway) =>
        [NamespaceScope.Ip(gateway, "-j", "-s", "-d", "link"), NamespaceScope.In(gateway, "nstat", "-j", "-asz"), NamespaceScope.In(gateway, "ss", "-tn")];

    private static void Links(JsonElement status, JsonElement ip)
    {
        var links = status.GetProperty("links").EnumerateArray().ToList();
        Assert.Equal(ip.GetArrayLength(), links.Count);
        foreach (var (mine, theirs) in links.Zip(ip.EnumerateArray()))
        {
            Assert.Equal(theirs.GetProperty("ifindex").GetInt32(), mine.GetProperty("index").GetInt32());
            Assert.Equal(theirs.GetProperty("ifname").GetString(), mine.GetProperty("name").GetString());
            Assert.Equal(theirs.GetProperty("mtu").GetInt32(), mine.GetProperty("mtu").GetInt32());
            Assert.Equal(theirs.GetProperty("operstate").GetString()!.ToLowerInvariant(), mine.GetProperty("operationalState").GetString());
            Assert.Equal(theirs.GetProperty("address").GetString(), mine.GetProperty("hardwareAddress").GetString());
            var flags = theirs.GetProperty("flags").EnumerateArray().Select(f => f.GetString()).ToList();
            Assert.Equal(flags.Contains("UP"), mine.GetProperty("isUp").GetBoolean());
            Assert.Equal(flags.Contains("LOWER_UP"), mine.GetProperty("hasCarrier").GetBoolean());
            var (counters, stats) = (mine.GetProperty("counters"), theirs.GetProperty("stats64"));
            foreach (var (name, side, field) in new[]
            {
                ("rxBytes", "rx", "bytes"), ("rxPackets", "rx", "packets"), ("rxErrors", "rx", "errors"), ("rxDropped", "rx", "dropped"), ("multicast", "rx", "multicast"),
                ("txBytes", "tx", "bytes"), ("txPackets", "tx", "packets"), ("txErrors", "tx", "errors"), ("txDropped", "tx", "dropped"), ("collisions", "tx", "collisions"),
            })
            {
                Assert.Equal(stats.GetProperty(side).GetProperty(field).GetUInt64(), counters.GetProperty(name).GetUInt64());
            }
        }
    }

    private static void Addresses(JsonElement status, JsonElement ip)
    {
        var theirs = from link in ip.EnumerateArray()
                     from address in link.GetProperty("addr_info").EnumerateArray()
                     select $"{link.GetProperty("ifindex")} {address.GetProperty("local").GetString()}/{address.GetProperty("prefixlen")}";
        var mine = status.GetProperty("addresses").EnumerateArray().Select(a => $"{a.GetProperty("interfaceIndex")} {a.GetProperty("prefix").GetString()}");
        Assert.Equal(theirs.Order(StringComparer.Ordinal), mine.Order(StringComparer.Ordinal));
    }

    private static void Routes(JsonElement status, JsonElement ip)
    {
        var names = status.GetProperty("links").EnumerateArray().ToDictionary(l => l.GetProperty("index").GetInt32(), l => l.GetProperty("name").GetString()!);
        var theirs = from route in ip.EnumerateArray()
                     where Text(route, "table", "main") != "local"
                     select $"{Text(route, "dst").Replace("default", "0.0.0.0/0", StringComparison.Ordinal)} table {Text(route, "table", "main")} {Text(route, "type", "unicast")} dev {Text(route, "dev", "-")} via {Text(route, "gateway", "-")} src {Text(route, "prefsrc", "-")} metric {Text(route, "metric", "0")}";
        var mine = from route in status.GetProperty("routes").EnumerateArray()
                   let destination = route.GetProperty("destination").GetString()!
                   where !destination.Contains(':', StringComparison.Ordinal)
                   let device = route.GetProperty("interfaceIndex")
                   select $"{destination} table {route.GetProperty("table").GetUInt32() switch { 254 => "main", var t => t.ToString(CultureInfo.InvariantCulture) }} {route.GetProperty("kind").GetString()} dev {(device.ValueKind == JsonValueKind.Null ? "-" : names[device.GetInt32()])} via {route.GetProperty("gateway").GetString() ?? "-"} src {route.GetProperty("preferredSource").GetString() ?? "-"} metric {route.GetProperty("metric").GetUInt32()}";
        Assert.Equal(theirs.Order(StringComparer.Ordinal), mine.Order(StringComparer.Ordinal));
    }

    private static void Rules(JsonElement status, JsonElement ip)
    {
        var theirs = ip.EnumerateArray().Select(r => $"{r.GetProperty("priority")} {Text(r, "src")} {Text(r, "table")}");
        var mine = from rule in status.GetProperty("rules").EnumerateArray()
                   where !rule.GetProperty("isIPv6").GetBoolean()
                   let table = rule.GetProperty("table").GetUInt32() switch { 255 => "local", 254 => "main", 253 => "default", var t => t.ToString(CultureInfo.InvariantCulture) }
                   select $"{rule.GetProperty("priority")} {rule.GetProperty("source").GetString()?.Replace("/32", "", StringComparison.Ordinal) ?? "all"} {table}";
        Assert.Equal(theirs, mine);
    }

    private static void Shapers(JsonElement status, GatewayName gateway)
    {
        var tc = NamespaceScope.Parse(NamespaceScope.Run("tc", "-n", gateway.Value, "-j", "-s", "qdisc"));
        foreach (var mine in status.GetProperty("qdiscs").EnumerateArray().Where(q => q.GetProperty("kind").GetString() == "tbf"))
        {
            var name = status.GetProperty("links").EnumerateArray().Single(l => l.GetProperty("index").GetInt32() == mine.GetProperty("interfaceIndex").GetInt32()).GetProperty("name").GetString();
            var theirs = tc.EnumerateArray().Single(q => q.GetProperty("dev").GetString() == name);
            Assert.Equal(theirs.GetProperty("options").GetProperty("rate").GetUInt64() * 8, mine.GetProperty("rateBitsPerSecond").GetUInt64());
            Assert.Equal(theirs.GetProperty("drops").GetUInt32(), mine.GetProperty("drops").GetUInt32());
        }

        Assert.Equal(2, status.GetProperty("qdiscs").EnumerateArray().Count(q => q.GetProperty("kind").GetString() == "tbf"));
    }

    private static void Mptcp(JsonElement status, GatewayName gateway)
    {
        var limits = status.GetProperty("limits");
        Assert.Equal($"add_addr_accepted {limits.GetProperty("addAddrAccepted")} subflows {limits.GetProperty("subflows")}", NamespaceScope.Ip(gateway, "mptcp", "limits").Trim());

        var theirs = NamespaceScope.IpJson(gateway, "-j", "mptcp", "endpoint").EnumerateArray().Select(e =>
            $"{e.GetProperty("address").GetString()} id {e.GetProperty("id")} {string.Join('+', new[] { "signal", "subflow", "backup", "fullmesh" }.Where(f => e.TryGetProperty(f, out var on) && on.GetBoolean()))}");
        var mine = status.GetProperty("endpoints").EnumerateArray().Select(e =>
            $"{e.GetProperty("address").GetString()} id {e.GetProperty("id")} {e.GetProperty("flags").GetString()!.Replace(", ", "+", StringComparison.Ordinal).Replace("implicit", "", StringComparison.Ordinal)}");
        Assert.Equal(theirs, mine);

        foreach (var setting in status.GetProperty("mptcpSettings").EnumerateObject())
        {
            Assert.Equal(NamespaceScope.In(gateway, "sysctl", "-n", setting.Name).Trim(), setting.Value.GetString());
        }
    }

    private static void Connections(JsonElement status, GatewayName gateway)
    {
        var ss = NamespaceScope.In(gateway, "ss", "-HMnai");
        var tokens = ConnectionToken().Matches(ss).Select(m => Convert.ToUInt32(m.Groups[1].Value, 16)).Order();
        var live = status.GetProperty("connections").EnumerateArray().Where(c => c.GetProperty("state").GetByte() == 1).ToList();
        Assert.Equal(2, live.Count);
        Assert.Equal(tokens, live.Select(c => c.GetProperty("token").GetUInt32()).Order());

        var tcp = NamespaceScope.In(gateway, "ss", "-Htnai");
        var theirs = SubflowTokens().Matches(tcp).Select(m => $"{Convert.ToUInt32(m.Groups[2].Value, 16)} local {m.Groups[3].Value} remote {m.Groups[1].Value}").Order(StringComparer.Ordinal);
        var mine = status.GetProperty("subflows").EnumerateArray().Select(s => $"{s.GetProperty("tokenLocal")} local {s.GetProperty("localId")} remote {s.GetProperty("remoteId")}").Order(StringComparer.Ordinal);
        Assert.Equal(theirs, mine);
        Assert.Equal(1, status.GetProperty("plainTcpEstablished").GetInt32());
        foreach (var subflow in status.GetProperty("subflows").EnumerateArray())
        {
            var (address, port) = subflow.GetProperty("local").GetString()!.Split(':') is [var head, var tail] ? (head, tail) : ("", "");
            var bound = status.GetProperty("links").EnumerateArray().FirstOrDefault(l => l.GetProperty("index").GetUInt32() == subflow.GetProperty("boundInterfaceIndex").GetUInt32());
            Assert.Contains($"{address}{(bound.ValueKind == JsonValueKind.Undefined ? "" : "%" + bound.GetProperty("name").GetString())}:{port} ", tcp);
            Assert.Contains($"bytes_acked:{subflow.GetProperty("bytesAcked")}", tcp + "bytes_acked:0");
            Assert.Contains($"rtt:{(subflow.GetProperty("rttMicroseconds").GetUInt32() / 1000.0).ToString("0.###", CultureInfo.InvariantCulture)}/", tcp);
        }
    }

    private static void Counters(JsonElement status, JsonElement nstat)
    {
        var mine = status.GetProperty("counters");
        var compared = 0;
        foreach (var theirs in nstat.EnumerateObject())
        {
            if (mine.TryGetProperty(theirs.Name, out var value))
            {
                Assert.True(theirs.Value.GetDouble() == value.GetDouble(), $"{theirs.Name}: nstat {theirs.Value}, mpsec {value}");
                compared++;
            }
        }

        Assert.Contains(mine.EnumerateObject(), c => c.Name == "MPTcpExtMPCapableSYNTX" && c.Value.GetInt64() == 2);
        Assert.True(compared > 200, $"only {compared} counters have the same name");
    }

    private static string Text(JsonElement element, string name, string missing = "") =>
        element.TryGetProperty(name, out var value) ? value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText() : missing;

    private sealed class SocketSet : IDisposable
    {
        private readonly List<Socket> _sockets = [];

        public Socket Add(Socket socket)
        {
            _sockets.Add(socket);
            return socket;
        }

        public void Dispose() => _sockets.ForEach(s => s.Dispose());
    }
}
