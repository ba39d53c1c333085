using System.Net;
using MPSec.Changes;
using MPSec.Features.Network;
using MPSec.Linux.Gateways;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;
using static MPSec.Tests.Features.Network.NetworkStates;

namespace MPSec.Tests.Features.Network;

public sealed class NetworkPlannerTests
{
    private static readonly NetworkDocumentEndpoint s_endpoint = new() { Id = 2, Address = IPAddress.Parse("10.99.2.1"), Flags = [MptcpEndpointFlags.Signal] };

    [Fact]
    public void Compute_BareGateway_AddsAddressesLinksRoutesRulesAndEndpointsInThisOrder()
    {
        var document = Documents(
            Document(1) with { Addresses = [IpPrefix.Parse("10.99.1.1/24"), IpPrefix.Parse("2001:db8:1::1/64")], NextHops = [IPAddress.Parse("10.99.1.2"), IPAddress.Parse("2001:db8:1::2")], Role = NetworkPathRole.Primary },
            Document(2) with { Role = NetworkPathRole.Backup }) with
        {
            Settings = NetworkDocument.Empty.Settings.Add("net.ipv4.ip_forward", "1"),
            Mptcp = new() { Enabled = true, Subflows = 8, AddAddrAccepted = 8, Endpoints = [s_endpoint] },
            More = [new AddRule(GatewayName.Host, 500, IpPrefix.Parse("192.0.2.0/24"), 101), new ReplaceRoute(GatewayName.Host, new() { Destination = IpPrefix.Parse("198.51.100.0/24"), Interface = InterfaceName.Parse("path2"), NextHop = IPAddress.Parse("10.99.2.2") })],
        };
        Same(
            """
            ip netns exec g sysctl -w net.ipv4.ip_forward=1
            ip netns exec g sysctl -w net.mptcp.enabled=1
            ip -n g address add 10.99.1.1/24 dev path1
            ip -n g address add 2001:db8:1::1/64 dev path1
            ip -n g address add 10.99.2.1/24 dev path2
            ip -n g link set dev path1 up
            ip -n g link set dev path2 up
            ip -n g route replace 10.99.1.0/24 dev path1 src 10.99.1.1 table 101
            ip -n g -6 route replace 2001:db8:1::/64 dev path1 table 101
            ip -n g route replace 10.99.2.0/24 dev path2 src 10.99.2.1 table 102
            ip -n g route replace default via 10.99.1.2 dev path1 table 101
            ip -n g -6 route replace default via 2001:db8:1::2 dev path1 table 101
            ip -n g route replace default via 10.99.1.2 dev path1
            ip -n g -6 route replace default via 2001:db8:1::2 dev path1 metric 1
            ip -n g route replace default via 10.99.2.2 dev path2 table 102
            ip -n g route replace 198.51.100.0/24 via 10.99.2.2 dev path2
            ip -n g route replace unreachable default metric 4278198272 table 101
            ip -n g -6 route replace unreachable default metric 4278198272 table 101
            ip -n g route replace unreachable default metric 4278198272 table 102
            ip -n g rule add pref 1001 from 10.99.1.1 table 101
            ip -n g -6 rule add pref 1001 from 2001:db8:1::1 table 101
            ip -n g rule add pref 1002 from 10.99.2.1 table 102
            ip -n g rule add pref 500 from 192.0.2.0/24 table 101
            ip -n g mptcp limits set subflows 8 add_addr_accepted 8
            ip -n g mptcp endpoint add 10.99.2.1 id 2 signal backup
            """,
            null, document, new NetworkStates().Link("path1", up: false).Link("path2", up: false).Setting("net.ipv4.ip_forward", "0").Setting("net.mptcp.enabled", "0"));
    }

    [Fact]
    public void Compute_StateThatIsThere_IsEmpty()
    {
        var document = Documents(Document(1), Document(2)) with { Mptcp = new() { Endpoints = [s_endpoint] } };
        var state = new NetworkStates().Path(1).Path(2).Endpoint(2, "10.99.2.1", MptcpEndpointFlags.Signal);
        Same("", document, document, state);
        Same("", null, document, state);
    }

