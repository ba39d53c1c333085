using System.Collections.Frozen;

namespace MPSec.Linux.Gateways;

/// <summary>A reading together with the rates since the one before it.</summary>
/// <param name="Reading">The raw facts.</param>
/// <param name="Interval">Monotonic time since the reading before; zero for the first.</param>
/// <param name="Rates">Rates by interface index. An interface that was not there before, or whose counters went back, has none.</param>
public sealed record GatewaySnapshot(GatewayReading Reading, TimeSpan Interval, FrozenDictionary<int, InterfaceRate> Rates)
{
    /// <summary>Makes the snapshot of <paramref name="now"/>; rates need <paramref name="before"/> and a positive <paramref name="elapsed"/>.</summary>
    public static GatewaySnapshot Derive(GatewayReading? before, GatewayReading now, TimeSpan elapsed)
    {
        ArgumentNullException.ThrowIfNull(now);
        if (before is null || elapsed <= TimeSpan.Zero)
        {
            return new(now, TimeSpan.Zero, FrozenDictionary<int, InterfaceRate>.Empty);
        }

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
                rates[link.Index] = new((c.TxBytes - o.TxBytes) * 8 / elapsed.TotalSeconds, (c.RxBytes - o.RxBytes) * 8 / elapsed.TotalSeconds);
            }
        }

        return new(now, elapsed, rates.ToFrozenDictionary());
    }
}

/// <summary>Throughput of an interface over one interval, on the wire (with headers), bits per second.</summary>
public readonly record struct InterfaceRate(double TxBitsPerSecond, double RxBitsPerSecond)
{
    /// <summary>Both directions together.</summary>
    public double SumBitsPerSecond => TxBitsPerSecond + RxBitsPerSecond;
}
