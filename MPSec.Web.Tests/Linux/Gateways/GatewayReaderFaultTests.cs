using System.Runtime.InteropServices;
using MPSec.Linux.Gateways;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;
using MPSec.Tests.Linux.Netlink;

namespace MPSec.Tests.Linux.Gateways;

public sealed class GatewayReaderFaultTests
{
    private static readonly string Root = Path.Combine(AppContext.BaseDirectory, "Fixtures", "Linux", "proc");

    [Fact]
    public void Read_SilentKernel_EveryPartIsAFaultAndSocketsAreOpenedAnew()
    {
        var opened = new List<RecordedTransport>();
        using var reader = new GatewayReader(GatewayName.Host, _ => Open(opened), "/nowhere", null);

        var reading = reader.Read();

        Assert.Equal(
            ["links", "addresses", "routes", "rules", "qdiscs", "endpoints", "limits", "settings", "connections", "subflows", "counters"],
            reading.Faults.Select(f => f.Part));
        Assert.Null(reading.PlainTcpEstablished);
        Assert.Null(reading.MptcpEnabled);
        Assert.All(opened, t => Assert.True(t.IsDisposed));
        var before = opened.Count;
        reader.Read(ReadingScope.Links);
        Assert.Equal(before + 1, opened.Count);
    }

    [Fact]
    public void Read_NothingAsked_TouchesNoSocket()
    {
        var opened = new List<RecordedTransport>();
        using var reader = new GatewayReader(GatewayName.Host, _ => Open(opened), Root, null);

        Assert.Empty(reader.Read(ReadingScope.None).Faults);

        Assert.Empty(opened);
    }

    [Fact]
    public void Read_KernelWithoutMptcp_SaysSoInOneSentence()
    {
        using var reader = new GatewayReader(GatewayName.Host, _ => new RecordedTransport([Refusal(2)]), "/nowhere", null);

        var faults = reader.Read(ReadingScope.Endpoints | ReadingScope.Settings).Faults;

        Assert.Equal(["endpoints", "settings"], faults.Select(f => f.Part));
        Assert.All(faults, f => Assert.Contains("no MPTCP", f.Reason));
    }

    [Fact]
    public void Read_OneWalkOfTcpSocketsRefused_AsksEachFamily()
    {
        var recorded = RecordedTransport.Load("subflows");
        var transport = new RecordedTransport([Refusal(22), .. recorded.Select(d => Renumbered(d, 2)), Renumbered(recorded[^1], 3)]);
        using var reader = new GatewayReader(GatewayName.Host, _ => transport, "/nowhere", null);

        var reading = reader.Read(ReadingScope.Subflows);

        Assert.Empty(reading.Faults);
        Assert.NotEmpty(reading.Subflows);
        Assert.Equal(3, transport.Requests.Count);
        Assert.Equal([2, 10], transport.Requests.Skip(1).Select(r => (int)r[16]));
    }

    [Fact]
    public void Read_TwentyThousandSockets_CostsInProportion()
    {
        Cost(10);

        Assert.InRange(Cost(20_000) / (double)Cost(10_000), 1, 3);
    }

    private static long Cost(int sockets)
    {
        var recorded = RecordedTransport.Load("subflows");
        var messages = new NetlinkMessages(recorded[0]);
        messages.Next();
        var one = recorded[0][..(16 + messages.Payload.Length)];
        using var reader = new GatewayReader(GatewayName.Host, _ => new RecordedTransport([.. Enumerable.Repeat(one, sockets), recorded[^1]]), "/nowhere", null);
        reader.Read(ReadingScope.None);
        var before = GC.GetAllocatedBytesForCurrentThread();

        var reading = reader.Read(ReadingScope.Subflows);

        Assert.Empty(reading.Faults);
        Assert.Equal(sockets, reading.Subflows.Length + reading.PlainTcpEstablished!.Value);
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private static RecordedTransport Open(List<RecordedTransport> opened)
    {
        opened.Add(new RecordedTransport([]));
        return opened[^1];
    }

    private static byte[] Refusal(int errno)
    {
        var bytes = new byte[36];
        MemoryMarshal.Write(bytes, bytes.Length);
        MemoryMarshal.Write(bytes.AsSpan(4), NetlinkMessages.Error);
        MemoryMarshal.Write(bytes.AsSpan(8), 1);
        MemoryMarshal.Write(bytes.AsSpan(16), -errno);
        return bytes;
    }

    private static byte[] Renumbered(byte[] datagram, uint sequence)
    {
        var bytes = datagram.ToArray();
        for (var at = 0; at < bytes.Length; at += (MemoryMarshal.Read<int>(bytes.AsSpan(at)) + 3) & ~3)
        {
            MemoryMarshal.Write(bytes.AsSpan(at + 8), sequence);
        }

        return bytes;
    }
}