    [Fact]
    public void Compute_ForeignThings_AreLeftAlone()
    {
        var state = new NetworkStates().Path(1).Path(2).Link("eth9").Address("eth9", "192.168.7.7/24").Address("path1", "192.0.2.1/32")
            .Route("0.0.0.0/0", "eth9", "192.168.7.1", metric: 100).Route("203.0.113.0/24", "path1", "10.99.1.9", 101).Rule(77, "192.0.2.1/32", 777).Endpoint(9, "192.168.7.7", MptcpEndpointFlags.Subflow);
        Same("", Documents(Document(1), Document(2)), Documents(Document(1), Document(2)), state);
        Same(
            """
            ip -n g rule del pref 1002 from 10.99.2.1 table 102
            ip -n g route del unreachable default metric 4278198272 table 102
            ip -n g route del default via 10.99.2.2 dev path2 table 102
            ip -n g route del 10.99.2.0/24 dev path2 src 10.99.2.1 table 102
            ip -n g address del 10.99.2.1/24 dev path2
            """,
            Documents(Document(1), Document(2)), Documents(Document(1)), state);
    }

    [Fact]
    public void Compute_NamedRouteThatSomebodyElseReplaced_IsNotTakenAway()
    {
        var state = new NetworkStates().Path(1).Route("198.51.100.0/24", "path1", "10.99.1.77");
        var saved = Documents(Document(1)) with { More = [new ReplaceRoute(GatewayName.Host, new() { Destination = IpPrefix.Parse("198.51.100.0/24"), Interface = InterfaceName.Parse("path1"), NextHop = IPAddress.Parse("10.99.1.2") })] };
        Same("", saved, Documents(Document(1)), state);
    }

    [Fact]
    public void Compute_OtherNextHopAndTable_NewRoutesAndRuleBeforeTheOldOnesGo() => Same(
        """
        ip -n g route replace 10.99.1.0/24 dev path1 src 10.99.1.1 table 201
        ip -n g route replace default via 10.99.1.3 dev path1 table 201
        ip -n g route replace unreachable default metric 4278198272 table 201
        ip -n g rule add pref 1001 from 10.99.1.1 table 201
        ip -n g rule del pref 1001 from 10.99.1.1 table 101
        ip -n g route del unreachable default metric 4278198272 table 101
        ip -n g route del default via 10.99.1.2 dev path1 table 101
        ip -n g route del 10.99.1.0/24 dev path1 src 10.99.1.1 table 101
        """,
        Documents(Document(1)), Documents(Document(1) with { Table = 201, NextHops = [IPAddress.Parse("10.99.1.3")] }), new NetworkStates().Path(1));

    [Fact]
    public void Compute_OtherNextHopInTheSameTable_IsOneReplacement() => Same(
        "ip -n g route replace default via 10.99.1.3 dev path1 table 101",
        Documents(Document(1)), Documents(Document(1) with { NextHops = [IPAddress.Parse("10.99.1.3")] }), new NetworkStates().Path(1));

    [Fact]
    public void Compute_OtherPrimary_ReplacesTheDefaultInOneStep() => Same(
        "ip -n g route replace default via 10.99.2.2 dev path2",
        Documents(Document(1) with { Role = NetworkPathRole.Primary }, Document(2)), Documents(Document(1), Document(2) with { Role = NetworkPathRole.Primary }),
        new NetworkStates().Path(1).Path(2).Route("0.0.0.0/0", "path1", "10.99.1.2"));

