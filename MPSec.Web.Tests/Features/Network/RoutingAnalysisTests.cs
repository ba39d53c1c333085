using System.Collections.Immutable;
using System.Net;
using MPSec.Changes;
using MPSec.Features.Network;
using MPSec.Linux.Gateways;
using MPSec.Linux.Netlink;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;

namespace MPSec.Tests.Features.Network;

/// <summary>Findings of readings made by hand; the answers come from a small model of the kernel's lookup.</summary>
public sealed class RoutingAnalysisTests
{
    private static readonly GatewayName s_gateway = GatewayName.Parse("gw");
    private static readonly IPAddress s_far = IPAddress.Parse("192.0.2.1");

    public static TheoryData<string, RoutingFault?, int> Cases => new()
    {
        { "sound", null, 0 },
        { "rule missing", RoutingFault.MissingRule, 1 },
        { "rule to another path's table", RoutingFault.WrongTable, 1 },
        { "rule to main", RoutingFault.WrongTable, 1 },
        { "table by another device", RoutingFault.WrongDevice, 1 },
        { "source of another path", RoutingFault.WrongSource, 0 },
        { "no default", RoutingFault.MissingDefault, 1 },
        { "not closed", RoutingFault.NoLastResort, 0 },
        { "strict", RoutingFault.StrictReversePath, 0 },
        { "a rule for all comes first", RoutingFault.Overruled, 1 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Judge_OneBreak_OneFindingWithARepairThatTouchesNoRuleThatExists(string which, RoutingFault? fault, int wrong)
    {
        var reading = Broken(which);
        var snapshot = Judge(reading, filters: which == "strict" ? new() { ["p2"] = 1 } : []);

        Assert.Equal(wrong, snapshot.WrongCells);
        if (fault is null)
        {
            Assert.True(snapshot.IsProved);
            return;
        }

        var finding = Assert.Single(snapshot.Findings);
        Assert.Equal((fault, "p2", wrong > 0), (finding.Fault, finding.Path, finding.IsActive));
        Assert.NotEmpty(finding.Repair);
        Assert.DoesNotContain(finding.Repair, o => o is RemoveRule);
        var taken = reading.Rules.Select(r => r.Priority).ToHashSet();
        Assert.All(finding.Repair.OfType<AddRule>(), r => Assert.DoesNotContain(r.Priority, taken));
        Assert.All(finding.Repair, o => o.Validate());
        Assert.Equal(finding.Repair.OrderBy(RoutingRepair.Order), finding.Repair);
    }

    [Fact]
    public void Judge_OnePathOnly_NeedsNoRouting()
    {
        var reading = Reading() with { Rules = [], Routes = [Default("p1", 254)], Links = [Link(1, "p1")], Addresses = [Address(1)] };
        Assert.True(Judge(reading).IsProved);
    }

    [Fact]
    public void Repairs_NumbersInUse_AreNotTakenTwice()
    {
        var foreign = new RuleReading(1001, IpPrefix.Parse("203.0.113.0/24"), null, 101, "lookup", false, null, null, null);
        var reading = Reading() with
        {
            Rules = [foreign],
            Routes = [Default("p1", 254, 10), Default("p2", 254, 20), new(IpPrefix.Parse("198.51.100.0/24"), 102, "unreachable", null, null, null, 0, 3, 0)],
        };

        var repairs = Judge(reading).Repairs;

        var rules = repairs.OfType<AddRule>().ToList();
        Assert.Equal(2, rules.Count);
        Assert.DoesNotContain(rules, r => r.Table is 101 or 102 or 254);
        Assert.Equal(2, rules.Select(r => r.Table).Distinct().Count());
        Assert.DoesNotContain(rules, r => r.Priority == 1001);
        Assert.True(repairs.IndexOf(repairs.First(o => o is AddRule)) > repairs.LastIndexOf(repairs.Last(o => o is ReplaceRoute)));
    }

    [Fact]
    public void Discover_NothingLeadsAnywhere_PlainInterfacesAreOfferedAsPaths()
    {
        var paths = Paths(Reading() with { Rules = [], Routes = [] });
        Assert.Equal([NetworkPathRole.Primary, NetworkPathRole.Bonded], paths.Select(p => p.Role));
        Assert.All(paths, p => Assert.Null(p.V4!.NextHop));
    }

    [Fact]
    public void Repairs_PointToPointLink_GetsADefaultWithoutNextHop()
    {
        var reading = Reading() with
        {
            Rules = [Rule(1)],
            Routes = [Default("p1", 254), Default("p1", 101), Closed(101), new(IpPrefix.Parse("0.0.0.0/0"), 254, "unicast", null, 2, null, 50, 3, 253)],
        };

        var repairs = Judge(reading).Repairs;

        Assert.Contains(repairs.OfType<ReplaceRoute>(), r => r.Route is { Kind: RouteKind.Unicast, Destination.Length: 0, NextHop: null, Interface.Value: "p2", Table: 102 });
    }

    [Fact]
    public void Discover_LocalNetworkBesideAPath_IsOff()
    {
        var reading = Reading() with { Rules = [], Routes = [Default("p1", 254)] };
        Assert.Equal([NetworkPathRole.Primary, NetworkPathRole.Off], Paths(reading).Select(p => p.Role));
    }

    [Fact]
    public void Discover_BackupEndpoint_IsBackup()
    {
        var reading = Reading() with { Endpoints = [new(2, IPAddress.Parse("10.99.2.1"), 0, MptcpEndpointFlags.Subflow | MptcpEndpointFlags.Backup, null)] };
        Assert.Equal(NetworkPathRole.Backup, Paths(reading)[1].Role);
    }

    [Fact]
    public void IsSame_OnlyCountersDiffer_IsTrueAndARouteMoreIsFalse()
    {
        var reading = Reading();
        var later = Reading() with { Links = [.. reading.Links.Select(l => l with { Counters = new(1, 2, 3, 4, 5, 6, 7, 8, 9, 10) })] };
        Assert.True(RoutingAnalysis.IsSame(reading, later));
        Assert.False(RoutingAnalysis.IsSame(reading, later with { Routes = later.Routes.Add(Default("p1", 7)) }));
    }

    [Theory]
    [InlineData("192.0.2.1, 2001:db8::1", 2, null)]
    [InlineData("", 0, null)]
    [InlineData("1", 0, "1")]
    [InlineData("10.9", 0, "10.9")]
    [InlineData("fe80::1%2", 0, "fe80::1%2")]
    [InlineData("<script>", 0, "<script>")]
    public void ParsePeers_Text_AddressesOrTheWordThatIsNone(string text, int count, string? wrong)
    {
        Assert.Equal(count, NetworkService.ParsePeers(text, out var error).Length);
        Assert.Equal(wrong, error);
    }

    private static NetworkSnapshot Judge(GatewayReading reading, Dictionary<string, int>? filters = null)
    {
        var paths = Paths(reading, filters);
        ImmutableArray<IPAddress> peers = [s_far];
        return RoutingAnalysis.Judge(reading, paths, peers, RoutingAnalysis.Questions(paths, peers).ToDictionary(q => (q.Source, q.Peer), q => Lookup(reading, q.Source, q.Peer)));
    }

    private static ImmutableArray<NetworkPath> Paths(GatewayReading reading, Dictionary<string, int>? filters = null) =>
        PathDiscovery.Discover(reading, new(new Dictionary<string, int>(), new Dictionary<string, InterfaceOwner>(), filters ?? [], new Dictionary<(string, bool), IPAddress?>()));

    // First rule that has an answer; longest prefix, then metric.
    private static KernelRouteAnswer Lookup(GatewayReading reading, IPAddress source, IPAddress peer)
    {
        foreach (var rule in reading.Rules.Append(new(32766, null, null, 254, "lookup", false, null, null, null)).Where(r => r.Source?.Contains(source) != false).OrderBy(r => r.Priority))
        {
            if (reading.Routes.Where(r => r.Table == rule.Table && r.Destination.Contains(peer)).OrderByDescending(r => r.Destination.Length).ThenBy(r => r.Metric).FirstOrDefault() is { } route)
            {
                return route.Kind == "unicast"
                    ? new(source, peer, RouteRefusal.None, 0, route.InterfaceIndex, route.Gateway, rule.Table)
                    : new(source, peer, RouteRefusal.Unreachable, 113, null, null, rule.Table);
            }
        }

        return new(source, peer, RouteRefusal.Unreachable, 101, null, null, null);
    }

    private static GatewayReading Broken(string which)
    {
        var sound = Reading();
        return which switch
        {
            "rule missing" => sound with { Rules = [Rule(1)] },
            "rule to another path's table" => sound with { Rules = [Rule(1), Rule(2, 101)] },
            "rule to main" => sound with { Rules = [Rule(1), Rule(2, 254)] },
            "table by another device" => sound with { Routes = sound.Routes.Replace(Default("p2", 102), Default("p1", 102)) },
            "source of another path" => sound with { Routes = sound.Routes.Replace(Default("p2", 102), Default("p2", 102) with { PreferredSource = IPAddress.Parse("10.99.1.1") }) },
            "no default" => sound with { Routes = [.. sound.Routes.Remove(Default("p2", 102)).Remove(Closed(102)), new(IpPrefix.Parse("10.99.2.0/24"), 102, "unicast", null, 2, null, 0, 3, 253), Closed(102)] },
            "not closed" => sound with { Routes = sound.Routes.Remove(Closed(102)) },
            "a rule for all comes first" => sound with { Rules = [new(500, IpPrefix.Parse("10.99.2.0/30"), null, 254, "unreachable", false, null, null, null), Rule(1), Rule(2)] },
            _ => sound,
        };
    }

    private static GatewayReading Reading() => new()
    {
        Gateway = s_gateway,
        Links = [Link(1, "p1"), Link(2, "p2")],
        Addresses = [Address(1), Address(2)],
        Rules = [Rule(1), Rule(2)],
        Routes = [Default("p1", 254, 10), Default("p2", 254, 20), Default("p1", 101), Closed(101), Default("p2", 102), Closed(102)],
    };

    private static LinkReading Link(int index, string name) => new() { Index = index, Name = name, Flags = 0x10001, OperationalState = "up", Mtu = 1500, Kind = "veth" };

    private static AddressReading Address(int index) => new(index, IpPrefix.Parse($"10.99.{index}.1/24"), 0x80, 0, null);

    private static RuleReading Rule(int path, uint? table = null) => new((uint)(1000 + path), IpPrefix.Parse($"10.99.{path}.1/32"), null, table ?? (uint)(100 + path), "lookup", false, null, null, null);

    private static RouteReading Default(string device, uint table, uint metric = 0) =>
        new(IpPrefix.Parse("0.0.0.0/0"), table, "unicast", IPAddress.Parse(device == "p1" ? "10.99.1.2" : "10.99.2.2"), device == "p1" ? 1 : 2, null, metric, 3, 0);

    private static RouteReading Closed(uint table) => new(IpPrefix.Parse("0.0.0.0/0"), table, "unreachable", null, null, null, RoutingRepair.LastResortMetric, 3, 0);
}
