using System.Net;
using MPSec.Changes;
using MPSec.Changes.Kernel;
using MPSec.Features.Network;
using MPSec.Linux.Gateways;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;

namespace MPSec.Tests.Netns;

/// <summary>
/// Random operations on a real gateway, folded into a document, which is then applied to a bare gateway: both kernels must say the same. So whatever is done by
/// buttons is there after a reboot, neither more nor less.
/// </summary>
public sealed class NetworkFoldTests
{
    private const int Links = 3;


    [Fact]
    public void Fold_RandomOperations_GiveABareGatewayTheSameState()
    {
        using var scope = new NamespaceScope();
        var random = new Random(20261124);
        var kernel = new NetlinkHostKernel();
        var (applied, absorbed, most, unsayable) = (0, 0, 0, 0);
        var rounds = LongProofs.Wanted ? 200 : 12;
        for (var round = 0; round < rounds; round++)
        {
            var (a, b) = (Bare(scope, $"a{round}"), Bare(scope, $"b{round}"));
            var document = NetworkDocument.Empty;
            var done = new List<HostOperation>();
            for (var part = 0; part < 3; part++)
            {
                // In parts, because each change is folded by itself.
                var some = new List<HostOperation>();
                foreach (var operation in Enumerable.Range(0, 12).SelectMany(_ => Next(random, a)))
                {
                    if (Try(kernel, operation))
                    {
                        some.Add(operation);
                    }
                }

                document = document.With(some);
                done.AddRange(some);
            }

            Assert.Empty(document.Faults());
            document = NetworkDocument.Parse(document.ToJson());
            if (document.More.OfType<ReplaceRoute>().Any(o => o.Route.NextHop is { } hop && document.FindPath(o.Route.Interface!.Value.Value)?.Addresses.Any(x => x.Contains(hop)) != true))
            {
                unsayable++; // its next hop was reached by a route that has been replaced since: no kernel lets such a one be set
                continue;
            }

            var state = NetworkKernelState.Read(b, NetworkWants.Of(document, b).Settings.Select(s => s.Key), new InterfaceOwnerReader());
            var plan = NetworkPlanner.Compute(b, null, document, state, NetworkPlanAim.Edit);
            foreach (var operation in plan.Operations)
            {
                kernel.Apply(operation);
            }

            var (expected, actual) = (Facts(kernel, a, done), Facts(kernel, b, done));
            Assert.True(expected == actual, $"round {round}\n{string.Join('\n', done.Select(o => o.ToShellText()))}\n{document.ToJson()}\nexpected\n{expected}\nactual\n{actual}");
            var again = NetworkKernelState.Read(b, NetworkWants.Of(document, b).Settings.Select(s => s.Key), new InterfaceOwnerReader());
            Assert.Empty(NetworkPlanner.Compute(b, document, document, again, NetworkPlanAim.Edit).Operations);
            (applied, absorbed, most) = (applied + done.Count, absorbed + document.Paths.Count(p => p.Table is not null), Math.Max(most, document.More.Length));

            // And away again: what the document named, and nothing else, goes.
            var bare = NetworkPlanner.Compute(b, document, NetworkDocument.Empty, again, NetworkPlanAim.Edit);
            foreach (var operation in bare.Operations)
            {
                kernel.Apply(operation);
            }

            Assert.DoesNotContain("10.", Facts(kernel, b, done.Where(o => o is AddAddress or AddRule or ReplaceRoute)), StringComparison.Ordinal);
            scope.Delete(a);
            scope.Delete(b);
        }

        Assert.True(unsayable * 4 < rounds, $"{unsayable} of {rounds} rounds prove nothing");
        TestContext.Current.TestOutputHelper?.WriteLine($"{applied} operations, {absorbed} paths with a table of their own, at most {most} further operations, {unsayable} rounds left out");
    }

    private static GatewayName Bare(NamespaceScope scope, string role)
    {
        var gateway = scope.Add(role);
        for (var i = 1; i <= Links; i++)
        {
            NamespaceScope.Ip(gateway, "link", "add", $"p{i}", "type", "veth", "peer", "name", $"q{i}");
            NamespaceScope.Ip(gateway, "link", "set", $"q{i}", "up");
            NamespaceScope.In(gateway, "sysctl", "-qw", $"net.ipv6.conf.p{i}.accept_dad=0");
            NamespaceScope.Ip(gateway, "link", "set", $"p{i}", "up");
        }

        return gateway;
    }

