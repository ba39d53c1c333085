// NETLINK_ROUTE: include/uapi/linux/rtnetlink.h, if_link.h, if_addr.h, fib_rules.h, pkt_sched.h; rtnetlink(7).
using System.Collections.Immutable;
using System.Net;
using System.Runtime.InteropServices;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Linux.Netlink;

/// <summary>Reads interfaces, addresses, routes, rules and queueing disciplines, one dump each. Not thread-safe.</summary>
public sealed class RtnetlinkReader(NetlinkConversation conversation)
{
    private const ushort GetLink = 18;
    private const ushort GetAddress = 22;
    private const ushort GetRoute = 26;
    private const ushort GetRule = 34;
    private const ushort GetQdisc = 38;
    private const ushort ExtendedMask = 29; // IFLA_EXT_MASK
    private const uint SkipStatistics = 1 << 3; // RTEXT_FILTER_SKIP_STATS
    private const uint TableLocal = 255;
    private const uint RouteCloned = 0x200;
    private const uint HandleRoot = 0xffffffff;

    private static readonly string[] States = ["unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"];
    private static readonly string[] RouteKinds =
        ["none", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw", "nat", "xresolve"];

    private readonly KernelTextCache _cache = new();

    /// <summary>All interfaces by index.</summary>
    public ImmutableArray<LinkReading> ReadLinks()
    {
        // Without the statistics of IPv6, which nobody reads, the kernel needs half the time per interface. IFLA_STATS64 stays.
        conversation.Begin(GetLink, NetlinkWriter.Dump).Raw(stackalloc byte[16]).Attribute(ExtendedMask, SkipStatistics);
        return Dump<LinkReading>((payload, list) => list.Add(DecodeLink(payload, _cache)), static (a, b) => a.Index.CompareTo(b.Index));
    }

    /// <summary>All addresses of both families, in the kernel's order.</summary>
    public ImmutableArray<AddressReading> ReadAddresses()
    {
        conversation.Begin(GetAddress, NetlinkWriter.Dump).Raw(stackalloc byte[8]);
        return Dump<AddressReading>((payload, list) =>
        {
            if (DecodeAddress(payload, _cache) is { } address)
            {
                list.Add(address);
            }
        });
    }

    /// <summary>Routes of all tables but <c>local</c>, IPv4 first, in the kernel's order.</summary>
    public ImmutableArray<RouteReading> ReadRoutes() => BothFamilies<RouteReading>(GetRoute, (payload, list) =>
    {
        if (DecodeRoute(payload, _cache) is { } route)
        {
            list.Add(route);
        }
    });

    /// <summary>Policy rules of both families by priority.</summary>
    public ImmutableArray<RuleReading> ReadRules() =>
        BothFamilies<RuleReading>(GetRule, (payload, list) => list.Add(DecodeRule(payload, _cache))) is var rules && rules.Length > 1
            ? [.. rules.OrderBy(r => r.Priority)]
            : rules;

    /// <summary>The root queueing discipline of each interface.</summary>
    public ImmutableArray<QdiscReading> ReadQdiscs()
    {
        conversation.Begin(GetQdisc, NetlinkWriter.Dump).Raw(stackalloc byte[20]);
        return Dump<QdiscReading>((payload, list) =>
        {
            if (DecodeQdisc(payload, _cache) is { } qdisc)
            {
                list.Add(qdisc);
            }
        });
    }

    /// <summary>Decodes RTM_NEWLINK.</summary>
    /// <exception cref="NetlinkFormatException">The message is cut off.</exception>
    public static LinkReading DecodeLink(ReadOnlySpan<byte> payload, KernelTextCache cache)
    {
        Require(payload, 16, "an interface");
        string name = "", state = States[0];
        string? kind = null, hardware = null;
        uint mtu = 0;
        uint? carrierChanges = null;
        LinkCounters? counters = null;
        var a = new NetlinkAttributes(payload[16..]);
        while (a.Next())
        {
            switch (a.Type)
            {
                case 1 when a.Value.Length is > 0 and <= 32:
                    hardware = HardwareAddress(a.Value);
                    break;
                case 3:
                    name = cache.Text(a.Value);
                    break;
                case 4:
                    mtu = a.UInt32;
                    break;
                case 16:
                    state = a.Byte < States.Length ? States[a.Byte] : States[0];
                    break;
                case 18:
                    var info = a.Nest;
                    while (info.Next())
                    {
                        kind = info.Type == 1 ? cache.Text(info.Value) : kind;
                    }

                    break;
                case 35:
                    carrierChanges = a.UInt32;
                    break;
                case 23:
                    counters = DecodeCounters(a.Value);
                    break;
            }
        }

        return new LinkReading
        {
            Index = MemoryMarshal.Read<int>(payload[4..]),
            Name = name,
            Flags = MemoryMarshal.Read<uint>(payload[8..]),
            OperationalState = state,
            Mtu = mtu,
            Kind = kind,
            HardwareAddress = hardware,
            Counters = counters,
            CarrierChanges = carrierChanges,
        };

        string HardwareAddress(ReadOnlySpan<byte> bytes)
        {
            // "aa:bb:cc" as bytes first, so that the text comes from the cache.
            Span<byte> text = stackalloc byte[(bytes.Length * 3) - 1];
            text.Fill((byte)':');
            for (var i = 0; i < bytes.Length; i++)
            {
                text[i * 3] = "0123456789abcdef"u8[bytes[i] >> 4];
                text[(i * 3) + 1] = "0123456789abcdef"u8[bytes[i] & 15];
            }

            return cache.Text(text);
        }
    }

    /// <summary>Decodes RTM_NEWADDR; null for a message without an address.</summary>
    /// <exception cref="NetlinkFormatException">The message is cut off.</exception>
    public static AddressReading? DecodeAddress(ReadOnlySpan<byte> payload, KernelTextCache cache)
    {
        Require(payload, 8, "an address");
        IPAddress? local = null, address = null;
        string? label = null;
        uint flags = payload[2];
        var a = new NetlinkAttributes(payload[8..]);
        while (a.Next())
        {
            switch (a.Type)
            {
                case 1:
                    address = cache.Address(a.Value);
                    break;
                case 2:
                    local = cache.Address(a.Value);
                    break;
                case 3:
                    label = cache.Text(a.Value);
                    break;
                case 8:
                    flags = a.UInt32;
                    break;
            }
        }

        // IFA_ADDRESS is the peer on point-to-point interfaces; IFA_LOCAL, where present, is ours.
        return (local ?? address) is { } own ? new(MemoryMarshal.Read<int>(payload[4..]), Prefix(own, payload[1]), flags, payload[3], label) : null;
    }

    /// <summary>Decodes RTM_NEWROUTE; null for table <c>local</c> and for cached entries.</summary>
    /// <exception cref="NetlinkFormatException">The message is cut off.</exception>
    public static RouteReading? DecodeRoute(ReadOnlySpan<byte> payload, KernelTextCache cache)
    {
        Require(payload, 12, "a route");
        uint table = payload[4], metric = 0;
        IPAddress? destination = null, gateway = null, source = null;
        int? interfaceIndex = null;
        var a = new NetlinkAttributes(payload[12..]);
        while (a.Next())
        {
            switch (a.Type)
            {
                case 1:
                    destination = cache.Address(a.Value);
                    break;
                case 4:
                    interfaceIndex = a.Int32;
                    break;
                case 5:
                    gateway = cache.Address(a.Value);
                    break;
                case 6:
                    metric = a.UInt32;
                    break;
                case 7:
                    source = cache.Address(a.Value);
                    break;
                case 15:
                    table = a.UInt32;
                    break;
                case 18 when a.Value.Length is 6 or 18: // struct rtvia: family, then an address of another family
                    gateway = cache.Address(a.Value[2..]);
                    break;
            }
        }

        if (table == TableLocal || (MemoryMarshal.Read<uint>(payload[8..]) & RouteCloned) != 0)
        {
            return null;
        }

        destination ??= payload[0] == LibC.AfInet6 ? IPAddress.IPv6Any : IPAddress.Any;
        return new(Prefix(destination, payload[1]), table, payload[7] < RouteKinds.Length ? RouteKinds[payload[7]] : "unknown", gateway, interfaceIndex,
            source, metric, payload[5], payload[6]);
    }

    /// <summary>Decodes RTM_NEWRULE.</summary>
    /// <exception cref="NetlinkFormatException">The message is cut off.</exception>
    public static RuleReading DecodeRule(ReadOnlySpan<byte> payload, KernelTextCache cache)
    {
        Require(payload, 12, "a rule");
        uint table = payload[4], priority = 0;
        uint? mark = null;
        IPAddress? source = null, destination = null;
        string? input = null, output = null;
        var a = new NetlinkAttributes(payload[12..]);
        while (a.Next())
        {
            switch (a.Type)
            {
                case 1:
                    destination = cache.Address(a.Value);
                    break;
                case 2:
                    source = cache.Address(a.Value);
                    break;
                case 3:
                    input = cache.Text(a.Value);
                    break;
                case 6:
                    priority = a.UInt32;
                    break;
                case 10:
                    mark = a.UInt32;
                    break;
                case 15:
                    table = a.UInt32;
                    break;
                case 17:
                    output = cache.Text(a.Value);
                    break;
            }
        }

        var action = payload[7] switch { 1 => "lookup", 2 => "goto", 3 => "nop", 6 => "blackhole", 7 => "unreachable", 8 => "prohibit", _ => "unknown" };
        return new(priority, source is null ? null : Prefix(source, payload[2]), destination is null ? null : Prefix(destination, payload[1]), table, action,
            payload[0] == LibC.AfInet6, input, output, mark);
    }

    /// <summary>Decodes RTM_NEWQDISC; null when it is not the root of its interface.</summary>
    /// <exception cref="NetlinkFormatException">The message is cut off.</exception>
    public static QdiscReading? DecodeQdisc(ReadOnlySpan<byte> payload, KernelTextCache cache)
    {
        Require(payload, 20, "a queueing discipline");
        if (MemoryMarshal.Read<uint>(payload[12..]) != HandleRoot)
        {
            return null;
        }

        var kind = "";
        uint backlog = 0, drops = 0;
        ReadOnlySpan<byte> details = default;
        var a = new NetlinkAttributes(payload[20..]);
        while (a.Next())
        {
            switch (a.Type)
            {
                case 1:
                    kind = cache.Text(a.Value);
                    break;
                case 2:
                    details = a.Value;
                    break;
                case 7:
                    var stats = a.Nest;
                    while (stats.Next())
                    {
                        if (stats.Type == 3 && stats.Value.Length >= 12) // struct gnet_stats_queue: qlen, backlog, drops
                        {
                            backlog = MemoryMarshal.Read<uint>(stats.Value[4..]);
                            drops = MemoryMarshal.Read<uint>(stats.Value[8..]);
                        }
                    }

                    break;
            }
        }

        return new(MemoryMarshal.Read<int>(payload[4..]), kind, kind == "tbf" ? TokenBucketRate(details) : null, backlog, drops);
    }

    private static ulong? TokenBucketRate(ReadOnlySpan<byte> details)
    {
        ulong? bytesPerSecond = null;
        var a = new NetlinkAttributes(details);
        while (a.Next())
        {
            // TCA_TBF_PARMS begins with struct tc_ratespec, whose last field is the rate; TCA_TBF_RATE64 replaces it above 34 Gbit/s.
            bytesPerSecond = a.Type switch
            {
                1 when a.Value.Length >= 12 => bytesPerSecond ?? MemoryMarshal.Read<uint>(a.Value[8..]),
                4 => a.UInt64,
                _ => bytesPerSecond,
            };
        }

        return bytesPerSecond * 8;
    }

    private static LinkCounters? DecodeCounters(ReadOnlySpan<byte> value)
    {
        if (value.Length < 80)
        {
            return null;
        }

        var s = MemoryMarshal.Cast<byte, ulong>(value[..80]);
        return new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8], s[9]);
    }

    private static IpPrefix Prefix(IPAddress address, byte length) =>
        length <= (address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? 32 : 128)
            ? new(address, length)
            : throw new NetlinkFormatException($"a prefix length of {length} is too long for {address}");

    private static void Require(ReadOnlySpan<byte> payload, int length, string what)
    {
        if (payload.Length < length)
        {
            throw new NetlinkFormatException($"the header of {what} needs {length} bytes, {payload.Length} are there");
        }
    }

    private ImmutableArray<T> BothFamilies<T>(ushort type, Decode<T> decode)
    {
        const int EafNoSupport = 97;
        const int EopNotSupp = 95;
        Span<byte> header = stackalloc byte[12];
        header.Clear();
        header[0] = LibC.AfInet;
        conversation.Begin(type, NetlinkWriter.Dump).Raw(header);
        var v4 = Dump<T>((payload, list) => OfFamily(payload, list, LibC.AfInet));
        header[0] = LibC.AfInet6;
        conversation.Begin(type, NetlinkWriter.Dump).Raw(header);
        try
        {
            return v4.AddRange(Dump<T>((payload, list) => OfFamily(payload, list, LibC.AfInet6)));
        }
        catch (NetlinkException e) when (e.Errno is EafNoSupport or EopNotSupp)
        {
            return v4; // a kernel without IPv6
        }

        // Without IPv6 the kernel may answer with the objects of all families instead.
        void OfFamily(ReadOnlySpan<byte> payload, ImmutableArray<T>.Builder list, byte family)
        {
            if (payload.Length > 0 && payload[0] == family)
            {
                decode(payload, list);
            }
        }
    }

    private ImmutableArray<T> Dump<T>(Decode<T> decode, Comparison<T>? order = null)
    {
        var list = ImmutableArray.CreateBuilder<T>();
        conversation.Dump((_, payload) => decode(payload, list), list.Clear);
        if (order is not null)
        {
            list.Sort(order);
        }

        return list.DrainToImmutable();
    }

    private delegate void Decode<T>(ReadOnlySpan<byte> payload, ImmutableArray<T>.Builder list);
}
