using System.Collections.Frozen;
using System.Net;

namespace MPSec.Linux.Gateways;

/// <summary>A reading together with what happened since the one before it.</summary>
/// <param name="Reading">The raw facts.</param>
/// <param name="Interval">Monotonic time since the reading before; zero for the first.</param>
/// <param name="Rates">Rates by interface index. An interface that was not there before, or whose counters went back, has none.</param>
/// <param name="Traffic">What subflows sent in the interval, by local address.</param>
public sealed record GatewaySnapshot(
    GatewayReading Reading, TimeSpan Interval, FrozenDictionary<int, InterfaceRate> Rates, FrozenDictionary<IPAddress, SubflowTraffic> Traffic)
{
    /// <summary>The reading before, for rates that only some need; null for the first.</summary>
    public GatewayReading? Before { get; init; }

    /// <summary>Makes the snapshot of <paramref name="now"/>; rates need <paramref name="before"/> and a positive <paramref name="elapsed"/>.</summary>
    public static GatewaySnapshot Derive(GatewayReading? before, GatewayReading now, TimeSpan elapsed)
    {
        ArgumentNullException.ThrowIfNull(now);
        return before is null || elapsed <= TimeSpan.Zero
            ? new(now, TimeSpan.Zero, FrozenDictionary<int, InterfaceRate>.Empty, FrozenDictionary<IPAddress, SubflowTraffic>.Empty)
            : new(now, elapsed, RatesOf(before, now, elapsed.TotalSeconds), TrafficOf(before, now)) { Before = before };
    }

    private static FrozenDictionary<int, InterfaceRate> RatesOf(GatewayReading before, GatewayReading now, double seconds)
    {
        var earlier = new Dictionary<int, LinkReading>(before.Links.Length);
        foreach (var link in before.Links)
        {
            earlier[link.Index] = link;
        }

        var rates = new Dictionary<int, InterfaceRate>(now.Links.Length);
        foreach (var link in now.Links)
        {
            if (link.Counters is { } c && earlier.TryGetValue(link.Index, out var old) && old.Name == link.Name && old.Counters is { } o
                && c.TxBytes >= o.TxBytes && c.RxBytes >= o.RxBytes)
            {
                rates[link.Index] = new((c.TxBytes - o.TxBytes) * 8 / seconds, (c.RxBytes - o.RxBytes) * 8 / seconds);
            }
        }

        return rates.ToFrozenDictionary();
    }

    private static FrozenDictionary<IPAddress, SubflowTraffic> TrafficOf(GatewayReading before, GatewayReading now)
    {
        if (now.Subflows.IsEmpty)
        {
            return FrozenDictionary<IPAddress, SubflowTraffic>.Empty;
        }

        var earlier = new Dictionary<(IPEndPoint, IPEndPoint), Subflow>(before.Subflows.Length);
        foreach (var subflow in before.Subflows)
        {
            earlier[(subflow.Local, subflow.Remote)] = subflow;
        }

        var sums = new Dictionary<IPAddress, SubflowTraffic>();
        foreach (var subflow in now.Subflows)
        {
            if (earlier.TryGetValue((subflow.Local, subflow.Remote), out var old) && old.Inode == subflow.Inode
                && subflow.BytesSent is { } sent && old.BytesSent is { } sentBefore && sent >= sentBefore
                && subflow.BytesRetransmitted is { } again && old.BytesRetransmitted is { } againBefore && again >= againBefore)
            {
                sums[subflow.Local.Address] = sums.GetValueOrDefault(subflow.Local.Address) + new SubflowTraffic(sent - sentBefore, again - againBefore);
            }
        }

        return sums.ToFrozenDictionary();
    }
}

/// <summary>Throughput of an interface over one interval, on the wire (with headers), bits per second.</summary>
public readonly record struct InterfaceRate(double TxBitsPerSecond, double RxBitsPerSecond)
{
    /// <summary>Both directions together.</summary>
    public double SumBitsPerSecond => TxBitsPerSecond + RxBitsPerSecond;
}

/// <summary>Bytes that subflows sent in one interval, retransmissions included, and how many of them were retransmissions.</summary>
public readonly record struct SubflowTraffic(ulong BytesSent, ulong BytesRetransmitted)
{
    /// <summary>Both together.</summary>
    public static SubflowTraffic operator +(SubflowTraffic a, SubflowTraffic b) => new(a.BytesSent + b.BytesSent, a.BytesRetransmitted + b.BytesRetransmitted);
}
