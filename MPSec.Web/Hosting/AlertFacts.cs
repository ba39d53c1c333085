using MPSec.Components.Layout;
using MPSec.Data;
using MPSec.Features.Multipath;
using MPSec.Features.Settings;
using MPSec.Hosting.Shell;
using MPSec.Linux.Gateways;
using MPSec.Live;

namespace MPSec.Hosting;

/// <summary>
/// What alerts are made of: paths and counters of the host and of every managed gateway, as the pages show them, and the disk of the state folder. Ratios are
/// over the last five minutes. Not thread-safe.
/// </summary>
internal sealed class AlertFacts(ILiveFeeds<GatewaySnapshot, RatePoint> feeds, ShellState shell, MultipathService multipath, StateFolder folder, TimeProvider time) : IAlertFacts
{
    /// <summary>Ratios over fewer connections say nothing.</summary>
    public const int FewestConnections = 5;

    private const byte Established = 1;
    private const byte SynSent = 2;
    private static readonly TimeSpan s_window = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan s_step = TimeSpan.FromSeconds(10);
    private static readonly string[] s_asked = ["MPTcpExtMPCapableSYNRX", "MPTcpExtMPCapableSYNTX"];
    private static readonly string[] s_fellBack = ["MPTcpExtMPCapableFallbackACK", "MPTcpExtMPCapableFallbackSYNACK", "MPTcpExtMPCapableDataFallback", "MPTcpExtDssFallback", "MPTcpExtMD5SigFallback", "MPTcpExtSimultConnectFallback"];
    private static readonly string[] s_blackhole = ["MPTcpExtMPCapableSYNTXDisabled", "MPTcpExtBlackhole"];

    private readonly Dictionary<string, Queue<Mark>> _marks = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<uint>> _waiting = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public IReadOnlyList<AlertFact> Read()
    {
        var facts = new List<AlertFact>();
        var names = shell.Gateways.Where(g => g.Managed || g.Kind == ShellGatewayKind.ThisMachine).Select(g => g.Name).ToList();
        foreach (var name in names)
        {
            if (feeds.Get(name).Store.Current is { } sample)
            {
                facts.Add(new(AlertKind.Unreadable, name, null, sample.Failure is null ? 0 : 1));
                if (sample is { Failure: null, Value: { } snapshot })
                {
                    facts.AddRange(Of(name, snapshot));
                }
            }
        }

        foreach (var gone in _marks.Keys.Except(names).ToList())
        {
            _marks.Remove(gone);
            _waiting.Remove(gone);
        }

        if (UsedPercent() is { } used)
        {
            facts.Add(new(AlertKind.Disk, "", null, used));
        }

        return facts;
    }

    private IEnumerable<AlertFact> Of(string gateway, GatewaySnapshot snapshot)
    {
        var paths = multipath.Paths(snapshot);
        var waited = _waiting.GetValueOrDefault(gateway) ?? [];
        _waiting[gateway] = [.. snapshot.Reading.Subflows.Where(s => s.State == SynSent).Select(s => s.Inode)];
        foreach (var lane in paths.Lanes.Where(l => l.State != PathState.Unknown))
        {
            yield return new(AlertKind.PathDown, gateway, lane.Name, lane is { State: PathState.Down, Cause: not PathCause.SetDown } ? 1 : 0);
            yield return new(AlertKind.PathUnanswered, gateway, lane.Name, lane.State == PathState.Degraded ? 1 : 0);
            var here = snapshot.Reading.Subflows.Where(s => s.State is Established or SynSent && lane.Local.Contains(s.Local.Address.IsIPv4MappedToIPv6 ? s.Local.Address.MapToIPv4() : s.Local.Address)).ToList();
            if (here.Count > 0)
            {
                // One that asked just now has done nothing wrong.
                yield return new(AlertKind.JoinFailureRatio, gateway, lane.Name, 100.0 * here.Count(s => s.State == SynSent && waited.Contains(s.Inode)) / here.Count);
            }
        }

        if (Since(gateway, snapshot.Reading.Counters) is { } delta)
        {
            if (delta.Asked >= FewestConnections)
            {
                yield return new(AlertKind.FallbackRatio, gateway, null, Math.Min(100, 100.0 * delta.FellBack / delta.Asked));
            }

            yield return new(AlertKind.Blackhole, gateway, null, delta.Blackhole);
        }
    }

    /// <summary>What came since five minutes ago, or since the first look; null without counters.</summary>
    private Mark? Since(string gateway, CounterSet counters)
    {
        if (!counters.ContainsKey(s_asked[0]))
        {
            return null;
        }

        var now = new Mark(time.GetTimestamp(), Sum(counters, s_asked), Sum(counters, s_fellBack), Sum(counters, s_blackhole));
        if (!_marks.TryGetValue(gateway, out var marks))
        {
            _marks[gateway] = marks = [];
        }

        // Counters that went back are those of a new namespace of the same name.
        if (marks.TryPeek(out var first) && (first.Asked > now.Asked || first.FellBack > now.FellBack || first.Blackhole > now.Blackhole))
        {
            marks.Clear();
        }

        if (marks.Count == 0 || time.GetElapsedTime(marks.Last().At, now.At) >= s_step)
        {
            marks.Enqueue(now);
        }

        while (marks.Count > 1 && time.GetElapsedTime(marks.Peek().At, now.At) > s_window)
        {
            marks.Dequeue();
        }

        var then = marks.Peek();
        return new(now.At, now.Asked - then.Asked, now.FellBack - then.FellBack, now.Blackhole - then.Blackhole);
    }

    private static long Sum(CounterSet counters, string[] names) => names.Sum(n => counters.TryGetValue(n, out var value) ? value : 0);

    private double? UsedPercent()
    {
        try
        {
            var drive = new DriveInfo(folder.Root);
            return drive.TotalSize > 0 ? 100.0 * (drive.TotalSize - drive.AvailableFreeSpace) / drive.TotalSize : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private sealed record Mark(long At, long Asked, long FellBack, long Blackhole);
}
