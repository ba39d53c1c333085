using System.Net;
using MPSec.Changes;
using MPSec.Linux.Gateways;

namespace MPSec.Features;

/// <summary>MPTCP traffic that a plan disturbs: subflows on the interfaces and addresses that it touches.</summary>
/// <param name="Connections">Connections with such a subflow; MPTCP carries on where another path is left.</param>
/// <param name="Subflows">Such subflows, established.</param>
public sealed record ChangeDisturbance(int Connections, int Subflows)
{
    private const byte Established = 1;

    /// <summary>Counts them in <paramref name="reading"/>.</summary>
    public static ChangeDisturbance Of(ChangePlan plan, GatewayReading reading)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(reading);
        var addresses = new HashSet<IPAddress>();
        foreach (var operation in plan.Operations.Where(o => o.Gateway == reading.Gateway))
        {
            addresses.UnionWith(operation switch
            {
                SetLinkState { Up: false } o => On(o.Interface.Value),
                SetShaper o => On(o.Interface.Value),
                RemoveShaper o => On(o.Interface.Value),
                DeleteVethPair o => On(o.Interface.Value),
                RemoveAddress o => [o.Address.Address],
                RemoveEndpoint o => [o.Address],
                SetEndpointFlags o => [o.Address],
                RemoveRoute { Route.Interface: { } device } => On(device.Value),
                ReplaceRoute { Route.Interface: { } device } o when reading.Routes.Any(r => r.Destination == o.Route.Destination && r.Table == o.Route.Table && r.Metric == o.Route.Metric) => On(device.Value),
                _ => [],
            });
        }

        var hit = reading.Subflows.Where(s => s.State == Established && addresses.Contains(Plain(s.Local.Address))).ToList();
        return new(hit.Select(s => s.TokenLocal).Distinct().Count(), hit.Count);

        IEnumerable<IPAddress> On(string device) =>
            reading.Links.FirstOrDefault(l => l.Name == device) is { } link ? reading.Addresses.Where(a => a.InterfaceIndex == link.Index).Select(a => a.Prefix.Address) : [];
    }

    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}
