using System.Collections.Concurrent;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;
using MPSec.Live;

namespace MPSec.Hosting;

/// <summary>
/// One sampler per gateway, begun when the gateway is first asked for. It goes on when the namespace is deleted (samples then say so) and finds a new
/// namespace of the same name by itself.
/// </summary>
public sealed partial class GatewayFeeds(MPSecOptions options, TimeProvider time, ILoggerFactory loggers)
    : ILiveFeeds<GatewaySnapshot, RatePoint>, IAsyncDisposable
{
    /// <summary>Points kept for charts: five minutes at one reading per second.</summary>
    public const int HistoryPoints = 300;

    private readonly ConcurrentDictionary<string, Lazy<Entry>> _entries = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stop = new();
    private readonly ILogger _logger = loggers.CreateLogger<GatewayFeeds>();

    /// <inheritdoc/>
    public LiveFeed<GatewaySnapshot, RatePoint> Get(string name) => _entries.GetOrAdd(name, key => new Lazy<Entry>(() => Start(key))).Value.Feed;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        foreach (var entry in _entries.Values.Where(e => e.IsValueCreated))
        {
            await entry.Value.Run;
            await entry.Value.Source.DisposeAsync();
        }

        _stop.Dispose();
    }

    [LoggerMessage(EventId = 3001, Level = LogLevel.Information, Message = "Sampling gateway {Gateway}")]
    private static partial void LogStarted(ILogger logger, string gateway);

    private Entry Start(string name)
    {
        LogStarted(_logger, name);
        var store = new LiveStore<Sample<GatewaySnapshot>>(loggers.CreateLogger<LiveStore<Sample<GatewaySnapshot>>>());
        var history = new RingBuffer<RatePoint>(HistoryPoints);
        var pace = SamplerPace.Default with { Watched = TimeSpan.FromMilliseconds(options.SampleIntervalMs) };
        var source = new WatchedGateway(GatewayName.Parse(name), time);
        var sampler = new Sampler<GatewayReading, GatewaySnapshot>(
            source.Read, GatewaySnapshot.Derive, (snapshot, at) => history.Add(new(at, snapshot.Rates)), store, pace, time);
        source.Changed += sampler.Wake;
        return new(new(store, history, sampler.Wake), source, Task.Run(() => sampler.RunAsync(_stop.Token)));
    }

    private sealed record Entry(LiveFeed<GatewaySnapshot, RatePoint> Feed, WatchedGateway Source, Task Run);
}
