using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using MPSec.Linux.Gateways;

namespace MPSec.Features.Connections;

/// <summary>All MPTCP connections of a gateway at one moment, as the page and the API show them. Immutable.</summary>
public sealed record ConnectionsSnapshot
{
    /// <summary>The gateway.</summary>
    public required string Gateway { get; init; }

    /// <summary>One row per connection, in the kernel's order.</summary>
    public required ImmutableArray<ConnectionRow> Rows { get; init; }

    /// <summary>Established TCP sockets that are no subflow; null when they were not read.</summary>
    public int? PlainTcp { get; init; }

    /// <summary>Whether new sockets may speak MPTCP; null when the kernel has no MPTCP.</summary>
    public bool? MptcpEnabled { get; init; }

    /// <summary>Counters of this gateway that tell why connections fell back to TCP, above zero only.</summary>
    public ImmutableArray<ConnectionCounter> FallbackCauses { get; init; } = [];

    /// <summary>Counters of this gateway that tell why subflows could not join, above zero only.</summary>
    public ImmutableArray<ConnectionCounter> JoinFailures { get; init; } = [];

    /// <summary>Subflows of all connections.</summary>
    public int Subflows => Rows.Sum(r => r.Subflows.Length);

    /// <summary>Connections that go on as plain TCP.</summary>
    public int Fallbacks => Rows.Count(r => r.IsFallback == true);

    /// <summary>Bits per second that all connections send; null when no rate is known.</summary>
    public double? SendBits => ConnectionRow.Sum(Rows, r => r.SendBits);

    /// <summary>Bits per second that all connections receive; null when no rate is known.</summary>
    public double? ReceiveBits => ConnectionRow.Sum(Rows, r => r.ReceiveBits);
}

/// <summary>A counter of <c>/proc/net/netstat</c>; it counts since the gateway exists and for the gateway as a whole.</summary>
/// <param name="Name">Name without <c>MPTcpExt</c>.</param>
/// <param name="Value">Its value.</param>
public sealed record ConnectionCounter(string Name, long Value);

/// <summary>Names a connection for as long as it lives.</summary>
public readonly record struct ConnectionKey(uint Token, IPEndPoint Local, IPEndPoint Remote);

/// <summary>One MPTCP connection with its subflows.</summary>
public sealed record ConnectionRow
{
    private static readonly string[] s_states =
        ["unknown", "established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2", "time-wait", "close", "close-wait", "last-ack", "listen", "closing", "new-syn-recv"];

    /// <summary>What the kernel says of the connection, raw.</summary>
    public required MptcpConnection Kernel { get; init; }

    /// <summary>Its subflows, by path number, then by local address.</summary>
    public required ImmutableArray<SubflowRow> Subflows { get; init; }

    /// <summary>Local address and port; IPv4 as such, also on an IPv6 socket.</summary>
    public required IPEndPoint Local { get; init; }

    /// <summary>Remote address and port.</summary>
    public required IPEndPoint Remote { get; init; }

    /// <summary>Payload bits per second sent, without retransmissions; null before the second reading, after a reset and before Linux 6.5.</summary>
    public double? SendBits { get; init; }

    /// <summary>Payload bits per second received.</summary>
    public double? ReceiveBits { get; init; }

    /// <summary>Names it.</summary>
    public ConnectionKey Key => new(Kernel.Token ?? 0, Kernel.Local, Kernel.Remote);

    /// <summary>The token as <c>ss</c> prints it; null when the kernel tells none.</summary>
    public string? Token => Kernel.Token is { } token and not 0 ? token.ToString("x8", CultureInfo.InvariantCulture) : null;

    /// <summary>State in the words of <c>ss</c>.</summary>
    public string State => StateName(Kernel.State);

    /// <summary>Whether it goes on as plain TCP; null when the kernel does not tell.</summary>
    public bool? IsFallback => Kernel.Flags is null ? null : Kernel.IsFallback;

    /// <summary>Both rates together.</summary>
    public double? Bits => SendBits is { } sent && ReceiveBits is { } received ? sent + received : SendBits ?? ReceiveBits;

    /// <summary>Shortest smoothed round trip of its subflows, milliseconds.</summary>
    public double? RttMs => Subflows.Min(s => s.RttMs);

    /// <summary>Bytes in flight on all subflows; null when no subflow tells.</summary>
    public double? FlightBytes => Sum(Subflows, s => s.FlightBytes);

