using System.Net;
using System.Net.Sockets;
using MPSec.Linux.Values;

namespace MPSec.Changes.Kernel;

/// <summary>
/// What operations that are to follow one another alter. As long as none reads what one before it alters, all their inverses can be told from the state before
/// the first, and written down at once; undone newest first they lead back to that state whichever of them were applied.
/// </summary>
internal sealed class Footprint
{
    private const string Everywhere = "*";

    // Altered one by one: a route by its destination, table and metric, an address by itself, a setting by its name, and so on.
    private readonly HashSet<(GatewayName Gateway, object Thing)> _things = [];

    // Interfaces of which an address, a route or the state was altered, and those of which one operation alters any number of them.
    private readonly HashSet<(GatewayName Gateway, string Interface)> _touched = [];
    private readonly HashSet<(GatewayName Gateway, string Interface)> _swept = [];
    private readonly HashSet<GatewayName> _rebuilt = [];

    /// <summary>Adds an operation; false, and nothing is added, when its inverse may be another one after those before it.</summary>
    /// <param name="operation">The next operation.</param>
    /// <param name="inverse">Its inverse in the state before the first one.</param>
    public bool TryAdd(HostOperation operation, IReadOnlyList<HostOperation> inverse)
    {
        var gateways = operation.Gateways;
        List<(GatewayName, object)> things = [.. Things(operation).Select(thing => (operation.Gateway, thing))];
        List<(GatewayName, string)> interfaces = [.. inverse.Prepend(operation).SelectMany(o => Interfaces(o).Select(name => (o.Gateway, name))).Distinct()];
        var rebuilds = operation is CreateNamespace or DeleteNamespace or AddVethPair or DeleteVethPair;
        var sweeps = Sweeps(operation, inverse);
        if (gateways.Any(_rebuilt.Contains)
            || (rebuilds && (_things.Any(t => gateways.Contains(t.Gateway)) || _touched.Any(t => gateways.Contains(t.Gateway))))
            || Meet(_swept, interfaces)
            || ((sweeps || operation is ReplaceRoute { Route.Options.IsImplied: true }) && Meet(_touched, interfaces))
            || things.Exists(_things.Contains))
        {
            return false;
        }

        // What would change nothing now will change nothing then.
        if (inverse.Count == 0 && operation is not DeleteNamespace)
        {
            return true;
        }

        _things.UnionWith(things);
        _touched.UnionWith(interfaces);
        _swept.UnionWith(sweeps ? interfaces : []);
        _rebuilt.UnionWith(rebuilds ? gateways : []);
        return true;
    }

    /// <summary>Whether a setting alters interfaces, addresses or routes too, or what happens to them.</summary>
    public static bool ReachesFar(WriteSysctl write) => KernelLosses.FarReach(write.Key) is not null
        || write.Key.Value.EndsWith(".forwarding", StringComparison.Ordinal)
        || write.Key.Value.EndsWith(".promote_secondaries", StringComparison.Ordinal)
        || write.Key.Value.StartsWith("net.ipv6.conf.", StringComparison.Ordinal);

    private static bool Meet(HashSet<(GatewayName Gateway, string Interface)> before, List<(GatewayName Gateway, string Interface)> now) =>
        before.Count > 0 && now.Exists(n => before.Contains(n) || before.Contains((n.Gateway, Everywhere)) || (n.Interface == Everywhere && before.Any(b => b.Gateway == n.Gateway)));

    // An interface that comes up brings back only what the kernel makes itself.
    private static bool Sweeps(HostOperation operation, IReadOnlyList<HostOperation> inverse) => operation switch
    {
        RemoveAddress => true,
        SetLinkState o => !o.Up,
        SetMtu o => inverse.Count != 1 || o.Mtu < SetMtu.IPv6Minimum || inverse[0] is SetMtu { Mtu: < SetMtu.IPv6Minimum },
        WriteSysctl o => ReachesFar(o),
        _ => false,
    };

    private static IEnumerable<string> Interfaces(HostOperation operation) => operation switch
    {
        SetLinkState o => [o.Interface.Value],
        SetMtu o => [o.Interface.Value],
        AddAddress o => [o.Interface.Value],
        RemoveAddress o => [o.Interface.Value],
        ReplaceRoute o => Interfaces(o.Route),
        RemoveRoute o => Interfaces(o.Route),
        WriteSysctl o when ReachesFar(o) => o.Key.Value.Split('.') is ["net", "ipv4" or "ipv6", "conf", var device and not ("all" or "default"), ..] ? [device.Replace('/', '.')] : [Everywhere],
        _ => [],
    };

    private static IEnumerable<string> Interfaces(RouteSpec route) => route.Options?.Hops is { } hops ? hops.Select(h => h.Interface.Value) : route.Interface is { } one ? [one.Value] : [];

    private static IEnumerable<object> Things(HostOperation operation) => operation switch
    {
        SetLinkState o => [("link", o.Interface)],
        SetMtu o => [("link", o.Interface)],
        BlockInterface o => [("block", o.Interface)],
        AddAddress o => [(o.Interface, o.Address)],
        RemoveAddress o => [(o.Interface, o.Address)],
        ReplaceRoute o => [Route(o.Route.Destination, o.Route.Table, o.Route.Metric)],
        RemoveRoute o => [Route(o.Route.Destination, o.Route.Table, o.Route.Metric)],
        AddRule o => [(o.Priority, o.Source, o.Table)],
        RemoveRule o => [(o.Priority, o.Source, o.Table)],
        SetShaper o => [("queue", o.Interface)],
        RemoveShaper o => [("queue", o.Interface)],
        AddEndpoint o => [Endpoint(o.Id), Endpoint(o.Address)],
        RemoveEndpoint o => [Endpoint(o.Id), Endpoint(o.Address)],
        SetEndpointFlags o => [Endpoint(o.Id), Endpoint(o.Address)],
        SetMptcpLimits => ["limits"],
        // The path manager has two names (Linux 6.15): one setting.
        WriteSysctl { Key.Value: "net.mptcp.pm_type" or "net.mptcp.path_manager" } => ["net.mptcp.path_manager"],
        WriteSysctl o => [o.Key.Value],
        CreateNamespace or DeleteNamespace or AddVethPair or DeleteVethPair => ["everything"],
        _ => throw new ChangeException(ChangeFault.NotAvailable, $"the operation {operation.GetType().Name} is not known"),
    };

    private static (IpPrefix, uint, uint) Route(IpPrefix destination, uint table, uint metric) =>
        (destination, table, metric == 0 && destination.Address.AddressFamily == AddressFamily.InterNetworkV6 ? 1024 : metric);

    private static (string, object) Endpoint(byte id) => ("endpoint", id);

    private static (string, object) Endpoint(IPAddress address) => ("endpoint", address);
}
