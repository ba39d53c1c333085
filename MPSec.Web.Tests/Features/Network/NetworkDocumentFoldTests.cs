using System.Net;
using MPSec.Changes;
using MPSec.Features.Network;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;
using static MPSec.Tests.Features.Network.NetworkStates;

namespace MPSec.Tests.Features.Network;

public sealed class NetworkDocumentFoldTests
{
    private static readonly InterfaceName s_path1 = InterfaceName.Parse("path1");

    /// <summary>What a routing repair does for path 1: routes, then the last resort, then the rule.</summary>
    private static HostOperation[] Routing(int number, string hop) =>
    [
        Route($"10.99.{number}.0/24", $"path{number}", source: $"10.99.{number}.1", table: 100 + (uint)number),
        Route("0.0.0.0/0", $"path{number}", hop, table: 100 + (uint)number),
        new ReplaceRoute(Gateway, new() { Destination = IpPrefix.Parse("0.0.0.0/0"), Kind = RouteKind.Unreachable, Metric = RoutingRepair.LastResortMetric, Table = 100 + (uint)number }),
        new AddRule(Gateway, 1000 + (uint)number, IpPrefix.Parse($"10.99.{number}.1/32"), 100 + (uint)number),
    ];

    [Fact]
    public void With_AddressesAndWholeRouting_BecomePaths()
    {
        var document = NetworkDocument.Empty.With([new AddAddress(Gateway, s_path1, IpPrefix.Parse("10.99.1.1/24")), .. Routing(1, "10.99.1.2")]);
        Equal(Documents(Document(1)), document);
    }

    [Fact]
    public void With_RoutingOfAnAddressThatNobodySet_IsKeptAsItIs()
    {
        var document = NetworkDocument.Empty.With(Routing(1, "10.99.1.2"));
        Assert.Empty(document.Paths);
        Assert.Equal(4, document.More.Length);
        // When the path is known later it takes what is its own.
        Equal(Documents(Document(1)), document.With([new AddAddress(Gateway, s_path1, IpPrefix.Parse("10.99.1.1/24"))]));
    }

    [Fact]
    public void With_PartOfTheRouting_SaysNoMoreThanIsThere()
    {
        var before = Documents(Document(1) with { Table = null, RulePriority = null, NextHops = [] });
        var document = before.With([Routing(1, "10.99.1.2")[3]]);
        Assert.Null(document.Paths[0].Table);
        Assert.Equal("ip rule add pref 1001 from 10.99.1.1 table 101", Assert.Single(document.More).ToShellText());
        Equal(Documents(Document(1)), document.With(Routing(1, "10.99.1.2")));
    }

    [Fact]
    public void With_OtherNextHopPriorityAndExtraRoute_PathChangesAndTheRestIsMore()
    {
        var document = Documents(Document(1) with { Name = "LTE" }).With(
        [
            Route("0.0.0.0/0", "path1", "10.99.1.9", table: 101),
            new AddRule(Gateway, 1050, IpPrefix.Parse("10.99.1.1/32"), 101),
            new RemoveRule(Gateway, 1001, IpPrefix.Parse("10.99.1.1/32"), 101),
            Route("198.51.100.0/24", "path1", "10.99.1.9"),
        ]);
        Equal(Documents(Document(1) with { Name = "LTE", NextHops = [IPAddress.Parse("10.99.1.9")], RulePriority = 1050 }) with { More = [Route("198.51.100.0/24", "path1", "10.99.1.9") with { Gateway = GatewayName.Host }] }, document);
        Equal(Documents(Document(1) with { Name = "LTE", NextHops = [IPAddress.Parse("10.99.1.9")], RulePriority = 1050 }), document.With([new RemoveRoute(Gateway, Route("198.51.100.0/24", "path1", "10.99.1.9").Route)]));
    }

    [Fact]
    public void With_RuleRemoved_TheTableIsNoLongerThePaths()
    {
        var document = Documents(Document(1)).With([new RemoveRule(Gateway, 1001, IpPrefix.Parse("10.99.1.1/32"), 101)]);
        Assert.Null(document.Paths[0].Table);
        Assert.Equal(3, document.More.Length);
        Assert.Empty(document.Faults());
    }

