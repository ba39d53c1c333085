using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Features.Lab;
using MPSec.Hosting.Auth;
using MPSec.Tests.Hosting.Auth;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Hosting;

public sealed class GatewaysApiTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Read_WithoutSignIn_IsRefused()
    {
        await using var app = await RunningApp.StartAsync();
        using var client = app.Client();
        client.DefaultRequestHeaders.Remove("Accept");
        foreach (var address in new[] { "/api/v1/gateways", "/api/v1/gateways/host" })
        {
            Assert.NotEqual(HttpStatusCode.OK, (await client.GetAsync(address, Token)).StatusCode);
        }
    }

    [Fact]
    public async Task Read_HostAsViewer_HasLoopbackAndUnknownOnesHaveOneSentence()
    {
        await using var app = await RunningApp.StartAsync();
        using var client = await SignedInAsync(app, "vera", UserRole.Viewer);
        var host = await client.GetFromJsonAsync<JsonElement>("/api/v1/gateways/host", Token);
        Assert.Contains(host.GetProperty("links").EnumerateArray(), l => l.GetProperty("name").GetString() == "lo");

        Assert.Equal(HttpStatusCode.NotFound, (await client.GetAsync("/api/v1/gateways/no-such-gateway", Token)).StatusCode);
        var bad = await client.GetAsync("/api/v1/gateways/-x", Token);
        Assert.Equal(HttpStatusCode.BadRequest, bad.StatusCode);
        Assert.Contains("gateway", (await bad.Content.ReadFromJsonAsync<JsonElement>(Token)).GetProperty("detail").GetString());
    }

    [Fact]
    public async Task Change_ByViewerAndOnObservedHost_IsRefused()
    {
        await using var app = await RunningApp.StartAsync();
        using var viewer = await SignedInAsync(app, "vera", UserRole.Viewer);
        Assert.Equal(HttpStatusCode.Forbidden, (await viewer.PostAsync("/api/v1/gateways/host/mptcp/off", null, Token)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await viewer.PostAsync("/api/v1/gateways/host/mode/managed", null, Token)).StatusCode);

        using var administrator = await SignedInAsync(app, "adam", UserRole.Administrator);
        var refused = await administrator.PostAsync("/api/v1/gateways/host/mptcp/off", null, Token);
        Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);
        Assert.Contains("observe", (await refused.Content.ReadFromJsonAsync<JsonElement>(Token)).GetProperty("detail").GetString());
    }

    [Fact]
    public async Task Links_OfLabByOperator_GoDownAndUpWithTheirRoutes()
    {
        using var scope = new NamespaceScope(); // skips where namespaces cannot be made
        await using var app = await RunningApp.StartAsync();
        using var client = await SignedInAsync(app, "olga", UserRole.Operator);
        var spec = LabSpec.Default with { Name = "mpa" + Guid.NewGuid().ToString("N")[..6] };
        var labs = app.Program.Services.GetRequiredService<LabService>();
        await labs.UpAsync(spec, ChangeActor.System, Token);
        try
        {
            var routes = NamespaceScope.Ip(spec.A, "route", "show", "table", "103");
            var down = await client.PostAsync($"/api/v1/gateways/{spec.A}/links/path3/down", null, Token);
            Assert.Equal(HttpStatusCode.OK, down.StatusCode);
            Assert.DoesNotContain("path3", NamespaceScope.Ip(spec.A, "route", "show", "table", "103"));
            Assert.Equal(HttpStatusCode.OK, (await client.PostAsync($"/api/v1/gateways/{spec.A}/links/path3/up", null, Token)).StatusCode);
            Assert.Equal(routes, NamespaceScope.Ip(spec.A, "route", "show", "table", "103"));
            Assert.Equal(HttpStatusCode.NotFound, (await client.PostAsync($"/api/v1/gateways/{spec.A}/links/path9/down", null, Token)).StatusCode);
            Assert.Equal(HttpStatusCode.BadRequest, (await client.PostAsync($"/api/v1/gateways/{spec.A}/links/-x/down", null, Token)).StatusCode);
        }
        finally
        {
            await labs.DownAsync(spec.Name, ChangeActor.System, CancellationToken.None);
        }
    }

    private static async Task<HttpClient> SignedInAsync(RunningApp app, string name, string role)
    {
        await app.AddUserAsync(name, role);
        var client = app.Client();
        await app.SignInAsync(client, name);
        return client;
    }
}
