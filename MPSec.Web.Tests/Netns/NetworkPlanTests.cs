using System.Net;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Changes.Kernel;
using MPSec.Features.Network;
using MPSec.Linux.Gateways;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;
using MPSec.Tests.Data;

namespace MPSec.Tests.Netns;

/// <summary>
/// Random edits on a real gateway: from one document to another the kernel must end as a bare one to which only the second was applied, with what others set
/// untouched; and an edit that fails at its end leaves the state before.
/// </summary>
public sealed class NetworkPlanTests
{
    private const int Links = 3;

    private static readonly ChangeActor s_admin = new("ada", ChangeRole.Administrator);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Plan_FromOneRandomDocumentToAnother_EndsAsIfOnlyTheSecondHadBeenApplied()
    {
        using var scope = new NamespaceScope();
        using var state = new TempState();
        await using var services = await state.StartAsync(s => s.AddSingleton(TimeProvider.System).AddMPSecChanges().AddNetworkConfigurations());
        var (changes, configurations) = (services.GetRequiredService<ChangeService>(), services.GetRequiredService<NetworkConfigurationService>());
        var random = new Random(20261124);
        var rounds = LongProofs.Wanted ? 100 : 6;
        for (var round = 0; round < rounds; round++)
        {
            var (a, b) = (Bare(scope, $"a{round}"), Bare(scope, $"b{round}"));
            await services.GetRequiredService<GatewayModes>().SetAsync(a, GatewayMode.Managed, s_admin, Token);
            NetworkDocument[] documents = [Next(random), Next(random), Next(random)];
            foreach (var document in documents)
            {
                var plan = await configurations.PlanAsync(a, document, null, cancellationToken: Token);
                if (plan.Operations.IsEmpty)
                {
                    continue;
                }

                // It fails at its very end: the state before must be back.
                var before = Facts(a);
                var broken = plan with { Operations = [.. plan.Operations, new WriteSysctl(a, SysctlKey.Parse("net.ipv4.conf.no-such.rp_filter"), "1")] };
                await Assert.ThrowsAsync<ChangeException>(() => changes.RunAsync(broken, s_admin, Token));
                Same(before, Facts(a), "undone", documents, broken);

                plan = plan with { Id = Guid.CreateVersion7() };
                await changes.RunAsync(plan, s_admin, Token);
                Assert.Equal(document.ToJson(), (await configurations.CurrentAsync(a, Token))!.Document.ToJson());
                var again = (await configurations.PlanAsync(a, document, null, cancellationToken: Token)).Operations;
                Assert.True(again.IsEmpty, string.Join('\n', again.Select(o => o.ToShellText())));
            }

            var fresh = NetworkPlanner.Compute(b, null, documents[^1], NetworkKernelState.Read(b, [SysctlKey.Parse("net.mptcp.enabled")], new InterfaceOwnerReader()), NetworkPlanAim.Edit);
            var kernel = new NetlinkHostKernel();
            foreach (var operation in fresh.Operations)
            {
                kernel.Apply(operation);
            }

            // The kernel drops the routes of a link that goes down, whoever set them; those of others nobody knows how to bring back.
            var dropped = documents.SelectMany(d => d.Paths).Where(p => !p.Up).Select(p => $"198.18.{p.Interface.Value[1..]}.0/24").ToHashSet();
            string Kept(GatewayName gateway) => string.Join('\n', Facts(gateway).Split('\n').Where(f => !dropped.Any(f.Contains)));
            Same(Kept(b), Kept(a), "applied", documents, null);
            scope.Delete(a);
            scope.Delete(b);
        }
    }

    private static void Same(string expected, string actual, string what, NetworkDocument[] documents, ChangePlan? plan) => Assert.True(expected == actual,
        $"{what}\n{string.Join('\n', documents.Select(d => d.ToJson()))}\n{(plan is null ? "" : string.Join('\n', plan.Operations.Select(o => o.ToShellText())))}\nexpected\n{expected}\nactual\n{actual}");

    /// <summary>Links up, and on each what somebody else set: an address of another network, a route, a rule.</summary>
    private static GatewayName Bare(NamespaceScope scope, string role)
    {
        var gateway = scope.Add(role);
        for (var i = 1; i <= Links; i++)
        {
            NamespaceScope.Ip(gateway, "link", "add", $"p{i}", "type", "veth", "peer", "name", $"q{i}");
            NamespaceScope.Ip(gateway, "link", "set", $"q{i}", "up");
            NamespaceScope.In(gateway, "sysctl", "-qw", $"net.ipv6.conf.p{i}.accept_dad=0");
            NamespaceScope.Ip(gateway, "link", "set", $"p{i}", "up");
            NamespaceScope.Ip(gateway, "addr", "add", $"172.16.{i}.1/24", "dev", $"p{i}");
            NamespaceScope.Ip(gateway, "route", "add", $"198.18.{i}.0/24", "via", $"172.16.{i}.2", "table", $"{100 + i}");
            NamespaceScope.Ip(gateway, "rule", "add", "pref", $"{i}", "from", $"172.16.{i}.1", "table", $"{100 + i}");
        }

        return gateway;
    }

