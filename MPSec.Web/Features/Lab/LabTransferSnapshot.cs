using System.Collections.Immutable;

namespace MPSec.Features.Lab;

/// <summary>State of the built-in transfer of a lab.</summary>
public enum LabTransferState
{
    /// <summary>Nothing is sent.</summary>
    Stopped,

    /// <summary>No connection stands yet, or all broke; it tries again by itself.</summary>
    Connecting,

    /// <summary>Bytes arrive.</summary>
    Running,

    /// <summary>Connections stand, but nothing has arrived for a second.</summary>
    Stalled,
}

/// <summary>One connection of the transfer.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Token">Names the MPTCP connection on the connecting side; null for plain TCP or while not connected.</param>
/// <param name="Subflows">Subflows now, the first included; null for plain TCP.</param>
/// <param name="Multipath">Speaks MPTCP and did not fall back.</param>
/// <param name="ReceivedBytes">Bytes that arrived, both ways, since it was made.</param>
public sealed record LabFlowSnapshot(int Number, uint? Token, int? Subflows, bool Multipath, long ReceivedBytes);

/// <summary>Bytes that arrived within 50 ms; a little longer when the machine was busy.</summary>
/// <param name="At">Its end, as time since the transfer began.</param>
/// <param name="Length">What it really covers.</param>
/// <param name="AToBBytes">At b.</param>
/// <param name="BToABytes">At a.</param>
public readonly record struct LabTransferBin(TimeSpan At, TimeSpan Length, long AToBBytes, long BToABytes)
{
    /// <summary>Both directions, Mbit/s.</summary>
    public double Mbit => (AToBBytes + BToABytes) * 8 / Length.TotalSeconds / 1e6;
}

/// <summary>Bytes that have arrived since the transfer began.</summary>
/// <param name="At">Time since the transfer began.</param>
/// <param name="AToBBytes">At b.</param>
/// <param name="BToABytes">At a.</param>
public sealed record LabTransferTotals(TimeSpan At, long AToBBytes, long BToABytes);

/// <summary>The transfer as it is now, measured where bytes arrive.</summary>
public sealed record LabTransferSnapshot
{
    /// <summary>Length of a bin, milliseconds.</summary>
    public const int BinMs = 50;

    /// <summary>Name of the lab.</summary>
    public required string Lab { get; init; }

    /// <summary>State.</summary>
    public required LabTransferState State { get; init; }

    /// <summary>What was asked for.</summary>
    public required LabTransferSettings Settings { get; init; }

    /// <summary>Why it does not run, in English; null when nothing is wrong.</summary>
    public string? Reason { get; init; }

    /// <summary>Goodput at b over the last seconds, Mbit/s; null before anything was measured.</summary>
    public double? AToBMbit { get; init; }

    /// <summary>Goodput at a over the last seconds, Mbit/s; null before anything was measured.</summary>
    public double? BToAMbit { get; init; }

    /// <summary>All bytes received since the start.</summary>
    public long ReceivedBytes { get; init; }

    /// <summary>Longest time without a received byte since the first one.</summary>
    public TimeSpan LongestStall { get; init; }

    /// <summary>Time since the start.</summary>
    public TimeSpan Elapsed { get; init; }

    /// <summary>How often a broken connection was made again.</summary>
    public int Reconnects { get; init; }

    /// <summary>Connections.</summary>
    public ImmutableArray<LabFlowSnapshot> Flows { get; init; } = [];
}
