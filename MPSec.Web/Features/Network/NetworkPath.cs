using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using MPSec.Linux.Gateways;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>What a path is for.</summary>
public enum NetworkPathRole
{
    /// <summary>Carries what is bound to no path: the best default route leaves by it.</summary>
    Primary,

    /// <summary>Carries together with the others.</summary>
    Bonded,

    /// <summary>Carries only when no other does.</summary>
    Backup,

    /// <summary>No way out: a local network.</summary>
    Off,
}

/// <summary>One family of a path: its own addresses, where it goes out, and what routes it.</summary>
/// <param name="IsIPv6">Family.</param>
/// <param name="Addresses">Own global addresses with their prefixes.</param>
/// <param name="NextHop">Gateway of the path; null when it needs none or none is known.</param>
/// <param name="LeadsOut">More than its own network can be reached: by the next hop, or without one on a point-to-point link.</param>
/// <param name="Table">Table that the rules of its addresses name; null without such a rule.</param>
public sealed record NetworkPathFamily(bool IsIPv6, ImmutableArray<IpPrefix> Addresses, IPAddress? NextHop, bool LeadsOut, uint? Table);

/// <summary>A profile proposed for one interface, from what the kernel and the host's files say.</summary>
public sealed record NetworkPath
{
    /// <summary>Interface name.</summary>
    public required string Name { get; init; }

    /// <summary>Interface index.</summary>
    public required int Index { get; init; }

    /// <summary>Lasting number from 1; gives the colour and, where free, table 100 + number.</summary>
    public required int Number { get; init; }

    /// <summary>Proposed role.</summary>
    public required NetworkPathRole Role { get; init; }

    /// <summary>MTU in bytes.</summary>
    public required uint Mtu { get; init; }

    /// <summary>Set up, and the other end answers.</summary>
    public required bool IsReady { get; init; }

    /// <summary>Who manages the interface.</summary>
    public required InterfaceOwner Owner { get; init; }

    /// <summary>A DHCP client set its default route (RTPROT_DHCP).</summary>
    public required bool FromDhcp { get; init; }

    /// <summary>The larger of <c>conf.all.rp_filter</c> and <c>conf.IF.rp_filter</c>, which is what counts; null when it could not be read.</summary>
    public int? ReversePathFilter { get; init; }

    /// <summary>IPv4; null without a global address.</summary>
    public NetworkPathFamily? V4 { get; init; }

    /// <summary>IPv6; null without a global address.</summary>
    public NetworkPathFamily? V6 { get; init; }

    /// <summary>The families that it has.</summary>
    public IEnumerable<NetworkPathFamily> Families => new[] { V4, V6 }.OfType<NetworkPathFamily>();

    /// <summary>Is to carry traffic of its own.</summary>
    public bool IsActive => Role != NetworkPathRole.Off;
}

/// <summary>Gives paths their lasting numbers; another part of the program keeps them.</summary>
public interface IPathNumbering
{
    /// <summary>Number by interface name of the interfaces that are known as paths.</summary>
    IReadOnlyDictionary<string, int> NumbersOf(GatewayReading reading);
}

internal static class NetworkAddresses
{
    public static bool IsIPv6(this IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6;

    public static IpPrefix Alone(this IPAddress address) => new(address, address.IsIPv6() ? 128 : 32);

    /// <summary>One address, no network around it.</summary>
    public static bool IsAlone(this IpPrefix prefix) => prefix.Length == (prefix.Address.IsIPv6() ? 128 : 32);

    public static IpPrefix Everything(bool isIPv6) => isIPv6 ? new(IPAddress.IPv6Any, 0) : new(IPAddress.Any, 0);

    public static IPAddress Plain(this IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}
