using System.Net;
using System.Text.RegularExpressions;
using MPSec.Changes;
using MPSec.Changes.Kernel;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Values;

namespace MPSec.Tests.Netns;

public sealed partial class HostKernelTests
{
    private static readonly InterfaceName P1 = InterfaceName.Parse("p1");
    private static readonly NetlinkHostKernel Kernel = new();

    public static TheoryData<string> Operations =>
    [
        "down", "address", "address6", "remove address", "route", "route replaced", "route removed", "unreachable", "rule", "rule removed", "shaper", "shaper changed", "shaper removed",
        "endpoint", "endpoint replaced", "endpoint removed", "endpoint flags", "limits", "setting", "veth", "veth deleted",
        "mtu 1300", "mtu 1000", "mtu 68", "mtu 9000", "mtu of the interface below", "block", "block another", "unblock", "no ipv6", "no ipv6 anywhere", "forward", "forward ipv6",
        "remove primary address", "remove primary address that others follow", "remove address with options", "remove point-to-point address", "several next hops replaced", "several next hops removed", "throw",
    ];

    [Theory]
    [MemberData(nameof(Operations))]
    public async Task Apply_ThenInverse_LeavesTheGatewayAsBefore(string which)
    {
        using var scope = new NamespaceScope();
        var (a, b) = Prepare(scope, isDressed: which != "veth deleted");
        var operation = Operation(which, a, b);
        var before = await SettledAsync(a, b);

        var inverse = Kernel.InverseOf(operation);
        Kernel.Apply(operation);
        Kernel.Apply(operation);
        var between = Snapshot(a) + Snapshot(b);
        Assert.NotEqual(before, between);
        Assert.Empty(Kernel.InverseOf(operation));
        foreach (var one in inverse)
        {
            Assert.Equal(one, OperationJson.Read(OperationJson.Write(one)));
            Kernel.Apply(one);
            Kernel.Apply(one);
        }

        var after = "";
        for (var i = 0; i < 50 && after != before; i++)
        {
            after = Snapshot(a) + Snapshot(b);
            await Task.Delay(100, TestContext.Current.CancellationToken);
        }

        Assert.Equal(before, after);
    }

    // Carrier and duplicate address detection are told late.
    internal static async Task<string> SettledAsync(GatewayName a, GatewayName b)
    {
        var (before, now) = ("", Snapshot(a) + Snapshot(b));
        for (var i = 0; i < 30 && (before != now || now.Contains("NO-CARRIER", StringComparison.Ordinal) || !now.Contains("multicast", StringComparison.Ordinal)); i++)
        {
            await Task.Delay(200, TestContext.Current.CancellationToken);
            (before, now) = (now, Snapshot(a) + Snapshot(b));
        }

        return now;
    }

    [Fact]
    public void Apply_UnknownInterface_SaysSoAndChangesNothing()
    {
        using var scope = new NamespaceScope();
        var a = scope.Add("a");

        var e = Assert.Throws<ChangeException>(() => Kernel.Apply(new SetLinkState(a, InterfaceName.Parse("nope"), true)));

        Assert.Equal(ChangeFault.NotFound, e.Fault);
        Assert.Contains("nope", e.Message);
    }

    [Fact]
    public void Apply_UnknownSetting_SaysSo()
    {
        using var scope = new NamespaceScope();
        var e = Assert.Throws<ChangeException>(() => Kernel.InverseOf(new WriteSysctl(scope.Add("a"), SysctlKey.Parse("net.mptcp.nonsense"), "1")));

        Assert.Equal(ChangeFault.NotFound, e.Fault);
    }

    [Fact]
    public void Apply_RefusedValue_GivesTheKernelsReason()
    {
        using var scope = new NamespaceScope();
        var a = scope.Add("a");

        var e = Assert.Throws<ChangeException>(() => Kernel.Apply(new WriteSysctl(a, SysctlKey.Parse("net.mptcp.scheduler"), "bogus")));

        Assert.Equal(ChangeFault.Refused, e.Fault);
    }

