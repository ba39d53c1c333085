using System.Collections.Immutable;
using System.Net;
using MPSec.Features.Connections;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Tests.Features.Connections;

/// <summary>Readings made by hand: path1 has 10.99.1.1, path2 has 10.99.2.1.</summary>
internal static class ConnectionFacts
{
    public static readonly IReadOnlyDictionary<string, int> Numbers = new Dictionary<string, int> { ["path1"] = 1, ["path2"] = 2 };

    public static GatewayReading Reading(params (MptcpConnection Connection, Subflow[] Subflows)[] connections) => new()
    {
        Gateway = GatewayName.Parse("t-a"),
        Links = [Link(2, "path1"), Link(3, "path2"), Link(4, "eth9")],
        Addresses = [Address(2, "10.99.1.1/24"), Address(3, "10.99.2.1/24"), Address(4, "192.0.2.9/24")],
        MptcpSettings = ImmutableSortedDictionary<string, string>.Empty.Add("net.mptcp.enabled", "1"),
        PlainTcpEstablished = 5,
        Connections = [.. connections.Select(c => c.Connection)],
        Subflows = [.. connections.SelectMany(c => c.Subflows)],
    };

    /// <summary>Connection number <paramref name="n"/>: token n, local port 40000 + n, two subflows.</summary>
    public static (MptcpConnection Connection, Subflow[] Subflows) Usual(int n, ulong sent = 0, ulong received = 0, uint rtt = 12_500, uint flags = 2) => (
        Connection((uint)n) with { Local = IPEndPoint.Parse($"10.99.1.1:{40000 + n}"), BytesSent = sent, BytesReceived = received, Flags = flags },
        [
            Subflow((uint)n, $"10.99.1.1:{40000 + n}", "10.99.1.2:5001") with { BytesSent = sent, BytesReceived = received, RttMicroseconds = rtt },
            Subflow((uint)n, $"10.99.2.1:{50000 + n}", "10.99.1.2:5001") with { BytesSent = 3 * sent, RttMicroseconds = 2 * rtt, Flags = 0x8 },
        ]);

    public static MptcpConnection Connection(uint token) => new()
    {
        Local = IPEndPoint.Parse("10.99.1.1:40001"), Remote = IPEndPoint.Parse("10.99.1.2:5001"), State = 1, Inode = 7 + token, Uid = 0, Token = token, Flags = 2, Subflows = 1, SubflowsMax = 2,
    };

    public static Subflow Subflow(uint token, string local, string remote) => new()
    {
        Local = IPEndPoint.Parse(local), Remote = IPEndPoint.Parse(remote), State = 1, Inode = 7 + token, BoundInterfaceIndex = 0, TokenLocal = token, TokenRemote = 0, LocalId = 0, RemoteId = 0, Flags = 1,
        RttMicroseconds = 12_500, RttVariationMicroseconds = 3_000, MinRttMicroseconds = 9_000, CongestionWindow = 10, Unacknowledged = 4, SendMss = 1448, CongestionControl = "cubic", BytesSent = 0, BytesReceived = 0,
        TotalRetransmissions = 0, ReceivedOutOfOrder = 0,
    };

    public static ConnectionsSnapshot Rows(GatewayReading now, GatewayReading? before = null, double seconds = 1) =>
        ConnectionsService.Of(now, before, TimeSpan.FromSeconds(seconds), Numbers);

    private static LinkReading Link(int index, string name) => new() { Index = index, Name = name, Flags = 0x10001, OperationalState = "up", Mtu = 1500 };

    private static AddressReading Address(int index, string prefix) => new(index, IpPrefix.Parse(prefix), 0x80, 0, null);
}

internal sealed class FakePaths : IConnectionPaths
{
    public IReadOnlyDictionary<string, int> Map { get; set; } = ConnectionFacts.Numbers;

    public IReadOnlyDictionary<string, int> NumbersOf(GatewayReading reading) => Map;
}
