using System.Text.Json;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Changes.Kernel;

/// <summary>
/// The state that operations can alter, as lines that are equal when the state is: by name, not by index, without counters. Only what the operations
/// touch, so that a container that starts meanwhile is no difference.
/// </summary>
internal static class KernelFacts
{
    private const byte ProtocolRouterAdvertisement = 9;

    public static IReadOnlyList<string> Of(IReadOnlyCollection<HostOperation> operations, Func<GatewayName, GatewayHandle> at) =>
        [.. operations.SelectMany(o => o.Gateways).Distinct().SelectMany(gateway => Of(gateway, operations, at)).Order(StringComparer.Ordinal)];

    private static List<string> Of(GatewayName name, IReadOnlyCollection<HostOperation> all, Func<GatewayName, GatewayHandle> at)
    {
        if (!Linux.Namespaces.NamespaceThread.Exists(name))
        {
            return [$"{name} absent"];
        }

        var gateway = at(name);
        List<HostOperation> operations = [.. all.Where(o => o.Gateway == name)];
        var links = gateway.Links;
        var names = links.ToDictionary(l => l.Index, l => l.Name);
        var devices = all.SelectMany(o => Devices(o, name)).ToHashSet(StringComparer.Ordinal);
        devices.UnionWith(devices.Contains("all") ? links.Select(l => l.Name) : []);
        devices.UnionWith(links.Where(l => devices.Contains(l.Name)).SelectMany(l => Above(gateway, l)).ToList());
        var tables = operations.SelectMany(Tables).ToHashSet();
        var facts = new List<string>();
        facts.AddRange(links.Where(l => devices.Contains(l.Name)).Select(l => $"link {l.Name} {(l.IsUp ? "up" : "down")} mtu {l.Mtu}"));
        facts.AddRange(gateway.HeldAddresses
            .Where(a => a.IsPermanent && !KernelLosses.IsMadeByKernel(gateway, a) && DeviceOf(a.Reading.InterfaceIndex) is { } device && devices.Contains(device))
            .Select(a => $"address {a.Reading.Prefix} dev {DeviceOf(a.Reading.InterfaceIndex)}{(a.IsSecondary && !a.IsIPv6 ? " secondary" : "")}{Rest(gateway, a)}"));
        facts.AddRange(gateway.Routes
            .Where(r => r.Reading.Protocol != ProtocolRouterAdvertisement && r.Reading.Kind != "multicast" && r.Reading.Destination.Address is { IsIPv6LinkLocal: false, IsIPv6Multicast: false })
            .Where(r => tables.Contains(r.Reading.Table) || links.Any(l => devices.Contains(l.Name) && r.LeavesBy(l.Index)))
            .Select(r => $"route {r.Reading.Kind} {r.Reading.Destination} via {r.Reading.Gateway} dev {DeviceOf(r.Reading.InterfaceIndex)} table {r.Reading.Table} metric {r.Reading.Metric} src {r.Reading.PreferredSource} proto {r.Reading.Protocol} scope {r.Reading.Scope}{Rest(gateway, r)}"));
        if (operations.Any(o => o is AddRule or RemoveRule))
        {
            facts.AddRange(gateway.Rules.Select(r => $"rule {r.Priority} from {r.Source} to {r.Destination} iif {r.InputInterface} oif {r.OutputInterface} mark {r.Mark} {r.Action} {r.Table} v{(r.IsIPv6 ? 6 : 4)}"));
        }

        facts.AddRange(Settings(gateway, operations).Distinct());
        foreach (var device in operations.OfType<BlockInterface>().Select(o => o.Interface).Distinct())
        {
            var chains = BlockInterface.Chains.Select(c => c.Chain).Where(chain => gateway.Blocks.Any(b => b.Interface == device.Value && b.Chain == chain));
            facts.Add($"passage {device} {(string.Join(' ', chains) is { Length: > 0 } blocked ? "blocked in " + blocked : "open")}");
        }

        foreach (var device in operations.Select(o => o switch { SetShaper s => s.Interface, RemoveShaper r => r.Interface, _ => (InterfaceName?)null }).OfType<InterfaceName>().Distinct())
        {
            var root = gateway.FindLink(device) is { } link ? gateway.ReadRootQdisc(link.Index) : null;
            facts.Add(root is null or { Handle: 0 } ? $"queue {device} default" : $"queue {device} {root.Kind} {root.RateBitsPerSecond} {root.BurstBytes} {root.LimitBytes}");
        }

        if (operations.Any(o => o is AddEndpoint or RemoveEndpoint or SetEndpointFlags or SetMptcpLimits))
        {
            facts.Add($"limits {JsonSerializer.Serialize(gateway.Limits)}");
            facts.AddRange(gateway.Endpoints
                .Where(e => (e.Flags & MptcpEndpointFlags.Implicit) == 0)
                .Select(e => $"endpoint {e.Id} {e.Address} {e.Flags} dev {DeviceOf(e.InterfaceIndex)} port {e.Port}"));
        }

        return [.. facts.Select(fact => $"{name} {fact}")];

        string? DeviceOf(int? index) => index is { } number ? names.GetValueOrDefault(number) : null;
    }

