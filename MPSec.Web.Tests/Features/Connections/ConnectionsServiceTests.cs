using System.Net;
using MPSec.Features.Connections;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;
using MPSec.Tests.Linux.Netlink;
using static MPSec.Tests.Features.Connections.ConnectionFacts;

namespace MPSec.Tests.Features.Connections;

public sealed class ConnectionsServiceTests
{
    [Fact]
    public void Of_TwoReadings_RatesSharesAndPathsOfEachSubflow()
    {
        var row = Assert.Single(Rows(Reading(Usual(1, sent: 1_250_000, received: 250_000)), Reading(Usual(1, sent: 1_000_000, received: 125_000)), seconds: 0.5).Rows);

        Assert.Equal((4_000_000.0, 2_000_000.0, 6_000_000.0), (row.SendBits, row.ReceiveBits, row.Bits));
        Assert.Equal(("00000001", "established", false), (row.Token, row.State, row.IsFallback));
        Assert.Equal((12.5, 2.0 * 4 * 1448), (row.RttMs, row.FlightBytes));
        var (first, second) = (row.Subflows[0], row.Subflows[1]);
        Assert.Equal(("path1", 1, "path2", 2), (first.Interface, first.Path, second.Interface, second.Path));
        Assert.Equal((4_000_000.0, 12_000_000.0), (first.SendBits, second.SendBits));
        Assert.Equal(1_500_000 / 5_250_000.0, first.Share!.Value, 9);
        Assert.Equal(1.0, row.Subflows.Sum(s => s.Share)!.Value, 9);
        Assert.Equal((3.0, 9.0, 25.0), (first.RttVariationMs, first.MinRttMs, second.RttMs));
        Assert.Equal((false, true), (first.IsJoined, second.IsJoined));
    }

    [Fact]
    public void Of_FirstReadingResetCounterAndReusedPorts_HaveNoRate()
    {
        Assert.Null(Assert.Single(Rows(Reading(Usual(1, sent: 10))).Rows).Bits);
        var back = Assert.Single(Rows(Reading(Usual(1, sent: 10, received: 20)), Reading(Usual(1, sent: 11, received: 10))).Rows);
        Assert.Null(back.SendBits);
        Assert.Equal(80.0, back.ReceiveBits);
        Assert.Null(back.Subflows[0].SendBits);

        var other = Usual(1, sent: 5);
        var reused = other with { Connection = other.Connection with { Token = 9 }, Subflows = [.. other.Subflows.Select(s => s with { TokenLocal = 9 })] };
        var row = Assert.Single(Rows(Reading(reused), Reading(other)).Rows);
        Assert.Null(row.Bits);
        Assert.All(row.Subflows, s => Assert.Null(s.Bits));
        Assert.Null(Assert.Single(Rows(Reading(other), Reading(other), seconds: 0).Rows).Bits);
    }

    [Fact]
    public void Of_OldKernel_LeavesOutWhatItDoesNotTell()
    {
        var (connection, _) = Usual(1);
        var bare = connection with { BytesSent = null, BytesReceived = null, Flags = null };
        var reading = Reading((bare, [Subflow(1, "10.99.1.1:1", "10.99.1.2:2") with { BytesSent = null, BytesReceived = null, RttMicroseconds = 0, MinRttMicroseconds = uint.MaxValue, SendMss = null, TotalRetransmissions = null }]));
        var row = Assert.Single(Rows(reading, reading).Rows);

        Assert.Equal((null, null, null, null), (row.Bits, row.IsFallback, row.LastDataMs, row.Retransmissions));
        Assert.Equal((null, null, null, null, null), (row.RttMs, row.FlightBytes, row.Subflows[0].MinRttMs, row.Subflows[0].Share, row.Subflows[0].RttVariationMs));
    }

    [Fact]
    public void Of_ListenersAndForeignAddresses_AreLeftOutOrNamedByTheirInterface()
    {
        var (connection, _) = Usual(1);
        var snapshot = Rows(Reading(
            (connection, [Subflow(1, "[::ffff:192.0.2.9]:7", "[::ffff:192.0.2.1]:8"), Subflow(1, "203.0.113.4:7", "203.0.113.5:8"), Subflow(1, "203.0.113.4:6", "203.0.113.5:8") with { BoundInterfaceIndex = 3 }]),
            (Connection(2) with { State = 10, Token = null }, [])));

        var row = Assert.Single(snapshot.Rows);
        Assert.Equal([2, null, null], row.Subflows.Select(s => s.Path));
        Assert.Equal(["path2", "eth9", null], row.Subflows.Select(s => s.Interface));
        Assert.Equal(IPEndPoint.Parse("192.0.2.9:7"), row.Subflows[1].Local);
        Assert.Equal((5, 3, true), (snapshot.PlainTcp, snapshot.Subflows, snapshot.MptcpEnabled));
    }

    [Theory]
    [InlineData(1, 0u, 0, SubflowState.Active)]
    [InlineData(1, 0x20u, 0, SubflowState.Backup)]
    [InlineData(1, 0x20u, 2, SubflowState.Unanswered)]
    [InlineData(2, 0u, 0, SubflowState.Other)]
    public void State_OfASubflow_FollowsTheKernel(byte state, uint flags, byte backoff, SubflowState expected)
    {
        var row = Assert.Single(Rows(Reading((Connection(1), [Subflow(1, "10.99.1.1:1", "10.99.1.2:2") with { State = state, Flags = flags, Backoff = backoff }]))).Rows);
        Assert.Equal(expected, row.Subflows[0].State);
    }

