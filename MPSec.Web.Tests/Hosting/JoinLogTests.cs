using System.Net;
using Microsoft.Extensions.Time.Testing;
using MPSec.Hosting.History;
using MPSec.Linux.Gateways;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;

namespace MPSec.Tests.Hosting;

public sealed class JoinLogTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void Close_OfASubflowThatNeverWasOne_IsAFailedJoinOfItsPath()
    {
        var log = new JoinLog(_time);
        log.See(new() { Gateway = GatewayName.Host });
        Assert.False(log.IsFailure(Event(MptcpEventKind.Created, 1), "p1"));
        Assert.False(log.IsFailure(Event(MptcpEventKind.Established, 1), "p1"));
        Assert.False(log.IsFailure(Event(MptcpEventKind.SubflowEstablished, 2), "p2"));
        Assert.True(log.IsFailure(Event(MptcpEventKind.SubflowClosed, 3, error: 110), "p3"));
        Assert.False(log.IsFailure(Event(MptcpEventKind.SubflowClosed, 2, error: 110), "p2"));
        Assert.False(log.IsFailure(Event(MptcpEventKind.SubflowClosed, 1, error: 104), "p1"));
        Assert.False(log.IsFailure(Event(MptcpEventKind.SubflowClosed, 4, error: 0), "p2")); // no reason: its end was told before
        Assert.Equal([("p2", new PathJoins(1, 0, 0)), ("p3", new PathJoins(1, 1, 0))], log.Read().OrderBy(p => p.Key).Select(p => (p.Key, p.Value)));

        log.IsFailure(Event(MptcpEventKind.SubflowClosed, 5, error: 111), "p3");
        log.IsFailure(Event(MptcpEventKind.SubflowEstablished, 6), "p3");
        Assert.Equal(200.0 / 3, log.Read()["p3"].RecentPercent, 6);
        _time.Advance(JoinLog.Window + TimeSpan.FromSeconds(1));
        Assert.Equal(new PathJoins(3, 2, 0), log.Read()["p3"]);
    }

    [Fact]
    public void Close_AfterLostEvents_CountsOnlyOnceSubflowsAreKnownAgain()
    {
        var log = new JoinLog(_time);
        Assert.False(log.IsFailure(Event(MptcpEventKind.SubflowClosed, 1, error: 110), "p1"));
        log.See(new() { Gateway = GatewayName.Host, Faults = [new("subflows", 1, "not read")] });
        Assert.False(log.IsFailure(Event(MptcpEventKind.SubflowClosed, 2, error: 110), "p1"));
        log.See(new() { Gateway = GatewayName.Host });
        Assert.False(log.IsFailure(Event(MptcpEventKind.SubflowClosed, 3, error: 110), "p1")); // of a connection that is not known
        log.IsFailure(Event(MptcpEventKind.Created, 9), "p1");
        Assert.True(log.IsFailure(Event(MptcpEventKind.SubflowClosed, 3, error: 110), "p1"));
        log.IsFailure(new() { Kind = MptcpEventKind.Closed, Token = 7 }, null);
        Assert.False(log.IsFailure(Event(MptcpEventKind.SubflowClosed, 9, error: 104), "p1")); // went with its connection
        log.Forget();
        Assert.False(log.IsFailure(Event(MptcpEventKind.SubflowClosed, 4, error: 110), "p1"));
        Assert.Equal(1, log.Read()["p1"].Failed);
    }

    private static MptcpEvent Event(MptcpEventKind kind, int port, byte? error = null) =>
        new() { Kind = kind, Token = 7, Local = new IPEndPoint(IPAddress.Parse("192.0.2.1"), port), Remote = new IPEndPoint(IPAddress.Parse("192.0.2.2"), 443), Error = error };
}
