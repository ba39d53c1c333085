using MPSec.Changes;
using MPSec.Features.Lab;
using MPSec.Features.Network;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Tests.Netns;

public sealed class NetworkDocumentApplyTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Apply_BarePairOfGateways_BecomesFourPathsThatAllCarry()
    {
        await using var services = await LabScope.CreateAsync();
        using var scope = new NamespaceScope();
        var (a, b) = Bare(scope);
        foreach (var (gateway, host) in new[] { (a, 1), (b, 2) })
        {
            await services.Get<GatewayModes>().SetAsync(gateway, GatewayMode.Managed, LabScope.Admin, Token);
            var report = await services.Get<ChangeService>().RunAsync(await PlanAsync(services, gateway, Document(host)), LabScope.Admin, Token);
            Assert.Equal(ChangeOutcome.Applied, report.Outcome);
        }

        var spec = new LabSpec { Name = a.Value[..^2], Paths = [new(20), new(30), new(50), new(40)] };
        var result = await LabRun.MeasureAsync(spec, new(), TimeSpan.FromSeconds(2), TimeProvider.System, Token);
        for (var again = 0; again < 5 && (result.Paths.Any(path => path.CarriedMbit <= 1) || result.Flows is not [{ Subflows: 4 }]); again++)
        {
            result = await LabRun.MeasureAsync(spec, new(), TimeSpan.FromSeconds(2), TimeProvider.System, Token); // the joins came late
        }

        Assert.All(result.Paths, path => Assert.True(path.CarriedMbit > 1, $"{path.Interface} carried {path.CarriedMbit} Mbit/s"));
        Assert.Equal(4, Assert.Single(result.Flows).Subflows);
    }

    [Fact]
    public async Task Apply_ExportOfAGateway_MakesTheSameAgainInAFreshNamespaceAndThenChangesNothing()
    {
        await using var services = await LabScope.CreateAsync();
        using var scope = new NamespaceScope();
        var (a, _) = Bare(scope);
        await services.Get<GatewayModes>().SetAsync(a, GatewayMode.Managed, LabScope.Admin, Token);
        await services.Get<ChangeService>().RunAsync(await PlanAsync(services, a, Document(1)), LabScope.Admin, Token);
        var exported = NetworkDocument.Of(services.Read(a));
        var before = Facts(services.Read(a));

        // The machine starts again: the same links without anything on them.
        scope.Delete(a);
        NamespaceScope.Run("ip", "netns", "add", a.Value);
        try
        {
            using var peers = new NamespaceScope();
            var peer = peers.Add("b");
            NamespaceScope.Ip(a, "link", "set", "lo", "up");
            for (var i = 1; i <= 4; i++)
            {
                peers.Veth(a, $"path{i}", null, peer, $"path{i}", $"10.99.{i}.2/24");
            }

            var plan = await PlanAsync(services, a, NetworkDocument.Parse(exported.ToJson()));
            await services.Get<ChangeService>().RunAsync(plan, LabScope.Admin, Token);
            Assert.Equal(before, Facts(services.Read(a)));
            Assert.Empty((await services.Get<ChangeService>().PreviewAsync(plan, Token)).Commands);
            Assert.Empty((await PlanAsync(services, a, exported)).Operations);
        }
        finally
        {
            NamespaceScope.Run("ip", "netns", "del", a.Value);
        }
    }

    [Fact]
    public async Task Down_LabWithASavedConfiguration_TakesItAlong()
    {
        await using var lab = await LabScope.CreateAsync("10,10");
        var configurations = lab.Get<NetworkConfigurationService>();
        var plan = NetworkService.Plan(lab.Spec.A, [new AddRule(lab.Spec.A, 77, IpPrefix.Parse("192.0.2.1/32"), 101)]);
        await lab.Get<ChangeService>().RunAsync(plan, LabScope.Admin, Token);
        Assert.Equal([lab.Spec.A], await configurations.GatewaysAsync(Token));
        await lab.Labs.DownAsync(lab.Name, LabScope.Admin, Token);
        Assert.Empty(await configurations.GatewaysAsync(Token));
        Assert.Null(await configurations.CurrentAsync(lab.Spec.A, Token));
    }

    /// <summary>Two namespaces joined by four shaped veth pairs with addresses, and nothing else.</summary>
    private static (GatewayName A, GatewayName B) Bare(NamespaceScope scope)
    {
        var (a, b) = (scope.Add("a"), scope.Add("b"));
        int[] rates = [20, 30, 50, 40];
        for (var i = 1; i <= 4; i++)
        {
            scope.Veth(a, $"path{i}", $"10.99.{i}.1/24", b, $"path{i}", $"10.99.{i}.2/24");
            foreach (var gateway in new[] { a, b })
            {
                NamespaceScope.Run("tc", "-n", gateway.Value, "qdisc", "add", "dev", $"path{i}", "root", "tbf", "rate", $"{rates[i - 1]}mbit", "burst", "32kb", "latency", "50ms");
            }
        }

        return (a, b);
    }

    private static Task<ChangePlan> PlanAsync(LabScope services, GatewayName gateway, NetworkDocument document) =>
        services.Get<NetworkConfigurationService>().PlanAsync(gateway, document, null, cancellationToken: Token);

    private static NetworkDocument Document(int host) => new()
    {
        Version = NetworkDocument.CurrentVersion,
        Paths =
        [
            .. Enumerable.Range(1, 4).Select(i => new NetworkDocumentPath
            {
                Interface = InterfaceName.Parse($"path{i}"),
                Addresses = [IpPrefix.Parse($"10.99.{i}.{host}/24")],
                NextHops = [System.Net.IPAddress.Parse($"10.99.{i}.{3 - host}")],
                Table = (uint)(100 + i),
                RulePriority = (uint)(1000 + i),
            }),
        ],
        Mptcp = new()
        {
            Enabled = true,
            Subflows = 8,
            AddAddrAccepted = 8,
            Endpoints = host == 1
                ? []
                : [.. Enumerable.Range(2, 3).Select(i => new NetworkDocumentEndpoint { Id = (byte)i, Address = System.Net.IPAddress.Parse($"10.99.{i}.2"), Flags = [MptcpEndpointFlags.Signal] })],
        },
    };

    private static string[] Facts(GatewayReading reading)
    {
        var names = reading.Links.ToDictionary(l => l.Index, l => l.Name);
        return
        [
            .. reading.Addresses.Where(a => a.Scope == 0).Select(a => $"{names[a.InterfaceIndex]} {a.Prefix}").Order(StringComparer.Ordinal),
            .. reading.Rules.Select(r => $"{r.Priority} {r.Source} {r.Table}"),
            .. reading.Routes.Where(r => r.Table != 254 && !r.Destination.ToString().Contains(':', StringComparison.Ordinal))
                .Select(r => $"{r.Destination} {r.Kind} {r.Table} {r.Gateway} {(r.InterfaceIndex is { } i ? names[i] : "-")} {r.PreferredSource} {r.Metric}").Order(StringComparer.Ordinal),
            $"{reading.Limits} {reading.MptcpEnabled}",
        ];
    }
}
