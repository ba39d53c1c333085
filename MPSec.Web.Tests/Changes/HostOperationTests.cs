using System.Net;
using MPSec.Changes;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Tests.Changes;

public sealed class HostOperationTests
{
    private const string Marker = "mpsec:0123456789abcdef0123456789abcdef";
    private static readonly GatewayName A = GatewayName.Parse("lab-a");
    private static readonly GatewayName B = GatewayName.Parse("lab-b");
    private static readonly InterfaceName Path2 = InterfaceName.Parse("path2");

    public static TheoryData<string, string> Previews => new()
    {
        { "ip netns add lab-a", Json(new CreateNamespace(A, Marker)) },
        { "ip netns del lab-a", Json(new DeleteNamespace(A, Marker)) },
        { "ip link add path2 netns lab-a type veth peer name path2 netns lab-b", Json(new AddVethPair(A, Path2, B, Path2)) },
        { "ip -n lab-a link delete path2", Json(new DeleteVethPair(A, Path2, B, Path2)) },
        { "ip -n lab-a link set dev path2 down", Json(new SetLinkState(A, Path2, false)) },
        { "ip link set dev 'a$b' up", Json(new SetLinkState(GatewayName.Host, InterfaceName.Parse("a$b"), true)) },
        { "ip -n lab-a link set dev path2 mtu 1400", Json(new SetMtu(A, Path2, 1400)) },
        { "ip -n lab-a address add 10.99.2.1/24 dev path2 brd 10.99.2.255 label path2:x metric 7 valid_lft 600 preferred_lft 300 noprefixroute", Json(new AddAddress(A, Path2, IpPrefix.Parse("10.99.2.1/24"), new() { Broadcast = IPAddress.Parse("10.99.2.255"), Label = "path2:x", Metric = 7, ValidSeconds = 600, PreferredSeconds = 300, Flags = 0x200 })) },
        { "ip -n lab-a route replace 10.0.0.0/8 via 10.99.2.2 dev path2 tos 16 onlink mtu lock 1400 congctl reno", Json(new ReplaceRoute(A, new() { Destination = IpPrefix.Parse("10.0.0.0/8"), Interface = Path2, NextHop = IPAddress.Parse("10.99.2.2"), Options = new() { TypeOfService = 16, IsOnLink = true, Metrics = [new(RouteMetricName.Mtu, 1400, true), new(RouteMetricName.CongCtl, 0, false, "reno")] } })) },
        { "ip -n lab-a route replace 10.0.0.0/8 nexthop via 10.99.2.2 dev path2 weight 3 nexthop dev path2", Json(new ReplaceRoute(A, new() { Destination = IpPrefix.Parse("10.0.0.0/8"), Options = new() { Hops = [new(Path2, IPAddress.Parse("10.99.2.2"), 3), new(Path2, null)] } })) },
        { "ip -n lab-a route replace 10.0.0.0/8 via 'inet6 fd00::1' dev path2", Json(new ReplaceRoute(A, new() { Destination = IpPrefix.Parse("10.0.0.0/8"), Interface = Path2, NextHop = IPAddress.Parse("fd00::1"), Options = new() { IsViaIPv6 = true } })) },
        { "ip -n lab-a route replace throw default table 102", Json(new ReplaceRoute(A, new() { Destination = IpPrefix.Parse("0.0.0.0/0"), Kind = RouteKind.Throw, Table = 102 })) },
        { "ip -n lab-a address add 10.99.2.1/24 dev path2", Json(new AddAddress(A, Path2, IpPrefix.Parse("10.99.2.1/24"))) },
        { "ip -n lab-a address del fd00::1/64 dev path2", Json(new RemoveAddress(A, Path2, IpPrefix.Parse("fd00::1/64"))) },
        { "ip -n lab-a route replace 10.99.2.0/24 dev path2 src 10.99.2.1 table 102", Json(new ReplaceRoute(A, new() { Destination = IpPrefix.Parse("10.99.2.0/24"), Interface = Path2, Source = IPAddress.Parse("10.99.2.1"), Table = 102 })) },
        { "ip -n lab-a route replace unreachable default metric 4278198272 table 102", Json(new ReplaceRoute(A, new() { Destination = IpPrefix.Parse("0.0.0.0/0"), Kind = RouteKind.Unreachable, Metric = 4278198272, Table = 102 })) },
        { "ip -n lab-a route del default via 10.99.2.2 dev path2", Json(new RemoveRoute(A, new() { Destination = IpPrefix.Parse("0.0.0.0/0"), Interface = Path2, NextHop = IPAddress.Parse("10.99.2.2") })) },
        { "ip -n lab-a rule add pref 1002 from 10.99.2.1 table 102", Json(new AddRule(A, 1002, IpPrefix.Parse("10.99.2.1/32"), 102)) },
        { "ip -n lab-a rule del pref 1002 from 10.99.0.0/16 table 102", Json(new RemoveRule(A, 1002, IpPrefix.Parse("10.99.0.0/16"), 102)) },
        { "tc -n lab-a qdisc replace dev path2 root handle 1: tbf rate 30000000bit burst 37500b limit 225000b", Json(SetShaper.ForPath(A, Path2, 30_000_000, TimeSpan.FromMilliseconds(50), TimeSpan.Zero)) },
        { "tc -n lab-a qdisc del dev path2 root", Json(new RemoveShaper(A, Path2)) },
        { "ip -n lab-b mptcp endpoint add 10.99.2.2 dev path2 id 2 signal", Json(new AddEndpoint(B, 2, IPAddress.Parse("10.99.2.2"), MptcpEndpointFlags.Signal, Path2)) },
        { "ip -n lab-b mptcp endpoint add 10.99.2.2 id 2 port 7000 signal backup", Json(new AddEndpoint(B, 2, IPAddress.Parse("10.99.2.2"), MptcpEndpointFlags.Signal | MptcpEndpointFlags.Backup, null, 7000)) },
        { "ip -n lab-b mptcp endpoint delete id 2", Json(new RemoveEndpoint(B, 2, IPAddress.Parse("10.99.2.2"))) },
        { "ip -n lab-b mptcp endpoint change id 2 backup nofullmesh", Json(new SetEndpointFlags(B, 2, IPAddress.Parse("10.99.2.2"), true, false)) },
        { "ip -n lab-a mptcp limits set subflows 8 add_addr_accepted 7", Json(new SetMptcpLimits(A, 8, 7)) },
        { "ip netns exec lab-a sysctl -w net.mptcp.enabled=0", Json(new WriteSysctl(A, SysctlKey.Parse("net.mptcp.enabled"), "0")) },
        { "sysctl -w 'net.ipv4.tcp_rmem=4096 131072 6291456'", Json(new WriteSysctl(GatewayName.Host, SysctlKey.Parse("net.ipv4.tcp_rmem"), "4096 131072 6291456")) },
    };

