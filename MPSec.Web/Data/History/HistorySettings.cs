namespace MPSec.Data.History;

/// <summary>
/// How much history is kept. Times count what was recorded, in periods of five minutes, not the calendar: a clock that jumps a year forward empties nothing.
/// </summary>
public sealed record HistorySettings
{
    /// <summary>Points of one second, in hours: 1 to 168.</summary>
    public int SecondsForHours { get; set; } = 2;

    /// <summary>Points of ten seconds, in hours: 1 to 2,160.</summary>
    public int TenSecondsForHours { get; set; } = 48;

    /// <summary>Points of one minute, in days: 1 to 366.</summary>
    public int MinutesForDays { get; set; } = 30;

    /// <summary>Points of a quarter of an hour, in days: 1 to 3,660.</summary>
    public int QuarterHoursForDays { get; set; } = 365;

    /// <summary>Events, in days: 1 to 366.</summary>
    public int EventsForDays { get; set; } = 30;

    /// <summary>Most events: 1,000 to 10,000,000.</summary>
    public int MostEvents { get; set; } = 200_000;

    /// <summary>Largest size of the database in MiB: 16 to 65,536. When it is reached the finest points go first.</summary>
    public int MostMiB { get; set; } = 1024;

    /// <summary>Most figures that wait for a database that cannot be written; more are dropped, oldest first, and counted.</summary>
    public int MostWaiting { get; set; } = 1_000_000;

    /// <summary>Periods for which a tier is kept.</summary>
    public long PeriodsOf(HistoryTier tier)
    {
        ArgumentNullException.ThrowIfNull(tier);
        return tier.Number switch
        {
            0 => SecondsForHours * 12L,
            1 => TenSecondsForHours * 12L,
            2 => MinutesForDays * 288L,
            _ => QuarterHoursForDays * 288L,
        };
    }

    /// <summary>What is wrong, each in one sentence that names the setting; empty when nothing is.</summary>
    public IEnumerable<string> Faults()
    {
        (string Name, int Value, int Least, int Most)[] ranges =
        [
            (nameof(SecondsForHours), SecondsForHours, 1, 168), (nameof(TenSecondsForHours), TenSecondsForHours, 1, 2160), (nameof(MinutesForDays), MinutesForDays, 1, 366),
            (nameof(QuarterHoursForDays), QuarterHoursForDays, 1, 3660), (nameof(EventsForDays), EventsForDays, 1, 366), (nameof(MostEvents), MostEvents, 1000, 10_000_000),
            (nameof(MostMiB), MostMiB, 16, 65_536), (nameof(MostWaiting), MostWaiting, 1000, 100_000_000),
        ];
        foreach (var (name, _, least, most) in ranges.Where(r => r.Value < r.Least || r.Value > r.Most))
        {
            yield return $"History: {name} must be {least} to {most}";
        }

        if (SecondsForHours > TenSecondsForHours || TenSecondsForHours > MinutesForDays * 24 || MinutesForDays > QuarterHoursForDays)
        {
            yield return "History: coarser points must be kept at least as long as finer ones (SecondsForHours, TenSecondsForHours, MinutesForDays, QuarterHoursForDays)";
        }
    }
}
