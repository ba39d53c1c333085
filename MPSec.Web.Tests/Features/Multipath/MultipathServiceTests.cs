using System.Collections.Immutable;
using System.Net;
using MPSec.Features.Multipath;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Tests.Features.Multipath;

public sealed class MultipathServiceTests
{
    private static readonly Dictionary<string, int> s_numbers = new() { ["path1"] = 1, ["path2"] = 2 };

    [Fact]
    public void Paths_TwoSamples_RatesCapacityAndRttOfEachPath()
    {
        var before = Reading(link1: new(0, 0, 1_000_000, 2_000_000, 0, 0, 0, 0, 0, 0), sent: 1000, again: 0);
        var now = Reading(link1: new(0, 0, 1_125_000, 4_500_000, 0, 0, 0, 0, 0, 0), sent: 3000, again: 20);
        var paths = MultipathService.Paths(GatewaySnapshot.Derive(before, now, TimeSpan.FromSeconds(1)), s_numbers);

        var lane = paths.Lanes[0];
        Assert.Equal(("path1", 1, PathState.Up, PathCause.None), (lane.Name, lane.Number, lane.State, lane.Cause));
        Assert.Equal(new InterfaceRate(20_000_000, 1_000_000), lane.Rate);
        Assert.Equal(20_000_000, lane.BusierBitsPerSecond);
        Assert.Equal(20_000_000, lane.CapacityBitsPerSecond);
        Assert.Equal(12.5, lane.RttMs);
        Assert.Equal(1.0, lane.RetransmittedPercent);
        Assert.Equal(IPAddress.Parse("10.99.1.2"), Assert.Single(lane.Peers));
        Assert.Equal((1, 0, 1), (paths.Connections, paths.Fallbacks, paths.Carrying));
        Assert.True(paths.MptcpEnabled);
        Assert.Equal(PathCause.NoSubflow, paths.Lanes[1].Cause);
    }

    [Fact]
    public void Paths_NamedByAPerson_HaveThatTitle()
    {
        var paths = MultipathService.Paths(GatewaySnapshot.Derive(null, Reading(), TimeSpan.Zero), s_numbers, new Titles());
        Assert.Equal([("path1", "광케이블"), ("path2", "path2")], paths.Lanes.Select(l => (l.Name, l.Title)));
    }

    [Fact]
    public void Paths_FirstSample_HasNoRate()
    {
        var paths = MultipathService.Paths(GatewaySnapshot.Derive(null, Reading(), TimeSpan.Zero), s_numbers);
        Assert.Null(paths.Lanes[0].Rate);
        Assert.Null(paths.SumBitsPerSecond);
        Assert.Null(paths.Lanes[0].RetransmittedPercent);
    }

    [Theory]
    [InlineData(0x0u, 0, PathState.Down, PathCause.SetDown)]
    [InlineData(0x1u, 0, PathState.Down, PathCause.NoCarrier)]
    [InlineData(0x10001u, 0, PathState.Up, PathCause.None)]
    [InlineData(0x10001u, 3, PathState.Degraded, PathCause.Unanswered)]
    public void Paths_LinkFlagsAndBackoff_GiveState(uint flags, byte backoff, PathState state, PathCause cause)
    {
        var paths = MultipathService.Paths(GatewaySnapshot.Derive(null, Reading(flags: flags, backoff: backoff), TimeSpan.Zero), s_numbers);
        Assert.Equal((state, cause), (paths.Lanes[0].State, paths.Lanes[0].Cause));
    }

    [Fact]
    public void Paths_BackupSubflow_IsStandby()
    {
        var paths = MultipathService.Paths(GatewaySnapshot.Derive(null, Reading(subflowFlags: 0x10), TimeSpan.Zero), s_numbers);
        Assert.Equal(PathState.Standby, paths.Lanes[0].State);
    }

    [Fact]
    public void Derive_CountersWentBack_NoRate()
    {
        var before = Reading(link1: new(0, 0, 5, 5, 0, 0, 0, 0, 0, 0));
        var now = Reading(link1: new(0, 0, 4, 9, 0, 0, 0, 0, 0, 0));
        Assert.DoesNotContain(2, GatewaySnapshot.Derive(before, now, TimeSpan.FromSeconds(1)).Rates.Keys);
    }

