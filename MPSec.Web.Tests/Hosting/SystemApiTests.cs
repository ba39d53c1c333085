using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Features.Settings;
using MPSec.Linux.Namespaces;
using MPSec.Tests.Hosting.Auth;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Hosting;

public sealed class SystemApiTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task System_OfANamespace_HasItsInterfacesAndTheMachine()
    {
        using var scope = new NamespaceScope();
        var (a, b) = (scope.Add("a"), scope.Add("b"));
        scope.Veth(a, "eth0", "10.9.1.1/24", b, "eth0", "10.9.1.2/24");
        NamespaceThread.Run(b, () =>
        {
            using var udp = new UdpClient();
            udp.Send(new byte[500], new IPEndPoint(IPAddress.Parse("10.9.1.1"), 9));
        });
        await using var app = await RunningApp.StartAsync();
        var made = await app.Program.Services.GetRequiredService<ApiTokenService>().CreateAsync("system", ChangeRole.Viewer, 1, new("adam", ChangeRole.Administrator), Token);
        using var client = ApiTokenTests.Client(app, made.Secret);
        Assert.Equal(HttpStatusCode.NotFound, (await client.GetAsync("/api/v1/gateways/no-such-one/system", Token)).StatusCode);

        // The kernel's time waited for input may go back, then that processor's share of this interval is not known.
        var reply = await client.GetFromJsonAsync<JsonElement>($"/api/v1/gateways/{a}/system", Token);
        for (var again = 0; again < 50 && !IsWhole(reply.GetProperty("machine")); again++)
        {
            reply = await client.GetFromJsonAsync<JsonElement>($"/api/v1/gateways/{a}/system", Token);
        }

        var known = NamespaceScope.IpJson(a, "-d", "-s", "-j", "addr", "show");
        var interfaces = reply.GetProperty("interfaces").EnumerateArray().ToDictionary(i => i.GetProperty("index").GetInt32());
        Assert.Equal(known.GetArrayLength(), interfaces.Count);
        foreach (var link in known.EnumerateArray())
        {
            var own = interfaces[link.GetProperty("ifindex").GetInt32()];
            Assert.Equal(link.GetProperty("ifname").GetString(), own.GetProperty("name").GetString());
            Assert.Equal(link.GetProperty("address").GetString(), own.GetProperty("hardwareAddress").GetString());
            Assert.Equal(link.GetProperty("mtu").GetInt32(), own.GetProperty("mtu").GetInt32());
            Assert.Equal(link.GetProperty("operstate").GetString()!.ToLowerInvariant(), own.GetProperty("state").GetString());
            Assert.Equal(
                link.GetProperty("addr_info").EnumerateArray().Select(i => $"{i.GetProperty("local").GetString()}/{i.GetProperty("prefixlen").GetInt32()}").Order(),
                own.GetProperty("addresses").EnumerateArray().Select(i => i.GetString()!).Order());
            var rx = link.GetProperty("stats64").GetProperty("rx");
            Assert.InRange(own.GetProperty("counters").GetProperty("rxBytes").GetInt64(), 0, rx.GetProperty("bytes").GetInt64());
            Assert.Equal(rx.GetProperty("errors").GetInt64(), own.GetProperty("counters").GetProperty("rxErrors").GetInt64());
            Assert.Equal(rx.GetProperty("dropped").GetInt64(), own.GetProperty("counters").GetProperty("rxDropped").GetInt64());

            // Neither loopback nor veth has a speed, whatever the driver says.
            Assert.Equal(JsonValueKind.Null, own.GetProperty("speedMbit").ValueKind);
            Assert.Equal("virtual", own.GetProperty("noSpeedBecause").GetString(), ignoreCase: true);
        }

        var eth0 = interfaces.Values.Single(i => i.GetProperty("name").GetString() == "eth0");
        Assert.Equal("veth", eth0.GetProperty("driver").GetString());
        Assert.True(eth0.GetProperty("counters").GetProperty("rxBytes").GetInt64() > 0);
        Assert.Equal(NamespaceScope.In(a, "cat", "/proc/net/dev").Split('\n').Count(l => l.Contains(':', StringComparison.Ordinal)), interfaces.Count);
        Assert.True(eth0.GetProperty("carrierChanges").GetInt32() >= 1);

        var machine = reply.GetProperty("machine");
        Assert.Equal(NamespaceScope.Run("uname", "-n").Trim(), machine.GetProperty("identity").GetProperty("hostName").GetString());
        Assert.InRange(machine.GetProperty("cpu").GetProperty("busy").GetDouble(), 0, 100.0001);
        Assert.Equal(Processors(), machine.GetProperty("processors").GetArrayLength());
        Assert.True(machine.GetProperty("busiest").GetArrayLength() > 0);
        Assert.True(machine.GetProperty("processesByState").EnumerateObject().Sum(s => s.Value.GetInt32()) == machine.GetProperty("processes").GetInt32());
    }

    private static int Processors() => File.ReadAllLines("/proc/stat").Count(l => l.StartsWith("cpu", StringComparison.Ordinal)) - 1;

    private static bool IsWhole(JsonElement machine) => machine.GetProperty("cpu").ValueKind == JsonValueKind.Object && machine.GetProperty("processors").GetArrayLength() == Processors();
}