    [Fact]
    public void Compute_PrimaryBesideADefaultWithAMetric_GetsABetterOneAndGivesItBack()
    {
        var state = new NetworkStates().Path(1).Path(2).Route("0.0.0.0/0", "path2", "10.99.2.2", metric: 100);
        var primary = Documents(Document(1) with { Role = NetworkPathRole.Primary });
        Same("ip -n g route replace default via 10.99.1.2 dev path1", Documents(Document(1)), primary, state);
        Same("ip -n g route del default via 10.99.1.2 dev path1", primary, Documents(Document(1) with { Role = NetworkPathRole.Bonded }), state.Route("0.0.0.0/0", "path1", "10.99.1.2"));
    }

    [Theory]
    [InlineData(NetworkPathRole.Backup, MptcpEndpointFlags.Signal, "ip -n g mptcp endpoint change id 2 backup nofullmesh")]
    [InlineData(NetworkPathRole.Bonded, MptcpEndpointFlags.Signal | MptcpEndpointFlags.Backup, "ip -n g mptcp endpoint change id 2 nobackup nofullmesh")]
    [InlineData(NetworkPathRole.Bonded, MptcpEndpointFlags.Signal, "")]
    [InlineData(null, MptcpEndpointFlags.Signal | MptcpEndpointFlags.Backup, "")]
    [InlineData(NetworkPathRole.Primary, MptcpEndpointFlags.Signal, "ip -n g route replace default via 10.99.2.2 dev path2")]
    public void Compute_RoleOfAPathWithAnEndpointThatTheDocumentDoesNotName_SetsItsFlag(NetworkPathRole? role, MptcpEndpointFlags flags, string command) =>
        Same(command, Documents(Document(2)), Documents(Document(2) with { Role = role }), new NetworkStates().Path(2).Endpoint(2, "10.99.2.1", flags));

    [Fact]
    public void Compute_RoleOff_TakesEndpointAndRoutingAwayAndKeepsTheAddress()
    {
        var saved = Documents(Document(1), Document(2)) with { Mptcp = new() { Endpoints = [s_endpoint] } };
        Same(
            """
            ip -n g mptcp endpoint delete id 2
            ip -n g rule del pref 1002 from 10.99.2.1 table 102
            ip -n g route del unreachable default metric 4278198272 table 102
            ip -n g route del default via 10.99.2.2 dev path2 table 102
            ip -n g route del 10.99.2.0/24 dev path2 src 10.99.2.1 table 102
            """,
            saved, saved with { Paths = [saved.Paths[0], saved.Paths[1] with { Role = NetworkPathRole.Off }] }, new NetworkStates().Path(1).Path(2).Endpoint(2, "10.99.2.1", MptcpEndpointFlags.Signal));
    }

    [Fact]
    public void Compute_OtherAddressInTheSameNetwork_ExpectsThatTheKernelDropsTheRoutes() => Same(
        """
        ip -n g address del 10.99.1.1/24 dev path1
        ip -n g address add 10.99.1.9/24 dev path1
        ip -n g route replace 10.99.1.0/24 dev path1 src 10.99.1.9 table 101
        ip -n g route replace default via 10.99.1.2 dev path1 table 101
        ip -n g route replace 203.0.113.0/24 via 10.99.1.77 dev path1
        ip -n g rule add pref 1001 from 10.99.1.9 table 101
        ip -n g rule del pref 1001 from 10.99.1.1 table 101
        """,
        Documents(Document(1)), Documents(Document(1) with { Addresses = [IpPrefix.Parse("10.99.1.9/24")] }), new NetworkStates().Path(1).Route("203.0.113.0/24", "path1", "10.99.1.77"));

