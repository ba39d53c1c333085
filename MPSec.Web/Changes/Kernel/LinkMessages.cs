// Requests of NETLINK_ROUTE: include/uapi/linux/if_link.h (ifinfomsg, IFLA_*), veth.h, pkt_sched.h (tcmsg, tbf, netem). The caller has begun the message.
using System.Runtime.InteropServices;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;

namespace MPSec.Changes.Kernel;

/// <summary>Encodes changes of interfaces and of their queueing disciplines.</summary>
internal static class LinkMessages
{
    public const ushort NewLink = 16;
    public const ushort DeleteLink = 17;
    public const ushort GetLink = 18;
    public const ushort NewQdisc = 36;
    public const ushort DeleteQdisc = 37;
    public const ushort GetQdisc = 38;

    public const uint HandleRoot = 0xffffffff;

    private const uint FlagUp = 1;
    private const uint OwnHandle = 0x0001_0000;

    /// <summary>A message about the interface <paramref name="index"/>; with <paramref name="up"/> it sets or clears IFF_UP.</summary>
    public static NetlinkWriter Link(NetlinkWriter writer, int index, bool? up = null)
    {
        Span<byte> header = stackalloc byte[16];
        header.Clear();
        MemoryMarshal.Write(header[4..], index);
        if (up is { } state)
        {
            MemoryMarshal.Write(header[8..], state ? FlagUp : 0u);
            MemoryMarshal.Write(header[12..], FlagUp);
        }

        return writer.Raw(header);
    }

    /// <summary>A message about the interface with this name.</summary>
    public static NetlinkWriter Link(NetlinkWriter writer, InterfaceName name) => Link(writer, 0).Attribute(3, name.Value);

    /// <summary>IFLA_MTU.</summary>
    public static NetlinkWriter Mtu(NetlinkWriter writer, int index, uint mtu) => Link(writer, index).Attribute(4, mtu);

    /// <summary>IFLA_IFALIAS: free text of the administrator, kept with the interface.</summary>
    public static NetlinkWriter Alias(NetlinkWriter writer, int index, string alias) => Link(writer, index).Attribute(20, alias);

    /// <summary>A veth pair: the first end in the socket's namespace, the other in the namespace that <paramref name="peerNamespace"/> is open on.</summary>
    public static NetlinkWriter Veth(NetlinkWriter writer, InterfaceName name, InterfaceName peer, int peerNamespace) =>
        Link(writer, name).Nest(18, info => info.Attribute(1, "veth").Nest(2, data =>
            data.Nest(1, end => Link(end, 0).Attribute(3, peer.Value).Attribute(28, peerNamespace), flag: false), flag: false), flag: false);

    /// <summary>tcmsg of the root queueing discipline of an interface.</summary>
    public static NetlinkWriter RootQdisc(NetlinkWriter writer, int interfaceIndex, uint handle = 0) => Qdisc(writer, interfaceIndex, handle, HandleRoot);

    /// <summary>
    /// tbf. TCA_TBF_BURST gives the bucket in bytes and the link layer is named (Ethernet), so no rate table of 1 KiB has to travel with it.
    /// </summary>
    public static NetlinkWriter TokenBucket(NetlinkWriter writer, int interfaceIndex, SetShaper shaper)
    {
        var parameters = new byte[36]; // struct tc_tbf_qopt: two tc_ratespec of 12 bytes, limit, buffer, mtu
        var bytesPerSecond = shaper.RateBitsPerSecond / 8;
        parameters[1] = 1; // TC_LINKLAYER_ETHERNET
        MemoryMarshal.Write(parameters.AsSpan(8), (uint)Math.Min(bytesPerSecond, uint.MaxValue));
        MemoryMarshal.Write(parameters.AsSpan(24), shaper.LimitBytes);
        MemoryMarshal.Write(parameters.AsSpan(28), (uint)Math.Min(Math.Round(shaper.BurstBytes * 1e9 / bytesPerSecond / NanosecondsPerTick), uint.MaxValue));
        return RootQdisc(writer, interfaceIndex, OwnHandle).Attribute(1, "tbf").Nest(2, options =>
        {
            options.Attribute(1, parameters.AsSpan());
            if (bytesPerSecond > uint.MaxValue)
            {
                options.Attribute(4, (ulong)bytesPerSecond);
            }

            options.Attribute(6, shaper.BurstBytes);
        }, flag: false);
    }

