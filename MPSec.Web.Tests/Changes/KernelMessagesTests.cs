using System.Net;
using MPSec.Changes;
using MPSec.Changes.Kernel;
using MPSec.Linux.Gateways;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;

namespace MPSec.Tests.Changes;

/// <summary>Encoders, read back by the decoders of the reading side, and against bytes written by hand from the kernel headers.</summary>
public sealed class KernelMessagesTests
{
    private static readonly GatewayName A = GatewayName.Parse("lab-a");
    private static readonly InterfaceName P = InterfaceName.Parse("path1");

    [Fact]
    public void Route_Encoded_IsReadBack()
    {
        var route = new RouteSpec { Destination = IpPrefix.Parse("10.99.2.0/24"), Interface = P, NextHop = IPAddress.Parse("10.99.9.9"), Source = IPAddress.Parse("10.99.2.1"), Table = 102, Metric = 7, Protocol = 4 };

        var read = RtnetlinkReader.DecodeRoute(Payload(w => RouteMessages.Route(w, route, 5, delete: false)), new KernelTextCache());

        Assert.Equal(new RouteReading(route.Destination, 102, "unicast", route.NextHop, 5, route.Source, 7, 4, 0), read);
    }

    [Fact]
    public void Route_UnreachableInLargeTable_IsReadBack()
    {
        var route = new RouteSpec { Destination = IpPrefix.Parse("::/0"), Kind = RouteKind.Unreachable, Table = 70000, Metric = 4278198272 };

        var read = RtnetlinkReader.DecodeRoute(Payload(w => RouteMessages.Route(w, route, null, delete: false)), new KernelTextCache());

        Assert.Equal(new RouteReading(route.Destination, 70000, "unreachable", null, null, null, 4278198272, 3, 0), read);
    }

    [Fact]
    public void Rule_Encoded_IsReadBack()
    {
        var read = RtnetlinkReader.DecodeRule(Payload(w => RouteMessages.Rule(w, 1002, IpPrefix.Parse("10.99.2.1/32"), 102)), new KernelTextCache());

        Assert.Equal(new RuleReading(1002, IpPrefix.Parse("10.99.2.1/32"), null, 102, "lookup", false, null, null, null), read);
    }

    [Fact]
    public void Address_Encoded_IsReadBack()
    {
        var read = RtnetlinkReader.DecodeAddress(Payload(w => RouteMessages.Address(w, 9, IpPrefix.Parse("fd00::1/64"))), new KernelTextCache());

        Assert.Equal((9, IpPrefix.Parse("fd00::1/64")), (read!.InterfaceIndex, read.Prefix));
    }

    [Theory]
    [InlineData(30_000_000L)]
    [InlineData(100_000L)]
    [InlineData(40_000_000_000L)]
    public void TokenBucket_Encoded_IsReadBack(long rate)
    {
        var shaper = SetShaper.ForPath(A, P, rate, TimeSpan.FromMilliseconds(50), TimeSpan.Zero);

        var read = LinkMessages.DecodeRoot(Payload(w => LinkMessages.TokenBucket(w, 3, shaper)));

        Assert.NotNull(read);
        Assert.Equal((3, "tbf", rate, shaper.LimitBytes), (read.InterfaceIndex, read.Kind, read.RateBitsPerSecond, read.LimitBytes));
        Assert.InRange((double)read.BurstBytes, shaper.BurstBytes - 400.0, shaper.BurstBytes + 400.0); // the clock counts 64 ns
    }

    [Fact]
    public void Delay_Encoded_HasNanosecondsAndALimit()
    {
        var shaper = SetShaper.ForPath(A, P, 30_000_000, TimeSpan.FromMilliseconds(50), TimeSpan.FromMilliseconds(10));
        var payload = Payload(w => LinkMessages.Delay(w, 3, shaper));

        var a = new NetlinkAttributes(payload.AsSpan(20));
        Assert.True(a.Next());
        Assert.Equal("netem", a.Text);
        Assert.True(a.Next());
        Assert.Equal(173u, BitConverter.ToUInt32(a.Value[4..])); // 37,500 B travel, 225,000 B wait
        var options = new NetlinkAttributes(a.Value[24..]);
        Assert.True(options.Next());
        Assert.Equal((10, 10_000_000UL), (options.Type, options.UInt64));
    }

    [Fact]
    public void Endpoint_Encoded_IsReadBack()
    {
        var endpoint = new AddEndpoint(A, 2, IPAddress.Parse("10.99.2.2"), MptcpEndpointFlags.Signal | MptcpEndpointFlags.Backup, P, 10100);

        var read = MptcpPmReader.DecodeEndpoint(Payload(w => EndpointMessages.Add(w, endpoint, 4)), new KernelTextCache());

        Assert.Equal(new MptcpEndpoint(2, endpoint.Address, 10100, endpoint.Flags, 4), read);
    }

    [Fact]
    public void Limits_Encoded_AreReadBack() =>
        Assert.Equal(new MptcpLimits(8, 7), MptcpPmReader.DecodeLimits(Payload(w => EndpointMessages.Limits(w, 8, 7))));

    [Fact]
    public void LinkState_Down_ClearsTheFlagByItsMask() =>
        Assert.Equal("00000000" + "05000000" + "00000000" + "01000000", Convert.ToHexStringLower(Payload(w => LinkMessages.Link(w, 5, up: false))));

    [Fact]
    public void Veth_Encoded_HasThePeerInItsNamespace()
    {
        var payload = Payload(w => LinkMessages.Veth(w, InterfaceName.Parse("p1"), InterfaceName.Parse("q1"), 77));

        Assert.Equal(
            new string('0', 32) + "07000300" + "70310000" // IFLA_IFNAME p1
            + "38001200" + "09000100" + "76657468" + "00000000" // IFLA_LINKINFO: IFLA_INFO_KIND veth
            + "28000200" + "24000100" + new string('0', 32) // IFLA_INFO_DATA: VETH_INFO_PEER with ifinfomsg
            + "07000300" + "71310000" + "08001c00" + "4d000000", // IFLA_IFNAME q1, IFLA_NET_NS_FD 77
            Convert.ToHexStringLower(payload));
    }

    private static byte[] Payload(Func<NetlinkWriter, NetlinkWriter> encode) => encode(new NetlinkWriter().Begin(1, 0, 1)).Bytes[16..].ToArray();
}
