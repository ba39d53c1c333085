using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using MPSec.Changes;
using MPSec.Linux.Values;

namespace MPSec.Tests.Netns;

/// <summary>
/// An administrator cuts the own connection by real HTTP requests to a real server, in every way that the operations offer; the state before comes back,
/// also when the server is killed meanwhile. The suite takes every fifth kind, MPSEC_LONG=1 every kind, with and without the kill.
/// </summary>
public sealed class CheckedApplyTests
{
    private const double Timeout = 1.5;
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(120);
    private static readonly GatewayName s_host = GatewayName.Host;
    private static readonly InterfaceName s_eth0 = InterfaceName.Parse("eth0");
    private static readonly InterfaceName s_eth1 = InterfaceName.Parse("eth1");

    private static readonly Kind[] s_kinds =
    [
        new("link down", new SetLinkState(s_host, s_eth0, false)),
        new("address removed", new RemoveAddress(s_host, s_eth0, Prefix("10.77.1.1/24"))),
        new("address changed", new RemoveAddress(s_host, s_eth0, Prefix("10.77.1.1/24")), new AddAddress(s_host, s_eth0, Prefix("10.77.1.9/24"))),
        new("wrong prefix", new RemoveAddress(s_host, s_eth0, Prefix("10.77.1.1/24")), new AddAddress(s_host, s_eth0, Prefix("10.77.1.1/32"))),
        new("address moved to another interface", new RemoveAddress(s_host, s_eth0, Prefix("10.77.1.1/24")), new AddAddress(s_host, s_eth1, Prefix("10.77.1.1/24"))),
        new("default route removed", new RemoveRoute(s_host, Default("10.77.1.2"))),
        new("default route unreachable", new ReplaceRoute(s_host, new() { Destination = Prefix("0.0.0.0/0"), Kind = RouteKind.Unreachable, Metric = 100 })),
        new("default route to a black hole", new ReplaceRoute(s_host, new() { Destination = Prefix("0.0.0.0/0"), Kind = RouteKind.Blackhole, Metric = 100 })),
        new("default route by a wrong next hop", new ReplaceRoute(s_host, Default("10.77.1.99"))),
        new("better default route elsewhere", new ReplaceRoute(s_host, new() { Destination = Prefix("0.0.0.0/0"), Interface = s_eth1, Metric = 5 })),
        new("halves of the world to a black hole", [.. new[] { "0.0.0.0/1", "128.0.0.0/1" }.Select(p => new ReplaceRoute(s_host, new() { Destination = Prefix(p), Kind = RouteKind.Blackhole }))]),
        new("default route with a window of one byte", new ReplaceRoute(s_host, Default("10.77.1.2") with { Options = new() { Metrics = [new(RouteMetricName.Window, 1, IsLocked: true)] } })),
        new("network of the client unreachable", new ReplaceRoute(s_host, new() { Destination = Prefix("10.88.0.0/24"), Kind = RouteKind.Unreachable })),
        new("network of the client by another link", new ReplaceRoute(s_host, new() { Destination = Prefix("10.88.0.0/24"), Interface = s_eth1 })),
        new("client prohibited", new ReplaceRoute(s_host, new() { Destination = Prefix("10.88.0.2/32"), Kind = RouteKind.Prohibit })),
        new("client by a wrong next hop", new ReplaceRoute(s_host, new() { Destination = Prefix("10.88.0.2/32"), Interface = s_eth0, NextHop = IPAddress.Parse("10.77.1.99") })),
        new("client's address taken", new AddAddress(s_host, s_eth1, Prefix("10.88.0.2/32"))),
        new("client's network on another link", new AddAddress(s_host, s_eth1, Prefix("10.88.0.1/24"))),
        new("rule to a black hole", new ReplaceRoute(s_host, new() { Destination = Prefix("0.0.0.0/0"), Kind = RouteKind.Blackhole, Table = 78 }), new AddRule(s_host, 50, Prefix("10.77.1.1/32"), 78)),
        new("rule for everybody to an unreachable table", new ReplaceRoute(s_host, new() { Destination = Prefix("0.0.0.0/0"), Kind = RouteKind.Unreachable, Table = 79 }), new AddRule(s_host, 51, Prefix("0.0.0.0/0"), 79)),
        new("rule to a table with another way out", new ReplaceRoute(s_host, new() { Destination = Prefix("0.0.0.0/0"), Interface = s_eth1, Table = 80 }), new AddRule(s_host, 52, Prefix("10.77.1.0/24"), 80)),
        new("table of a rule emptied, link down", new RemoveRoute(s_host, new() { Destination = Prefix("192.0.2.0/24"), Interface = s_eth0, NextHop = IPAddress.Parse("10.77.1.2"), Table = 77 }), new SetLinkState(s_host, s_eth0, false)),
        new("loopback down, forwarding on, default removed", new WriteSysctl(s_host, SysctlKey.Parse("net.ipv4.ip_forward"), "1"), new SetLinkState(s_host, InterfaceName.Parse("lo"), false), new RemoveRoute(s_host, Default("10.77.1.2"))),
        new("link down, link up", new SetLinkState(s_host, s_eth0, false), new SetLinkState(s_host, s_eth0, true)),
        new("interface blocked", new BlockInterface(s_host, s_eth0, true)),
        new("shaped to a trickle", new SetShaper(s_host, s_eth0, 8_000, 1600, 1600)) { Page = "/sign-in" },
        new("strict reverse path, way back elsewhere", new WriteSysctl(s_host, SysctlKey.Parse("net.ipv4.conf.eth0.rp_filter"), "1"), new ReplaceRoute(s_host, new() { Destination = Prefix("10.88.0.0/16"), Interface = s_eth1 })),
        new("no answers to ARP", new WriteSysctl(s_host, SysctlKey.Parse("net.ipv4.conf.eth0.arp_ignore"), "8")) { IsFirstMeeting = true },
        new("no questions by ARP", new WriteSysctl(s_host, SysctlKey.Parse("net.ipv4.neigh.eth0.mcast_solicit"), "0"), new WriteSysctl(s_host, SysctlKey.Parse("net.ipv4.neigh.eth0.ucast_solicit"), "0")) { IsFirstMeeting = true },
        new("IPv6 switched off", new WriteSysctl(s_host, SysctlKey.Parse("net.ipv6.conf.eth0.disable_ipv6"), "1")) { IsIPv6 = true },
        new("IPv6 switched off everywhere", new WriteSysctl(s_host, SysctlKey.Parse("net.ipv6.conf.all.disable_ipv6"), "1")) { IsIPv6 = true },
        new("MTU of 68 bytes", new SetMtu(s_host, s_eth0, 68)) { IsIPv6 = true }, // IPv4 gets through it, slowly
        new("MTU too small for IPv6", new SetMtu(s_host, s_eth0, 1279)) { IsIPv6 = true },
        new("IPv6 route removed", new RemoveRoute(s_host, new() { Destination = Prefix("fd00:88::/64"), Interface = s_eth0, NextHop = IPAddress.Parse("fd00:77::2"), Metric = 1024 })) { IsIPv6 = true },
        new("IPv6 address removed", new RemoveAddress(s_host, s_eth0, Prefix("fd00:77::1/64"))) { IsIPv6 = true },
    ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Apply_EveryKindThatCutsTheClientOff_EverythingIsBack()
    {
        // Two gateways side by side: most of the time is waiting.
        var table = new StringBuilder("kind | server killed | back after | sentence\n");
        var harmless = new List<string>();
        var rounds = (LongProofs.Wanted ? s_kinds.SelectMany(kind => new[] { (kind, true), (kind, false) }) : s_kinds.Where((_, i) => i % 5 == 0).Select((kind, i) => (kind, i % 2 == 0))).ToArray();
        await Task.WhenAll(Enumerable.Range(0, 2).Select(async half =>
        {
            await using var served = await ServedNamespace.StartAsync();
            foreach (var (kind, kill) in rounds.Where((_, i) => i / 2 % 2 == half))
            {
                var (line, cuts) = await CutAsync(served, kind, kill);
                for (var again = 0; !cuts && again < 3; again++)
                {
                    // On a busy machine a packet of before may have come between, such as the answer that a neighbour is known by.
                    (line, cuts) = await CutAsync(served, kind, kill);
                }

                lock (table)
                {
                    table.AppendLine(line);
                    harmless.AddRange(cuts ? [] : [kind.Name]);
                }
            }
        }));
        TestContext.Current.TestOutputHelper?.WriteLine(table.ToString());
        Assert.Empty(harmless); // a new connection got through: such a kind is none
    }

    [Fact]
    public async Task ConfirmAndRollback_OnARunningServer_KeepOrRestore()
    {
        await using var served = await ServedNamespace.StartAsync();
        await ConfirmAsync(served);
        await RollBackByCommandAsync(served);
    }

    private static async Task ConfirmAsync(ServedNamespace served)
    {
        using var http = served.NewClient();
        using var old = served.NewClient();
        (await old.GetAsync("/api/v1/changes/pending", Token)).EnsureSuccessStatusCode();
        HostOperation[] harmless = [new AddAddress(s_host, s_eth1, Prefix("10.66.1.7/24"))];

        var applied = await ServedNamespace.ApplyAsync(http, harmless, 600);
        Assert.Equal(HttpStatusCode.Accepted, applied.StatusCode);
        Assert.True(applied.Headers.ConnectionClose);
        var pending = await applied.Content.ReadFromJsonAsync<JsonElement>(Token);
        var id = pending.GetProperty("id").GetGuid();

        var second = await ServedNamespace.ApplyAsync(http, harmless, 600);
        Assert.Equal(HttpStatusCode.Conflict, second.StatusCode);
        Assert.Contains("of adam", (await second.Content.ReadFromJsonAsync<JsonElement>(Token)).GetProperty("detail").GetString());

        // Its connection was kept alive and idle; the server ended it when the change began to wait, so this one is new.
        var before = served.ConnectionsOpened;
        var kept = await old.PostAsync($"/api/v1/changes/{id}/confirm", null, Token);
        Assert.Equal(before + 1, served.ConnectionsOpened);
        Assert.Equal(HttpStatusCode.OK, kept.StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await old.GetAsync("/api/v1/changes/pending", Token)).StatusCode);
        Assert.Contains("10.66.1.7/24", NamespaceScope.Ip(served.Host, "addr"));
        Assert.Equal(HttpStatusCode.BadRequest, (await ServedNamespace.ApplyAsync(http, harmless, 0.5)).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await http.PostAsJsonAsync("/api/v1/changes", new { operations = new[] { new { verb = "rm" } } }, Token)).StatusCode);
    }

    private static async Task RollBackByCommandAsync(ServedNamespace served)
    {
        var before = served.Snapshot();
        using var http = served.NewClient();
        var request = ServedNamespace.ApplyAsync(http, [new SetLinkState(s_host, s_eth0, false)], 600);
        await WaitingAsync(served, await LastAsync(served));
        await served.KillServerAsync();
        ServedNamespace.EndGuard(Assert.Single(await served.Journal.UnendedChecksAsync(Token)));
        http.CancelPendingRequests(); // its answer can never come
        await Assert.ThrowsAnyAsync<Exception>(() => request);
        Assert.NotEqual(before, served.Snapshot());

        var (code, output) = await served.MpsecAsync("network", "rollback");

        Assert.True(code == 0, output);
        Assert.Contains("asked for it; the state before is back", output);
        await SameAsync(served, before, "rollback");
        Assert.Equal((0, "No change waits to be confirmed; nothing was done\n"), await served.MpsecAsync("network", "rollback"));
    }

    private static async Task<(string Line, bool Cuts)> CutAsync(ServedNamespace served, Kind kind, bool kill)
    {
        var before = served.Snapshot();
        using var http = served.NewClient(isIPv6: kind.IsIPv6);
        Assert.True(await ReachesAsync(http, kind.Page), $"{kind.Name}: the gateway cannot be reached before");
        var last = await LastAsync(served);
        var request = ServedNamespace.ApplyAsync(http, kind.Operations, Timeout);
        var id = await WaitingAsync(served, last);
        var clock = Stopwatch.StartNew();
        var cuts = true;
        if (kill)
        {
            await served.KillServerAsync();
        }
        else
        {
            if (kind.IsFirstMeeting)
            {
                served.ForgetNeighbours();
            }

            using var probe = served.NewClient(TimeSpan.FromMilliseconds(500), kind.IsIPv6);
            cuts = !await ReachesAsync(probe, kind.Page) || await served.Journal.PendingAsync(Token) is not { Stage: PendingStage.Waiting };
        }

        while (await served.Journal.FindAsync(id, Token) is null)
        {
            Assert.True(clock.Elapsed < s_limit, $"{kind.Name}: not undone");
            await Task.Delay(20, Token);
        }

        var took = clock.Elapsed;
        var report = (await served.Journal.FindAsync(id, Token))!;
        Assert.True(report.Outcome == ChangeOutcome.RolledBack, $"{kind.Name}: {report.Sentence}");
        await SameAsync(served, before, kind.Name);
        http.CancelPendingRequests();
        await Task.WhenAny(request, Task.Delay(10, Token));
        if (kill)
        {
            await served.ServeAsync();
        }

        // Duplicate address detection and the like may take the kernel another moment.
        using var again = served.NewClient(TimeSpan.FromSeconds(5), kind.IsIPv6);
        var reaches = false;
        for (var i = 0; i < 10 && !reaches; i++)
        {
            reaches = await ReachesAsync(again, kind.Page);
        }

        Assert.True(reaches, $"{kind.Name}: the gateway cannot be reached afterwards");
        return (string.Create(CultureInfo.InvariantCulture, $"{kind.Name} | {(kill ? "yes" : "no")} | {took.TotalSeconds:0.0} s | {report.Sentence}"), cuts);
    }

    private static async Task<Guid> WaitingAsync(ServedNamespace served, Guid? last)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            if (await served.Journal.PendingAsync(Token) is { Stage: not PendingStage.Applying } pending)
            {
                return pending.Id;
            }

            if (await LastAsync(served) is { } ended && ended != last)
            {
                return ended; // A slow machine may have seen it come and go.
            }

            Assert.True(clock.Elapsed < s_limit, "the change was not applied");
            await Task.Delay(10, Token);
        }
    }

    private static async Task<Guid?> LastAsync(ServedNamespace served) => await served.Journal.RecentAsync(1, Token) is [var last] ? last.Id : null;

    private static async Task<bool> ReachesAsync(HttpClient http, string page)
    {
        try
        {
            return (await http.GetAsync(page, Token)).IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException && !Token.IsCancellationRequested)
        {
            return false;
        }
    }

    // The kernel finishes some things by itself, such as carrier and duplicate address detection.
    private static async Task SameAsync(ServedNamespace served, string before, string what)
    {
        var after = "";
        for (var i = 0; i < 100 && (after = served.Snapshot()) != before; i++)
        {
            await Task.Delay(100, Token);
        }

        Assert.True(after == before, $"{what}: before\n{before}\nafter\n{after}");
    }

    private static RouteSpec Default(string hop) => new() { Destination = Prefix("0.0.0.0/0"), Interface = s_eth0, NextHop = IPAddress.Parse(hop), Metric = 100 };

    private static IpPrefix Prefix(string text) => IpPrefix.Parse(text);

    /// <summary>A kind of change that cuts the administrator off.</summary>
    private sealed record Kind(string Name, params HostOperation[] Operations)
    {
        /// <summary>The administrator comes by IPv6.</summary>
        public bool IsIPv6 { get; init; }

        /// <summary>It shows when one side does not know the other's hardware address yet, or no longer.</summary>
        public bool IsFirstMeeting { get; init; }

        /// <summary>What the administrator asks for.</summary>
        public string Page { get; init; } = "/healthz/live";
    }
}