    /// <summary>A sound document; addresses of a path move within its network and to another, tables and next hops change, roles and links too.</summary>
    private static NetworkDocument Next(Random random)
    {
        while (true)
        {
            NetworkDocumentPath Path(int i)
            {
                var net = random.Next(4) == 0 ? 10 + i : i;
                var v4 = Enumerable.Range(0, random.Next(3)).Select(_ => IpPrefix.Parse($"10.55.{net}.{random.Next(1, 4)}/24")).Distinct().ToList();
                var v6 = random.Next(2) == 0 ? [IpPrefix.Parse($"2001:db8:{net}::{random.Next(1, 3)}/{(random.Next(3) == 0 ? 80 : 64)}")] : (IpPrefix[])[];
                var hops = new List<IPAddress>();
                if (v4.Count > 0 && random.Next(3) > 0)
                {
                    hops.Add(IPAddress.Parse($"10.55.{net}.{random.Next(10, 12)}"));
                }

                if (v6.Length > 0 && random.Next(3) > 0)
                {
                    hops.Add(IPAddress.Parse($"2001:db8:{net}::{random.Next(10, 12)}"));
                }

                var table = v4.Count + v6.Length > 0 && random.Next(4) > 0;
                return new()
                {
                    Interface = InterfaceName.Parse($"p{i}"),
                    Up = random.Next(5) > 0,
                    Mtu = (uint)random.Next(1400, 1403), // one that is taken out of the document stays as it is
                    Role = random.Next(6) switch { 0 => null, 1 when hops.Count > 0 => NetworkPathRole.Primary, 2 => NetworkPathRole.Backup, 3 => NetworkPathRole.Off, _ => NetworkPathRole.Bonded },
                    Addresses = [.. v4, .. v6],
                    NextHops = [.. hops],
                    Table = table ? (uint)(100 + i + (random.Next(4) == 0 ? 10 : 0)) : null,
                    RulePriority = table && random.Next(2) == 0 ? (uint)(1000 + i) : null,
                };
            }

            var paths = Enumerable.Range(1, Links).Select(Path).ToArray();
            var addresses = paths.SelectMany(p => p.Addresses).Select(x => x.Address).ToList();
            var document = NetworkDocument.Empty with
            {
                Paths = [.. paths],
                Mptcp = new()
                {
                    Enabled = true,
                    Subflows = (uint)random.Next(9),
                    AddAddrAccepted = (uint)random.Next(9),
                    Endpoints = [.. addresses.Where(_ => random.Next(2) == 0).Select((x, i) => new NetworkDocumentEndpoint { Id = (byte)(i + 1), Address = x, Flags = [random.Next(2) == 0 ? MptcpEndpointFlags.Signal : MptcpEndpointFlags.Subflow] })],
                },
                More =
                [
                    .. random.Next(2) == 0 ? (HostOperation[])[new AddRule(GatewayName.Host, 500, IpPrefix.Parse($"192.0.2.{random.Next(2)}/32"), 700)] : [],
                    .. random.Next(2) == 0 ? (HostOperation[])[new ReplaceRoute(GatewayName.Host, new() { Destination = IpPrefix.Parse("198.51.100.0/24"), Kind = random.Next(2) == 0 ? RouteKind.Blackhole : RouteKind.Unreachable, Table = 700 })] : [],
                    .. random.Next(2) == 0 && paths[0].NextHop(false) is { } hop ? (HostOperation[])[new ReplaceRoute(GatewayName.Host, new() { Destination = IpPrefix.Parse("203.0.113.0/24"), Interface = paths[0].Interface, NextHop = hop })] : [],
                ],
            };
            if (!document.Faults().Any())
            {
                return document;
            }
        }
    }

    private static string Facts(GatewayName gateway) => string.Join('\n', new NetlinkHostKernel().Facts(
        [
            .. Enumerable.Range(1, Links).Select(i => new SetLinkState(gateway, InterfaceName.Parse($"p{i}"), true)),
            .. ((uint[])[101, 102, 103, 111, 112, 113, 254, 700]).Select(table => new ReplaceRoute(gateway, new() { Destination = IpPrefix.Parse("192.0.2.0/24"), Kind = RouteKind.Blackhole, Table = table })),
            new AddRule(gateway, 1, IpPrefix.Parse("192.0.2.1/32"), 1),
            new SetMptcpLimits(gateway, 0, 0),
            new WriteSysctl(gateway, SysctlKey.Parse("net.mptcp.enabled"), "1"),
        ]).Select(f => f[(gateway.Value.Length + 1)..]));
}