    /// <summary>Segments that subflows sent again.</summary>
    public double? Retransmissions => Sum(Subflows, s => s.Kernel.TotalRetransmissions);

    /// <summary>Segments that came out of order.</summary>
    public double? OutOfOrder => Sum(Subflows, s => s.Kernel.ReceivedOutOfOrder);

    /// <summary>Milliseconds since data was last sent or received, the shorter one; null before Linux 6.10.</summary>
    public uint? LastDataMs => (Kernel.LastDataSentMs, Kernel.LastDataReceivedMs) switch
    {
        ({ } sent, { } received) => Math.Min(sent, received),
        var (sent, received) => sent ?? received,
    };

    /// <summary>The word for a TCP state number (net/tcp_states.h).</summary>
    public static string StateName(byte state) => s_states[state < s_states.Length ? state : 0];

    /// <summary>All states by name.</summary>
    public static IReadOnlyList<string> StateNames => s_states;

    /// <summary>Sum of the values that are known; null when none is.</summary>
    internal static double? Sum<T>(ImmutableArray<T> items, Func<T, double?> value)
    {
        double? sum = null;
        foreach (var item in items)
        {
            if (value(item) is { } v)
            {
                sum = (sum ?? 0) + v;
            }
        }

        return sum;
    }
}

/// <summary>What a subflow does.</summary>
public enum SubflowState
{
    /// <summary>Established and in use.</summary>
    Active,

    /// <summary>Established; used only when no other one carries.</summary>
    Backup,

    /// <summary>Established, but nothing comes back at the moment: the kernel waits longer and longer before it sends again.</summary>
    Unanswered,

    /// <summary>Not established (yet, or any more).</summary>
    Other,
}

/// <summary>One subflow of a connection.</summary>
public sealed record SubflowRow
{
    /// <summary>What the kernel says of the socket, raw.</summary>
    public required Subflow Kernel { get; init; }

    /// <summary>Local address and port.</summary>
    public required IPEndPoint Local { get; init; }

    /// <summary>Remote address and port.</summary>
    public required IPEndPoint Remote { get; init; }

    /// <summary>Interface that has the local address, or that the socket is bound to; null when there is none any more.</summary>
    public string? Interface { get; init; }

    /// <summary>Number of the path; null when the interface is no path.</summary>
    public int? Path { get; init; }

    /// <summary>Bits per second sent, retransmissions included; null before the second reading and after a reset.</summary>
    public double? SendBits { get; init; }

    /// <summary>Bits per second received.</summary>
    public double? ReceiveBits { get; init; }

    /// <summary>Part of the bytes, sent and received, of all subflows that the connection has now, 0 to 1; null while there are none.</summary>
    public double? Share { get; init; }

    /// <summary>Both rates together.</summary>
    public double? Bits => SendBits is { } sent && ReceiveBits is { } received ? sent + received : SendBits ?? ReceiveBits;

    /// <summary>Smoothed round trip, milliseconds; null before the first measurement.</summary>
    public double? RttMs => Kernel.RttMicroseconds is > 0 and var rtt ? rtt / 1000.0 : null;

    /// <summary>Mean deviation of the round trip, milliseconds.</summary>
    public double? RttVariationMs => RttMs is null ? null : Kernel.RttVariationMicroseconds / 1000.0;

    /// <summary>Shortest round trip, milliseconds; the kernel says all ones before the first measurement.</summary>
    public double? MinRttMs => Kernel.MinRttMicroseconds is { } rtt and not uint.MaxValue ? rtt / 1000.0 : null;

    /// <summary>Bytes in flight: segments not acknowledged by the segment size, so at most that many.</summary>
    public double? FlightBytes => Kernel is { Unacknowledged: { } segments, SendMss: { } mss } ? (double)segments * mss : null;

    /// <summary>What it does.</summary>
    public SubflowState State => Kernel switch
    {
        { State: not 1 } => SubflowState.Other,
        { Backoff: > 0 } => SubflowState.Unanswered,
        { IsBackup: true } => SubflowState.Backup,
        _ => SubflowState.Active,
    };

    /// <summary>The kernel's state in the words of <c>ss</c>.</summary>
    public string StateName => ConnectionRow.StateName(Kernel.State);

    /// <summary>It joined a connection (MP_JOIN); otherwise it is the one that the connection began with.</summary>
    public bool IsJoined => (Kernel.Flags & 0xc) != 0;
}