    [Fact]
    public void Namespace_CreatedAndDeleted_IsAsIpNetnsMakesIt()
    {
        using var scope = new NamespaceScope();
        var name = GatewayName.Parse("mpt" + Guid.NewGuid().ToString("N")[..8] + "-n");
        var create = new CreateNamespace(name, CreateNamespace.NewMarker());
        try
        {
            var inverse = Assert.Single(Kernel.InverseOf(create));
            Kernel.Apply(create);
            Assert.Empty(Kernel.InverseOf(create));
            Assert.Contains(name.Value, NamespaceScope.Run("ip", "netns", "list"));
            Assert.Contains("lo", NamespaceScope.Ip(name, "link"));

            Kernel.Apply(inverse);
            Assert.False(NamespaceThread.Exists(name));
            Kernel.Apply(inverse);
        }
        finally
        {
            Kernel.Apply(new DeleteNamespace(name, create.Marker));
        }
    }

    [Fact]
    public void Namespace_OfSomebodyElse_IsLeftAlone()
    {
        using var scope = new NamespaceScope();
        var a = scope.Add("a");
        var marker = CreateNamespace.NewMarker();

        Assert.Equal(ChangeFault.Foreign, Assert.Throws<ChangeException>(() => Kernel.InverseOf(new CreateNamespace(a, marker))).Fault);
        Assert.Equal(ChangeFault.Foreign, Assert.Throws<ChangeException>(() => Kernel.Apply(new DeleteNamespace(a, marker))).Fault);
        Assert.True(NamespaceThread.Exists(a));
    }

    internal static string Snapshot(GatewayName g)
    {
        if (!NamespaceThread.Exists(g))
        {
            return "gone";
        }

        // One program that starts the others: dozens of times per test, each start from here would take far longer.
        var text = NamespaceScope.In(g, "sh", "-c", """
            set -e
            printf 'address\nroute show table all\nrule\nmptcp endpoint\nmptcp limits\n' | ip -batch -
            printf 'route show table all\nrule\n' | ip -6 -batch -
            tc qdisc; nft list ruleset
            cat /proc/sys/net/mptcp/enabled; cd /proc/sys/net; grep -rHs . ipv4/conf ipv6/conf ipv6/neigh ipv4/ip_forward | grep -v stable_secret
            """);
        // Hardware addresses, link-local addresses, indices and lifetimes differ for a veth pair made again; duplicate address detection takes its time.
        text = Volatile().Replace(text, "");
        return string.Join('\n', text.Split('\n').Where(l => !l.Contains("fe80", StringComparison.Ordinal) && !l.Contains("valid_lft", StringComparison.Ordinal)).Select(l => l.Trim()).Order(StringComparer.Ordinal));
    }

    private static (GatewayName A, GatewayName B) Prepare(NamespaceScope scope, bool isDressed)
    {
        var (a, b) = (scope.Add("a"), scope.Add("b"));
        scope.Veth(a, "p1", "10.9.1.1/24", b, "p1", "10.9.1.2/24");
        NamespaceScope.Ip(a, "addr", "add", "fd00:9::1/64", "dev", "p1", "nodad");
        NamespaceScope.Ip(a, "rule", "add", "pref", "1001", "from", "10.9.1.1", "table", "101");
        NamespaceScope.Ip(a, "route", "add", "10.9.1.0/24", "dev", "p1", "src", "10.9.1.1", "table", "101");
        NamespaceScope.Ip(a, "route", "add", "default", "via", "10.9.1.2", "dev", "p1", "table", "101");
        NamespaceScope.Ip(a, "route", "add", "default", "via", "10.9.1.2", "metric", "50");
        NamespaceScope.Ip(a, "-6", "route", "add", "fd00:8::/64", "via", "fd00:9::2", "dev", "p1", "table", "106");
        NamespaceScope.Run("tc", "-n", b.Value, "qdisc", "add", "dev", "p1", "root", "handle", "1:", "tbf", "rate", "20mbit", "burst", "32kb", "limit", "100kb");
        NamespaceScope.Ip(b, "mptcp", "endpoint", "add", "10.9.1.2", "id", "3", "signal");
        NamespaceScope.In(b, "nft", "add table inet other; add chain inet other c { type filter hook input priority 0; }; add rule inet other c ip daddr 192.0.2.1 drop");
        Kernel.Apply(new BlockInterface(b, P1, true));
        if (isDressed)
        {
            Dress(a);
        }

        return (a, b);
    }

