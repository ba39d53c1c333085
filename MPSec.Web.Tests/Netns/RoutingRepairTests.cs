using System.Net;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Features.Network;
using MPSec.Linux.Gateways;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;
using MPSec.Tests.Data;

namespace MPSec.Tests.Netns;

/// <summary>Breaks the routing of real paths on purpose: the matrix must name the fault, the repair must make it green, the inverse must bring the fault back.</summary>
public sealed class RoutingRepairTests : IAsyncDisposable
{
    private static readonly ChangeActor Admin = new("tester", ChangeRole.Administrator);
    private readonly NamespaceScope _scope = new();
    private readonly TempState _state = new();
    private readonly NetworkService _network = new(new NoNumbers(), new InterfaceOwnerReader());
    private ServiceProvider? _services;
    private GatewayName _a;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string, RoutingFault> Faults => new()
    {
        { "rule del pref 1002", RoutingFault.MissingRule },
        { "rule del pref 1002; rule add pref 1002 from 10.99.2.1 table 101", RoutingFault.WrongTable },
        { "rule add pref 900 from 10.99.2.1 table main", RoutingFault.WrongTable },
        { "route replace default via 10.99.1.2 dev p1 table 102", RoutingFault.WrongDevice },
        { "route replace default via 10.99.2.2 dev p2 src 10.99.1.1 table 102", RoutingFault.WrongSource },
        { "route del default via 10.99.2.2 table 102", RoutingFault.MissingDefault },
        { "route del unreachable default table 102", RoutingFault.NoLastResort },
        { "-6 rule del pref 1002", RoutingFault.Ipv6Forgotten },
        { "sysctl net.ipv4.conf.p2.rp_filter=1", RoutingFault.StrictReversePath },
    };

