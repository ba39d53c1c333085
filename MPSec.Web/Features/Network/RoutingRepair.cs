using System.Globalization;
using System.Net;
using MPSec.Changes;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>
/// Computes rules and tables that make a path leave by its own device, out of what is there: a table that is right is used, numbers that others use are left
/// alone, no rule of anybody is removed. A rule that stands in the way gets one before it. Pure; one instance per reading, because it hands out numbers.
/// </summary>
internal sealed class RoutingRepair(GatewayReading reading, GatewayName gateway, IReadOnlyList<NetworkPath> paths)
{
    /// <summary>Metric of the unreachable default that closes a table: behind every real route (the kernel's own last resort is 4294967295).</summary>
    public const uint LastResortMetric = 4278198272;

    private const uint FirstTable = 100;
    private const uint FirstPriority = 1000;
    private const uint Main = 254;
    private const uint LastOwnPriority = 32765;

    private readonly HashSet<uint> _tables = [.. reading.Routes.Select(r => r.Table), .. reading.Rules.Select(r => r.Table), 0, 253, Main, 255];
    private readonly HashSet<(bool IsIPv6, uint Priority)> _priorities = [.. reading.Rules.Select(r => (r.IsIPv6, r.Priority))];
    private readonly Dictionary<string, uint> _chosen = new(StringComparer.Ordinal);

    /// <summary>Routes before rules: a rule must not lead into a table that is still empty.</summary>
    public static int Order(HostOperation operation) => operation switch
    {
        WriteSysctl => 0,
        ReplaceRoute { Route: { NextHop: null, Kind: RouteKind.Unicast } } => 1,
        ReplaceRoute { Route.Kind: RouteKind.Unicast } => 2,
        ReplaceRoute => 3,
        RemoveRoute => 4,
        _ => 5,
    };

    /// <summary>The table for a path: the one its rules name when that is its own, one that leads out by its device, or a free number.</summary>
    public uint TableOf(NetworkPath path)
    {
        if (_chosen.TryGetValue(path.Name, out var known))
        {
            return known;
        }

        var own = path.Families.Select(f => f.Table).FirstOrDefault(t => t is { } table && IsOwn(table, path))
            ?? reading.Routes.Where(r => PathDiscovery.IsDefault(r) && r.InterfaceIndex == path.Index && IsOwn(r.Table, path)).Select(r => (uint?)r.Table).FirstOrDefault();
        var chosen = own ?? Numbers(FirstTable + (uint)path.Number).First(t => !_tables.Contains(t));
        _tables.Add(chosen);
        return _chosen[path.Name] = chosen;
    }

    /// <summary>Whether a path may set this table: no other path's rules name it, or its default route leaves by this path's device.</summary>
    public bool IsOwn(uint table, NetworkPath path)
    {
        if (table is 0 or 253 or Main or 255 || _chosen.Any(c => c.Key != path.Name && c.Value == table))
        {
            return false;
        }

        var named = paths.Where(p => p.Families.Any(f => f.Table == table)).ToList();
        var leads = reading.Routes.Where(r => r.Table == table && PathDiscovery.IsDefault(r)).MinBy(r => r.Metric)?.InterfaceIndex;
        return named.Count == 0 || (named.Find(p => p.Index == leads) ?? named[0]).Index == path.Index;
    }

    /// <summary>The rule of one address, before every rule that would answer first; null when there is no number before that one.</summary>
    public AddRule? Rule(NetworkPath path, IPAddress source)
    {
        var isIPv6 = source.IsIPv6();
        var limit = FirstRuleOf(source) is { } first ? Math.Min(first.Priority, LastOwnPriority + 1) : LastOwnPriority + 1;
        var wanted = FirstPriority + (uint)path.Number;
        var priority = Numbers(wanted).TakeWhile(p => p < limit).Concat(Down(Math.Min(wanted, limit) - 1)).FirstOrDefault(p => !_priorities.Contains((isIPv6, p)));
        return priority > 0 && _priorities.Add((isIPv6, priority)) ? new(gateway, priority, source.Alone(), TableOf(path)) : null;
    }

    /// <summary>The first rule that answers for packets of <paramref name="source"/>; the kernel's own <c>local</c> and empty tables do not answer.</summary>
    public RuleReading? FirstRuleOf(IPAddress source) => reading.Rules.FirstOrDefault(r =>
        r.IsIPv6 == source.IsIPv6() && r is { Destination: null, InputInterface: null, OutputInterface: null, Mark: null } && r.Table != 255
        && (r.Source is null ? r.Priority >= 32766 || r.Action != "lookup" || reading.Routes.Any(x => x.Table == r.Table && x.Destination.Length == 0 && x.Destination.Address.IsIPv6() == r.IsIPv6) : r.Source.Contains(source)));

