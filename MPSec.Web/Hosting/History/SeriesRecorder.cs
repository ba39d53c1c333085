using System.Collections.Concurrent;
using MPSec.Data.History;
using MPSec.Live;

namespace MPSec.Hosting.History;

/// <summary>Gives history the figures of every snapshot that a sampler makes. Nothing here waits for the database.</summary>
/// <typeparam name="TSnapshot">What the sampler makes.</typeparam>
public sealed partial class SeriesRecorder<TSnapshot>(HistoryStore store, IEnumerable<ISeriesSource<TSnapshot>> sources, ILogger<SeriesRecorder<TSnapshot>> logger)
{
    private readonly ILogger _logger = logger;
    private readonly ConcurrentDictionary<Type, bool> _told = [];
    private readonly ISeriesSource<TSnapshot>[] _sources = [.. sources];

    /// <summary>Keeps the figures of a snapshot.</summary>
    /// <param name="scope">The gateway.</param>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="at">When it was taken.</param>
    public void Record(string scope, TSnapshot snapshot, DateTimeOffset at)
    {
        var set = new SeriesSet();
        foreach (var source in _sources)
        {
            try
            {
                source.Collect(snapshot, set);
            }
            catch (Exception e)
            {
                // The live view must not go without a reading because history cannot make something of it.
                if (_told.TryAdd(source.GetType(), true))
                {
                    LogSourceFailed(_logger, e, source.GetType().Name);
                }
            }
        }

        store.Record(scope, at, set);
    }

    [LoggerMessage(EventId = 3020, Level = LogLevel.Error, Message = "The series of {Source} could not be collected; told once")]
    private static partial void LogSourceFailed(ILogger logger, Exception exception, string source);
}
