using System.Collections.Immutable;
using System.Net;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Features.Multipath;

/// <summary>A gateway seen as paths; everything the paths view shows, made from one sample.</summary>
public sealed record PathsSnapshot
{
    /// <summary>The gateway.</summary>
    public required GatewayName Gateway { get; init; }

    /// <summary>Paths by number.</summary>
    public required ImmutableArray<PathLane> Lanes { get; init; }

    /// <summary>Whether new sockets may speak MPTCP; null when the kernel has no MPTCP.</summary>
    public required bool? MptcpEnabled { get; init; }

    /// <summary>MPTCP connections in state ESTABLISHED.</summary>
    public required int Connections { get; init; }

    /// <summary>Of these, how many went on as plain TCP.</summary>
    public required int Fallbacks { get; init; }

    /// <summary>Subflows in state ESTABLISHED.</summary>
    public required int Subflows { get; init; }

    /// <summary>tx + rx of all paths, bits per second; null before two samples.</summary>
    public double? SumBitsPerSecond => Lanes.Any(l => l.Rate is not null) ? Lanes.Sum(l => l.Rate?.SumBitsPerSecond ?? 0) : null;

    /// <summary>Sum of the known capacities, bits per second; null when none is known.</summary>
    public double? CapacityBitsPerSecond => Lanes.Any(l => l.CapacityBitsPerSecond is not null) ? Lanes.Sum(l => l.CapacityBitsPerSecond ?? 0) : null;

    /// <summary>Paths that carry bytes now.</summary>
    public int Carrying => Lanes.Count(l => l.IsCarrying);
}

/// <summary>State of a path. Down is a fact that is wrong now; unknown means that nobody can tell.</summary>
public enum PathState
{
    /// <summary>Nothing is known.</summary>
    Unknown,

    /// <summary>Ready or carrying.</summary>
    Up,

    /// <summary>Carries nothing by intent: used only when no other path can.</summary>
    Standby,

    /// <summary>Up, but what is sent is not answered.</summary>
    Degraded,

    /// <summary>Carries nothing and cannot.</summary>
    Down,
}

/// <summary>Why a path is in its state; the text is made when shown.</summary>
public enum PathCause
{
    /// <summary>Nothing to explain.</summary>
    None,

    /// <summary>The interface was set down.</summary>
    SetDown,

    /// <summary>Up, but the other end does not answer on the link.</summary>
    NoCarrier,

    /// <summary>The interface exists no longer.</summary>
    Gone,

    /// <summary>Subflows retransmit and get no answer.</summary>
    Unanswered,

    /// <summary>MPTCP connections exist, none has a subflow here.</summary>
    NoSubflow,
}

/// <summary>One path at one instant.</summary>
public sealed record PathLane
{
    /// <summary>Number, for badge and colour.</summary>
    public required int Number { get; init; }

    /// <summary>Name: its interface.</summary>
    public required string Name { get; init; }

    /// <summary>The name that a person gave to the path; that of its interface where nobody did.</summary>
    public string Title
    {
        get => field ?? Name;
        init;
    }

    /// <summary>Interface index; null when the interface is gone.</summary>
    public required int? InterfaceIndex { get; init; }

    /// <summary>State.</summary>
    public required PathState State { get; init; }

    /// <summary>Cause of the state.</summary>
    public PathCause Cause { get; init; }

    /// <summary>Throughput on the wire; null before two samples.</summary>
    public InterfaceRate? Rate { get; init; }

    /// <summary>Rate of the shaper on this interface, bits per second; null when nothing tells the capacity.</summary>
    public double? CapacityBitsPerSecond { get; init; }

    /// <summary>Own addresses.</summary>
    public ImmutableArray<IPAddress> Local { get; init; } = [];

    /// <summary>Addresses of peers that have a subflow here, most subflows first.</summary>
    public ImmutableArray<IPAddress> Peers { get; init; } = [];

    /// <summary>Smoothed RTT, mean over the subflows here, milliseconds; null without a subflow.</summary>
    public double? RttMs { get; init; }

    /// <summary>Retransmitted of all sent bytes in the last interval, percent; null when nothing was sent.</summary>
    public double? RetransmittedPercent { get; init; }

    /// <summary>Subflows in state ESTABLISHED.</summary>
    public int Subflows { get; init; }

    /// <summary>Used only when no other path can carry.</summary>
    public bool IsBackup { get; init; }

    /// <summary>Set up by the administrator; null when the interface is gone.</summary>
    public bool? IsLinkUp { get; init; }

    /// <summary>Bytes move: at least 10 kbit/s, so that keep-alives do not count.</summary>
    public bool IsCarrying => Rate?.SumBitsPerSecond >= 10_000;

    /// <summary>The busier direction, bits per second: it is what the shaper limits.</summary>
    public double? BusierBitsPerSecond => Rate is { } r ? Math.Max(r.TxBitsPerSecond, r.RxBitsPerSecond) : null;
}