    /// <summary>Network and default route of the path's table; nothing while the link is down, because the kernel would refuse.</summary>
    public IEnumerable<HostOperation> Routes(NetworkPath path, NetworkPathFamily family)
    {
        if (!path.IsReady || !InterfaceName.TryParse(path.Name, out var device, out _))
        {
            yield break;
        }

        var table = TableOf(path);
        var present = reading.Routes.Where(r => r.Table == table && r.Destination.Address.IsIPv6() == family.IsIPv6).ToList();
        foreach (var network in family.Addresses.Where(a => a.Length < (family.IsIPv6 ? 128 : 32)).DistinctBy(a => a.Network))
        {
            if (!present.Any(r => r.Destination == network.Network && r.InterfaceIndex == path.Index))
            {
                yield return Set(new() { Destination = network.Network, Interface = device, Source = family.IsIPv6 ? null : network.Address, Table = table });
            }
        }

        if (!family.LeadsOut)
        {
            yield break;
        }

        var defaults = present.Where(PathDiscovery.IsDefault).OrderBy(r => r.Metric).ToList();
        var right = defaults.Find(r => r.InterfaceIndex == path.Index && (r.PreferredSource is null || family.Addresses.Any(a => a.Address.Equals(r.PreferredSource))));
        if (right is null || defaults[0] != right)
        {
            // In place of the wrong one: with another metric that one would stay behind it and take over when the link goes down.
            var metric = defaults.Count > 0 ? defaults[0].Metric : 0;
            yield return Set(new() { Destination = NetworkAddresses.Everything(family.IsIPv6), Interface = device, NextHop = family.NextHop, Table = table, Metric = metric });
        }

        foreach (var stray in defaults.Skip(1).Where(r => r.InterfaceIndex != path.Index && r.InterfaceIndex is not null))
        {
            var name = reading.Links.FirstOrDefault(l => l.Index == stray.InterfaceIndex)?.Name;
            if (InterfaceName.TryParse(name, out var other, out _))
            {
                yield return new RemoveRoute(gateway, new() { Destination = stray.Destination, Interface = other, NextHop = stray.Gateway, Source = stray.PreferredSource, Table = table, Metric = stray.Metric, Protocol = stray.Protocol, Scope = stray.Scope });
            }
        }
    }

    /// <summary>The unreachable default that closes the path's table.</summary>
    public ReplaceRoute LastResort(NetworkPath path, bool isIPv6) =>
        Set(new() { Destination = NetworkAddresses.Everything(isIPv6), Kind = RouteKind.Unreachable, Metric = LastResortMetric, Table = TableOf(path) });

    /// <summary>Whether a table ends in a route that sends nothing.</summary>
    public bool HasLastResort(uint table, bool isIPv6) => reading.Routes.Any(r =>
        r.Table == table && r.Destination.Length == 0 && r.Destination.Address.IsIPv6() == isIPv6 && r.Kind is "unreachable" or "blackhole" or "prohibit");

    /// <summary>Loose instead of strict: a source must be reachable, by any device. The path's own value is enough, the larger one counts.</summary>
    public WriteSysctl? LooseReversePath(NetworkPath path) =>
        SysctlKey.TryParse($"net.ipv4.conf.{path.Name.Replace('.', '/')}.rp_filter", out var key, out _) ? new(gateway, key, "2") : null;

    /// <summary>A rule in the words of ip-rule(8).</summary>
    public static string Words(RuleReading rule) =>
        string.Create(CultureInfo.InvariantCulture, $"{rule.Priority}: from {rule.Source?.ToString() ?? "all"} {rule.Action} {(rule.Table == Main ? "main" : rule.Table)}");

    /// <summary>A route in the words of ip-route(8).</summary>
    public string Words(RouteReading route)
    {
        var device = reading.Links.FirstOrDefault(l => l.Index == route.InterfaceIndex)?.Name;
        return string.Create(CultureInfo.InvariantCulture,
            $"table {route.Table}: {(route.Kind == "unicast" ? "" : route.Kind + " ")}{(route.Destination.Length == 0 ? "default" : route.Destination)}{(route.Gateway is { } g ? $" via {g}" : "")}{(device is null ? "" : $" dev {device}")}{(route.PreferredSource is { } s ? $" src {s}" : "")}{(route.Metric == 0 ? "" : $" metric {route.Metric}")}");
    }

    private ReplaceRoute Set(RouteSpec route) => new(gateway, route);

    private static IEnumerable<uint> Numbers(uint from)
    {
        for (var n = from; n < uint.MaxValue; n++)
        {
            yield return n;
        }
    }

    private static IEnumerable<uint> Down(uint from)
    {
        for (var n = from; n is > 0 and < uint.MaxValue; n--)
        {
            yield return n;
        }
    }
}
