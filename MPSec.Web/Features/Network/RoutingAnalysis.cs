using System.Collections.Immutable;
using System.Net;
using MPSec.Changes;
using MPSec.Linux.Gateways;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>Judges the kernel's answers and names what is wrong with rules, tables and settings. Pure.</summary>
public static class RoutingAnalysis
{
    private const uint Main = 254;
    private const int Strict = 1;

    /// <summary>Sources and peers to ask about: every address of every active path to every peer of its family that is not the gateway itself.</summary>
    public static IEnumerable<(NetworkPath Path, IPAddress Source, IPAddress Peer)> Questions(IEnumerable<NetworkPath> paths, IReadOnlyList<IPAddress> peers) =>
        from path in paths
        where path.IsActive
        from family in path.Families
        from source in family.Addresses.Select(a => a.Address).Distinct()
        from peer in peers
        where peer.IsIPv6() == family.IsIPv6
        select (path, source, peer);

    /// <summary>
    /// Peers worth asking about: given ones, remote addresses of connections and subflows, next hops of the paths; own addresses, link-local ones and
    /// more than <paramref name="most"/> left out.
    /// </summary>
    public static ImmutableArray<IPAddress> Peers(GatewayReading reading, IEnumerable<NetworkPath> paths, IEnumerable<IPAddress> given, int most)
    {
        ArgumentNullException.ThrowIfNull(reading);
        var own = reading.Addresses.Select(a => a.Prefix.Address).ToHashSet();
        return [.. given
            .Concat(paths.Where(p => p.IsActive).SelectMany(p => p.Families).Select(f => f.NextHop).OfType<IPAddress>())
            .Concat(reading.Connections.Where(c => c.State == 1).Select(c => c.Remote.Address.Plain()).Concat(reading.Subflows.Select(s => s.Remote.Address.Plain())).Distinct().OrderBy(a => a.ToString(), StringComparer.Ordinal))
            .Where(a => !IPAddress.IsLoopback(a) && !a.IsIPv6LinkLocal && !own.Contains(a) && !a.Equals(IPAddress.Any) && !a.Equals(IPAddress.IPv6Any))
            .Distinct().Take(most)];
    }

    /// <summary>The snapshot for <paramref name="answers"/>, one for each of <see cref="Questions"/>.</summary>
    public static NetworkSnapshot Judge(GatewayReading reading, ImmutableArray<NetworkPath> paths, ImmutableArray<IPAddress> peers, IReadOnlyDictionary<(IPAddress Source, IPAddress Peer), KernelRouteAnswer> answers)
    {
        ArgumentNullException.ThrowIfNull(reading);
        ArgumentNullException.ThrowIfNull(answers);
        var names = reading.Links.ToDictionary(l => l.Index, l => l.Name);
        var cells = Questions(paths, peers).Where(q => answers.ContainsKey((q.Source, q.Peer))).Select(q =>
        {
            var answer = answers[(q.Source, q.Peer)];
            var device = answer.InterfaceIndex is { } index ? names.GetValueOrDefault(index) : null;
            return new RoutingCell(q.Path.Name, q.Source, q.Peer, device, answer, Verdict(q.Path, q.Peer, answer));
        }).ToImmutableArray();
        var active = paths.Where(p => p.IsActive).ToList();
        return new()
        {
            Gateway = reading.Gateway.Value,
            Paths = paths,
            Peers = peers,
            Cells = cells,
            // One path needs no routing by source: every packet leaves by it.
            Findings = active.Count < 2 ? [] : [.. Findings(reading, active, cells).OrderByDescending(f => f.IsActive)],
        };
    }

