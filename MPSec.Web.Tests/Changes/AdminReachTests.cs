using System.Net;
using MPSec.Changes;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Tests.Changes;

public sealed class AdminReachTests
{
    private static readonly GatewayName s_host = GatewayName.Host;
    private static readonly GatewayName s_lab = GatewayName.Parse("lab-a");
    private static readonly InterfaceName s_eth0 = InterfaceName.Parse("eth0");
    private static readonly InterfaceName s_eth1 = InterfaceName.Parse("eth1");
    private static readonly AdminWay s_way = new(IPAddress.Parse("203.0.113.9"), IPAddress.Parse("192.0.2.1"), ["eth0"], IsHidden: false, CrossesNamespaces: false);

    public static TheoryData<string, HostOperation, bool> Operations => new()
    {
        { "own link down", new SetLinkState(s_host, s_eth0, false), true },
        { "own link up", new SetLinkState(s_host, s_eth0, true), false },
        { "other link down", new SetLinkState(s_host, s_eth1, false), false },
        { "loopback down", new SetLinkState(s_host, InterfaceName.Parse("lo"), false), true },
        { "link of the same name elsewhere", new SetLinkState(s_lab, s_eth0, false), false },
        { "own address removed", new RemoveAddress(s_host, s_eth1, IpPrefix.Parse("192.0.2.1/24")), true },
        { "another address of the link removed", new RemoveAddress(s_host, s_eth0, IpPrefix.Parse("192.0.2.7/24")), true },
        { "address of another link removed", new RemoveAddress(s_host, s_eth1, IpPrefix.Parse("198.51.100.1/24")), false },
        { "network of the browser claimed", new AddAddress(s_host, s_eth1, IpPrefix.Parse("203.0.113.1/24")), true },
        { "any other address added", new AddAddress(s_host, s_eth0, IpPrefix.Parse("198.51.100.1/24")), false },
        { "default route", new RemoveRoute(s_host, new() { Destination = IpPrefix.Parse("0.0.0.0/0"), Interface = s_eth1 }), true },
        { "route elsewhere", new RemoveRoute(s_host, new() { Destination = IpPrefix.Parse("198.51.100.0/24"), Interface = s_eth1 }), false },
        { "default route of IPv6", new RemoveRoute(s_host, new() { Destination = IpPrefix.Parse("::/0"), Interface = s_eth1 }), false },
        { "rule of the own address", new RemoveRule(s_host, 100, IpPrefix.Parse("192.0.2.1/32"), 100), true },
        { "rule of another address", new RemoveRule(s_host, 100, IpPrefix.Parse("198.51.100.1/32"), 100), false },
        { "rule for all", new AddRule(s_host, 100, IpPrefix.Parse("0.0.0.0/0"), 100), true },
        { "own link shaped", SetShaper.ForPath(s_host, s_eth0, 1_000_000, TimeSpan.FromMilliseconds(50), TimeSpan.Zero), true },
        { "MPTCP off", new WriteSysctl(s_host, SysctlKey.Parse("net.mptcp.enabled"), "0"), false },
        { "MPTCP endpoint", new AddEndpoint(s_host, 1, IPAddress.Parse("192.0.2.1"), MptcpEndpointFlags.Signal), false },
        { "congestion control", new WriteSysctl(s_host, SysctlKey.Parse("net.ipv4.tcp_congestion_control"), "cubic"), false },
        { "tiny receive buffers", new WriteSysctl(s_host, SysctlKey.Parse("net.ipv4.tcp_rmem"), "1 1 1"), true },
        { "strict source check on all links", new WriteSysctl(s_host, SysctlKey.Parse("net.ipv4.conf.all.rp_filter"), "1"), true },
        { "loose source check", new WriteSysctl(s_host, SysctlKey.Parse("net.ipv4.conf.eth0.rp_filter"), "2"), false },
        { "setting of another link", new WriteSysctl(s_host, SysctlKey.Parse("net.ipv4.conf.eth1.arp_ignore"), "8"), false },
    };

    [Theory]
    [MemberData(nameof(Operations))]
    public void MayCutOff_OneOperation_OnlyWhenTheWayOfTheBrowserIsTouched(string what, HostOperation operation, bool may)
    {
        Assert.True(AdminReach.MayCutOff(Plan(operation), s_way) == may, what);

        // Through a tunnel nobody knows: everything that moves packets of this machine may do it.
        if (may && operation is not SetLinkState { Up: true })
        {
            Assert.True(AdminReach.MayCutOff(Plan(operation), AdminWay.Unknown), what);
        }
    }

    [Fact]
    public void MayCutOff_BrowserBehindAnotherNamespace_ChangesThereCount()
    {
        var inner = s_way with { CrossesNamespaces = true };
        Assert.True(AdminReach.MayCutOff(Plan(new SetLinkState(s_lab, s_eth0, false)), inner));
        Assert.False(AdminReach.MayCutOff(Plan(new SetMptcpLimits(s_lab, 8, 8)), inner));
    }

    [Fact]
    public void Find_BrowserOfThisMachine_IsHidden()
    {
        Assert.True(AdminReach.Find(IPAddress.Loopback, IPAddress.Loopback).IsHidden);
        Assert.True(AdminReach.Find(null, null).IsHidden);
        Assert.True(AdminReach.Find(IPAddress.Parse("::ffff:127.0.0.1"), IPAddress.Parse("::ffff:127.0.0.1")).IsHidden);
    }

    [Fact]
    public void NewServer_OwnAddressReplaced_IsTheOneOnTheSameInterface()
    {
        var own = new IpPrefix(s_way.Server!, 24);
        var elsewhere = new AddAddress(GatewayName.Host, InterfaceName.Parse("eth9"), IpPrefix.Parse("192.0.2.7/24"));
        var there = new AddAddress(GatewayName.Host, s_eth0, IpPrefix.Parse("192.0.2.8/24"));
        var gone = new RemoveAddress(GatewayName.Host, s_eth0, own);

        Assert.Equal(IPAddress.Parse("192.0.2.8"), AdminReach.NewServer(Plan(gone, elsewhere, there), s_way));
        Assert.Equal(IPAddress.Parse("192.0.2.7"), AdminReach.NewServer(Plan(elsewhere, gone), s_way));
        Assert.Null(AdminReach.NewServer(Plan(gone), s_way));
        Assert.Null(AdminReach.NewServer(Plan(there), s_way));
        Assert.Null(AdminReach.NewServer(Plan(gone, there, new AddAddress(GatewayName.Host, s_eth0, own)), s_way));
        Assert.Null(AdminReach.NewServer(Plan(gone with { Gateway = s_lab }, there), s_way));
        Assert.Null(AdminReach.NewServer(Plan(gone, there), AdminWay.Unknown));
    }

    private static ChangePlan Plan(params HostOperation[] operations) => new() { TitleCode = "test", Operations = [.. operations] };
}
