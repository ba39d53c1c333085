using System.Net;
using MPSec.Linux.Values;

namespace MPSec.Changes.Kernel;

/// <summary>
/// What operations that are to follow one another alter. As long as none reads what one before it alters, all their inverses can be told from the state before
/// the first, and written down at once; undone newest first they lead back to that state whichever of them were applied.
/// </summary>
internal sealed class Footprint
{
    // Altered one by one: a route by its destination, table and metric, an address by itself, a setting by its name, and so on.
    private readonly HashSet<(GatewayName Gateway, object Thing)> _things = [];

    // Gateways where an address or a route was altered, and gateways where one operation alters any number of them.
    private readonly HashSet<GatewayName> _touched = [];
    private readonly HashSet<GatewayName> _swept = [];
    private readonly HashSet<GatewayName> _rebuilt = [];

    /// <summary>Adds an operation; false, and nothing is added, when its inverse may be another one after those before it.</summary>
    /// <param name="operation">The next operation.</param>
    /// <param name="inverse">Its inverse in the state before the first one.</param>
    public bool TryAdd(HostOperation operation, IReadOnlyList<HostOperation> inverse)
    {
        var (gateways, things) = (operation.Gateways, Things(operation).Select(thing => (operation.Gateway, thing)).ToList());
        var rebuilds = operation is CreateNamespace or DeleteNamespace or AddVethPair or DeleteVethPair;
        var sweeps = rebuilds || Sweeps(operation, inverse);
        var touches = sweeps || operation is AddAddress or ReplaceRoute or RemoveRoute or SetLinkState or SetMtu;
        if (gateways.Any(_rebuilt.Contains)
            || (rebuilds && gateways.Any(g => _things.Any(t => t.Gateway == g)))
            || (sweeps && gateways.Any(_touched.Contains))
            || (touches && gateways.Any(_swept.Contains))
            || things.Exists(_things.Contains))
        {
            return false;
        }

        // What would change nothing now will change nothing then.
        var changes = inverse.Count > 0 || operation is DeleteNamespace;
        _things.UnionWith(changes ? things : []);
        Mark(_touched, touches && changes);
        Mark(_swept, sweeps && changes);
        Mark(_rebuilt, rebuilds && changes);
        return true;

        void Mark(HashSet<GatewayName> set, bool applies)
        {
            if (applies)
            {
                set.UnionWith(gateways);
            }
        }
    }

    /// <summary>Whether a setting alters interfaces, addresses or routes too.</summary>
    public static bool ReachesFar(WriteSysctl write) => KernelLosses.FarReach(write.Key) is not null || write.Key.Value.EndsWith(".forwarding", StringComparison.Ordinal)
        || write.Key.Value.EndsWith(".promote_secondaries", StringComparison.Ordinal) || write.Key.Value.StartsWith("net.ipv6.conf.", StringComparison.Ordinal);

    // An interface that comes up brings back only what the kernel makes itself; one that is up already, nothing.
    private static bool Sweeps(HostOperation operation, IReadOnlyList<HostOperation> inverse) => operation switch
    {
        RemoveAddress => true,
        SetLinkState o => !o.Up,
        SetMtu o => inverse.Count != 1 || o.Mtu < SetMtu.IPv6Minimum || inverse[0] is SetMtu { Mtu: < SetMtu.IPv6Minimum },
        WriteSysctl o => ReachesFar(o),
        _ => false,
    };

    private static IEnumerable<object> Things(HostOperation operation) => operation switch
    {
        SetLinkState o => [("link", o.Interface)],
        SetMtu o => [("link", o.Interface)],
        BlockInterface o => [("block", o.Interface)],
        AddAddress o => [(o.Interface, o.Address), Route(o.Address.Network, 254, o.Options?.Metric ?? 0)],
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
        (destination, table, metric == 0 && destination.Address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? 1024 : metric);

    private static (string, object) Endpoint(byte id) => ("endpoint", id);

    private static (string, object) Endpoint(IPAddress address) => ("endpoint", address);
}
