using System.Net;
using MPSec.Linux.Netlink;

namespace MPSec.Tests.Linux.Netlink;

/// <summary>Questions and answers about routes as Linux 6.18 exchanged them.</summary>
public sealed class RouteQueryTests
{
    private const string Question = "2c0000001a000500010000000000000002202000000000000010000008000100c0000201080002000a630201";
    private const string Answer =
        "7000000018000000010000006636000002202000660000010002000008000f006600000008000100c0000201080002000a6302010800040005000000080005000a630202"
        + "080019000000000024000c000200000000000000000000000000000000000000000000000000000000000000";

    private const string Acknowledgement = "24000000020000010100000066360000000000002c0000001a0005000100000000000000";
    private const string Refusal = "400000000200000001000000663600009bffffff2c0000001a000500010000000000000002202000000000000010000008000100cb007101080002000a630101";
    private const string Question6 = "440000001a00050001000000000000000a80800000000000000000001400010020010db80008000000000000000000091400020020010db8000200000000000000000001";
    private const string Answer6 =
        "b00000001800000001000000663600000a808000fe0300010000000008000f00fe0000001400010020010db80008000000000000000000091400020020010db80002000000000000000000011400070020010db8"
        + "00020000000000000000000108000600000400001400050020010db8000200000000000000000002080004000500000024000c0002000000000000000000000000000000000000000000000000000000000000000500140000000000";

    [Fact]
    public void Ask_RecordedIPv4_SendsTheQuestionAndReadsDeviceNextHopAndTable()
    {
        using var transport = new RecordedTransport([Convert.FromHexString(Answer), Convert.FromHexString(Acknowledgement)]);
        using var query = new RouteQuery(new(transport));

        var answer = query.Ask(IPAddress.Parse("10.99.2.1"), IPAddress.Parse("192.0.2.1"));

        Assert.Equal(Question, Convert.ToHexStringLower(Assert.Single(transport.Requests)));
        Assert.Equal((RouteRefusal.None, 0, 5, 102u), (answer.Refusal, answer.Errno, answer.InterfaceIndex, answer.Table));
        Assert.Equal(IPAddress.Parse("10.99.2.2"), answer.NextHop);
    }

    [Fact]
    public void Ask_RecordedIPv6_SendsNoLookupFlagAndReadsTheTable()
    {
        using var transport = new RecordedTransport([Convert.FromHexString(Answer6), Convert.FromHexString(Acknowledgement)]);
        using var query = new RouteQuery(new(transport));

        var answer = query.Ask(IPAddress.Parse("2001:db8:2::1"), IPAddress.Parse("2001:db8:8::9"));

        Assert.Equal(Question6, Convert.ToHexStringLower(Assert.Single(transport.Requests)));
        Assert.Equal((RouteRefusal.None, 5, 254u), (answer.Refusal, answer.InterfaceIndex, answer.Table));
        Assert.Equal(IPAddress.Parse("2001:db8:2::2"), answer.NextHop);
    }

    [Theory]
    [InlineData(101, RouteRefusal.Unreachable)]
    [InlineData(113, RouteRefusal.Unreachable)]
    [InlineData(22, RouteRefusal.InvalidSource)]
    [InlineData(13, RouteRefusal.Prohibited)]
    [InlineData(19, RouteRefusal.Other)]
    public void Ask_Refused_TellsWhyAndWithWhichErrno(int errno, RouteRefusal refusal)
    {
        var bytes = Convert.FromHexString(Refusal);
        BitConverter.TryWriteBytes(bytes.AsSpan(16), -errno);
        using var query = new RouteQuery(new(new RecordedTransport([bytes])));

        var answer = query.Ask(IPAddress.Parse("10.99.1.1"), IPAddress.Parse("203.0.113.1"));

        Assert.Equal((refusal, errno, null, null), (answer.Refusal, answer.Errno, answer.InterfaceIndex, answer.Table));
    }

    [Fact]
    public void Ask_NoAnswer_IsNoRefusal()
    {
        using var query = new RouteQuery(new(new RecordedTransport([])));
        Assert.Equal(11, Assert.Throws<NetlinkException>(() => query.Ask(IPAddress.Parse("10.99.1.1"), IPAddress.Parse("203.0.113.1"))).Errno);
        Assert.Throws<ArgumentException>(() => query.Ask(IPAddress.Parse("10.99.1.1"), IPAddress.IPv6Loopback));
    }

    [Fact]
    public void Decode_EveryCutOfARecordedAnswer_AnswersOrSaysMalformed()
    {
        var payload = Convert.FromHexString(Answer)[16..];
        for (var length = 0; length < payload.Length; length++)
        {
            try
            {
                RouteQuery.Decode(payload.AsSpan(0, length), IPAddress.Any, IPAddress.Any);
            }
            catch (NetlinkFormatException)
            {
                // The only exception that hostile bytes may cause.
            }
        }

        payload[7] = 7;
        Assert.Equal(RouteRefusal.Unreachable, RouteQuery.Decode(payload, IPAddress.Any, IPAddress.Any).Refusal);
    }
}
