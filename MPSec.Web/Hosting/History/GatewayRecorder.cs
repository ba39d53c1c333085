using System.Collections.Concurrent;
using MPSec.Data.History;
using MPSec.Linux.Gateways;
using MPSec.Live;

namespace MPSec.Hosting.History;

/// <summary>Gives history what the samplers read and what the kernel tells in between. Nothing here waits for the database.</summary>
public sealed partial class GatewayRecorder(HistoryStore store, IEnumerable<ISeriesSource<GatewaySnapshot>> sources, TimeProvider time, ILogger<GatewayRecorder> logger)
{
    private readonly ILogger _logger = logger;
    private readonly ConcurrentDictionary<Type, bool> _told = [];
    private readonly ISeriesSource<GatewaySnapshot>[] _sources = [.. sources];

    /// <summary>Keeps the figures of a snapshot.</summary>
    public void Record(GatewaySnapshot snapshot, DateTimeOffset at)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
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

        store.Record(snapshot.Reading.Gateway.Value, at, set);
    }

    /// <summary>Keeps the events of a gateway from now on.</summary>
    public void Follow(string gateway, WatchedGateway source)
    {
        ArgumentNullException.ThrowIfNull(source);
        var log = new GatewayEventLog(gateway, time, store.Record);
        source.Opened += log.Begin;
        source.Happened += log.Add;
    }

    [LoggerMessage(EventId = 3020, Level = LogLevel.Error, Message = "The series of {Source} could not be collected; told once")]
    private static partial void LogSourceFailed(ILogger logger, Exception exception, string source);
}
