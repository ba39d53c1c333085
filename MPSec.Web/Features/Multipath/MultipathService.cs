using System.Collections.Immutable;
using System.Net;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Features.Multipath;

/// <summary>Knows the names that persons gave to paths; another part of the program keeps them.</summary>
public interface IPathTitles
{
    /// <summary>The name of a path; null when it has none but its interface's. Asked at every tick, so it must be cheap.</summary>
    string? TitleOf(GatewayName gateway, string interfaceName);
}

/// <summary>Turns a snapshot of a gateway into the paths view.</summary>
public sealed class MultipathService(PathNumbers numbers, IPathTitles titles)
{
    private const byte Established = 1;

    /// <summary>The paths of <paramref name="snapshot"/>.</summary>
    public PathsSnapshot Paths(GatewaySnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        return Paths(snapshot, numbers.Of(snapshot.Reading), titles);
    }

    /// <summary>The paths of <paramref name="snapshot"/> with <paramref name="numbers"/> by interface name.</summary>
    internal static PathsSnapshot Paths(GatewaySnapshot snapshot, IReadOnlyDictionary<string, int> numbers, IPathTitles? titles = null)
    {
        var reading = snapshot.Reading;
        var live = reading.Connections.Where(c => c.State == Established).ToList();
        var owner = reading.Addresses.ToLookup(a => a.InterfaceIndex);
        var capacity = reading.Qdiscs.Where(q => q.RateBitsPerSecond is not null).ToLookup(q => q.InterfaceIndex, q => (double)q.RateBitsPerSecond!);
        var subflows = reading.Subflows.ToLookup(s => Unmapped(s.Local.Address));
        var lanes = reading.Links
            .Where(l => numbers.ContainsKey(l.Name))
            .Select(l =>
            {
                var local = owner[l.Index].Where(a => a.Scope == 0).Select(a => a.Prefix.Address).ToImmutableArray();
                return Lane(snapshot, l, numbers[l.Name], local, local.SelectMany(a => subflows[a]).ToList(), capacity[l.Index], live.Count > 0) with
                {
                    Title = titles?.TitleOf(reading.Gateway, l.Name) ?? l.Name,
                };
            })
            .OrderBy(l => l.Number)
            .ToImmutableArray();
        return new PathsSnapshot
        {
            Gateway = reading.Gateway,
            Lanes = lanes,
            MptcpEnabled = reading.MptcpEnabled,
            Connections = live.Count,
            Fallbacks = live.Count(c => c.IsFallback),
            Subflows = reading.Subflows.Count(s => s.State == Established),
        };
    }

    private static PathLane Lane(
        GatewaySnapshot snapshot, LinkReading link, int number, ImmutableArray<IPAddress> local, List<Subflow> subflows, IEnumerable<double> capacity, bool anyConnection)
    {
        var established = subflows.Where(s => s.State == Established).ToList();
        var endpoints = snapshot.Reading.Endpoints.Where(e => local.Contains(e.Address) && !e.Flags.HasFlag(MptcpEndpointFlags.Implicit)).ToList();
        var backup = established.Count > 0 ? established.All(s => s.IsBackup) : endpoints.Any(e => e.Flags.HasFlag(MptcpEndpointFlags.Backup));
        var unanswered = established.Count > 0 && established.All(s => s.Backoff > 0);
        var traffic = local.Select(a => snapshot.Traffic.GetValueOrDefault(a)).Aggregate(default(SubflowTraffic), (sum, t) => sum + t);
        var rtts = established.Where(s => s.RttMicroseconds is > 0).Select(s => s.RttMicroseconds!.Value / 1000.0).ToList();
        var (state, cause) = link switch
        {
            { IsUp: false } => (PathState.Down, PathCause.SetDown),
            { HasCarrier: false } => (PathState.Down, PathCause.NoCarrier),
            _ when unanswered => (PathState.Degraded, PathCause.Unanswered),
            _ when backup => (PathState.Standby, PathCause.None),
            _ => (PathState.Up, anyConnection && established.Count == 0 ? PathCause.NoSubflow : PathCause.None),
        };
        return new PathLane
        {
            Number = number,
            Name = link.Name,
            InterfaceIndex = link.Index,
            State = state,
            Cause = cause,
            Rate = snapshot.Rates.TryGetValue(link.Index, out var rate) ? rate : null,
            CapacityBitsPerSecond = capacity.Select(c => (double?)c).FirstOrDefault(),
            Local = local,
            Peers = [.. subflows.GroupBy(s => Unmapped(s.Remote.Address)).OrderByDescending(g => g.Count()).Select(g => g.Key)],
            RttMs = rtts.Count > 0 ? rtts.Average() : null,
            RetransmittedPercent = traffic.BytesSent > 0 ? 100.0 * traffic.BytesRetransmitted / traffic.BytesSent : null,
            Subflows = established.Count,
            IsBackup = backup,
            IsLinkUp = link.IsUp,
        };
    }

    private static IPAddress Unmapped(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}
