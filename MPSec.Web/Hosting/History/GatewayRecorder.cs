using System.Collections.Concurrent;
using MPSec.Data.History;
using MPSec.Linux.Gateways;

namespace MPSec.Hosting.History;

/// <summary>Gives history what the samplers of gateways read and what the kernel tells in between. Nothing here waits for the database.</summary>
public sealed class GatewayRecorder(HistoryStore store, SeriesRecorder<GatewaySnapshot> series, TimeProvider time)
{
    private readonly ConcurrentDictionary<string, GatewayEventLog> _logs = new(StringComparer.Ordinal);

    /// <summary>Keeps the figures of a snapshot.</summary>
    public void Record(GatewaySnapshot snapshot, DateTimeOffset at)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        var gateway = snapshot.Reading.Gateway.Value;
        series.Record(gateway, snapshot, at);
        if (_logs.TryGetValue(gateway, out var log))
        {
            log.See(snapshot.Reading);
        }
    }

    /// <summary>Joins of a gateway by interface, since it is listened to.</summary>
    public IReadOnlyDictionary<string, PathJoins> Joins(string gateway) => _logs.TryGetValue(gateway, out var log) ? log.Joins() : new Dictionary<string, PathJoins>();

    /// <summary>Knows nothing more of a gateway that nobody asks for any more.</summary>
    public void Forget(string gateway) => _logs.TryRemove(gateway, out _);

    /// <summary>Keeps the events of a gateway from now on.</summary>
    public void Follow(string gateway, WatchedGateway source)
    {
        ArgumentNullException.ThrowIfNull(source);
        var log = _logs[gateway] = new GatewayEventLog(gateway, time, store.Record);
        source.Opened += log.Begin;
        source.Happened += log.Add;
    }
}
