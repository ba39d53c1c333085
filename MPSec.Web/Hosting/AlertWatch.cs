using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using MPSec.Components.Layout;
using MPSec.Features.Multipath;
using MPSec.Features.Settings;
using MPSec.Hosting.History;
using MPSec.Linux.Gateways;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;
using MPSec.Live;

namespace MPSec.Hosting;

/// <summary>
/// Gives the rules their values: from the samplers, which it only listens to, and once a minute from the file systems. Watched are the host, labs and managed namespaces.
/// </summary>
public sealed partial class AlertWatch(
    ILiveFeeds<GatewaySnapshot, RatePoint> feeds, IShellState shell, MultipathService paths, GatewayRecorder recorder, AlertService alerts, TimeProvider time, ILogger<AlertWatch> logger) : BackgroundService
{
    /// <summary>Time over which counters of the kernel are compared.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan s_turn = TimeSpan.FromSeconds(5);
    private static readonly HashSet<AlertRule> s_diskRules = [AlertRule.DiskFull];
    private static readonly HashSet<AlertRule> s_gatewayRules = [.. Enum.GetValues<AlertRule>().Except(s_diskRules)];

    private readonly Dictionary<string, AlertCounters> _counters = new(StringComparer.Ordinal);

    /// <summary>The values of the rules that one sample tells.</summary>
    internal static IReadOnlyCollection<AlertObservation> Of(GatewaySnapshot snapshot, PathsSnapshot lanes, AlertCounters counters, IReadOnlyDictionary<string, PathJoins> joins)
    {
        var gateway = snapshot.Reading.Gateway.Value;
        // A ratio of one or two connections says nothing.
        double? fallback = lanes.Connections >= 3 ? 100.0 * lanes.Fallbacks / lanes.Connections : 0;
        return
        [
            .. lanes.Lanes.Select(l => new AlertObservation(new(AlertRule.PathDown, gateway, l.Name), l.State switch { PathState.Down => 1, PathState.Unknown => null, _ => 0 })),
            .. lanes.Lanes.Select(l => new AlertObservation(new(AlertRule.PathJoinFailure, gateway, l.Name), joins.GetValueOrDefault(l.Name).RecentPercent)),
            new(new(AlertRule.Fallback, gateway, ""), fallback),
            new(new(AlertRule.JoinFailure, gateway, ""), counters.JoinFailurePercent),
            new(new(AlertRule.StaleSubflow, gateway, ""), counters.Stale),
            new(new(AlertRule.Blackhole, gateway, ""), counters.Blackhole),
        ];
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(s_turn, time);
        var disksAt = (long?)null;
        do
        {
            try
            {
                foreach (var gateway in shell.Gateways.Where(g => g.Managed || g.Kind != ShellGatewayKind.Namespace))
                {
                    await LookAsync(gateway.Name, stoppingToken);
                }

                foreach (var gone in _counters.Keys.Except(shell.Gateways.Select(g => g.Name)).ToArray())
                {
                    _counters.Remove(gone);
                    await alerts.ObserveAsync(gone, [], s_gatewayRules, stoppingToken);
                }

                if (disksAt is null || time.GetElapsedTime(disksAt.Value) >= TimeSpan.FromSeconds(30))
                {
                    disksAt = time.GetTimestamp();
                    var disks = await Task.Run(MachineReader.ReadFileSystems, stoppingToken);
                    await alerts.ObserveAsync(
                        GatewayName.Host.Value, [.. disks.Select(f => new AlertObservation(new(AlertRule.DiskFull, GatewayName.Host.Value, f.MountPoint), f.FullPercent))], s_diskRules, stoppingToken);
                }
            }
            catch (Exception e) when (e is DbException or DbUpdateException or IOException)
            {
                LogNotLooked(logger, e);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    [LoggerMessage(EventId = 3021, Level = LogLevel.Warning, Message = "Alerts could not be looked after; trying again")]
    private static partial void LogNotLooked(ILogger logger, Exception exception);

    private async Task LookAsync(string gateway, CancellationToken cancellationToken)
    {
        if (feeds.Get(gateway).Store.Current is not { Failure: null, Value: { } snapshot } sample)
        {
            return;
        }

        if (!_counters.TryGetValue(gateway, out var counters))
        {
            _counters[gateway] = counters = new();
        }

        if (counters.Add(snapshot.Reading, time.GetElapsedTime(0, sample.ValueTimestamp)))
        {
            await alerts.ObserveAsync(gateway, Of(snapshot, paths.Paths(snapshot), counters, recorder.Joins(gateway)), s_gatewayRules, cancellationToken);
        }
    }
}

/// <summary>Counters of one gateway over the last minute, and when the kernel last found a blackhole.</summary>
internal sealed class AlertCounters
{
    private static readonly string[] s_failures =
        ["MPTcpExtMPJoinNoTokenFound", "MPTcpExtMPJoinSynAckHMacFailure", "MPTcpExtMPJoinAckHMacFailure", "MPTcpExtMPJoinRejected", "MPTcpExtMPJoinSynTxCreatSkErr", "MPTcpExtMPJoinSynTxBindErr", "MPTcpExtMPJoinSynTxConnectErr"];

    private static readonly string[] s_attempts = ["MPTcpExtMPJoinSynTx", "MPTcpExtMPJoinSynRx"];

    private readonly Queue<Point> _points = new();
    private Point? _newest;
    private TimeSpan? _blackholeAt;
    private TimeSpan _blackholeFor;

    /// <summary>Joins that failed, percent of those tried in the window; 0 when fewer than three were tried; null before two readings.</summary>
    public double? JoinFailurePercent => Delta(p => p.Failures) is { } failures && Delta(p => p.Attempts) is { } attempts ? attempts + failures < 3 ? 0 : Math.Min(100, 100.0 * failures / Math.Max(attempts, failures)) : null;

    /// <summary>Subflows that became stale in the window; null before two readings.</summary>
    public double? Stale => Delta(p => p.Stale);

    /// <summary>1 while the kernel keeps away from MPTCP after a blackhole, else 0; null where it does not count them.</summary>
    public double? Blackhole => _newest?.Blackhole is null ? null : _blackholeAt is { } at && _newest.At - at < _blackholeFor ? 1 : 0;

    /// <summary>Takes a reading; false for one that was taken before.</summary>
    public bool Add(GatewayReading reading, TimeSpan at)
    {
        if (_newest is { } last && at <= last.At)
        {
            return false;
        }

        var c = reading.Counters;
        var point = new Point(
            at, s_attempts.Sum(n => c.GetValueOrDefault(n)), s_failures.Sum(n => c.GetValueOrDefault(n)), c.GetValueOrDefault("MPTcpExtSubflowStale"),
            c.TryGetValue("MPTcpExtBlackhole", out var blackhole) ? blackhole : null);
        if (_newest is { } before && (point.Attempts < before.Attempts || point.Failures < before.Failures || point.Stale < before.Stale))
        {
            _points.Clear(); // another namespace of the same name
        }
        else if (point.Blackhole > _newest?.Blackhole)
        {
            (_blackholeAt, _blackholeFor) = (at, Timeout(reading));
        }

        _points.Enqueue(_newest = point);
        while (at - _points.Peek().At > AlertWatch.Window)
        {
            _points.Dequeue();
        }

        return true;
    }

    // net.mptcp.blackhole_timeout, seconds; 0 switches it off.
    private static TimeSpan Timeout(GatewayReading reading) =>
        TimeSpan.FromSeconds(reading.MptcpSettings.TryGetValue("net.mptcp.blackhole_timeout", out var text) && uint.TryParse(text, out var seconds) ? seconds : 0);

    private double? Delta(Func<Point, long> of) => _points.Count < 2 ? null : of(_newest!) - of(_points.Peek());

    private sealed record Point(TimeSpan At, long Attempts, long Failures, long Stale, long? Blackhole);
}
