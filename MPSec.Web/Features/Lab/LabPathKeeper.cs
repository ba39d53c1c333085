using MPSec.Changes;
using MPSec.Linux.Gateways;

namespace MPSec.Features.Lab;

/// <summary>
/// Brings a path back into a running transfer when its subflow is lost for good. A subflow that merely waits is left alone: it is back within about a second of
/// the path (<see cref="LabLayout.RetryMs"/>; measured 0.8 to 1.2 s after outages of 3, 20 and 90 s). One that was silent for longer than four minutes is closed by
/// the kernel, which never opens it again by itself; then the listening side announces the address anew, and for path 1, which is never announced, the connection
/// is made again.
/// </summary>
public sealed partial class LabPathKeeper(LabTransferService transfers, ChangeService changes, TimeProvider time, ILogger<LabPathKeeper> logger) : BackgroundService
{
    private const int ChecksBeforeAct = 2; // a join takes a moment
    private const int ChecksBetweenActs = 15;
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(2);

    private readonly ILogger _logger = logger;
    private readonly Dictionary<(string Lab, int Path), int> _absent = [];

    /// <summary>Looks at every running transfer once and acts where a path was absent the last time too.</summary>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        foreach (var spec in transfers.RunningLabs())
        {
            var tokens = transfers.FindStore(spec.Name)?.Current?.Flows.Where(f => f.Multipath).Select(f => f.Token).OfType<uint>().ToHashSet() ?? [];
            var absent = await Task.Run(() => AbsentPaths(spec, tokens), cancellationToken);
            for (var path = 1; path <= spec.Paths.Length; path++)
            {
                if (!absent.Contains(path))
                {
                    _absent.Remove((spec.Name, path));
                    continue;
                }

                var seen = _absent[(spec.Name, path)] = _absent.GetValueOrDefault((spec.Name, path)) + 1;
                if (seen >= ChecksBeforeAct && (seen - ChecksBeforeAct) % ChecksBetweenActs == 0)
                {
                    await BringBackAsync(spec, path, cancellationToken);
                }
            }
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(s_interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await CheckAsync(stoppingToken);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                // A lab that vanishes meanwhile, a busy database: the next look comes in two seconds.
                LogFailed(_logger, e.Message);
            }
        }
    }

    /// <summary>Paths that are up at both ends and, for 2 and more, announced, but that one of the connections does not use.</summary>
    private static HashSet<int> AbsentPaths(LabSpec spec, HashSet<uint> tokens)
    {
        if (tokens.Count == 0)
        {
            return [];
        }

        using var readerA = GatewayReader.Open(spec.A);
        using var readerB = GatewayReader.Open(spec.B);
        var a = readerA.Read(ReadingScope.Links | ReadingScope.Subflows);
        var b = readerB.Read(ReadingScope.Links | ReadingScope.Endpoints);
        var used = a.Subflows.Where(s => tokens.Contains(s.TokenLocal)).Select(s => (s.TokenLocal, s.Local.Address)).ToHashSet();
        return [.. Enumerable.Range(1, spec.Paths.Length).Where(path =>
            IsUp(a, path) && IsUp(b, path)
            && (path == 1 || b.Endpoints.Any(e => e.Address.Equals(LabLayout.Address(path, onA: false))))
            && tokens.Any(token => !used.Contains((token, LabLayout.Address(path, onA: true)))))];

        static bool IsUp(GatewayReading reading, int path) => reading.Links.Any(l => l.Name == LabLayout.Interface(path).Value && l is { IsUp: true, HasCarrier: true });
    }

    private async Task BringBackAsync(LabSpec spec, int path, CancellationToken cancellationToken)
    {
        LogLost(_logger, spec.Name, path);
        if (path == 1)
        {
            transfers.Renew(spec.Name);
            return;
        }

        await changes.RunAsync(LinkPlans.Reannounce(LabLayout.Endpoint(spec.B, path)), ChangeActor.System, cancellationToken);
    }

    [LoggerMessage(EventId = 3110, Level = LogLevel.Warning, Message = "Lab {Lab}: the transfer has lost path {Path} although it is up; bringing it back")]
    private static partial void LogLost(ILogger logger, string lab, int path);

    [LoggerMessage(EventId = 3111, Level = LogLevel.Warning, Message = "The paths of a lab's transfer could not be looked at: {Reason}")]
    private static partial void LogFailed(ILogger logger, string reason);
}
