// RTM_NEWROUTE and RTM_NEWADDR with everything that is needed to make them again: include/uapi/linux/rtnetlink.h (rtmsg, rtnexthop, RTAX_*), if_addr.h.
using System.Net;
using System.Runtime.InteropServices;
using MPSec.Linux.Gateways;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;

namespace MPSec.Changes.Kernel;

/// <summary>One of several next hops, by index.</summary>
internal sealed record HeldHop(int InterfaceIndex, IPAddress? NextHop, int Weight, bool IsOnLink);

/// <summary>A route as the kernel holds it.</summary>
/// <param name="Reading">What every page shows.</param>
/// <param name="Options">The rest, without next hops.</param>
/// <param name="Hops">Next hops when there are several.</param>
/// <param name="IsEncapsulated">It wraps packets (RTA_ENCAP): MPSec cannot make such a route.</param>
internal sealed record HeldRoute(RouteReading Reading, RouteOptions Options, IReadOnlyList<HeldHop>? Hops, bool IsEncapsulated)
{
    /// <summary>The kind in MPSec's words; null for one that MPSec cannot make.</summary>
    public RouteKind? Kind => Enum.TryParse<RouteKind>(Reading.Kind, ignoreCase: true, out var kind) ? kind : null;

    /// <summary>Whether it leaves by this interface, or may.</summary>
    public bool LeavesBy(int interfaceIndex) => Reading.InterfaceIndex == interfaceIndex || Hops?.Any(h => h.InterfaceIndex == interfaceIndex) == true;

    /// <summary>Decodes RTM_NEWROUTE; null for table <c>local</c> and cached entries.</summary>
    /// <exception cref="NetlinkFormatException">The message is cut off.</exception>
    public static HeldRoute? Decode(ReadOnlySpan<byte> payload, KernelTextCache cache)
    {
        if (RtnetlinkReader.DecodeRoute(payload, cache) is not { } reading)
        {
            return null;
        }

        var (preference, viaOther, encapsulated) = ((byte)0, false, false);
        List<RouteMetric>? metrics = null;
        List<HeldHop>? hops = null;
        var a = new NetlinkAttributes(payload[12..]);
        while (a.Next())
        {
            switch (a.Type)
            {
                case 8:
                    metrics = Metrics(a.Nest);
                    break;
                case 9:
                    hops = DecodeHops(a.Value, cache, ref viaOther);
                    break;
                case 18:
                    viaOther = true;
                    break;
                case 20:
                    preference = a.Byte;
                    break;
                case 22:
                    encapsulated = true;
                    break;
            }
        }

        var onLink = (MemoryMarshal.Read<uint>(payload[8..]) & RouteMessages.OnLink) != 0;
        var options = payload[3] == 0 && !onLink && preference == 0 && !viaOther && metrics is null
            ? RouteOptions.None
            : new() { TypeOfService = payload[3], IsOnLink = onLink, IsViaIPv6 = viaOther, Preference = preference, Metrics = metrics };
        return new(reading, options, hops, encapsulated);
    }

    private static List<RouteMetric>? Metrics(NetlinkAttributes nest)
    {
        const ushort Lock = 1;
        List<RouteMetric>? metrics = null;
        var locked = 0u;
        while (nest.Next())
        {
            if (nest.Type == Lock)
            {
                locked = nest.UInt32;
            }
            else if (Enum.IsDefined((RouteMetricName)nest.Type))
            {
                var name = (RouteMetricName)nest.Type;
                (metrics ??= []).Add(name == RouteMetricName.CongCtl ? new(name, 0, false, nest.Text) : new(name, nest.UInt32));
            }
        }

        return locked == 0 || metrics is null ? metrics : [.. metrics.Select(m => m with { IsLocked = (locked & (1u << (int)m.Name)) != 0 })];
    }