    private static bool Try(NetlinkHostKernel kernel, HostOperation operation)
    {
        if (operation is RemoveAddress { Address: var gone } && gone.Address.IsIPv6() && NamespaceScope.Ip(operation.Gateway, "-6", "route", "show", "table", "all").Contains($" via {gone.Network.Address}", StringComparison.Ordinal))
        {
            return false; // IPv6 keeps the routes by a next hop that cannot be reached any more, and no kernel lets them be set like that
        }

        try
        {
            _ = kernel.InverseOf(operation);
            kernel.Apply(operation);
            return true;
        }
        catch (ChangeException)
        {
            return false; // refused by the kernel, so never done
        }
    }

    private static string Facts(NetlinkHostKernel kernel, GatewayName gateway, IEnumerable<HostOperation> operations) =>
        string.Join('\n', kernel.Facts([.. operations.Select(o => o with { Gateway = gateway }), .. Enumerable.Range(1, Links).Select(i => new SetLinkState(gateway, Link(i), true))])
            .Select(f => f[(gateway.Value.Length + 1)..]));

    private static InterfaceName Link(int i) => InterfaceName.Parse($"p{i}");

    private static IEnumerable<HostOperation> Next(Random random, GatewayName g)
    {
        var i = random.Next(1, Links + 1);
        var v6 = random.Next(2) == 0;
        var own = v6 ? $"2001:db8:{i}::1" : $"10.55.{i}.1";
        var address = IpPrefix.Parse(v6 ? $"{own}/64" : $"{own}/24");
        var hop = IPAddress.Parse(v6 ? $"2001:db8:{i}::{random.Next(2, 4)}" : $"10.55.{i}.{random.Next(2, 4)}");
        var table = (uint)(100 + random.Next(1, Links + 1));
        var all = NetworkAddresses.Everything(v6);
        var rule = new AddRule(g, (uint)(1000 + random.Next(1, Links + 1)), address.Address.Alone(), table);
        RouteSpec[] whole =
        [
            new() { Destination = address.Network, Interface = Link(i), Source = v6 ? null : address.Address, Table = (uint)(100 + i) },
            new() { Destination = all, Interface = Link(i), NextHop = hop, Table = (uint)(100 + i) },
            new() { Destination = all, Kind = RouteKind.Unreachable, Metric = RoutingRepair.LastResortMetric, Table = (uint)(100 + i) },
        ];
        var odd = new RouteSpec
        {
            Destination = random.Next(3) == 0 ? all : IpPrefix.Parse(v6 ? $"2001:db8:aa{random.Next(2)}::/48" : $"198.51.{random.Next(2)}.0/24"),
            Interface = Link(i),
            NextHop = random.Next(2) == 0 ? hop : null,
            Table = random.Next(3) == 0 ? 254 : table,
            Metric = (uint)random.Next(0, 2) * 50,
        };
        var endpoint = new AddEndpoint(g, (byte)random.Next(1, 5), address.Address, random.Next(2) == 0 ? MptcpEndpointFlags.Signal : MptcpEndpointFlags.Subflow | MptcpEndpointFlags.Backup);
        return random.Next(17) switch
        {
            0 or 1 or 2 => [new AddAddress(g, Link(i), address)],
            3 => [new RemoveAddress(g, Link(i), address)],
            4 => [rule],
            5 => [new RemoveRule(g, rule.Priority, rule.Source, rule.Table)],
            6 => [new ReplaceRoute(g, odd)],
            7 => [new RemoveRoute(g, odd with { Metric = odd.Metric == 0 && v6 ? 1024 : odd.Metric })],
            8 => [new ReplaceRoute(g, whole[random.Next(3)])],
            9 or 10 or 11 => [new AddAddress(g, Link(i), address), .. whole.Select(r => new ReplaceRoute(g, r)), new AddRule(g, (uint)(1000 + i), address.Address.Alone(), (uint)(100 + i))],
            12 => [endpoint],
            13 => [random.Next(2) == 0 ? new RemoveEndpoint(g, endpoint.Id, endpoint.Address) : new SetEndpointFlags(g, endpoint.Id, endpoint.Address, random.Next(2) == 0, false)],
            15 => [new SetMtu(g, Link(i), (uint)random.Next(1280, 1501))],
            14 => [new SetMptcpLimits(g, (uint)random.Next(9), (uint)random.Next(9))],
            _ => [new WriteSysctl(g, SysctlKey.Parse(random.Next(2) == 0 ? "net.mptcp.enabled" : "net.ipv4.ip_forward"), random.Next(2) == 0 ? "0" : "1")],
        };
    }
}