    /// <summary>Whether two readings agree in everything that the matrix is made of; counters and sockets of known peers do not matter.</summary>
    public static bool IsSame(GatewayReading a, GatewayReading b)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        return ReferenceEquals(a, b) || (a.Gateway == b.Gateway
            && a.Routes.SequenceEqual(b.Routes)
            && a.Rules.SequenceEqual(b.Rules)
            && a.Addresses.SequenceEqual(b.Addresses)
            && a.Endpoints.SequenceEqual(b.Endpoints)
            && a.Links.Select(l => (l.Index, l.Name, l.Flags, l.Mtu)).SequenceEqual(b.Links.Select(l => (l.Index, l.Name, l.Flags, l.Mtu)))
            && Peers(a, [], [], NetworkService.MostPeers).SequenceEqual(Peers(b, [], [], NetworkService.MostPeers)));
    }

    private static RoutingVerdict Verdict(NetworkPath path, IPAddress peer, KernelRouteAnswer answer)
    {
        if (answer.Refusal == RouteRefusal.None)
        {
            return answer.InterfaceIndex == path.Index ? RoutingVerdict.OwnDevice : RoutingVerdict.OtherDevice;
        }

        var family = peer.IsIPv6() ? path.V6 : path.V4;
        return path.IsReady && (family?.LeadsOut == true || family?.Addresses.Any(a => a.Contains(peer)) == true) ? RoutingVerdict.NoRoute : RoutingVerdict.Silent;
    }

    private static IEnumerable<RoutingFinding> Findings(GatewayReading reading, List<NetworkPath> paths, ImmutableArray<RoutingCell> cells)
    {
        var repair = new RoutingRepair(reading, reading.Gateway, paths);
        foreach (var path in paths)
        {
            foreach (var family in path.Families)
            {
                var wrong = cells.Any(c => c.Path == path.Name && c.Peer.IsIPv6() == family.IsIPv6 && c.Verdict is RoutingVerdict.OtherDevice or RoutingVerdict.NoRoute);
                foreach (var finding in OfFamily(reading, repair, path, family, wrong))
                {
                    yield return finding;
                }
            }

            if (path is { ReversePathFilter: Strict, V4: not null })
            {
                yield return new()
                {
                    Fault = RoutingFault.StrictReversePath,
                    Path = path.Name,
                    IsIPv6 = false,
                    IsActive = false,
                    Evidence = [$"max(net.ipv4.conf.all.rp_filter, net.ipv4.conf.{path.Name}.rp_filter) = 1"],
                    Repair = repair.LooseReversePath(path) is { } loose ? [loose] : [],
                };
            }
        }
    }

    private static IEnumerable<RoutingFinding> OfFamily(GatewayReading reading, RoutingRepair repair, NetworkPath path, NetworkPathFamily family, bool wrong)
    {
        RoutingFinding Finding(RoutingFault fault, IEnumerable<string> evidence, IEnumerable<HostOperation> operations) => new()
        {
            Fault = fault,
            Path = path.Name,
            IsIPv6 = family.IsIPv6,
            IsActive = wrong,
            Evidence = [.. evidence],
            Repair = [.. operations],
        };

        // Rules first. A path may have several addresses; each needs one.
        var unruled = new List<(IPAddress Source, RuleReading? First, RoutingFault Fault)>();
        foreach (var source in family.Addresses.Select(a => a.Address).Distinct())
        {
            var first = repair.FirstRuleOf(source);
            var hasOwn = reading.Rules.Any(r => r.IsIPv6 == family.IsIPv6 && PathDiscovery.IsBySource(r) && r.Source!.Contains(source) && repair.IsOwn(r.Table, path));
            if (first is { Source: not null, Action: "lookup" } && repair.IsOwn(first.Table, path))
            {
                continue;
            }

            var forThisAlone = first is { Action: "lookup", Source: { } prefix } && prefix == source.Alone();
            unruled.Add((source, first, (hasOwn, forThisAlone) switch
            {
                (_, true) => RoutingFault.WrongTable,
                (true, _) => RoutingFault.Overruled,
                _ when first is { Source: not null } => RoutingFault.WrongTable,
                _ when family.IsIPv6 && path.V4?.Table is { } table && repair.IsOwn(table, path) => RoutingFault.Ipv6Forgotten,
                _ => RoutingFault.MissingRule,
            }));
        }

        var last = repair.TableOf(path);
        var closed = repair.HasLastResort(last, family.IsIPv6);
        foreach (var group in unruled.GroupBy(u => u.Fault))
        {
            HostOperation[] close = closed ? [] : [repair.LastResort(path, family.IsIPv6)];
            var rules = group.Select(u => repair.Rule(path, u.Source)).OfType<HostOperation>();
            yield return Finding(
                group.Key,
                group.Select(u => u.First is null ? $"{u.Source}" : $"{u.Source}: {RoutingRepair.Words(u.First)}"),
                [.. repair.Routes(path, family), .. close, .. rules]);
        }

        if (unruled.Count > 0)
        {
            yield break; // the rule's repair sets the table too
        }

        var routes = reading.Routes.Where(r => r.Table == last && r.Destination.Address.IsIPv6() == family.IsIPv6).ToList();
        var best = routes.Where(PathDiscovery.IsDefault).MinBy(r => r.Metric);
        var foreign = routes.Find(r => r.Kind == "unicast" && r.InterfaceIndex == path.Index && r.PreferredSource is { } s && !family.Addresses.Any(a => a.Address.Equals(s)));
        var found = false;
        if (best is { InterfaceIndex: not null } && best.InterfaceIndex != path.Index)
        {
            yield return Finding(RoutingFault.WrongDevice, [repair.Words(best)], repair.Routes(path, family));
            found = true;
        }
        else if (best is null && path.IsReady && (family.LeadsOut || wrong || !routes.Exists(r => r.Kind == "unicast")))
        {
            yield return Finding(RoutingFault.MissingDefault, Contents(), repair.Routes(path, family));
            found = true;
        }

        if (foreign is not null)
        {
            yield return Finding(RoutingFault.WrongSource, [repair.Words(foreign)], WithoutForeignSource(foreign, reading, path, family).Concat(repair.Routes(path, family)).Distinct());
            found = true;
        }

        if (!closed)
        {
            yield return Finding(RoutingFault.NoLastResort, Contents(), [repair.LastResort(path, family.IsIPv6)]) with { IsActive = !path.IsReady && wrong };
            found = found || (!path.IsReady && wrong);
        }

        if (wrong && !found)
        {
            yield return Finding(RoutingFault.Overruled, reading.Rules.Where(r => r.IsIPv6 == family.IsIPv6 && r.Table != 255 && r.Table != Main).Select(RoutingRepair.Words), []);
        }

        string[] Contents() => routes.Count == 0 ? [$"table {last}: empty"] : [.. routes.Take(6).Select(repair.Words)];
    }

    // A route to a network keeps its destination; the default is set anew by RoutingRepair.Routes.
    private static IEnumerable<HostOperation> WithoutForeignSource(RouteReading route, GatewayReading reading, NetworkPath path, NetworkPathFamily family)
    {
        if (route.Destination.Length > 0 && InterfaceName.TryParse(path.Name, out var device, out _))
        {
            yield return new ReplaceRoute(reading.Gateway, new()
            {
                Destination = route.Destination,
                Interface = device,
                NextHop = route.Gateway,
                Source = family.IsIPv6 ? null : family.Addresses[0].Address,
                Table = route.Table,
                Metric = route.Metric,
                Protocol = route.Protocol,
            });
        }
    }
}