    public static TheoryData<string, string> Faults => new()
    {
        { "marker", Json(new DeleteNamespace(A, "nonsense")) },
        { "host", Json(new DeleteNamespace(GatewayName.Host, Marker)) },
        { "same name", Json(new AddVethPair(A, Path2, A, Path2)) },
        { "interface", Json(new ReplaceRoute(A, new() { Destination = IpPrefix.Parse("10.0.0.0/8") })) },
        { "host bits", Json(new ReplaceRoute(A, new() { Destination = IpPrefix.Parse("10.0.0.1/8"), Interface = Path2 })) },
        { "family", Json(new ReplaceRoute(A, new() { Destination = IpPrefix.Parse("10.0.0.0/8"), Interface = Path2, NextHop = IPAddress.Parse("fd00::1") })) },
        { "table", Json(new AddRule(A, 1001, IpPrefix.Parse("10.0.0.0/8"), 0)) },
        { "MTU", Json(new SetMtu(A, Path2, 67)) },
        { "MTU", Json(new SetMtu(A, Path2, 65536)) },
        { "address peer", Json(new AddAddress(A, Path2, IpPrefix.Parse("10.0.0.1/32"), new() { Peer = IPAddress.Parse("fd00::1") })) },
        { "address label", Json(new AddAddress(A, Path2, IpPrefix.Parse("10.0.0.1/32"), new() { Label = new string('x', 16) })) },
        { "address flags", Json(new AddAddress(A, Path2, IpPrefix.Parse("10.0.0.1/32"), new() { Flags = 0x80 })) },
        { "address lifetime", Json(new AddAddress(A, Path2, IpPrefix.Parse("10.0.0.1/32"), new() { ValidSeconds = 1 })) },
        { "route metrics", Json(new ReplaceRoute(A, new() { Destination = IpPrefix.Parse("10.0.0.0/8"), Interface = Path2, Options = new() { Metrics = [new((RouteMetricName)99, 1)] } })) },
        { "twice", Json(new ReplaceRoute(A, new() { Destination = IpPrefix.Parse("10.0.0.0/8"), Interface = Path2, Options = new() { Metrics = [new(RouteMetricName.Mtu, 1), new(RouteMetricName.Mtu, 2)] } })) },
        { "list", Json(new ReplaceRoute(A, new() { Destination = IpPrefix.Parse("10.0.0.0/8"), Interface = Path2, Options = new() { Hops = [new(Path2, null)] } })) },
        { "weight", Json(new ReplaceRoute(A, new() { Destination = IpPrefix.Parse("10.0.0.0/8"), Options = new() { Hops = [new(Path2, null, 0)] } })) },
        { "IPv6 next hop", Json(new ReplaceRoute(A, new() { Destination = IpPrefix.Parse("10.0.0.0/8"), Interface = Path2, Options = new() { IsViaIPv6 = true } })) },
        { "priority", Json(new AddRule(A, 0, IpPrefix.Parse("10.0.0.0/8"), 7)) },
        { "rate", Json(new SetShaper(A, Path2, 7, 32000, 64000)) },
        { "limit", Json(new SetShaper(A, Path2, 1_000_000, 32000, 31000)) },
        { "endpoint id", Json(new AddEndpoint(A, 0, IPAddress.Loopback, MptcpEndpointFlags.Signal)) },
        { "exclude", Json(new AddEndpoint(A, 1, IPAddress.Loopback, MptcpEndpointFlags.Signal | MptcpEndpointFlags.Fullmesh)) },
        { "port", Json(new AddEndpoint(A, 1, IPAddress.Loopback, MptcpEndpointFlags.Subflow, null, 80)) },
        { "endpoint id", Json(new SetEndpointFlags(A, 0, IPAddress.Loopback, true, false)) },
        { "0 to 8", Json(new SetMptcpLimits(A, 9, 0)) },
        { "one line", Json(new WriteSysctl(A, SysctlKey.Parse("net.mptcp.enabled"), "1\n2")) },
    };

