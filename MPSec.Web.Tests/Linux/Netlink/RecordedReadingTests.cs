using System.Net;
using MPSec.Linux.Gateways;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;

namespace MPSec.Tests.Linux.Netlink;

/// <summary>What Linux 6.18 answered for the world that <c>FixtureRecorder</c> builds.</summary>
public sealed class RecordedReadingTests
{
    [Fact]
    public void Links_Recorded_HaveNamesCountersAndKind()
    {
        var links = Read("links", ReadingScope.Links).Links;

        Assert.Equal(["lo", "p1", "p2"], links.Select(l => l.Name));
        Assert.True(links[0].IsLoopback);
        var p1 = links[1];
        Assert.Equal((1400u, "veth", "02:00:00:00:01:01", "up"), (p1.Mtu, p1.Kind, p1.HardwareAddress, p1.OperationalState));
        Assert.True(p1.IsUp && p1.HasCarrier);
        Assert.True(p1.Counters!.TxBytes > 1000);
        Assert.Equal(0ul, p1.Counters.RxErrors);
    }

    [Fact]
    public void Addresses_Recorded_HaveBothFamilies()
    {
        var addresses = Read("addresses", ReadingScope.Addresses).Addresses;

        Assert.Contains(addresses, a => a.Prefix == IpPrefix.Parse("10.99.1.1/24") && a.Label == "p1" && a.Scope == 0 && (a.Flags & 0x80) != 0);
        Assert.Contains(addresses, a => a.Prefix == IpPrefix.Parse("2001:db8:1::1/64") && a.Label is null);
        Assert.Contains(addresses, a => a.Prefix == IpPrefix.Parse("127.0.0.1/8") && a.Scope == 254);
    }

    [Fact]
    public void Routes_Recorded_LeaveOutTableLocal()
    {
        var routes = Read("routes", ReadingScope.Routes).Routes;

        Assert.DoesNotContain(routes, r => r.Table == 255);
        Assert.Contains(routes, r => r.Destination == IpPrefix.Parse("0.0.0.0/0") && r.Table == 254 && r.Metric == 50 && r.Gateway!.Equals(IPAddress.Parse("10.99.1.2")));
        Assert.Contains(routes, r => r.Table == 102 && r.Kind == "unicast" && r.PreferredSource!.Equals(IPAddress.Parse("10.99.2.1")));
        Assert.Contains(routes, r => r.Table == 102 && r.Kind == "unreachable" && r.Metric == 4278198272 && r.Gateway is null);
        Assert.Contains(routes, r => r.Destination == IpPrefix.Parse("2001:db8:77::/48") && r.Table == 1000);
    }

    [Fact]
    public void Rules_Recorded_AreOrderedByPriority()
    {
        var rules = Read("rules", ReadingScope.Rules).Rules;

        Assert.Equal(rules.Select(r => r.Priority).Order(), rules.Select(r => r.Priority));
        Assert.Contains(rules, r => r.Priority == 1002 && r.Source == IpPrefix.Parse("10.99.2.1/32") && r.Table == 102 && r.Action == "lookup" && !r.IsIPv6);
        Assert.Contains(rules, r => r.Priority == 1003 && r.Mark == 7 && r.InputInterface == "lo" && r.Action == "unreachable");
        Assert.Contains(rules, r => r is { IsIPv6: true, Priority: 32766, Table: 254 });
    }

    [Fact]
    public void Qdiscs_Recorded_TellTheShapersRate()
    {
        var qdiscs = Read("qdiscs", ReadingScope.Qdiscs).Qdiscs;

        Assert.Equal(50_000_000ul, Assert.Single(qdiscs, q => q.Kind == "tbf").RateBitsPerSecond);
        Assert.All(qdiscs.Where(q => q.Kind != "tbf"), q => Assert.Null(q.RateBitsPerSecond));
    }

