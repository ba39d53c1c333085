using MPSec.Features.SystemStatus;
using MPSec.Linux.Procfs;
using MPSec.Live;

namespace MPSec.Hosting;

/// <summary>The one sampler of the machine, begun when somebody first looks: at the pace of the gateways while somebody does, every 30 s afterwards for history.</summary>
public sealed class MachineFeeds(MPSecOptions options, TimeProvider time, ILoggerFactory loggers) : ILiveFeeds<MachineSnapshot, MachinePoint>, IAsyncDisposable
{
    /// <summary>Points kept for the chart: five minutes at one reading per second.</summary>
    public const int HistoryPoints = 300;

    private static readonly TimeSpan s_unwatched = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private LiveFeed<MachineSnapshot, MachinePoint>? _feed;
    private Task _run = Task.CompletedTask;

    /// <inheritdoc/>
    /// <remarks>Every gateway lives on the same machine, so every name has the same feed.</remarks>
    public LiveFeed<MachineSnapshot, MachinePoint> Get(string name)
    {
        lock (_lock)
        {
            return _feed ??= Start();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run;
        _stop.Dispose();
    }

    private LiveFeed<MachineSnapshot, MachinePoint> Start()
    {
        var store = new LiveStore<Sample<MachineSnapshot>>(loggers.CreateLogger<LiveStore<Sample<MachineSnapshot>>>());
        var history = new RingBuffer<MachinePoint>(HistoryPoints);
        var reader = new MachineReader();
        var sampler = new Sampler<MachineReading, MachineSnapshot>(
            reader.Read, MachineSnapshot.Derive, (snapshot, at) => history.Add(MachinePoint.Of(snapshot, at)), store, new(TimeSpan.FromMilliseconds(options.SampleIntervalMs), s_unwatched), time);
        _run = Task.Run(() => sampler.RunAsync(_stop.Token));
        return new(store, history, sampler.Wake);
    }
}