    [Fact]
    public void Of_Counters_TellFallbackCausesAndFailedJoins()
    {
        var reading = Reading(Usual(1, flags: 3)) with
        {
            Counters = CounterSet.From([new("MPTcpExtMPCapableFallbackSYNACK", 2), new("MPTcpExtMPCapableFallbackACK", 0), new("MPTcpExtMPJoinNoTokenFound", 4), new("MPTcpExtMPJoinSynRx", 7)]),
        };
        var snapshot = Rows(reading);

        Assert.Equal((1, true), (snapshot.Fallbacks, snapshot.Rows[0].IsFallback));
        Assert.Equal([new("MPCapableFallbackSYNACK", 2)], snapshot.FallbackCauses);
        Assert.Equal([new("MPJoinNoTokenFound", 4)], snapshot.JoinFailures);
    }

    [Fact]
    public void Of_SameSnapshot_IsMadeOnce()
    {
        var service = new ConnectionsService(new FakePaths());
        var snapshot = GatewaySnapshot.Derive(Reading(Usual(1, sent: 1)), Reading(Usual(1, sent: 2)), TimeSpan.FromSeconds(1));
        Assert.Same(service.Of(snapshot), service.Of(snapshot));
        Assert.Equal(8.0, service.Of(snapshot).SendBits);
    }

    [Fact]
    public void Of_RecordedAnswersOfLinux_JoinsBytesAndFigures()
    {
        using var connections = new GatewayReader(GatewayName.Host, _ => new RecordedTransport(RecordedTransport.Load("connections")), "/nowhere", null);
        using var subflows = new GatewayReader(GatewayName.Host, _ => new RecordedTransport(RecordedTransport.Load("subflows")), "/nowhere", null);
        var reading = connections.Read(ReadingScope.Connections | ReadingScope.Listeners) with { Subflows = subflows.Read(ReadingScope.Subflows).Subflows };
        var row = Assert.Single(ConnectionsService.Of(reading, null, TimeSpan.Zero, Numbers).Rows, r => r.State == "established");

        Assert.Equal((1000ul, 500ul, 1000ul), (row.Kernel.BytesSent, row.Kernel.BytesReceived, row.Kernel.BytesAcked));
        Assert.NotEmpty(row.Subflows);
        Assert.All(row.Subflows, s => Assert.Equal(row.Kernel.Token, s.Kernel.TokenLocal));
        Assert.True(row.RttMs > 0 && row.LastDataMs is not null);
        Assert.Equal(1.0, row.Subflows.Sum(s => s.Share)!.Value, 9);
        Assert.Equal(0.0, row.OutOfOrder);
    }

    [Fact]
    public void Order_LiveRows_KeepTheirPlacesUntilSomebodySorts()
    {
        var order = new ConnectionOrder();
        var byRtt = ConnectionSort.Parse("-rtt");
        var first = order.Arrange(Rows(Reading(Usual(1, rtt: 1000), Usual(2, rtt: 3000), Usual(3, rtt: 2000))).Rows, byRtt);
        Assert.Equal(["00000002", "00000003", "00000001"], first.Select(r => r.Token));

        var later = Rows(Reading(Usual(4, rtt: 9000), Usual(1, rtt: 8000), Usual(3, rtt: 10))).Rows;
        Assert.Equal(["00000003", "00000001", "00000004"], order.Arrange(later, byRtt).Select(r => r.Token));
        order.Reset();
        Assert.Equal(["00000004", "00000001", "00000003"], order.Arrange(later, byRtt).Select(r => r.Token));
    }

    [Fact]
    public void Order_UnknownValues_AreLastAndEqualOnesStay()
    {
        var rows = Rows(Reading(Usual(1, rtt: 0), Usual(2, rtt: 5000), Usual(3, rtt: 5000))).Rows;
        foreach (var text in new[] { "rtt", "-rtt" })
        {
            Assert.Equal(["00000002", "00000003", "00000001"], ConnectionSort.Parse(text).Apply(rows).Select(r => r.Token));
        }

        Assert.Equal(("rate", true), (ConnectionSort.Parse("nonsense").Column.Key, ConnectionSort.Parse(null).Descending));
        Assert.Equal(["rtt", "cc"], ConnectionColumn.Parse("cc, rtt,<script>").Select(c => c.Key));
    }

    [Fact]
    public void Command_OfAConnectionAndItsSubflows_NamesThemAndTheGateway()
    {
        var row = Assert.Single(Rows(Reading(Usual(1))).Rows);
        Assert.Equal(
            [
                "ip netns exec t-a ss -Mni 'src 10.99.1.1:40001 and dst 10.99.1.2:5001'",
                "ip netns exec t-a ss -tni '( src 10.99.1.1:40001 and dst 10.99.1.2:5001 ) or ( src 10.99.2.1:50001 and dst 10.99.1.2:5001 )'",
            ],
            ConnectionCommands.Show(GatewayName.Parse("t-a"), row));
        Assert.StartsWith("ss -Mni", ConnectionCommands.Show(GatewayName.Host, row)[0], StringComparison.Ordinal);
    }
}
