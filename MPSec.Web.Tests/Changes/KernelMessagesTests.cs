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
    public void Route_WithEverything_IsReadBack()
    {
        var options = new RouteOptions { TypeOfService = 0x10, IsOnLink = true, Metrics = [new(RouteMetricName.Mtu, 1400, IsLocked: true), new(RouteMetricName.InitCwnd, 20), new(RouteMetricName.CongCtl, 0, false, "reno")] };
        var route = new RouteSpec { Destination = IpPrefix.Parse("10.99.2.0/24"), Interface = P, NextHop = IPAddress.Parse("10.99.9.9"), Options = options };

        var read = HeldRoute.Decode(Payload(w => RouteMessages.Route(w, route, 5, delete: false)), new KernelTextCache())!;

        Assert.Equal(options, read.Options);
        Assert.Null(read.Hops);
        Assert.False(read.IsEncapsulated);
    }

    [Fact]
    public void Route_OfSeveralNextHops_IsReadBack()
    {
        var hops = new RouteHop[] { new(P, IPAddress.Parse("fd00::2"), 3), new(P, null, 1, IsOnLink: true), new(P, IPAddress.Parse("10.99.9.9")) };
        var route = new RouteSpec { Destination = IpPrefix.Parse("10.99.2.0/24"), Options = new() { IsViaIPv6 = true, Preference = 1, Hops = hops } };

        var read = HeldRoute.Decode(Payload(w => RouteMessages.Route(w, route, null, delete: false, _ => 7)), new KernelTextCache())!;

        Assert.Equal([new HeldHop(7, hops[0].NextHop, 3, false), new HeldHop(7, null, 1, true), new HeldHop(7, hops[2].NextHop, 1, false)], read.Hops!);
        Assert.Equal((true, (byte)1), (read.Options.IsViaIPv6, read.Options.Preference));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(200)]
    public void Route_NextHopThatClaimsTooMuch_IsRefused(byte length)
    {
        var payload = Payload(w => w.Raw(new byte[12]).Attribute(9, (byte[])[length, 0, 0, 0, 7, 0, 0, 0]));
        Assert.Throws<NetlinkFormatException>(() => HeldRoute.Decode(payload, new KernelTextCache()));
    }

    [Fact]
    public void Address_WithEverything_IsReadBack()
    {
        var options = new AddressOptions { Peer = IPAddress.Parse("10.9.9.2"), Broadcast = IPAddress.Parse("10.9.9.255"), Label = "path1:a", Scope = 253, Flags = 0x200, Metric = 100, ValidSeconds = 600, PreferredSeconds = 300 };

        var read = HeldAddress.Decode(Payload(w => RouteMessages.Address(w, 9, IpPrefix.Parse("10.9.9.1/32"), options)), new KernelTextCache())!;

        Assert.Equal(IpPrefix.Parse("10.9.9.1/32"), read.Reading.Prefix);
        Assert.Equal(options, read.Options);
        Assert.Equal(new AddAddress(A, P, IpPrefix.Parse("10.9.9.1/32"), options), read.Again(A, P));
        Assert.Null((read with { Options = options with { Label = "path1" } }).Again(A, P).Options!.Label);
    }

    [Fact]
    public void Mtu_Encoded_IsOneAttribute() =>
        Assert.Equal("00000000" + "05000000" + "00000000" + "00000000" + "08000400" + "78050000", Convert.ToHexStringLower(Payload(w => LinkMessages.Mtu(w, 5, 1400))));

    [Fact]
    public void Drop_Encoded_IsAsNftSendsItAndReadBack()
    {
        var payload = Payload(w => FilterMessages.Drop(w, "prerouting", isInput: true, P));

        Assert.Equal(
            "01000000" // nfgenmsg: NFPROTO_INET
            + "0a000100" + "6d707365" + "63000000" // NFTA_RULE_TABLE mpsec
            + "0f000200" + "70726572" + "6f757469" + "6e670000" // NFTA_RULE_CHAIN prerouting
            + "90000480" // NFTA_RULE_EXPRESSIONS
            + "24000180" + "09000100" + "6d657461" + "00000000" + "14000280" + "08000200" + "00000006" + "08000100" + "00000001" // meta load iifname => reg 1
            + "38000180" + "08000100" + "636d7000" + "2c000280" + "08000100" + "00000001" + "08000200" + "00000000" // cmp eq reg 1
            + "18000380" + "14000100" + "70617468" + "31000000" + new string('0', 16) // "path1", 16 bytes
            + "30000180" + "0e000100" + "696d6d65" + "64696174" + "65000000" + "1c000280" + "08000100" + "00000000" + "10000280" + "0c000280" + "08000100" + "00000000" // immediate reg 0 drop
            + "15000700" + "000f" + Convert.ToHexStringLower("mpsec: blocked\0"u8) + "000000", // NFTA_RULE_USERDATA: comment
            Convert.ToHexStringLower(payload));
        Assert.Equal(new BlockRule("prerouting", 0, "path1"), FilterMessages.DecodeRule(payload));
        Assert.Equal(new BlockRule("output", 0, "path1"), FilterMessages.DecodeRule(Payload(w => FilterMessages.Drop(w, "output", isInput: false, P))));
    }

    [Fact]
    public void DecodeRule_AnythingButOurOwn_IsNull()
    {
        var ours = Payload(w => FilterMessages.Drop(w, "prerouting", isInput: true, P));
        Assert.Null(FilterMessages.DecodeRule(Payload(w => FilterMessages.Drop(w, "prerouting", isInput: false, P)))); // the wrong direction for the chain
        Assert.Null(FilterMessages.DecodeRule(Payload(w => FilterMessages.Drop(w, "elsewhere", isInput: true, P))));
        Assert.Null(FilterMessages.DecodeRule(Payload(w => FilterMessages.Rule(w, "prerouting", 7))));
        foreach (var (what, with) in new[] { ("mpsec\0", "other\0"), ("blocked", "Blocked"), ("cmp\0", "lol\0") })
        {
            Assert.Null(FilterMessages.DecodeRule(Replace(ours, what, with)));
        }

        for (var length = 0; length < ours.Length; length++)
        {
            try
            {
                _ = FilterMessages.DecodeRule(ours.AsSpan(0, length));
            }
            catch (NetlinkFormatException)
            {
                // Cut off in the middle of a length: said so.
            }
        }
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

    private static byte[] Replace(byte[] bytes, string what, string with)
    {
        var copy = (byte[])bytes.Clone();
        var at = copy.AsSpan().IndexOf(System.Text.Encoding.ASCII.GetBytes(what));
        Assert.True(at >= 0);
        System.Text.Encoding.ASCII.GetBytes(with, copy.AsSpan(at));
        return copy;
    }

    private static byte[] Payload(Func<NetlinkWriter, NetlinkWriter> encode) => encode(new NetlinkWriter().Begin(1, 0, 1)).Bytes[16..].ToArray();
}