    [Theory]
    [MemberData(nameof(Previews))]
    public void ToShellText_OfEachOperation_IsTheCommandThatPeopleKnow(string expected, string json)
    {
        var operation = OperationJson.Read(json);

        Assert.Equal(expected, operation.ToShellText());
        Assert.Equal(json, OperationJson.Write(operation));
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public void Read_OutOfRange_NamesTheField(string word, string json)
    {
        var e = Assert.Throws<ChangeException>(() => OperationJson.Read(json));

        Assert.Equal(ChangeFault.Invalid, e.Fault);
        Assert.Contains(word, e.Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("""{"verb":"runShell","gateway":"host","text":"rm"}""")]
    [InlineData("""{"verb":"setLinkState","gateway":"host","interface":"-x","up":true}""")]
    [InlineData("""{"verb":"setLinkState","gateway":"../x","interface":"eth0","up":true}""")]
    [InlineData("""{"verb":"setLinkState","gateway":"host","interface":"eth0","up":true,"extra":1}""")]
    [InlineData("""{"verb":"writeSysctl","gateway":"host","key":"kernel.core_pattern","value":"x"}""")]
    [InlineData("""{"verb":"writeSysctl","gateway":"host","key":"net.../../kernel.x","value":"x"}""")]
    public void Read_HostileText_IsRefused(string json) => Assert.Equal(ChangeFault.Invalid, Assert.Throws<ChangeException>(() => OperationJson.Read(json)).Fault);

    [Fact]
    public void ToShellLines_OfABlockedInterface_AreCommandsOfNft() => Assert.Equal(
        [
            "ip netns exec lab-a nft 'add table inet mpsec; add chain inet mpsec prerouting { type filter hook prerouting priority -300; }; add chain inet mpsec forward { type filter hook forward priority -300; }; add chain inet mpsec output { type filter hook output priority -300; }'",
            "ip netns exec lab-a nft 'add rule inet mpsec prerouting iifname \"path2\" drop comment \"mpsec: blocked\"'",
            "ip netns exec lab-a nft 'add rule inet mpsec forward oifname \"path2\" drop comment \"mpsec: blocked\"'",
            "ip netns exec lab-a nft 'add rule inet mpsec output oifname \"path2\" drop comment \"mpsec: blocked\"'",
        ],
        OperationJson.Read(Json(new BlockInterface(A, Path2, true))).ToShellLines());

    [Fact]
    public void ToShellLines_OfAnOpenedInterface_ListTheHandlesFirst()
    {
        var lines = new BlockInterface(GatewayName.Host, Path2, false).ToShellLines().ToList();

        Assert.Equal("nft -a list table inet mpsec", lines[0]);
        Assert.Equal(4, lines.Count);
        Assert.All(lines.Skip(1), line => Assert.StartsWith("nft delete rule inet mpsec ", line, StringComparison.Ordinal));
    }

    [Fact]
    public void Read_RecordOfAnEarlierVersion_IsTaken()
    {
        // Journals of before had neither options nor fewer derived fields.
        const string Json = """{"verb":"replaceRoute","route":{"destination":"10.0.0.0/8","table":254,"kind":"unicast","interface":"path2","metric":0,"protocol":3,"isIPv6":false,"effectiveScope":253},"gateway":"lab-a"}""";
        Assert.Equal(new ReplaceRoute(A, new() { Destination = IpPrefix.Parse("10.0.0.0/8"), Interface = Path2 }), OperationJson.Read(Json));
        Assert.Equal(new AddAddress(A, Path2, IpPrefix.Parse("10.0.0.1/8")), OperationJson.Read("""{"verb":"addAddress","interface":"path2","address":"10.0.0.1/8","gateway":"lab-a"}"""));
    }

    [Fact]
    public void ForPath_WithDelay_HasASecondCommand()
    {
        var shaper = SetShaper.ForPath(A, Path2, 30_000_000, TimeSpan.FromMilliseconds(50), TimeSpan.FromMilliseconds(2.5));

        Assert.Equal(["tc", "-n", "lab-a", "qdisc", "replace", "dev", "path2", "parent", "1:1", "netem", "delay", "2500us"], shaper.DelayCommand);
        Assert.Equal(shaper, OperationJson.Read(Json(shaper)));
    }

    private static string Json(HostOperation operation) => OperationJson.Write(operation);
}
