using System.Collections.Concurrent;
using MPSec.Hosting.History;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;
using MPSec.Live;

namespace MPSec.Hosting;

/// <summary>
/// One sampler per gateway, begun when the gateway is first asked for. It goes on when the namespace is deleted (samples then say so) and finds a new
/// namespace of the same name by itself.
/// </summary>
public sealed partial class GatewayFeeds(MPSecOptions options, TimeProvider time, ILoggerFactory loggers, GatewayRecorder? recorder = null)
    : ILiveFeeds<GatewaySnapshot, RatePoint>, IAsyncDisposable
{
    /// <summary>Points kept for charts: five minutes at one reading per second.</summary>
    public const int HistoryPoints = 300;

    private static readonly TimeSpan s_forget = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, Lazy<Entry>> _entries = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stop = new();
    private int _disposed;
    private readonly ILogger _logger = loggers.CreateLogger<GatewayFeeds>();

    /// <summary>What is known about every sampler that runs.</summary>
    public IReadOnlyList<FeedFigures> Figures => [.. _entries.Values.Where(e => e.IsValueCreated).Select(e => e.Value.Figures)];

    /// <inheritdoc/>
    public LiveFeed<GatewaySnapshot, RatePoint> Get(string name)
    {
        var entry = _entries.GetOrAdd(name, key => new Lazy<Entry>(() => Start(key))).Value;
        entry.AskedAt = time.GetTimestamp();
        return entry.Feed;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // Two services are this one, and the container disposes of both.
        if (Interlocked.Exchange(ref _disposed, 1) == 1)
        {
            return;
        }

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
        var figures = new FeedFigures(name, store, time);
        var stop = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        Entry? entry = null;
        var sampler = new Sampler<GatewayReading, GatewaySnapshot>(
            () => figures.Count(() => Read(name, source, entry, stop)), GatewaySnapshot.Derive, Keep, store, pace, time);
        source.Changed += sampler.Wake;
        recorder?.Follow(name, source);
        entry = new(new(store, history, sampler.Wake), source, figures) { AskedAt = time.GetTimestamp() };
        entry.Run = Task.Run(() => sampler.RunAsync(stop.Token));
        return entry;

        void Keep(GatewaySnapshot snapshot, DateTimeOffset at)
        {
            history.Add(new(at, snapshot.Rates));
            recorder?.Record(snapshot, at);
        }
    }

    /// <summary>Reads; the sampler of a gateway that does not exist ends when nobody asks for it, so that made-up names cost nothing for long.</summary>
    private GatewayReading Read(string name, WatchedGateway source, Entry? entry, CancellationTokenSource stop)
    {
        try
        {
            return source.Read();
        }
        catch (SampleException e) when (e.Code == "gone")
        {
            if (entry is { Feed.Store.SubscriberCount: 0 } && time.GetElapsedTime(entry.AskedAt) > s_forget && _entries.TryRemove(name, out _))
            {
                recorder?.Forget(name);
                stop.Cancel();
            }

            throw;
        }
    }

    private sealed class Entry(LiveFeed<GatewaySnapshot, RatePoint> feed, WatchedGateway source, FeedFigures figures)
    {
        public LiveFeed<GatewaySnapshot, RatePoint> Feed { get; } = feed;

        public WatchedGateway Source { get; } = source;

        public FeedFigures Figures { get; } = figures;

        public Task Run { get; set; } = Task.CompletedTask;

        public long AskedAt { get; set; }
    }
}