    /// <summary>netem inside the token bucket: the delay in TCA_NETEM_LATENCY64 (ns), a queue that holds what travels and what waits.</summary>
    public static NetlinkWriter Delay(NetlinkWriter writer, int interfaceIndex, SetShaper shaper)
    {
        var parameters = new byte[24]; // struct tc_netem_qopt: latency, limit, loss, gap, duplicate, jitter
        var travelling = shaper.RateBitsPerSecond / 8.0 * shaper.Delay.TotalSeconds;
        MemoryMarshal.Write(parameters.AsSpan(4), (uint)Math.Max(100, (travelling + shaper.LimitBytes) / 1514));
        return Qdisc(writer, interfaceIndex, 0, OwnHandle | 1).Attribute(1, "netem").Nest(2, options =>
            options.Raw(parameters).Attribute(10, (long)shaper.Delay.TotalNanoseconds), flag: false);
    }

    /// <summary>Decodes RTM_NEWQDISC: interface, kind, handle and, for tbf, its parameters; null when it is not the root of its interface.</summary>
    /// <exception cref="NetlinkFormatException">The message is cut off.</exception>
    public static RootQdisc? DecodeRoot(ReadOnlySpan<byte> payload)
    {
        if (payload.Length < 20)
        {
            throw new NetlinkFormatException("a queueing discipline needs 20 bytes");
        }

        if (MemoryMarshal.Read<uint>(payload[12..]) != HandleRoot)
        {
            return null;
        }

        var kind = "";
        ulong rate = 0;
        uint limit = 0, ticks = 0;
        var a = new NetlinkAttributes(payload[20..]);
        while (a.Next())
        {
            kind = a.Type == 1 ? a.Text : kind;
            if (a.Type != 2 || kind != "tbf")
            {
                continue;
            }

            var options = a.Nest;
            while (options.Next())
            {
                if (options.Type == 1 && options.Value.Length >= 36)
                {
                    rate = Math.Max(rate, MemoryMarshal.Read<uint>(options.Value[8..]));
                    limit = MemoryMarshal.Read<uint>(options.Value[24..]);
                    ticks = MemoryMarshal.Read<uint>(options.Value[28..]);
                }
                else if (options.Type == 4)
                {
                    rate = options.UInt64;
                }
            }
        }

        var burst = (uint)Math.Round((double)ticks * NanosecondsPerTick * rate / 1e9);
        return new(MemoryMarshal.Read<int>(payload[4..]), kind, MemoryMarshal.Read<uint>(payload[8..]), (long)rate * 8, burst, limit);
    }

    // The packet scheduler's clock counts 64 ns steps (PSCHED_SHIFT in include/net/pkt_sched.h).
    private const int NanosecondsPerTick = 64;

    private static NetlinkWriter Qdisc(NetlinkWriter writer, int interfaceIndex, uint handle, uint parent)
    {
        Span<byte> header = stackalloc byte[20];
        header.Clear();
        MemoryMarshal.Write(header[4..], interfaceIndex);
        MemoryMarshal.Write(header[8..], handle);
        MemoryMarshal.Write(header[12..], parent);
        return writer.Raw(header);
    }
}

/// <summary>Root queueing discipline of an interface. Handle 0 means that the kernel set it by itself.</summary>
internal sealed record RootQdisc(int InterfaceIndex, string Kind, uint Handle, long RateBitsPerSecond, uint BurstBytes, uint LimitBytes);