    [Fact]
    public void Compute_FirstOfTwoAddressesInANetworkGoes_TheSecondIsTakenAndPutBack()
    {
        var two = Document(1) with { Addresses = [IpPrefix.Parse("10.99.1.1/24"), IpPrefix.Parse("10.99.1.9/24")] };
        Same(
            """
            ip -n g address del 10.99.1.9/24 dev path1
            ip -n g address del 10.99.1.1/24 dev path1
            ip -n g address add 10.99.1.9/24 dev path1
            ip -n g route replace 10.99.1.0/24 dev path1 src 10.99.1.9 table 101
            ip -n g route replace default via 10.99.1.2 dev path1 table 101
            ip -n g rule del pref 1001 from 10.99.1.1 table 101
            """,
            Documents(two), Documents(two with { Addresses = [IpPrefix.Parse("10.99.1.9/24")] }), new NetworkStates().Path(1).Address("path1", "10.99.1.9/24", 0x81).Rule(1001, "10.99.1.9/32", 101));
        Same(
            """
            ip -n g rule del pref 1001 from 10.99.1.9 table 101
            ip -n g address del 10.99.1.9/24 dev path1
            """,
            Documents(two), Documents(Document(1)), new NetworkStates().Path(1).Address("path1", "10.99.1.9/24", 0x81).Rule(1001, "10.99.1.9/32", 101));
    }

    [Fact]
    public void Compute_OtherOrderOfTwoAddressesInANetwork_MakesTheFirstTheKernelsFirst()
    {
        var path = Document(1) with { Table = null, RulePriority = null, NextHops = [], Addresses = [IpPrefix.Parse("10.99.1.9/24"), IpPrefix.Parse("10.99.1.1/24")] };
        Same(
            """
            ip -n g address del 10.99.1.9/24 dev path1
            ip -n g address del 10.99.1.1/24 dev path1
            ip -n g address add 10.99.1.9/24 dev path1
            ip -n g address add 10.99.1.1/24 dev path1
            """,
            Documents(path), Documents(path), new NetworkStates().Link("path1").Address("path1", "10.99.1.1/24").Address("path1", "10.99.1.9/24", 0x81));
        Same("", Documents(path), Documents(path), new NetworkStates().Link("path1").Address("path1", "10.99.1.9/24").Address("path1", "10.99.1.1/24", 0x81));
    }

    [Fact]
    public void Compute_IPv6AddressWithAnotherLength_OldGoesFirstBecauseTheKernelHasEachOnce() => Same(
        """
        ip -n g address del 2001:db8::1/64 dev path3
        ip -n g address add 2001:db8::1/48 dev path3
        """,
        null, Documents(new NetworkDocumentPath { Interface = InterfaceName.Parse("path3"), Addresses = [IpPrefix.Parse("2001:db8::1/48")] }), new NetworkStates().Link("path3").Address("path3", "2001:db8::1/64"));

    [Fact]
    public void Compute_PathGoesDown_LastOfAllAndItsRoutesAreNotSet()
    {
        var primary = Documents(Document(1) with { Role = NetworkPathRole.Primary }, Document(2));
        Same(
            """
            ip -n g route del default via 10.99.1.2 dev path1
            ip -n g route del default via 10.99.1.2 dev path1 table 101
            ip -n g route del 10.99.1.0/24 dev path1 src 10.99.1.1 table 101
            ip -n g link set dev path1 down
            """,
            primary, primary with { Paths = [primary.Paths[0] with { Up = false }, primary.Paths[1]] }, new NetworkStates().Path(1).Path(2).Route("0.0.0.0/0", "path1", "10.99.1.2"));
    }

    [Fact]
    public void Compute_OtherMtu_IsSetBeforeAddressesThatNeedIt() => Same(
        """
        ip -n g link set dev path1 mtu 1300
        ip -n g address add 2001:db8::1/64 dev path1
        """,
        null, Documents(new NetworkDocumentPath { Interface = InterfaceName.Parse("path1"), Mtu = 1300, Addresses = [IpPrefix.Parse("2001:db8::1/64")] }), new NetworkStates().Link("path1", mtu: 1000));