    [Fact]
    public void PathManager_Recorded_HasEndpointsAndLimits()
    {
        var endpoints = Read("endpoints", ReadingScope.Endpoints).Endpoints;
        var limits = Read("limits", ReadingScope.Limits).Limits;

        Assert.Equal([(byte)2, (byte)5], endpoints.Select(e => e.Id));
        Assert.Equal(MptcpEndpointFlags.Subflow | MptcpEndpointFlags.Backup, endpoints[0].Flags);
        Assert.NotNull(endpoints[0].InterfaceIndex);
        Assert.Equal((IPAddress.Parse("10.99.1.1"), (ushort)10100, MptcpEndpointFlags.Signal), (endpoints[1].Address, endpoints[1].Port, endpoints[1].Flags));
        Assert.Equal(new MptcpLimits(3, 2), limits);
    }

    [Fact]
    public void Sockets_Recorded_JoinByToken()
    {
        var connections = Read("connections", ReadingScope.Connections | ReadingScope.Listeners).Connections;
        var reading = Read("subflows", ReadingScope.Subflows);

        var connection = Assert.Single(connections, c => c.State == 1);
        Assert.Equal(IPEndPoint.Parse("10.99.1.1:40001"), connection.Local);
        Assert.Equal(IPEndPoint.Parse("10.99.1.2:5000"), connection.Remote);
        Assert.Equal((1000ul, 500ul, 1000ul), (connection.BytesSent, connection.BytesReceived, connection.BytesAcked));
        Assert.False(connection.IsFallback);
        Assert.NotNull(connection.LastDataSentMs);
        var listener = Assert.Single(connections, c => c.State == 10 && c.Local.Port == 6000);
        Assert.Null(listener.Token);

        Assert.All(reading.Subflows, s => Assert.Equal(connection.Token, s.TokenLocal));
        var first = Assert.Single(reading.Subflows, s => s.Local.Equals(connection.Local));
        Assert.Equal(1000ul, first.BytesSent);
        Assert.True(first.RttMicroseconds > 0 && first.CongestionWindow > 0 && first.SendMss > 500);
        Assert.NotNull(first.CongestionControl);
        Assert.Equal(connection.Inode, first.Inode);
        Assert.Equal(1, reading.PlainTcpEstablished);
    }

    [Fact]
    public void Events_Recorded_TellTheWholeStory()
    {
        var events = new List<GatewayEvent>();
        var decoder = new GatewayEventDecoder();
        foreach (var datagram in RecordedTransport.Load("events-routing"))
        {
            decoder.DecodeRouting(datagram, events);
        }

        Assert.Contains(events, e => e is LinkChanged { Link: { Name: "p1", Mtu: 1400 } });
        Assert.Contains(events, e => e is LinkGone { Name: "p2" });
        Assert.Contains(events, e => e is AddressRemoved { Address.Prefix: var p } && p == IpPrefix.Parse("2001:db8:1::1/64"));
        Assert.Contains(events, e => e is RouteChanged { Removed: false, Route: { Table: 102, Kind: "unreachable" } });
        Assert.Contains(events, e => e is RuleChanged { Removed: true, Rule.Priority: 1003 });

        events.Clear();
        var family = RecordedTransport.Messages("events-mptcp")[0].Type;
        foreach (var datagram in RecordedTransport.Load("events-mptcp"))
        {
            decoder.DecodeMptcp(family, datagram, events);
            decoder.DecodeMptcp((ushort)(family + 1), datagram, events);
        }

        var kinds = events.Cast<MptcpEvent>().Select(e => e.Kind).ToList();
        Assert.Contains(MptcpEventKind.Created, kinds);
        Assert.Contains(MptcpEventKind.Established, kinds);
        Assert.Contains(MptcpEventKind.Closed, kinds);
        Assert.Equal(IPEndPoint.Parse("10.99.1.2:5000"), events.Cast<MptcpEvent>().First(e => e.Kind == MptcpEventKind.Created).Remote);
    }

    private static GatewayReading Read(string recording, ReadingScope scope)
    {
        using var reader = new GatewayReader(GatewayName.Host, _ => new RecordedTransport(RecordedTransport.Load(recording)), "/nowhere", null);
        var reading = reader.Read(scope);
        Assert.Empty(reading.Faults);
        return reading;
    }
}