    private static List<HeldHop> DecodeHops(ReadOnlySpan<byte> rest, KernelTextCache cache, ref bool viaOther)
    {
        var hops = new List<HeldHop>();
        while (rest.Length >= 8)
        {
            int length = MemoryMarshal.Read<ushort>(rest);
            if (length < 8 || length > rest.Length)
            {
                throw new NetlinkFormatException($"a next hop claims {length} bytes of {rest.Length}");
            }

            IPAddress? hop = null;
            var a = new NetlinkAttributes(rest[8..length]);
            while (a.Next())
            {
                if (a.Type == 18 && a.Value.Length is 6 or 18)
                {
                    (hop, viaOther) = (cache.Address(a.Value[2..]), true);
                }
                else if (a.Type == 5)
                {
                    hop = cache.Address(a.Value);
                }
            }

            hops.Add(new(MemoryMarshal.Read<int>(rest[4..]), hop, rest[3] + 1, (rest[2] & RouteMessages.OnLink) != 0));
            rest = rest[Math.Min(rest.Length, (length + 3) & ~3)..];
        }

        return hops;
    }
}

/// <summary>An address as the kernel holds it.</summary>
/// <param name="Reading">What every page shows.</param>
/// <param name="Options">The rest; the label is that of the message, also when it is the interface's name.</param>
/// <param name="Origin">IFAPROT_*: who made it; 0 a person or a program, also on kernels before 5.18, which do not tell.</param>
internal sealed record HeldAddress(AddressReading Reading, AddressOptions Options, byte Origin)
{
    private const byte ScopeLink = 253;
    private const uint Permanent = 0x80;
    private const uint Secondary = 0x01;

    /// <summary>Made by a person or a program, not by router advertisements, and without an end.</summary>
    public bool IsPermanent => (Reading.Flags & Permanent) != 0;

    /// <summary>IPv4: another address of the same network came before it.</summary>
    public bool IsSecondary => (Reading.Flags & Secondary) != 0;

    /// <summary>An IPv6 address of the link, fe80::/10.</summary>
    public bool IsLinkLocal => IsIPv6 && Reading.Scope == ScopeLink;

    public bool IsIPv6 => Reading.Prefix.Address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6;

    /// <summary>Decodes RTM_NEWADDR; null for a message without an address.</summary>
    /// <exception cref="NetlinkFormatException">The message is cut off.</exception>
    public static HeldAddress? Decode(ReadOnlySpan<byte> payload, KernelTextCache cache)
    {
        if (RtnetlinkReader.DecodeAddress(payload, cache) is not { } reading)
        {
            return null;
        }

        IPAddress? far = null, broadcast = null;
        uint metric = 0, preferred = uint.MaxValue, valid = uint.MaxValue;
        byte origin = 0;
        var a = new NetlinkAttributes(payload[8..]);
        while (a.Next())
        {
            switch (a.Type)
            {
                case 1:
                    far = cache.Address(a.Value);
                    break;
                case 4:
                    broadcast = cache.Address(a.Value);
                    break;
                case 6 when a.Value.Length >= 8:
                    (preferred, valid) = (a.UInt32, MemoryMarshal.Read<uint>(a.Value[4..]));
                    break;
                case 9:
                    metric = a.UInt32;
                    break;
                case 11:
                    origin = a.Byte;
                    break;
            }
        }

        return new(reading, new()
        {
            Peer = far is null || far.Equals(reading.Prefix.Address) ? null : far,
            Broadcast = broadcast,
            Label = reading.Label,
            Scope = reading.Scope,
            Flags = reading.Flags & AddressOptions.Settable,
            Metric = metric,
            ValidSeconds = valid == uint.MaxValue ? null : valid,
            PreferredSeconds = preferred == uint.MaxValue ? null : preferred,
        }, origin);
    }

    /// <summary>What makes it again on the interface <paramref name="name"/>.</summary>
    public AddAddress Again(GatewayName gateway, InterfaceName name) =>
        new(gateway, name, Reading.Prefix, Options with { Label = IsIPv6 || Options.Label == name.Value ? null : Options.Label });
}