    [Fact]
    public void Compute_NineSubflowEndpointsOnTheWay_OldOnesGoFirst()
    {
        static NetworkDocumentEndpoint Endpoint(int id, int net) => new() { Id = (byte)id, Address = IPAddress.Parse($"10.98.{net}.1"), Flags = [MptcpEndpointFlags.Subflow] };
        var state = new NetworkStates();
        Enumerable.Range(1, 8).ToList().ForEach(i => state.Endpoint((byte)i, $"10.98.{i}.1", MptcpEndpointFlags.Subflow));
        var eight = NetworkDocument.Empty with { Mptcp = new() { Endpoints = [.. Enumerable.Range(1, 8).Select(i => Endpoint(i, i))] } };
        Same(
            """
            ip -n g mptcp endpoint delete id 8
            ip -n g mptcp endpoint add 10.98.9.1 id 9 subflow
            """,
            eight, eight with { Mptcp = eight.Mptcp with { Endpoints = [.. eight.Mptcp.Endpoints.Take(7), Endpoint(9, 9)] } }, state);
    }

    [Fact]
    public void Compute_PathOfNetworkManager_GetsRulesTablesAndEndpointsOnly()
    {
        var state = new NetworkStates().Link("eth0").Address("eth0", "192.168.1.7/24", 0).Route("0.0.0.0/0", "eth0", "192.168.1.1", metric: 100, protocol: 16)
            .Owner("eth0", InterfaceOwnerKind.NetworkManager, "/run/NetworkManager/devices/2");
        var path = new NetworkDocumentPath { Interface = InterfaceName.Parse("eth0"), Addresses = [IpPrefix.Parse("192.168.1.7/24")], NextHops = [IPAddress.Parse("192.168.1.1")], Table = 101, Role = NetworkPathRole.Primary };
        var document = Documents(path) with { Mptcp = new() { Endpoints = [new() { Id = 1, Address = IPAddress.Parse("192.168.1.7"), Flags = [MptcpEndpointFlags.Subflow] }] } };
        Same(
            """
            ip -n g route replace 192.168.1.0/24 dev eth0 src 192.168.1.7 table 101
            ip -n g route replace default via 192.168.1.1 dev eth0 table 101
            ip -n g route replace unreachable default metric 4278198272 table 101
            ip -n g rule add pref 101 from 192.168.1.7 table 101
            ip -n g mptcp endpoint add 192.168.1.7 id 1 subflow
            """,
            null, document, state);
    }

    [Theory]
    [InlineData("address", "path eth0: address 192.168.1.8/24: NetworkManager manages eth0 (/run/NetworkManager/devices/2) and would set it back; change it with: nmcli device modify eth0")]
    [InlineData("mtu", "path eth0: mtu: NetworkManager manages eth0 (/run/NetworkManager/devices/2) and would set it back; change it with: nmcli device modify eth0")]
    [InlineData("up", "path eth0: up: NetworkManager manages eth0 (/run/NetworkManager/devices/2) and would set it back; change it with: nmcli device modify eth0")]
    [InlineData("primary", "path eth0: role primary: the default route of table main leaves by path1; NetworkManager manages eth0 (/run/NetworkManager/devices/2) and would set it back; change it with: nmcli device modify eth0")]
    public void Compute_EditOfWhatNetworkManagerSets_IsRefusedAndLeftOutOfARestoration(string what, string sentence)
    {
        var state = new NetworkStates().Path(1).Link("eth0").Address("eth0", "192.168.1.7/24", 0).Route("0.0.0.0/0", "path1", "10.99.1.2").Owner("eth0", InterfaceOwnerKind.NetworkManager, "/run/NetworkManager/devices/2").State();
        var path = new NetworkDocumentPath { Interface = InterfaceName.Parse("eth0") };
        path = what switch
        {
            "address" => path with { Addresses = [IpPrefix.Parse("192.168.1.8/24")] },
            "mtu" => path with { Mtu = 1400 },
            "up" => path with { Up = false },
            _ => path with { Addresses = [IpPrefix.Parse("192.168.1.7/24")], NextHops = [IPAddress.Parse("192.168.1.1")], Role = NetworkPathRole.Primary },
        };
        var refused = Assert.Throws<ChangeException>(() => NetworkPlanner.Compute(Gateway, null, Documents(path), state, NetworkPlanAim.Edit));
        Assert.Equal(sentence, refused.Message);
        Assert.Equal([sentence], NetworkPlanner.Compute(Gateway, Documents(path), Documents(path), state, NetworkPlanAim.Restore).LeftOut);
        Assert.Empty(NetworkPlanner.Compute(Gateway, Documents(path), Documents(path) with { Settings = NetworkDocument.Empty.Settings }, state, NetworkPlanAim.Edit).Operations);
    }