    // What administrators and DHCP clients leave on an interface.
    private static void Dress(GatewayName a)
    {
        var batch = Path.GetTempFileName();
        File.WriteAllText(batch, """
            addr add 10.9.4.1/24 brd 10.9.4.255 label p1:x dev p1 noprefixroute
            addr add 10.9.5.1/24 dev p1
            addr add 10.9.5.2/24 dev p1
            addr add 10.9.5.3/24 dev p1
            addr add 10.9.6.1 peer 10.9.6.2/32 dev p1
            addr add fd00:a::1/64 dev p1 nodad noprefixroute
            addr add fe80::99/64 dev p1 nodad
            route add 10.9.4.0/24 dev p1 proto kernel scope link src 10.9.4.1 metric 100
            route add 10.60.0.0/16 via 10.9.1.2 mtu lock 1400 advmss 1300 congctl reno initcwnd 20 table 109
            route add 10.61.0.0/16 via 10.9.200.1 dev p1 onlink src 10.9.5.2
            route add tos 0x10 10.62.0.0/16 via 10.9.1.2
            route add 10.63.0.0/16 nexthop via 10.9.1.2 weight 3 nexthop via 10.9.1.3
            route add 10.64.0.0/16 via inet6 fd00:9::2 dev p1
            route add fd00:70::/64 via fd00:9::2 dev p1 mtu 1400 pref high
            route add fd00:71::/64 nexthop via fd00:9::2 dev p1 nexthop via fd00:9::3 dev p1
            route add fd00:72::/64 via fd00:9::2 dev p1 src fd00:9::1
            link add m1 link p1 type macvlan
            link set m1 up
            addr add fd00:b::1/64 dev m1 nodad
            """);
        NamespaceScope.Ip(a, "-batch", batch);
        File.Delete(batch);
        NamespaceScope.In(a, "sysctl", "-qw", "net.ipv6.conf.p1.accept_ra=0", "net.ipv6.conf.p1.hop_limit=77", "net.ipv6.neigh.p1.gc_stale_time=77", "net.ipv4.conf.lo.forwarding=1", "net.ipv6.conf.lo.forwarding=1");
    }

