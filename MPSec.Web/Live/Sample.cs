namespace MPSec.Live;

/// <summary>What the sampler publishes: the last good value with its age, and, while reading fails, why.</summary>
/// <param name="Value">The last value that could be read; null when none ever could.</param>
/// <param name="ValueAt">Wall-clock time of <paramref name="Value"/>, to show.</param>
/// <param name="ValueTimestamp">Monotonic time stamp (<see cref="TimeProvider.GetTimestamp"/>) of <paramref name="Value"/>, to compute with.</param>
/// <param name="Failure">Why the newest reading failed; null when it succeeded.</param>
public sealed record Sample<T>(T? Value, DateTimeOffset ValueAt, long ValueTimestamp, SampleFailure? Failure)
    where T : class;

/// <summary>A reading that failed.</summary>
/// <param name="Code">Stable code for texts: <c>gone</c>, <c>permission</c>, <c>unreadable</c>.</param>
/// <param name="Reason">One English sentence with the technical cause.</param>
/// <param name="Since">Wall-clock time since when readings have failed without a success in between.</param>
public sealed record SampleFailure(string Code, string Reason, DateTimeOffset Since);

/// <summary>Thrown by a reading delegate to give the failure a code of its own.</summary>
public sealed class SampleException(string code, string reason, Exception? inner = null) : Exception(reason, inner)
{
    /// <summary>The stable code.</summary>
    public string Code { get; } = code;
}

/// <summary>How often a sampler reads.</summary>
/// <param name="Watched">Interval while somebody looks; at least 100 ms.</param>
/// <param name="Unwatched">Interval while nobody does.</param>
public sealed record SamplerPace(TimeSpan Watched, TimeSpan Unwatched)
{
    /// <summary>Never more often than this, whatever wakes the sampler: 10 readings per second.</summary>
    public static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(100);

    /// <summary>1 Hz when watched, every 5 s otherwise.</summary>
    public static SamplerPace Default { get; } = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5));
}

/// <summary>A live source: what is now, and the light points of the last minutes.</summary>
/// <param name="Store">Current sample and subscriptions.</param>
/// <param name="History">Points for charts, oldest first.</param>
/// <param name="Wake">Asks for a reading before its time.</param>
public sealed record LiveFeed<TSnapshot, TPoint>(LiveStore<Sample<TSnapshot>> Store, RingBuffer<TPoint> History, Action Wake)
    where TSnapshot : class;

/// <summary>Feeds by name; a feed begins when it is first asked for.</summary>
public interface ILiveFeeds<TSnapshot, TPoint>
    where TSnapshot : class
{
    /// <summary>The feed of <paramref name="name"/>. A name that does not exist (yet) has a feed whose samples say so.</summary>
    LiveFeed<TSnapshot, TPoint> Get(string name);
}
