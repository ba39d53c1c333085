using System.Net;
using System.Net.Sockets;
using MPSec.Linux.Gateways;
using MPSec.Linux.Processes;
using MPSec.Linux.Sockets;

namespace MPSec.Tests.Netns;

public sealed class MptcpSocketTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Open_TwoGateways_ConnectionIsMptcpAndReadWithItsToken()
    {
        using var scope = new NamespaceScope();
        var (a, b) = (scope.Add("a"), scope.Add("b"));
        scope.Veth(a, "p1", "10.9.1.1/24", b, "p1", "10.9.1.2/24");
        using var listener = MptcpSocket.Open(b, AddressFamily.InterNetwork);
        listener.Bind(new IPEndPoint(IPAddress.Any, 4000));
        listener.Listen(8);
        using var client = MptcpSocket.Open(a, AddressFamily.InterNetwork);

        await client.ConnectAsync(new IPEndPoint(IPAddress.Parse("10.9.1.2"), 4000), Token);
        using var server = await listener.AcceptAsync(Token);
        await client.SendAsync(new byte[100], Token);
        await server.ReceiveAsync(new byte[100], Token);

        var info = MptcpSocket.ReadInfo(client);
        Assert.NotNull(info);
        Assert.False(info.Value.IsFallback);
        using var reader = GatewayReader.Open(a);
        var reading = reader.Read(ReadingScope.Connections | ReadingScope.Subflows);
        Assert.Equal(info.Value.Token, Assert.Single(reading.Connections).Token);
        Assert.Equal(info.Value.Token, Assert.Single(reading.Subflows).TokenLocal);
        Assert.Empty(reading.Links);
    }

    [Fact]
    public void Open_MptcpSwitchedOff_SaysSo()
    {
        using var scope = new NamespaceScope();
        var a = scope.Add("a");
        NamespaceScope.In(a, "sysctl", "-qw", "net.mptcp.enabled=0");

        var e = Assert.Throws<MptcpSocketException>(() => MptcpSocket.Open(a, AddressFamily.InterNetwork));

        Assert.True(e.IsSwitchedOff);
        Assert.Contains("net.mptcp.enabled", e.Message);
    }

    [Fact]
    public void ReadInfo_PlainTcp_IsNull()
    {
        using var scope = new NamespaceScope();
        using var socket = MptcpSocket.Open(scope.Add("a"), AddressFamily.InterNetworkV6, multipath: false);

        Assert.Null(MptcpSocket.ReadInfo(socket));
    }

    [Fact]
    public void SetCongestionControl_KnownAndUnknown_IsSetOrNamed()
    {
        using var scope = new NamespaceScope();
        using var socket = MptcpSocket.Open(scope.Add("a"), AddressFamily.InterNetwork);

        MptcpSocket.SetCongestionControl(socket, "reno");
        Assert.Equal("reno", MptcpSocket.GetCongestionControl(socket));

        var e = Assert.Throws<MptcpSocketException>(() => MptcpSocket.SetCongestionControl(socket, "nosuchcc"));
        Assert.Contains("nosuchcc", e.Message);
    }

    [Fact]
    public async Task RunAsync_InsideGateway_SeesItsInterfacesOnly()
    {
        using var scope = new NamespaceScope();
        var (a, b) = (scope.Add("a"), scope.Add("b"));
        scope.Veth(a, "only-here", null, b, "peer", null);

        var result = await new CommandRunner(TimeProvider.System).RunAsync(new("ip", "-o", "link") { Gateway = a }, Token);

        Assert.Contains("only-here@", result.Output);
        Assert.Equal(2, result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }
}
