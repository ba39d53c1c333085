using System.Collections.Immutable;
using System.Net;
using MPSec.Linux.Gateways;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>What discovery knows besides the reading.</summary>
/// <param name="Numbers">Known path numbers by interface name.</param>
/// <param name="Owners">Owners by interface name.</param>
/// <param name="ReversePathFilters">Effective rp_filter by interface name.</param>
/// <param name="Remembered">Next hops seen earlier by interface name and family (true for IPv6), null for a point-to-point link: a link that went down has lost its routes.</param>
public sealed record PathEvidence(
    IReadOnlyDictionary<string, int> Numbers,
    IReadOnlyDictionary<string, InterfaceOwner> Owners,
    IReadOnlyDictionary<string, int> ReversePathFilters,
    IReadOnlyDictionary<(string Name, bool IsIPv6), IPAddress?> Remembered);

/// <summary>Proposes one path profile per interface that has a global address. Pure.</summary>
public static class PathDiscovery
{
    private const byte ProtocolDhcp = 16;
    private const uint Main = 254;
    private const uint Temporary = 0x01;
    private const uint DeprecatedOrTentative = 0x20 | 0x40;
    private static readonly InterfaceOwner s_nobody = new(InterfaceOwnerKind.Nobody, null);

    /// <summary>The paths of <paramref name="reading"/> by number.</summary>
    public static ImmutableArray<NetworkPath> Discover(GatewayReading reading, PathEvidence evidence)
    {
        ArgumentNullException.ThrowIfNull(reading);
        ArgumentNullException.ThrowIfNull(evidence);
        var taken = evidence.Numbers.Values.ToHashSet();
        var found = new List<NetworkPath>();
        foreach (var link in reading.Links.Where(l => !l.IsLoopback))
        {
            var v4 = FamilyOf(reading, link, false, evidence);
            var v6 = FamilyOf(reading, link, true, evidence);
            if (v4 is null && v6 is null)
            {
                continue;
            }

            if (!evidence.Numbers.TryGetValue(link.Name, out var number))
            {
                number = Enumerable.Range(1, taken.Count + 1).First(taken.Add);
            }

            found.Add(new()
            {
                Name = link.Name,
                Index = link.Index,
                Number = number,
                Role = NetworkPathRole.Off,
                Mtu = link.Mtu,
                IsReady = link is { IsUp: true, HasCarrier: true },
                Owner = evidence.Owners.GetValueOrDefault(link.Name, s_nobody),
                FromDhcp = reading.Routes.Any(r => r.InterfaceIndex == link.Index && IsDefault(r) && r.Protocol == ProtocolDhcp),
                ReversePathFilter = evidence.ReversePathFilters.TryGetValue(link.Name, out var filter) ? filter : null,
                V4 = v4,
                V6 = v6,
            });
        }

        return [.. WithRoles(reading, found, evidence).OrderBy(p => p.Number)];
    }

    /// <summary>A unicast default route.</summary>
    internal static bool IsDefault(RouteReading route) => route.Destination.Length == 0 && route.Kind == "unicast";

    /// <summary>A rule that sends packets by their source alone.</summary>
    internal static bool IsBySource(RuleReading rule) =>
        rule is { Action: "lookup", Source: not null, Destination: null, InputInterface: null, OutputInterface: null, Mark: null };

    private static IEnumerable<NetworkPath> WithRoles(GatewayReading reading, List<NetworkPath> paths, PathEvidence evidence)
    {
        bool Leads(NetworkPath p) => evidence.Numbers.ContainsKey(p.Name) || p.Families.Any(f =>
            f.LeadsOut || f.Table is not null || f.Addresses.Any(a => reading.Endpoints.Any(e => e.Address.Equals(a.Address))));
        var active = paths.Where(Leads).ToList();
        if (active.Count == 0)
        {
            // Nothing leads anywhere yet: every plain interface may become a path, each for its own network.
            active = [.. paths.Where(p => reading.Links.First(l => l.Index == p.Index).Kind is not ("bridge" or "dummy"))];
        }

        var primary = reading.Routes.Where(r => IsDefault(r) && r.Table == Main && active.Any(p => p.Index == r.InterfaceIndex)).OrderBy(r => r.Destination.Address.IsIPv6()).ThenBy(r => r.Metric)
            .Select(r => active.First(p => p.Index == r.InterfaceIndex)).FirstOrDefault() ?? active.Where(p => !IsBackup(p)).MinBy(p => p.Number);
        return paths.Select(p => p with
        {
            Role = !active.Contains(p) ? NetworkPathRole.Off : p == primary ? NetworkPathRole.Primary : IsBackup(p) ? NetworkPathRole.Backup : NetworkPathRole.Bonded,
        });

        bool IsBackup(NetworkPath p) => reading.Endpoints.Any(e =>
            e.Flags.HasFlag(MptcpEndpointFlags.Backup) && p.Families.Any(f => f.Addresses.Any(a => a.Address.Equals(e.Address))));
    }

    private static NetworkPathFamily? FamilyOf(GatewayReading reading, LinkReading link, bool isIPv6, PathEvidence evidence)
    {
        // Privacy addresses of IPv6 come and go; a rule for one would soon be for nobody.
        var addresses = reading.Addresses
            .Where(a => a.InterfaceIndex == link.Index && a.Scope == 0 && a.Prefix.Address.IsIPv6() == isIPv6 && !(isIPv6 && (a.Flags & (Temporary | DeprecatedOrTentative)) != 0))
            .Select(a => a.Prefix).Distinct().ToImmutableArray();
        if (addresses.IsEmpty)
        {
            return null;
        }

        var table = reading.Rules.FirstOrDefault(r => r.IsIPv6 == isIPv6 && IsBySource(r) && r.Source!.Contains(addresses[0].Address))?.Table;
        // The path's own table first, then main, then any other, then what was seen before. A default route counts more than one to some network.
        var wayOut = reading.Routes
            .Where(r => r.InterfaceIndex == link.Index && r.Kind == "unicast" && r.Destination.Address.IsIPv6() == isIPv6 && (r.Destination.Length == 0 || r.Gateway is not null))
            .OrderByDescending(r => r.Destination.Length == 0).ThenByDescending(r => r.Table == table).ThenByDescending(r => r.Table == Main).ThenBy(r => r.Metric).FirstOrDefault();
        return wayOut is not null
            ? new(isIPv6, addresses, wayOut.Gateway, true, table)
            : new(isIPv6, addresses, evidence.Remembered.GetValueOrDefault((link.Name, isIPv6)), evidence.Remembered.ContainsKey((link.Name, isIPv6)), table);
    }
}
