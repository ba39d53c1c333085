using System.Net.Sockets;
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
    private const uint Permanent = 0x80;
    private const byte ScopeLink = 253;
    private const byte ProtocolRouterAdvertisement = 9;

    public static IReadOnlyList<string> Of(IReadOnlyCollection<HostOperation> operations) =>
        [.. operations.SelectMany(o => o.Gateways).Distinct().SelectMany(gateway => Of(gateway, operations)).Order(StringComparer.Ordinal)];

    private static List<string> Of(GatewayName name, IReadOnlyCollection<HostOperation> all)
    {
        if (!Linux.Namespaces.NamespaceThread.Exists(name))
        {
            return [$"{name} absent"];
        }

        using var gateway = new GatewayHandle(name);
        List<HostOperation> operations = [.. all.Where(o => o.Gateway == name)];
        var devices = all.SelectMany(o => Devices(o, name)).ToHashSet(StringComparer.Ordinal);
        var tables = operations.SelectMany(Tables).ToHashSet();
        var links = gateway.Links;
        string? DeviceOf(int? index) => links.FirstOrDefault(l => l.Index == index)?.Name;
        var facts = new List<string>();
        facts.AddRange(links.Where(l => devices.Contains(l.Name)).Select(l => $"link {l.Name} {(l.IsUp ? "up" : "down")} mtu {l.Mtu}"));
        facts.AddRange(gateway.Addresses
            .Where(a => (a.Flags & Permanent) != 0 && !IsLinkLocal(a) && DeviceOf(a.InterfaceIndex) is { } device && devices.Contains(device))
            .Select(a => $"address {a.Prefix} dev {DeviceOf(a.InterfaceIndex)}"));
        facts.AddRange(gateway.Routes
            .Where(r => r.Protocol != ProtocolRouterAdvertisement && r.Kind != "multicast" && !(r.Destination.Address.IsIPv6LinkLocal || r.Destination.Address.IsIPv6Multicast))
            .Where(r => tables.Contains(r.Table) || (DeviceOf(r.InterfaceIndex) is { } device && devices.Contains(device)))
            .Select(r => $"route {r.Kind} {r.Destination} via {r.Gateway} dev {DeviceOf(r.InterfaceIndex)} table {r.Table} metric {r.Metric} src {r.PreferredSource} proto {r.Protocol} scope {r.Scope}"));
        if (operations.Any(o => o is AddRule or RemoveRule))
        {
            facts.AddRange(gateway.Rules.Select(r => $"rule {r.Priority} from {r.Source} to {r.Destination} iif {r.InputInterface} oif {r.OutputInterface} mark {r.Mark} {r.Action} {r.Table} v{(r.IsIPv6 ? 6 : 4)}"));
        }

        facts.AddRange(operations.OfType<WriteSysctl>().Select(o => o.Key).Distinct().Select(key => $"setting {key} {gateway.ReadSysctl(key)}"));
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
    }

    private static bool IsLinkLocal(AddressReading address) => address.Prefix.Address.AddressFamily == AddressFamily.InterNetworkV6 && address.Scope == ScopeLink;

    private static IEnumerable<string> Devices(HostOperation operation, GatewayName gateway) => operation switch
    {
        AddVethPair o => [.. o.Gateway == gateway ? (string[])[o.Interface.Value] : [], .. o.PeerGateway == gateway ? (string[])[o.PeerInterface.Value] : []],
        DeleteVethPair o => [.. o.Gateway == gateway ? (string[])[o.Interface.Value] : [], .. o.PeerGateway == gateway ? (string[])[o.PeerInterface.Value] : []],
        _ when operation.Gateway != gateway => [],
        SetLinkState o => [o.Interface.Value],
        AddAddress o => [o.Interface.Value],
        RemoveAddress o => [o.Interface.Value],
        ReplaceRoute { Route.Interface: { } device } => [device.Value],
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