    [Fact]
    public void Compute_OwnedPathWhoseAddressIsNotThereYet_LeavesOutWhatNeedsIt()
    {
        var state = new NetworkStates().Link("eth0").Owner("eth0", InterfaceOwnerKind.SystemdNetworkd, "/run/systemd/netif/links/2").State();
        var document = Documents(new NetworkDocumentPath { Interface = InterfaceName.Parse("eth0"), Addresses = [IpPrefix.Parse("192.168.1.7/24")], NextHops = [IPAddress.Parse("192.168.1.1")], Table = 101 });
        var plan = NetworkPlanner.Compute(Gateway, document, document, state, NetworkPlanAim.Restore);
        Assert.Equal(["ip -n g route replace unreachable default metric 4278198272 table 101", "ip -n g rule add pref 101 from 192.168.1.7 table 101"], plan.Operations.Select(o => o.ToShellText()));
        Assert.Contains("systemd-networkd manages eth0", Assert.Single(plan.LeftOut), StringComparison.Ordinal);
    }

    [Fact]
    public void Compute_InterfaceThatIsNotThere_IsRefusedWhenItsPathIsNewAndLeftOutOtherwise()
    {
        var state = new NetworkStates().Path(1).Setting("net.ipv4.conf.path2.rp_filter", null);
        var both = Documents(Document(1), Document(2)) with { Settings = NetworkDocument.Empty.Settings.Add("net.ipv4.conf.path2.rp_filter", "2") };
        const string Sentence = "path path2: gateway g has no interface path2 now; there are path1";
        Assert.Equal(Sentence, Assert.Throws<ChangeException>(() => NetworkPlanner.Compute(Gateway, Documents(Document(1)), both, state.State(), NetworkPlanAim.Edit)).Message);
        Same("ip -n g route replace default via 10.99.1.3 dev path1 table 101\nip -n g route replace unreachable default metric 4278198272 table 102\nip -n g rule add pref 1002 from 10.99.2.1 table 102",
            both, both with { Paths = [both.Paths[0] with { NextHops = [IPAddress.Parse("10.99.1.3")] }, both.Paths[1]] }, state);
        Assert.Equal([Sentence], NetworkPlanner.Compute(Gateway, both, both, state.State(), NetworkPlanAim.Restore).LeftOut);
    }

    [Fact]
    public void Compute_SettingThatTheKernelDoesNotHave_IsNamed()
    {
        var document = NetworkDocument.Empty with { Settings = NetworkDocument.Empty.Settings.Add("net.mptcp.add_addr_v6_port_drop_ts", "1") };
        var refused = Assert.Throws<ChangeException>(() => NetworkPlanner.Compute(Gateway, null, document, new NetworkStates().Setting("net.mptcp.add_addr_v6_port_drop_ts", null).State(), NetworkPlanAim.Edit));
        Assert.Equal("settings: net.mptcp.add_addr_v6_port_drop_ts: the kernel of gateway g does not have it; take it out", refused.Message);
    }

    private static void Same(string commands, NetworkDocument? saved, NetworkDocument wanted, NetworkStates state)
    {
        Assert.Empty(wanted.Faults());
        var plan = NetworkPlanner.Compute(Gateway, saved, wanted, state.State(), NetworkPlanAim.Edit);
        Assert.Equal(commands, string.Join('\n', plan.Operations.Select(o => o.ToShellText())));
        Assert.Empty(plan.LeftOut);
    }
}
