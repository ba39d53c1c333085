using MPSec.Features.SystemStatus;
using MPSec.Hosting.History;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;
using MPSec.Live;

namespace MPSec.Hosting;

/// <summary>The one sampler of the machine, as long as MPSec runs: at the pace of the gateways while somebody looks, slowly for history otherwise.</summary>
public sealed class MachineFeeds : BackgroundService, ILiveFeeds<MachineSnapshot, MachinePoint>
{
    /// <summary>Points kept for the chart: five minutes at one reading per second.</summary>
    public const int HistoryPoints = 300;

    private readonly LiveFeed<MachineSnapshot, MachinePoint> _feed;
    private readonly Sampler<MachineReading, MachineSnapshot> _sampler;

    /// <summary>Makes the feed; it reads once the program runs.</summary>
    public MachineFeeds(MPSecOptions options, TimeProvider time, ILoggerFactory loggers, SeriesRecorder<MachineSnapshot> recorder)
    {
        var store = new LiveStore<Sample<MachineSnapshot>>(loggers.CreateLogger<LiveStore<Sample<MachineSnapshot>>>());
        var points = new RingBuffer<MachinePoint>(HistoryPoints);
        var reader = new MachineReader();
        _sampler = new(reader.Read, MachineSnapshot.Derive, Keep, store, SamplerPace.Default with { Watched = TimeSpan.FromMilliseconds(options.SampleIntervalMs) }, time);
        _feed = new(store, points, _sampler.Wake);

        void Keep(MachineSnapshot snapshot, DateTimeOffset at)
        {
            points.Add(MachinePoint.Of(snapshot, at));
            recorder.Record(GatewayName.Host.Value, snapshot, at);
        }
    }

    /// <inheritdoc/>
    /// <remarks>Every gateway lives on the same machine, so every name has the same feed.</remarks>
    public LiveFeed<MachineSnapshot, MachinePoint> Get(string name) => _feed;

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.Run(() => _sampler.RunAsync(stoppingToken), stoppingToken);
}
