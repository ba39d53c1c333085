using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Netlink;
using MPSec.Linux.Sockets;
using MPSec.Linux.Values;

namespace MPSec.Tests.Netns;

/// <summary>
/// Records what this kernel answers into <c>Fixtures/Linux</c> of the source tree. Not part of a normal run; to record anew:
/// <c>MPSEC_FIXTURES=$PWD/MPSec.Web.Tests/Fixtures/Linux MPSec.Web.Tests -explicit only -class MPSec.Tests.Netns.FixtureRecorder</c>.
/// Every address, name and hardware address in it is made up here.
/// </summary>
public sealed class FixtureRecorder
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact(Explicit = true)]
    public async Task Record()
    {
        var folder = Environment.GetEnvironmentVariable("MPSEC_FIXTURES") ?? throw new InvalidOperationException("MPSEC_FIXTURES names no folder");
        using var scope = new NamespaceScope();
        var (a, b) = (scope.Add("a"), scope.Add("b"));
        using var routing = NetlinkSocket.Open(a, NetlinkSocket.Route, TimeSpan.FromMilliseconds(500));
        foreach (var group in new uint[] { 1, 5, 7, 8, 9, 11, 19 })
        {
            routing.Join(group);
        }

        using var questions = new NetlinkConversation(NetlinkSocket.Open(a, NetlinkSocket.Generic, TimeSpan.FromSeconds(5)));
        using var mptcp = NetlinkSocket.Open(a, NetlinkSocket.Generic, TimeSpan.FromMilliseconds(500));
        mptcp.Join(GenericNetlinkFamily.Find(questions, MptcpPmReader.FamilyName)!.Groups["mptcp_pm_events"]);

        scope.Veth(a, "p1", "10.99.1.1/24", b, "p1", "10.99.1.2/24");
        scope.Veth(a, "p2", "10.99.2.1/24", b, "p2", "10.99.2.2/24");
        NamespaceScope.Ip(a, "addr", "add", "2001:db8:1::1/64", "dev", "p1", "nodad");
        NamespaceScope.Ip(a, "link", "set", "p1", "address", "02:00:00:00:01:01", "mtu", "1400");
        NamespaceScope.Ip(a, "link", "set", "p2", "address", "02:00:00:00:02:01");
        NamespaceScope.Ip(a, "route", "add", "default", "via", "10.99.1.2", "metric", "50");
        NamespaceScope.Ip(a, "route", "add", "default", "via", "10.99.2.2", "table", "102", "src", "10.99.2.1");
        NamespaceScope.Ip(a, "route", "add", "unreachable", "default", "metric", "4278198272", "table", "102");
        NamespaceScope.Ip(a, "-6", "route", "add", "2001:db8:77::/48", "via", "2001:db8:1::2", "table", "1000");
        NamespaceScope.Ip(a, "rule", "add", "from", "10.99.2.1", "table", "102", "priority", "1002");
        NamespaceScope.Ip(a, "rule", "add", "fwmark", "7", "iif", "lo", "unreachable", "priority", "1003");
        NamespaceScope.Run("tc", "-n", a.Value, "qdisc", "add", "dev", "p1", "root", "tbf", "rate", "50mbit", "burst", "64kb", "latency", "50ms");
        NamespaceScope.Ip(a, "mptcp", "limits", "set", "subflows", "3", "add_addr_accepted", "2");
        NamespaceScope.Ip(a, "mptcp", "endpoint", "add", "10.99.2.1", "dev", "p2", "id", "2", "subflow", "backup");
        NamespaceScope.Ip(a, "mptcp", "endpoint", "add", "10.99.1.1", "port", "10100", "id", "5", "signal");
        NamespaceScope.Ip(b, "mptcp", "limits", "set", "subflows", "3");

        using var listener = MptcpSocket.Open(b, AddressFamily.InterNetwork);
        listener.Bind(new IPEndPoint(IPAddress.Any, 5000));
        listener.Listen(8);
        using var client = MptcpSocket.Open(a, AddressFamily.InterNetwork);
        client.Bind(new IPEndPoint(IPAddress.Parse("10.99.1.1"), 40001));
        await client.ConnectAsync(new IPEndPoint(IPAddress.Parse("10.99.1.2"), 5000), Token);
        using var server = await listener.AcceptAsync(Token);
        await client.SendAsync(new byte[1000], Token);
        await server.ReceiveAsync(new byte[1000], Token);
        await server.SendAsync(new byte[500], Token);
        await client.ReceiveAsync(new byte[500], Token);
        using var plain = MptcpSocket.Open(a, AddressFamily.InterNetwork, multipath: false);
        await plain.ConnectAsync(new IPEndPoint(IPAddress.Parse("10.99.1.2"), 5000), Token);
        using var listening = MptcpSocket.Open(a, AddressFamily.InterNetworkV6);
        listening.Bind(new IPEndPoint(IPAddress.IPv6Any, 6000));
        listening.Listen(8);
        await Task.Delay(TimeSpan.FromSeconds(1), Token);

        foreach (var part in new[]
        {
            ReadingScope.Links, ReadingScope.Addresses, ReadingScope.Routes, ReadingScope.Rules, ReadingScope.Qdiscs, ReadingScope.Endpoints, ReadingScope.Limits,
            ReadingScope.Connections | ReadingScope.Listeners, ReadingScope.Subflows,
        })
        {
            var recording = new List<byte[]>();
            using var reader = new GatewayReader(a, protocol => new Recorder(NetlinkSocket.Open(a, protocol, TimeSpan.FromSeconds(5)), recording), "/proc", null);
            Assert.Empty(reader.Read(part).Faults);
            Save(folder, part.ToString().Split(',')[0].ToLowerInvariant(), recording);
        }

        client.Close();
        await Task.Delay(TimeSpan.FromSeconds(1), Token);
        NamespaceScope.Ip(a, "rule", "del", "priority", "1003");
        NamespaceScope.Ip(a, "addr", "del", "2001:db8:1::1/64", "dev", "p1");
        NamespaceScope.Ip(a, "link", "del", "p2");
        Save(folder, "events-routing", Drain(routing));
        Save(folder, "events-mptcp", Drain(mptcp));
        SaveText(a, Path.Combine(folder, "proc"));
    }

    private static List<byte[]> Drain(NetlinkSocket socket)
    {
        var datagrams = new List<byte[]>();
        var buffer = new byte[64 * 1024];
        while (true)
        {
            try
            {
                datagrams.Add(buffer[..socket.Receive(buffer)]);
            }
            catch (NetlinkException e) when (e.Errno == 11)
            {
                return datagrams;
            }
        }
    }

    private static void Save(string folder, string name, List<byte[]> datagrams)
    {
        using var file = File.Create(Path.Combine(folder, name + ".nl"));
        var length = new byte[4];
        foreach (var datagram in datagrams)
        {
            BinaryPrimitives.WriteInt32LittleEndian(length, datagram.Length);
            file.Write(length);
            file.Write(datagram);
        }
    }

    private static void SaveText(GatewayName gateway, string folder) => NamespaceThread.Run(gateway, () =>
    {
        foreach (var file in new[] { "thread-self/net/netstat", "thread-self/net/snmp", "thread-self/net/snmp6" }.Concat(
            Directory.GetFiles("/proc/sys/net/mptcp").Select(f => f["/proc/".Length..])))
        {
            var target = Path.Combine(folder, file);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.WriteAllText(target, File.ReadAllText("/proc/" + file));
        }
    });

    private sealed class Recorder(INetlinkTransport inner, List<byte[]> recording) : INetlinkTransport
    {
        public void Send(ReadOnlySpan<byte> request) => inner.Send(request);

        public int Receive(Span<byte> buffer)
        {
            var length = inner.Receive(buffer);
            recording.Add(buffer[..length].ToArray());
            return length;
        }

        public void Dispose() => inner.Dispose();
    }
}
