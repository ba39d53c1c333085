using System.Collections.Immutable;
using System.Net;
using System.Text.Json.Serialization;
using MPSec.Changes;
using MPSec.Linux.Netlink;

namespace MPSec.Features.Network;

/// <summary>Whether the kernel's answer is what the path needs.</summary>
public enum RoutingVerdict
{
    /// <summary>Leaves by the path's own device.</summary>
    OwnDevice,

    /// <summary>Is not sent, and that is right: the link is down, or the path has no gateway and the peer is not in its network. It does not leak.</summary>
    Silent,

    /// <summary>Leaves by another device.</summary>
    OtherDevice,

    /// <summary>Is not sent although the path is ready.</summary>
    NoRoute,
}

/// <summary>One field of the matrix: what the kernel does with packets of a path's address to a peer.</summary>
/// <param name="Path">Interface name of the path, the device that is expected.</param>
/// <param name="Source">Own address of the path.</param>
/// <param name="Peer">Destination.</param>
/// <param name="Device">Device that the kernel uses; null when it does not send.</param>
/// <param name="Answer">The kernel's answer.</param>
/// <param name="Verdict">Judgement.</param>
public sealed record RoutingCell(string Path, IPAddress Source, IPAddress Peer, string? Device, KernelRouteAnswer Answer, RoutingVerdict Verdict);

/// <summary>What can be wrong with the routing of a path.</summary>
public enum RoutingFault
{
    /// <summary>No rule sends packets of the path's address to a table of its own.</summary>
    MissingRule,

    /// <summary>The rule names a table that belongs to another path, or main.</summary>
    WrongTable,

    /// <summary>The default route in the path's table leaves by another device.</summary>
    WrongDevice,

    /// <summary>A route in the path's table prefers an address that is not of this path.</summary>
    WrongSource,

    /// <summary>The path's table has no default route.</summary>
    MissingDefault,

    /// <summary>When the link goes down and the table is empty, packets leave by another path unseen.</summary>
    NoLastResort,

    /// <summary>IPv4 is routed by path, IPv6 is not.</summary>
    Ipv6Forgotten,

    /// <summary>rp_filter is strict: an answer that comes back by another path is dropped.</summary>
    StrictReversePath,

    /// <summary>Rules and table look right, and yet the kernel uses another device: another rule comes first.</summary>
    Overruled,
}

/// <summary>A fault with its evidence and what repairs it.</summary>
public sealed record RoutingFinding
{
    /// <summary>Which fault.</summary>
    public required RoutingFault Fault { get; init; }

    /// <summary>Interface name of the path.</summary>
    public required string Path { get; init; }

    /// <summary>Family; null when it is about both.</summary>
    public bool? IsIPv6 { get; init; }

    /// <summary>Packets take the wrong way now; otherwise they would once something happens.</summary>
    public required bool IsActive { get; init; }

    /// <summary>What was seen, as the words of <c>ip</c>; one line each.</summary>
    public required ImmutableArray<string> Evidence { get; init; }

    /// <summary>What repairs it; empty when MPSec cannot, because the path's gateway is not known or the link is down.</summary>
    [JsonIgnore]
    public ImmutableArray<HostOperation> Repair { get; init; } = [];

    /// <summary>The repair as commands.</summary>
    public ImmutableArray<string> Commands => [.. Repair.Select(o => o.ToShellText())];
}

/// <summary>Paths, routing matrix and findings of a gateway at one moment.</summary>
public sealed record NetworkSnapshot
{
    /// <summary>Name of the gateway.</summary>
    public required string Gateway { get; init; }

    /// <summary>Paths by number.</summary>
    public required ImmutableArray<NetworkPath> Paths { get; init; }

    /// <summary>Peers of the matrix.</summary>
    public required ImmutableArray<IPAddress> Peers { get; init; }

    /// <summary>The matrix by path, source and peer.</summary>
    public required ImmutableArray<RoutingCell> Cells { get; init; }

    /// <summary>Findings, those first that send packets the wrong way now.</summary>
    public required ImmutableArray<RoutingFinding> Findings { get; init; }

    /// <summary>What makes every path leave by its own device: all repairs, each once, in an order that works.</summary>
    [JsonIgnore]
    public ImmutableArray<HostOperation> Repairs => [.. Findings.SelectMany(f => f.Repair).Distinct().OrderBy(RoutingRepair.Order)];

    /// <summary>Fields whose packets leave by the wrong device or not at all.</summary>
    public int WrongCells => Cells.Count(c => c.Verdict is RoutingVerdict.OtherDevice or RoutingVerdict.NoRoute);

    /// <summary>Every source leaves by its own device, and nothing waits to go wrong.</summary>
    public bool IsProved => Findings.IsEmpty && WrongCells == 0;
}