    // VLANs and the like share the fate of what they stand on.
    private static IEnumerable<string> Above(GatewayHandle gateway, LinkReading link) => gateway.ChildrenOf(link).SelectMany(c => Above(gateway, c).Prepend(c.Name));

    private static string Rest(GatewayHandle gateway, HeldAddress address) =>
        string.Concat(address.Again(gateway.Name, gateway.NameOf(address.Reading.InterfaceIndex) ?? default).Options!.Words.Select(word => " " + word));

    private static string Rest(GatewayHandle gateway, HeldRoute route) =>
        ReferenceEquals(route.Options, RouteOptions.None) && route.Hops is null && !route.IsEncapsulated ? ""
            : route.IsEncapsulated ? " encap"
            : string.Concat(KernelLosses.Describe(gateway, route).Options!.Words.Select(word => " " + word));

    private static IEnumerable<string> Settings(GatewayHandle gateway, List<HostOperation> operations)
    {
        foreach (var key in operations.OfType<WriteSysctl>().Select(o => o.Key).Distinct())
        {
            yield return $"setting {key} {SettingFiles.Read(gateway.Name, key)}";
            if (KernelLosses.FarReach(key) is not { Device: "all" } reach)
            {
                continue;
            }

            foreach (var (other, value) in SettingFiles.OfEveryInterface(gateway.Name, reach.Family, reach.Name).Values)
            {
                yield return $"setting {other} {value}";
            }
        }

        foreach (var device in operations.OfType<SetMtu>().Where(o => o.Mtu < SetMtu.IPv6Minimum).Select(o => o.Interface).Distinct())
        {
            foreach (var (key, value) in SettingFiles.OwnOfIPv6(gateway.Name, device))
            {
                yield return $"setting {key} {value}";
            }
        }
    }

    private static IEnumerable<string> Devices(HostOperation operation, GatewayName gateway) => operation switch
    {
        AddVethPair o => [.. o.Gateway == gateway ? (string[])[o.Interface.Value] : [], .. o.PeerGateway == gateway ? (string[])[o.PeerInterface.Value] : []],
        DeleteVethPair o => [.. o.Gateway == gateway ? (string[])[o.Interface.Value] : [], .. o.PeerGateway == gateway ? (string[])[o.PeerInterface.Value] : []],
        _ when operation.Gateway != gateway => [],
        SetLinkState o => [o.Interface.Value],
        SetMtu o => [o.Interface.Value],
        WriteSysctl o when KernelLosses.FarReach(o.Key) is { Name: "disable_ipv6" } reach => [reach.Device],
        AddAddress o => [o.Interface.Value],
        RemoveAddress o => [o.Interface.Value],
        ReplaceRoute { Route.Interface: { } device } => [device.Value],
        ReplaceRoute { Route.Options.Hops: { } hops } => [.. hops.Select(h => h.Interface.Value)],
        RemoveRoute { Route.Interface: { } device } => [device.Value],
        _ => [],
    };

    private static IEnumerable<uint> Tables(HostOperation operation) => operation switch
    {
        ReplaceRoute o => [o.Route.Table],
        RemoveRoute o => [o.Route.Table],
        _ => [],
    };
}