    [Fact]
    public void With_EndpointOperations_AlterMptcp()
    {
        AddEndpoint Endpoint(byte id, int net, MptcpEndpointFlags flags) => new(Gateway, id, IPAddress.Parse($"10.99.{net}.1"), flags);
        var document = NetworkDocument.Empty.With(
        [
            new WriteSysctl(Gateway, SysctlKey.Parse("net.mptcp.enabled"), "1"),
            new WriteSysctl(Gateway, SysctlKey.Parse("net.mptcp.stale_loss_cnt"), "5"),
            new SetMptcpLimits(Gateway, 8, 4),
            Endpoint(1, 1, MptcpEndpointFlags.Subflow),
            Endpoint(2, 2, MptcpEndpointFlags.Signal),
            Endpoint(3, 3, MptcpEndpointFlags.Signal),
            new SetEndpointFlags(Gateway, 3, IPAddress.Parse("10.99.3.1"), true, false),
            new RemoveEndpoint(Gateway, 1, IPAddress.Parse("10.99.1.1")),
            Endpoint(9, 2, MptcpEndpointFlags.Subflow), // the kernel has each address once
            new SetEndpointFlags(Gateway, 77, IPAddress.Parse("10.99.7.1"), true, false), // not of this document
        ]);
        Assert.Equal((true, 8u, 4u), (document.Mptcp!.Enabled, document.Mptcp.Subflows, document.Mptcp.AddAddrAccepted));
        Assert.Equal(["3 Signal Backup", "9 Subflow"], document.Mptcp.Endpoints.Select(e => $"{e.Id} {string.Join(' ', e.Flags)}"));
        Assert.Equal("5", document.Settings["net.mptcp.stale_loss_cnt"]);
        Assert.Empty(document.Faults());
    }

    [Theory]
    [InlineData(NetworkPathRole.Bonded, true, NetworkPathRole.Backup)]
    [InlineData(NetworkPathRole.Backup, false, NetworkPathRole.Bonded)]
    [InlineData(NetworkPathRole.Primary, true, NetworkPathRole.Primary)]
    [InlineData(null, true, null)]
    public void With_BackupFlagChanged_TheRoleFollows(NetworkPathRole? before, bool backup, NetworkPathRole? after)
    {
        var document = Documents(Document(1) with { Role = before }) with
        {
            Mptcp = new() { Endpoints = [new() { Id = 1, Address = IPAddress.Parse("10.99.1.1"), Flags = [MptcpEndpointFlags.Signal] }] },
        };
        var folded = document.With([new SetEndpointFlags(Gateway, 1, IPAddress.Parse("10.99.1.1"), backup, false)]);
        Assert.Equal(after, folded.Paths[0].Role);
        Assert.Equal(backup, NetworkWants.Of(folded, Gateway).Endpoints[0].Flags.HasFlag(MptcpEndpointFlags.Backup));
    }

    [Fact]
    public void With_EndpointOnAPathThatIsOff_PathIsNoLongerOffAndHasNoRouting()
    {
        var document = Documents(Document(1) with { Role = NetworkPathRole.Off }).With([new AddEndpoint(Gateway, 1, IPAddress.Parse("10.99.1.1"), MptcpEndpointFlags.Signal)]);
        Assert.Equal((null, null), (document.Paths[0].Role, document.Paths[0].Table));
        Assert.Single(NetworkWants.Of(document, Gateway).Endpoints);
        Assert.Empty(NetworkWants.Of(document, Gateway).Rules);
    }

    [Fact]
    public void With_PathOff_KeepsItsTableForLater()
    {
        var off = Documents(Document(1) with { Role = NetworkPathRole.Off });
        Equal(off, off.With([new SetMptcpLimits(Gateway, 2, 0)]) with { Mptcp = null });
    }

    [Fact]
    public void With_MainDefaultOfAPrimaryReplaced_RoleGoesAndTheRouteStays()
    {
        var primary = Documents(Document(1) with { Role = NetworkPathRole.Primary }, Document(2));
        var document = primary.With([Route("0.0.0.0/0", "path2", "10.99.2.2")]);
        Assert.Null(document.Paths[0].Role);
        Assert.Equal("ip route replace default via 10.99.2.2 dev path2", Assert.Single(document.More).ToShellText());
    }

    [Fact]
    public void With_NothingOnAnyDocument_IsTheSameDocument()
    {
        var document = Documents(Document(1) with { Role = NetworkPathRole.Primary, Name = "A" }, Document(2) with { Role = NetworkPathRole.Backup, Up = false }, new NetworkDocumentPath { Interface = InterfaceName.Parse("eth9"), Name = "B" }) with
        {
            Mptcp = new() { Enabled = true, Endpoints = [new() { Id = 2, Address = IPAddress.Parse("10.99.2.1"), Flags = [MptcpEndpointFlags.Signal] }] },
            More = [new AddRule(GatewayName.Host, 5, IPAddress.Parse("192.0.2.1").Alone(), 5)],
        };
        Equal(document, document.With([]));
    }

    [Fact]
    public void With_Namespace_CannotBeKept()
    {
        var refused = Assert.Throws<ChangeException>(() => NetworkDocument.Empty.With([new CreateNamespace(GatewayName.Parse("x"), CreateNamespace.NewMarker())]));
        Assert.Equal(ChangeFault.Invalid, refused.Fault);
    }

    private static ReplaceRoute Route(string destination, string link, string? via = null, string? source = null, uint table = 254) => new(Gateway, new()
    {
        Destination = IpPrefix.Parse(destination),
        Interface = InterfaceName.Parse(link),
        NextHop = via is null ? null : IPAddress.Parse(via),
        Source = source is null ? null : IPAddress.Parse(source),
        Table = table,
    });

    private static void Equal(NetworkDocument expected, NetworkDocument actual)
    {
        Assert.Equal(expected.ToJson(), actual.ToJson());
        Assert.Empty(actual.Faults());
    }
}
