namespace MPSec.Data.History;

/// <summary>Whether history is being written.</summary>
public enum HistoryState
{
    /// <summary>Not begun.</summary>
    Starting,

    /// <summary>What happens is stored within a second or two.</summary>
    Writing,

    /// <summary>Another process holds the database; figures wait.</summary>
    Locked,

    /// <summary>No room on the disk; the finest points were given up and figures wait.</summary>
    DiskFull,

    /// <summary>The database cannot be opened or written.</summary>
    Failed,
}

/// <summary>The state of history.</summary>
/// <param name="State">In one word.</param>
/// <param name="Since">Since when.</param>
/// <param name="Reason">One English sentence; null while all is well.</param>
public sealed record HistoryStatus(HistoryState State, DateTimeOffset Since, string? Reason)
{
    /// <summary>Figures that were stored since the start.</summary>
    public long Stored { get; init; }

    /// <summary>Figures that wait.</summary>
    public long Waiting { get; init; }

    /// <summary>Figures and events that were dropped because too many waited.</summary>
    public long Dropped { get; init; }

    /// <summary>Series known.</summary>
    public int Series { get; init; }

    /// <summary>Size of the database with its log, bytes.</summary>
    public long Bytes { get; init; }

    /// <summary>Damaged databases that were put aside since the start, newest last.</summary>
    public IReadOnlyList<string> Quarantined { get; init; } = [];
}

/// <summary>A series that history knows.</summary>
/// <param name="Scope">Its gateway.</param>
/// <param name="Name">Its name there.</param>
public sealed record HistorySeries(string Scope, string Name);

/// <summary>What was read of one series.</summary>
/// <param name="Name">The series.</param>
/// <param name="From">Begin of the first bucket.</param>
/// <param name="BucketSeconds">Length of a bucket; longer than asked for where the points are further apart.</param>
/// <param name="TierSeconds">Step of the points that the buckets were made of.</param>
/// <param name="Oldest">Begin of the oldest stored piece of the series; null when nothing is stored.</param>
/// <param name="Buckets">One per step of time; null is a gap: nothing was measured.</param>
public sealed record HistoryRange(string Name, DateTimeOffset From, double BucketSeconds, int TierSeconds, DateTimeOffset? Oldest, HistoryPoint?[] Buckets)
{
    /// <summary>Nothing was measured in the whole range.</summary>
    public bool IsEmpty => Buckets.All(b => b is null);
}