    public async ValueTask DisposeAsync()
    {
        if (_services is not null)
        {
            await _services.DisposeAsync();
        }

        _state.Dispose();
        _scope.Dispose();
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task Break_OneThing_IsNamedAloneRepairedAndUndone(string breaking, RoutingFault fault)
    {
        var changes = await PrepareAsync();
        Assert.True((await ReadAsync()).IsProved, "the gateway is sound before");
        foreach (var command in breaking.Split("; "))
        {
            var words = command.Split(' ');
            _ = words[0] == "sysctl" ? NamespaceScope.In(_a, "sysctl", "-qw", words[1]) : NamespaceScope.Ip(_a, words);
        }

        var broken = State();
        var seen = await ReadAsync();
        var finding = Assert.Single(seen.Findings);
        Assert.Equal((fault, "p2"), (finding.Fault, finding.Path));
        Assert.Equal(seen.WrongCells > 0, finding.IsActive);

        var plan = NetworkService.Plan(_a, finding.Repair);
        var preview = await changes.PreviewAsync(plan, Token);
        Assert.NotEmpty(preview.Commands);
        await changes.RunAsync(plan, Admin, Token);
        var repaired = await ReadAsync();
        Assert.True(repaired.IsProved, string.Join(", ", repaired.Findings.Select(f => $"{f.Fault} {f.Path} {string.Join(", ", f.Evidence)}")));
        Assert.Equal(repaired.Cells.Length, repaired.Cells.Count(c => c.Verdict == RoutingVerdict.OwnDevice));

        foreach (var line in preview.Inverse)
        {
            NamespaceScope.Run("/bin/sh", "-c", line); // the preview is a promise: what it prints must work
        }

        Assert.Equal(broken, State());
    }

    [Fact]
    public async Task Repairs_OfAddressesAndDefaultsOnly_MakeEveryPathLeaveByItsOwnDeviceAndKeepForeignRules()
    {
        var changes = await PrepareAsync(bare: true);
        NamespaceScope.Ip(_a, "rule", "add", "pref", "1001", "from", "192.0.2.7", "table", "77");
        NamespaceScope.Ip(_a, "route", "add", "unreachable", "192.0.2.0/24", "table", "102");
        var foreign = NamespaceScope.Ip(_a, "rule", "show", "pref", "1001");
        var before = await ReadAsync();
        Assert.True(before.WrongCells > 0);
        Assert.Equal(6, before.Findings.Count(f => f.Fault is RoutingFault.MissingRule));

        await changes.RunAsync(NetworkService.Plan(_a, before.Repairs), Admin, Token);

        var after = await ReadAsync();
        Assert.True(after.IsProved, string.Join(", ", after.Findings.Select(f => $"{f.Fault} {f.Path}")));
        Assert.Equal(18, after.Cells.Length);
        Assert.Equal(foreign, NamespaceScope.Ip(_a, "rule", "show", "pref", "1001"));
        Assert.DoesNotContain("default", NamespaceScope.Ip(_a, "route", "show", "table", "102"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task LinkDown_WithLastResort_IsSilentAndNoFaultAndItsRoutesAreKnownWhenItIsUpAgain()
    {
        var changes = await PrepareAsync();
        await ReadAsync();
        NamespaceScope.Ip(_a, "link", "set", "p2", "down");

        var down = await ReadAsync();
        Assert.All(down.Cells.Where(c => c is { Path: "p2" } && !c.Peer.IsIPv6()), c => Assert.Equal(RoutingVerdict.Silent, c.Verdict));
        Assert.DoesNotContain(down.Findings, f => f.IsIPv6 == false);

        NamespaceScope.Ip(_a, "link", "set", "p2", "up");
        var up = await ReadAsync();
        Assert.Equal(RoutingFault.MissingDefault, Assert.Single(up.Findings).Fault);
        await changes.RunAsync(NetworkService.Plan(_a, up.Repairs), Admin, Token);
        Assert.True((await ReadAsync()).IsProved);
    }

    [Fact]
    public async Task NetworkShow_WithAFault_PrintsPathsMatrixAndFindingsAndExitsWithZero()
    {
        await PrepareAsync();
        NamespaceScope.Ip(_a, "rule", "del", "pref", "1003");

        var json = NamespaceScope.Parse(NamespaceScope.Run("dotnet", Path.Combine(AppContext.BaseDirectory, "mpsec.dll"), "network", "show", "--gateway", _a.Value, "--peers", "192.0.2.9", "--json"));
        var text = NamespaceScope.Run("dotnet", Path.Combine(AppContext.BaseDirectory, "mpsec.dll"), "network", "show", "--gateway", _a.Value);

        Assert.Equal(["p1", "p2", "p3"], json.GetProperty("paths").EnumerateArray().Select(p => p.GetProperty("name").GetString()));
        Assert.Equal("10.99.2.2", json.GetProperty("paths")[1].GetProperty("v4").GetProperty("nextHop").GetString());
        Assert.Contains(json.GetProperty("cells").EnumerateArray(), c => c.GetProperty("peer").GetString() == "192.0.2.9" && c.GetProperty("verdict").GetString() == "otherDevice");
        var finding = Assert.Single(json.GetProperty("findings").EnumerateArray());
        Assert.Equal(("missingRule", "p3"), (finding.GetProperty("fault").GetString(), finding.GetProperty("path").GetString()));
        Assert.Contains($"ip -n {_a} rule add pref 1003 from 10.99.3.1 table 103", finding.GetProperty("commands").EnumerateArray().Select(c => c.GetString()));
        Assert.Contains("No rule for this source (wrong now)", text, StringComparison.Ordinal);
        Assert.Contains("WRONG p3", text, StringComparison.Ordinal);
    }

    private async Task<ChangeService> PrepareAsync(bool bare = false)
    {
        _a = _scope.Add("a");
        var b = _scope.Add("b");
        for (var i = 1; i <= 3; i++)
        {
            _scope.Veth(_a, $"p{i}", $"10.99.{i}.1/24", b, $"p{i}", $"10.99.{i}.2/24");
            NamespaceScope.Ip(_a, "addr", "add", $"2001:db8:{i}::1/64", "dev", $"p{i}", "nodad");
            NamespaceScope.Ip(_a, "route", "add", "default", "via", $"10.99.{i}.2", "metric", $"{100 + i}");
            NamespaceScope.Ip(_a, "-6", "route", "add", "default", "via", $"2001:db8:{i}::2", "dev", $"p{i}", "metric", $"{100 + i}");
            if (!bare)
            {
                foreach (var (family, address, hop) in new[] { ("-4", $"10.99.{i}.1", $"10.99.{i}.2"), ("-6", $"2001:db8:{i}::1", $"2001:db8:{i}::2") })
                {
                    NamespaceScope.Ip(_a, family, "route", "add", "default", "via", hop, "dev", $"p{i}", "table", $"10{i}");
                    NamespaceScope.Ip(_a, family, "route", "add", "unreachable", "default", "metric", "4278198272", "table", $"10{i}");
                    NamespaceScope.Ip(_a, family, "rule", "add", "pref", $"100{i}", "from", address, "table", $"10{i}");
                }
            }

            NamespaceScope.In(_a, "sysctl", "-qw", $"net.ipv4.conf.p{i}.rp_filter=2");
        }

        NamespaceScope.In(_a, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0");
        _services = await _state.StartAsync(services => services.AddSingleton(TimeProvider.System).AddMPSecChanges());
        await _services.GetRequiredService<GatewayModes>().SetAsync(_a, GatewayMode.Managed, Admin, Token);
        return _services.GetRequiredService<ChangeService>();
    }

    private Task<NetworkSnapshot> ReadAsync()
    {
        using var reader = GatewayReader.Open(_a);
        return _network.ReadAsync(reader.Read(), [], Token);
    }

    private string State() => string.Concat(
        new[] { "-4", "-6" }.Select(f => NamespaceScope.Ip(_a, f, "rule") + NamespaceScope.Ip(_a, f, "route", "show", "table", "all", "proto", "boot")))
        + NamespaceScope.In(_a, "sysctl", "net.ipv4.conf.p2.rp_filter");

    private sealed class NoNumbers : IPathNumbering
    {
        public IReadOnlyDictionary<string, int> NumbersOf(GatewayReading reading) => new Dictionary<string, int>();
    }
}
