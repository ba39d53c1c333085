namespace MPSec.Data.History;

/// <summary>A resolution in which history is kept. Every point holds smallest, mean and largest value and how many readings it stands for.</summary>
/// <param name="Number">0 is the finest.</param>
/// <param name="Step">Seconds between two points.</param>
/// <param name="Chunk">Seconds in one stored piece; a multiple of <see cref="HistoryTier.Period"/> and of the step.</param>
public sealed record HistoryTier(int Number, int Step, int Chunk)
{
    /// <summary>Seconds that stay open in the journal before they become pieces of all tiers.</summary>
    public const int Period = 300;

    /// <summary>1 s, 10 s, 1 min, 15 min.</summary>
    public static IReadOnlyList<HistoryTier> All { get; } = [new(0, 1, Period), new(1, 10, 3600), new(2, 60, 6 * 3600), new(3, 900, 90 * 3600)];

    /// <summary>The coarsest tier.</summary>
    public static HistoryTier Coarsest => All[^1];

    /// <summary>Unix second at which the piece begins that holds <paramref name="second"/>.</summary>
    public long ChunkOf(long second) => Floor(second, Chunk) * Chunk;

    internal static long Floor(long value, long by) => (value >= 0 ? value : value - by + 1) / by;
}

/// <summary>One point of a tier.</summary>
/// <param name="Slot">Number of the step since the piece began, or a Unix second where the text says so.</param>
/// <param name="Min">Smallest reading.</param>
/// <param name="Mean">Mean of the readings.</param>
/// <param name="Max">Largest reading.</param>
/// <param name="Count">Readings, at least 1.</param>
public readonly record struct HistoryPoint(long Slot, double Min, double Mean, double Max, long Count)
{
    /// <summary>Both together, at the slot of the first.</summary>
    public HistoryPoint With(HistoryPoint other) => new(
        Slot, Math.Min(Min, other.Min), Mean + ((other.Mean - Mean) * ((double)other.Count / (Count + other.Count))), Math.Max(Max, other.Max), Count + other.Count);

    /// <summary>Points in order, those of one slot put together. History stays in order whatever the clock did.</summary>
    internal static List<HistoryPoint> Merge(IEnumerable<HistoryPoint> points)
    {
        var merged = new List<HistoryPoint>();
        foreach (var point in points.OrderBy(p => p.Slot))
        {
            if (merged.Count > 0 && merged[^1].Slot == point.Slot)
            {
                merged[^1] = merged[^1].With(point);
            }
            else
            {
                merged.Add(point);
            }
        }

        return merged;
    }
}