    private static HostOperation Operation(string which, GatewayName a, GatewayName b)
    {
        RouteSpec viaB = new() { Destination = IpPrefix.Parse("10.50.0.0/16"), Interface = P1, NextHop = IPAddress.Parse("10.9.1.2"), Table = 107 };
        RouteSpec ofTable = new() { Destination = IpPrefix.Parse("0.0.0.0/0"), Interface = P1, NextHop = IPAddress.Parse("10.9.1.2"), Table = 101 };
        return which switch
        {
            "down" => new SetLinkState(a, P1, false),
            "address" => new AddAddress(a, P1, IpPrefix.Parse("10.9.7.1/24")),
            "address6" => new AddAddress(a, P1, IpPrefix.Parse("fd00:7::1/64")),
            "remove address" => new RemoveAddress(a, P1, IpPrefix.Parse("10.9.1.1/24")),
            "route" => new ReplaceRoute(a, viaB),
            "route replaced" => new ReplaceRoute(a, ofTable with { NextHop = IPAddress.Parse("10.9.1.77") }),
            "route removed" => new RemoveRoute(a, ofTable),
            "unreachable" => new ReplaceRoute(a, new() { Destination = IpPrefix.Parse("0.0.0.0/0"), Kind = RouteKind.Unreachable, Table = 101, Metric = 4278198272 }),
            "rule" => new AddRule(a, 1002, IpPrefix.Parse("10.9.2.1/32"), 102),
            "rule removed" => new RemoveRule(a, 1001, IpPrefix.Parse("10.9.1.1/32"), 101),
            "shaper" => new SetShaper(a, P1, 20_000_000, 32_000, 150_000),
            "shaper changed" => new SetShaper(b, P1, 50_000_000, 32_000, 150_000),
            "shaper removed" => new RemoveShaper(b, P1),
            "endpoint" => new AddEndpoint(a, 5, IPAddress.Parse("10.9.1.1"), MptcpEndpointFlags.Subflow | MptcpEndpointFlags.Backup, P1),
            "endpoint replaced" => new AddEndpoint(b, 4, IPAddress.Parse("10.9.1.2"), MptcpEndpointFlags.Signal, null, 10100),
            "endpoint removed" => new RemoveEndpoint(b, 3, IPAddress.Parse("10.9.1.2")),
            "endpoint flags" => new SetEndpointFlags(b, 3, IPAddress.Parse("10.9.1.2"), true, false),
            "mtu 1300" => new SetMtu(a, P1, 1300),
            "mtu 1000" => new SetMtu(a, P1, 1000),
            "mtu 68" => new SetMtu(a, P1, 68),
            "mtu 9000" => new SetMtu(a, P1, 9000),
            "mtu of the interface below" => new SetMtu(a, InterfaceName.Parse("m1"), 1400),
            "block" => new BlockInterface(a, P1, true),
            "block another" => new BlockInterface(b, InterfaceName.Parse("lo"), true),
            "unblock" => new BlockInterface(b, P1, false),
            "no ipv6" => new WriteSysctl(a, SysctlKey.Parse("net.ipv6.conf.p1.disable_ipv6"), "1"),
            "no ipv6 anywhere" => new WriteSysctl(a, SysctlKey.Parse("net.ipv6.conf.all.disable_ipv6"), "1"),
            "forward" => new WriteSysctl(a, SysctlKey.Parse("net.ipv4.ip_forward"), "1"),
            "forward ipv6" => new WriteSysctl(a, SysctlKey.Parse("net.ipv6.conf.all.forwarding"), "1"),
            "remove primary address" => new RemoveAddress(a, P1, IpPrefix.Parse("10.9.5.1/24")),
            "remove primary address that others follow" => new RemoveAddress(Promote(a), P1, IpPrefix.Parse("10.9.5.1/24")),
            "remove address with options" => new RemoveAddress(a, P1, IpPrefix.Parse("10.9.4.1/24")),
            "remove point-to-point address" => new RemoveAddress(a, P1, IpPrefix.Parse("10.9.6.1/32")),
            "several next hops replaced" => new ReplaceRoute(a, new() { Destination = IpPrefix.Parse("10.63.0.0/16"), Interface = P1, NextHop = IPAddress.Parse("10.9.1.9") }),
            "several next hops removed" => new RemoveRoute(a, Kernel.InverseOf(new ReplaceRoute(a, new() { Destination = IpPrefix.Parse("fd00:71::/64"), Interface = P1 })).OfType<ReplaceRoute>().Single().Route),
            "throw" => new ReplaceRoute(a, new() { Destination = IpPrefix.Parse("10.65.0.0/16"), Kind = RouteKind.Throw, Table = 101 }),
            "limits" => new SetMptcpLimits(a, 8, 7),
            "setting" => new WriteSysctl(a, SysctlKey.Parse("net.mptcp.enabled"), "0"),
            "veth" => new AddVethPair(a, InterfaceName.Parse("q1"), b, InterfaceName.Parse("q2")),
            "veth deleted" => new DeleteVethPair(b, P1, a, P1),
            _ => throw new ArgumentOutOfRangeException(nameof(which)),
        };
    }

    private static GatewayName Promote(GatewayName a)
    {
        NamespaceScope.In(a, "sysctl", "-qw", "net.ipv4.conf.p1.promote_secondaries=1");
        return a;
    }

    [GeneratedRegex(@"(?m)link/\S+ [0-9a-f:]{17} brd [0-9a-f:]{17}|^\d+: |@if\d+|tentative| nodad|link-netns \S+|link-netnsid \d+|refcnt \d+|rawflags 10 ")]
    private static partial Regex Volatile();
}