    [Fact]
    public void Candidates_LinkDownWithoutRoutes_IsFoundByItsEndpointOnly()
    {
        var reading = Reading() with { Routes = [] };
        Assert.Empty(PathNumbers.Candidates(reading));
        var announced = reading with { Endpoints = [new(2, IPAddress.Parse("10.99.2.1"), 0, MptcpEndpointFlags.Signal, null)] };
        Assert.Equal(["path2"], PathNumbers.Candidates(announced));
    }

    [Fact]
    public void FreeNumber_DigitsInName_AreKeptWhenFree()
    {
        Assert.Equal(3, PathNumbers.FreeNumber([], "path3"));
        Assert.Equal(1, PathNumbers.FreeNumber(new() { ["path3"] = 3 }, "wwan3"));
        Assert.Equal(1, PathNumbers.FreeNumber([], "eth0"));
        Assert.Equal(2, PathNumbers.FreeNumber(new() { ["a"] = 1, ["b"] = 3 }, "lte"));
    }

    [Fact]
    public void Geometry_FourPaths_OneScaleAndWidestAtMost48()
    {
        var lanes = new[] { 20, 30, 50, 400 }.Select((mbit, i) => new PathLane
        {
            Number = i + 1,
            Name = $"path{i + 1}",
            InterfaceIndex = i,
            State = PathState.Up,
            CapacityBitsPerSecond = mbit * 1e6,
            Rate = i == 0 ? new InterfaceRate(15_000, 0) : null,
        }).ToList();
        var geometry = new LaneGeometry(lanes);
        Assert.Equal(48, geometry.Strips[3].Bed);
        Assert.Equal(6, geometry.Strips[2].Bed);
        Assert.Equal(2, geometry.Strips[0].Fill);
        Assert.Equal(0, geometry.Strips[1].Fill);
        Assert.Equal(4 * LaneGeometry.LaneHeight, geometry.Height);
        Assert.True(geometry.Strips.Zip(geometry.Strips.Skip(1)).All(p => p.First.Port + (p.First.Bed / 2) < p.Second.Port - (p.Second.Bed / 2)));
        Assert.StartsWith("M0 ", LaneGeometry.Fan(geometry.Strips[0], 2, mirrored: false), StringComparison.Ordinal);
    }

    private static GatewayReading Reading(
        LinkCounters? link1 = null, uint flags = 0x10001, byte backoff = 0, uint subflowFlags = 0, ulong sent = 0, ulong again = 0) => new()
    {
        Gateway = GatewayName.Parse("t-a"),
        Links = [Link(2, "path1", flags) with { Counters = link1 }, Link(3, "path2", 0x10001)],
        Addresses = [new(2, IpPrefix.Parse("10.99.1.1/24"), 0x80, 0, null), new(3, IpPrefix.Parse("10.99.2.1/24"), 0x80, 0, null)],
        Routes = [Default(2, 1001), Default(3, 1002)],
        Qdiscs = [new(2, "tbf", 20_000_000, 0, 0)],
        MptcpSettings = ImmutableSortedDictionary<string, string>.Empty.Add("net.mptcp.enabled", "1"),
        Connections = [new() { Local = IPEndPoint.Parse("10.99.1.1:40000"), Remote = IPEndPoint.Parse("10.99.1.2:5001"), State = 1, Inode = 7, Uid = 0, Token = 9, Flags = 2 }],
        Subflows =
        [
            new()
            {
                Local = IPEndPoint.Parse("10.99.1.1:40000"), Remote = IPEndPoint.Parse("10.99.1.2:5001"), State = 1, Inode = 7, BoundInterfaceIndex = 0,
                TokenLocal = 9, TokenRemote = 0, LocalId = 0, RemoteId = 0, Flags = subflowFlags, Backoff = backoff, RttMicroseconds = 12_500, BytesSent = sent, BytesRetransmitted = again,
            },
        ],
    };

    private static LinkReading Link(int index, string name, uint flags) => new() { Index = index, Name = name, Flags = flags, OperationalState = "up", Mtu = 1500, Kind = "veth" };

    private static RouteReading Default(int index, uint table) =>
        new(IpPrefix.Parse("0.0.0.0/0"), table, "unicast", IPAddress.Parse("10.99.1.2"), index, null, 0, 3, 0);

    private sealed class Titles : IPathTitles
    {
        public string? TitleOf(GatewayName gateway, string interfaceName) => interfaceName == "path1" ? "광케이블" : null;
    }
}
