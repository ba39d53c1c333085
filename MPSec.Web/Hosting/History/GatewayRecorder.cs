using MPSec.Data.History;
using MPSec.Linux.Gateways;
using MPSec.Live;

namespace MPSec.Hosting.History;

/// <summary>Gives history what the samplers read and what the kernel tells in between. Nothing here waits for the database.</summary>
public sealed class GatewayRecorder(HistoryStore store, IEnumerable<ISeriesSource<GatewaySnapshot>> sources, TimeProvider time)
{
    private readonly ISeriesSource<GatewaySnapshot>[] _sources = [.. sources];

    /// <summary>Keeps the figures of a snapshot.</summary>
    public void Record(GatewaySnapshot snapshot, DateTimeOffset at)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        var set = new SeriesSet();
        foreach (var source in _sources)
        {
            source.Collect(snapshot, set);
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
}
