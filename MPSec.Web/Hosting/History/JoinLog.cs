using MPSec.Linux.Gateways;
using MPSec.Linux.Netlink;

namespace MPSec.Hosting.History;

/// <summary>Joins of one path.</summary>
/// <param name="Tried">All joins whose outcome is known, since MPSec listens.</param>
/// <param name="Failed">Those that failed.</param>
/// <param name="RecentPercent">Those that failed of the last five minutes, percent; 0 when fewer than three ended in that time.</param>
public readonly record struct PathJoins(long Tried, long Failed, double RecentPercent);

/// <summary>
/// Counts joins by path, for which the kernel has no counter: it tells that a subflow was closed without ever having told that it was established. Only joins that
/// this side begins leave such a trace; those that the peer begins count when they succeed. Not thread-safe.
/// </summary>
/// <param name="time">The clock.</param>
public sealed class JoinLog(TimeProvider time)
{
    /// <summary>Time over which <see cref="PathJoins.RecentPercent"/> looks: a join that gets no answer ends after two minutes only (tcp_syn_retries of ip-sysctl).</summary>
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(5);

    private const int MostConnections = 50_000;
    private const int MostRecent = 1000;

    private readonly Dictionary<uint, HashSet<(string Local, string Remote)>> _open = [];
    private readonly Dictionary<string, Path> _paths = new(StringComparer.Ordinal);
    private bool _complete;

    /// <summary>Begins anew with what there is. Until <see cref="See"/> is called, no close counts as a failure: which subflows there were is not known.</summary>
    public void Forget()
    {
        _open.Clear();
        _complete = false;
    }

    /// <summary>Takes the subflows of a reading as known ones, if they have to be known anew.</summary>
    public void See(GatewayReading reading)
    {
        ArgumentNullException.ThrowIfNull(reading);
        if (_complete || reading.Faults.Any(f => f.Part == "subflows"))
        {
            return;
        }

        foreach (var subflow in reading.Subflows.Where(s => s.State == 1))
        {
            Open(subflow.TokenLocal).Add((subflow.Local.ToString(), subflow.Remote.ToString()));
        }

        _complete = true;
    }

    /// <summary>Takes an event. True when it is the end of a subflow that never was one.</summary>
    public bool IsFailure(MptcpEvent e, string? path)
    {
        ArgumentNullException.ThrowIfNull(e);
        if (e is { Kind: MptcpEventKind.Closed, Token: { } ended })
        {
            _open.Remove(ended); // the kernel does not tell the end of each of its subflows
            return false;
        }

        if (e is not { Token: { } token, Local: { } local, Remote: { } remote })
        {
            return false;
        }

        var key = (local.ToString(), remote.ToString());
        switch (e.Kind)
        {
            // The first subflow of a connection is told as the connection.
            case MptcpEventKind.Created or MptcpEventKind.Established or MptcpEventKind.SubflowEstablished:
                if (_open.Count >= MostConnections)
                {
                    Forget();
                }

                if (Open(token).Add(key) && e.Kind == MptcpEventKind.SubflowEstablished)
                {
                    Count(path, failed: false);
                }

                return false;
            case MptcpEventKind.SubflowClosed when _open.TryGetValue(token, out var subflows) && !subflows.Remove(key) && _complete && e.Error > 0:
                Count(path, failed: true);
                return true;
            default:
                return false;
        }
    }

    /// <summary>The joins by path.</summary>
    public IReadOnlyDictionary<string, PathJoins> Read()
    {
        var from = time.GetTimestamp();
        return _paths.ToDictionary(p => p.Key, p =>
        {
            while (p.Value.Recent.TryPeek(out var oldest) && time.GetElapsedTime(oldest.At, from) > Window)
            {
                p.Value.Recent.Dequeue();
            }

            var recent = p.Value.Recent;
            return new PathJoins(p.Value.Tried, p.Value.Failed, recent.Count < 3 ? 0 : 100.0 * recent.Count(r => r.Failed) / recent.Count);
        }, StringComparer.Ordinal);
    }

    private HashSet<(string Local, string Remote)> Open(uint token)
    {
        if (!_open.TryGetValue(token, out var subflows))
        {
            _open[token] = subflows = [];
        }

        return subflows;
    }

    private void Count(string? name, bool failed)
    {
        if (name is null)
        {
            return;
        }

        if (!_paths.TryGetValue(name, out var path))
        {
            _paths[name] = path = new();
        }

        path.Tried++;
        path.Failed += failed ? 1 : 0;
        path.Recent.Enqueue((time.GetTimestamp(), failed));
        if (path.Recent.Count > MostRecent)
        {
            path.Recent.Dequeue();
        }
    }

    private sealed class Path
    {
        public long Tried { get; set; }

        public long Failed { get; set; }

        public Queue<(long At, bool Failed)> Recent { get; } = new();
    }
}
