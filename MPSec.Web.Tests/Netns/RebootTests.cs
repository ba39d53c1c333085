using System.Diagnostics;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Features.Network;
using MPSec.Hosting.Cli;
using MPSec.Linux.Gateways;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;
using MPSec.Tests.Data;

namespace MPSec.Tests.Netns;

/// <summary>
/// A machine that starts again, played with namespaces: gateway and peer are removed and made anew with the same bare links, then <c>mpsec network apply</c> runs as a
/// process of its own. What <c>mpsec status --json</c> says before and after must be equal.
/// </summary>
public sealed class RebootTests : IDisposable
{
    private readonly NamespaceScope _scope = new();
    private readonly TempState _state = new();
    private GatewayName _a;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _scope.Dispose();
        _state.Dispose();
    }

    [Fact]
    public async Task Apply_AfterAReboot_StateIsTheOneBefore()
    {
        Boot();
        await SetUpByCommandAsync();
        var before = await StatusAsync(byCommand: true);
        Assert.Equal(4, before["endpoints"]!.AsArray().Count);
        Assert.Contains("광케이블", (await MpsecAsync("network", "export", "--saved", "--gateway", _a.Value)).Output, StringComparison.Ordinal);

        Reboot();
        var (code, output) = await MpsecAsync("network", "apply", "--all");

        Assert.True(code == 0, output);
        Assert.Contains($"Gateway {_a}: version 2 restored", output, StringComparison.Ordinal);
        Assert.Equal(before.ToJsonString(), (await StatusAsync(byCommand: true)).ToJsonString());
        (code, output) = await MpsecAsync("network", "apply", "--gateway", _a.Value);
        Assert.Equal((0, $"Gateway {_a}: version 2 stands, nothing to change\n"), (code, output));
    }

    [Fact]
    public async Task Apply_KilledInTheMiddle_TheNextOneEndsInTheSameState()
    {
        Boot();
        await SetUpAsync();
        var before = (await StatusAsync()).ToJsonString();
        int[] points = [1, 6, 12, 30];
        var hits = 0;
        for (var tries = 0; tries < 8 && hits < 2; tries++)
        {
            Reboot();
            var events = points[tries % points.Length];
            hits += await KillAfterAsync(events) ? 1 : 0; // a fast process may have ended by then
            var (code, output) = await MpsecAsync("network", "apply", "--gateway", _a.Value);
            Assert.True(code == 0, $"after {events} events: {output}");
            Assert.Equal(before, (await StatusAsync()).ToJsonString());
        }

        Assert.True(hits > 0, "no kill came before the end");
    }

    [Fact]
    public async Task Apply_InterfaceThatComesLate_IsWaitedForAndMissingOnesAreTold()
    {
        Boot();
        await SetUpAsync();
        var before = (await StatusAsync()).ToJsonString();
        Reboot(3);
        var (code, output) = await MpsecAsync("network", "apply", "--all");
        Assert.Equal(1, code);
        Assert.Contains($"path path4: gateway {_a} has no interface path4 now; there are path1, path2, path3", output, StringComparison.Ordinal);
        Assert.Contains("10.99.3.1", NamespaceScope.Ip(_a, "rule"), StringComparison.Ordinal);

        using var waiting = Start("network", "apply", "--all", "--wait", "300");
        var error = waiting.StandardError.ReadToEndAsync(Token);
        await LabScope.UntilAsync(() => NamespaceScope.Ip(_a, "link").Contains("path3", StringComparison.Ordinal) && !waiting.HasExited, "the process waits");
        AddLink(4);
        var said = await waiting.StandardOutput.ReadToEndAsync(Token);
        await waiting.WaitForExitAsync(Token);
        Assert.True(waiting.ExitCode == 0, said + await error);
        Assert.Equal(before, (await StatusAsync()).ToJsonString());

        _scope.Delete(_a);
        (code, output) = await MpsecAsync("network", "apply", "--all");
        Assert.Equal(1, code);
        Assert.Contains(_a.Value, output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Apply_OneThingThatTheKernelRefusesNow_TheOthersAreRestored()
    {
        Boot();
        NamespaceScope.Ip(_a, "addr", "add", "192.168.77.1/24", "dev", "path2"); // by somebody else, and so not there after the reboot
        NamespaceScope.Ip(_a, "link", "set", "path2", "up");
        var document = Whole() with { More = [new ReplaceRoute(GatewayName.Host, new() { Destination = IpPrefix.Parse("203.0.113.0/24"), Interface = InterfaceName.Parse("path2"), NextHop = IPAddress.Parse("192.168.77.2") })] };
        await SetUpAsync(document);

        Reboot();
        var (code, output) = await MpsecAsync("network", "apply", "--all");

        Assert.Equal(1, code);
        Assert.Single(output.Split('\n'), line => line.StartsWith("mpsec: ", StringComparison.Ordinal) && line.Contains("route 203.0.113.0/24", StringComparison.Ordinal));
        Assert.All((string[])["10.99.1.1", "10.99.2.1", "10.99.3.1"], own => Assert.Contains(own, NamespaceScope.Ip(_a, "rule"), StringComparison.Ordinal));
        Assert.Contains("default via 10.99.2.2", NamespaceScope.Ip(_a, "route", "show", "table", "102"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Versions_OnTheCommandLine_AreListedComparedAndRevertedTo()
    {
        Boot();
        await SetUpAsync();
        var history = NamespaceScope.Parse((await MpsecAsync("network", "history", "--json", "--gateway", _a.Value)).Output);
        Assert.Equal([2, 1], history.EnumerateArray().Select(v => v.GetProperty("version").GetInt32()));
        var diff = (await MpsecAsync("network", "diff", "1", "2", "--gateway", _a.Value)).Output;
        Assert.Contains("+++ version 2", diff, StringComparison.Ordinal);
        Assert.Contains("+      \"role\": \"primary\"", diff, StringComparison.Ordinal);

        var (code, output) = await MpsecAsync("network", "revert", "1", "--gateway", _a.Value);

        Assert.True(code == 0, output);
        Assert.Contains("this is version 3", output, StringComparison.Ordinal);
        Assert.DoesNotContain("default", NamespaceScope.Ip(_a, "route"), StringComparison.Ordinal);
        Assert.Equal((await MpsecAsync("network", "export", "--saved", "--gateway", _a.Value)).Output, Plain().ToJson());
        Assert.Equal(2, (await MpsecAsync("network", "revert", "x", "--gateway", _a.Value)).Code);
        (code, output) = await MpsecAsync("network", "revert", "77", "--gateway", _a.Value);
        Assert.Equal((1, $"mpsec: configuration of gateway {_a}: there is no version 77; the last 200 are kept\n"), (code, output));
        Assert.Equal(2, (await MpsecAsync("network", "apply", "--all", "--gateway", _a.Value)).Code);
    }

    [Fact]
    public async Task Apply_WithConfirm_KeepsOnEnterAndUndoesAtTheEndOfTheInput()
    {
        Boot();
        await SetUpAsync();
        var file = Path.Combine(_state.Root, "edit.json");
        var edited = Whole() with { Paths = [.. Whole().Paths.Take(3)] };
        await File.WriteAllTextAsync(file, edited.ToJson(), Token);
        var before = (await StatusAsync()).ToJsonString();

        using (var process = Start("network", "apply", file, "--gateway", _a.Value, "--confirm", "60"))
        {
            process.StandardInput.Close();
            var said = await process.StandardOutput.ReadToEndAsync(Token);
            var error = await process.StandardError.ReadToEndAsync(Token);
            await process.WaitForExitAsync(Token);
            Assert.True(process.ExitCode == 1, said + error);
            Assert.Contains("Press Enter within", said, StringComparison.Ordinal);
            Assert.Contains("not kept", error, StringComparison.Ordinal);
            Assert.Equal(before, (await StatusAsync()).ToJsonString());
        }

        using (var process = Start("network", "apply", file, "--gateway", _a.Value, "--confirm", "60"))
        {
            await process.StandardInput.WriteLineAsync();
            var said = await process.StandardOutput.ReadToEndAsync(Token);
            await process.WaitForExitAsync(Token);
            Assert.True(process.ExitCode == 0, said + await process.StandardError.ReadToEndAsync(Token));
            Assert.Contains("version 3", said, StringComparison.Ordinal);
            Assert.DoesNotContain("10.99.4.1", NamespaceScope.Ip(_a, "addr"), StringComparison.Ordinal);
        }
    }

    /// <summary>Four paths with everything that a document can say.</summary>
    private static NetworkDocument Whole()
    {
        NetworkPathRole[] roles = [NetworkPathRole.Primary, NetworkPathRole.Bonded, NetworkPathRole.Backup, NetworkPathRole.Off];
        string[] names = ["광케이블 1", "DSL", "LTE 예비", "창고"];
        return NetworkDocument.Empty with
        {
            Paths =
            [
                .. Enumerable.Range(1, 4).Select(i => new NetworkDocumentPath
                {
                    Interface = InterfaceName.Parse($"path{i}"),
                    Name = names[i - 1],
                    Role = roles[i - 1],
                    Mtu = i == 3 ? 1380u : null,
                    Addresses = [IpPrefix.Parse($"10.99.{i}.1/24"), IpPrefix.Parse($"2001:db8:{i}::1/64")],
                    NextHops = [IPAddress.Parse($"10.99.{i}.2"), IPAddress.Parse($"2001:db8:{i}::2")],
                    Table = 100 + (uint)i,
                    RulePriority = 1000 + (uint)i,
                }),
            ],
            Mptcp = new()
            {
                Enabled = true,
                Subflows = 8,
                AddAddrAccepted = 6,
                Endpoints =
                [
                    .. Enumerable.Range(1, 4).Select(i => new NetworkDocumentEndpoint { Id = (byte)i, Address = IPAddress.Parse($"10.99.{i}.1"), Flags = [i == 1 ? MptcpEndpointFlags.Subflow : MptcpEndpointFlags.Signal] }),
                    new() { Id = 12, Address = IPAddress.Parse("2001:db8:2::1"), Flags = [MptcpEndpointFlags.Signal], Interface = InterfaceName.Parse("path2") },
                ],
            },
            Settings = NetworkDocument.Empty.Settings.Add("net.ipv4.ip_forward", "1").Add("net.ipv4.conf.path2.rp_filter", "2").Add("net.mptcp.stale_loss_cnt", "6"),
            More =
            [
                new AddRule(GatewayName.Host, 500, IpPrefix.Parse("192.0.2.0/24"), 102),
                new ReplaceRoute(GatewayName.Host, new() { Destination = IpPrefix.Parse("198.51.100.0/24"), Interface = InterfaceName.Parse("path2"), NextHop = IPAddress.Parse("10.99.2.2"), Metric = 30 }),
                new ReplaceRoute(GatewayName.Host, new() { Destination = IpPrefix.Parse("203.0.113.0/24"), Kind = RouteKind.Blackhole }),
            ],
        };
    }

    private static NetworkDocument Plain() => NetworkDocument.Empty with { Paths = [.. Whole().Paths.Select(p => p with { Name = null, Role = null, Mtu = null })] };

    /// <summary>Two versions, by the command line; a process takes seconds to start, so only one test does that.</summary>
    private async Task SetUpByCommandAsync()
    {
        var file = Path.Combine(_state.Root, "document.json");
        Directory.CreateDirectory(_state.Root);
        foreach (var document in (NetworkDocument[])[Plain(), Whole()])
        {
            await File.WriteAllTextAsync(file, document.ToJson(), Token);
            var (code, output) = await MpsecAsync("network", "apply", file, "--gateway", _a.Value, "--manage");
            Assert.True(code == 0, output);
        }
    }

    private async Task SetUpAsync(params NetworkDocument[] documents)
    {
        await using var services = await _state.StartAsync(s => s.AddSingleton(TimeProvider.System).AddMPSecChanges().AddNetworkConfigurations());
        await services.GetRequiredService<GatewayModes>().SetAsync(_a, GatewayMode.Managed, LabScope.Admin, Token);
        foreach (var document in documents.Length > 0 ? documents : [Plain(), Whole()])
        {
            var plan = await services.GetRequiredService<NetworkConfigurationService>().PlanAsync(_a, document, null, cancellationToken: Token);
            await services.GetRequiredService<ChangeService>().RunAsync(plan, LabScope.Admin, Token);
        }
    }

    /// <summary>The gateway with bare links, down and without addresses, as a kernel finds them at boot.</summary>
    private void Boot(int links = 4)
    {
        _a = _scope.Add("a");
        _scope.Add("b");
        Enumerable.Range(1, links).ToList().ForEach(AddLink);
    }

    private void AddLink(int i)
    {
        NamespaceScope.Ip(_a, "link", "add", $"path{i}", "address", $"02:00:00:00:0a:0{i}", "type", "veth", "peer", "name", $"path{i}", "netns", Peer.Value);
        NamespaceScope.Ip(Peer, "link", "set", $"path{i}", "up");
    }

    private GatewayName Peer => GatewayName.Parse(_a.Value[..^1] + "b");

    private void Reboot(int links = 4)
    {
        _scope.Delete(_a);
        _scope.Delete(Peer);
        Boot(links);
    }

    /// <summary>
    /// The gateway's whole status, without what cannot be equal: counters of interfaces, of queues and of the protocols (they count since the namespace exists), and the
    /// order of routes, which the kernel tells in the order in which they were made where it has no other. Indices, link-local addresses, flags, metrics and
    /// protocols stay. Read when duplicate address detection is through and carriers are settled.
    /// </summary>
    private async Task<JsonObject> StatusAsync(bool byCommand = false)
    {
        await LabScope.UntilAsync(() => !NamespaceScope.Ip(_a, "addr").Contains("tentative", StringComparison.Ordinal), "no address is tentative any more");
        string output;
        if (byCommand)
        {
            (var code, output) = await MpsecAsync("status", "--json", "--gateway", _a.Value);
            Assert.True(code == 0, output);
        }
        else
        {
            using var reader = GatewayReader.Open(_a);
            output = JsonSerializer.Serialize(reader.Read(ReadingScope.All), MPSecCommandLine.Json); // what the command prints
        }

        var status = JsonNode.Parse(output)!.AsObject();
        status.Remove("counters");
        foreach (var link in status["links"]!.AsArray())
        {
            link!.AsObject().Remove("counters");
            link.AsObject().Remove("carrierChanges"); // counts as well
        }

        foreach (var queue in status["qdiscs"]!.AsArray())
        {
            queue!.AsObject().Remove("backlogBytes");
            queue.AsObject().Remove("drops");
        }

        status["routes"] = new JsonArray([.. status["routes"]!.AsArray().Select(r => r!.ToJsonString()).Order(StringComparer.Ordinal).Select(r => JsonNode.Parse(r))]);
        return status;
    }

    /// <summary>Kills the process when the kernel has told so many changes; false when it had ended by itself.</summary>
    private async Task<bool> KillAfterAsync(int events)
    {
        await using var monitor = NetlinkMonitor.Open(_a);
        using var process = Start("network", "apply", "--gateway", _a.Value);
        _ = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        _ = process.StandardError.ReadToEndAsync(CancellationToken.None);
        var seen = 0;
        await foreach (var change in monitor.ReadAllAsync(Token))
        {
            if (change is not MptcpEvent && ++seen == events)
            {
                break;
            }
        }

        process.Kill();
        await process.WaitForExitAsync(Token);
        return process.ExitCode != 0;
    }

    private async Task<(int Code, string Output)> MpsecAsync(params string[] arguments)
    {
        using var process = Start(arguments);
        var error = process.StandardError.ReadToEndAsync(Token);
        var output = await process.StandardOutput.ReadToEndAsync(Token);
        await process.WaitForExitAsync(Token);
        return (process.ExitCode, output + await error);
    }

    private Process Start(params string[] arguments) => Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "mpsec"), [.. arguments, "--state", _state.Root])
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!;
}
