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

public sealed class MptcpApiTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Settings_WithoutSignInOrByOperator_CannotBeWritten()
    {
        await using var app = await RunningApp.StartAsync();
        using var nobody = app.Client();
        Assert.NotEqual(HttpStatusCode.OK, (await nobody.GetAsync("/api/v1/gateways/host/mptcp/settings", Token)).StatusCode);
        await app.AddUserAsync("olga", UserRole.Operator);
        using var client = app.Client();
        await app.SignInAsync(client, "olga");

        var settings = await client.GetFromJsonAsync<JsonElement>("/api/v1/gateways/host/mptcp/settings", Token);
        Assert.Contains(settings.EnumerateArray(), s => s.GetProperty("name").GetString() == "net.mptcp.enabled");
        var write = await client.PutAsJsonAsync("/api/v1/gateways/host/mptcp/settings", new Dictionary<string, string> { ["net.mptcp.enabled"] = "1" }, Token);
        Assert.Equal(HttpStatusCode.Forbidden, write.StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await client.PutAsJsonAsync("/api/v1/gateways/host/mptcp/limits", new { subflows = 2, addAddrAccepted = 0 }, Token)).StatusCode);
    }

    [Fact]
    public async Task All_ByAdministratorOnALab_ChangeTheKernelOrSayWhyNot()
    {
        using var scope = new NamespaceScope(); // skips where namespaces cannot be made
        await using var app = await RunningApp.StartAsync();
        await app.AddUserAsync("adam", UserRole.Administrator);
        using var client = app.Client();
        await app.SignInAsync(client, "adam");
        var spec = LabSpec.Parse("mpa" + Guid.NewGuid().ToString("N")[..6], "10,10", null, 50, out _)!;
        var labs = app.Program.Services.GetRequiredService<LabService>();
        await labs.UpAsync(spec, ChangeActor.System, Token);
        try
        {
            var root = $"/api/v1/gateways/{spec.A}/mptcp/";
            Assert.Equal(HttpStatusCode.OK, (await client.PutAsJsonAsync(root + "settings", new Dictionary<string, string> { ["net.mptcp.stale_loss_cnt"] = "5" }, Token)).StatusCode);
            Assert.Equal("5", NamespaceScope.In(spec.A, "cat", "/proc/sys/net/mptcp/stale_loss_cnt").Trim());
            await ProblemAsync(HttpStatusCode.BadRequest, "0 or 1", client.PutAsJsonAsync(root + "settings", new Dictionary<string, string> { ["net.mptcp.enabled"] = "3" }, Token));
            await ProblemAsync(HttpStatusCode.NotFound, "net.core", client.PutAsJsonAsync(root + "settings", new Dictionary<string, string> { ["net.core.somaxconn"] = "3" }, Token));
            await ProblemAsync(HttpStatusCode.BadRequest, "body", client.PutAsync(root + "settings", new StringContent("[", null, "application/json"), Token));

            Assert.Equal(HttpStatusCode.OK, (await client.PutAsJsonAsync(root + "limits", new { subflows = 4, addAddrAccepted = 3 }, Token)).StatusCode);
            Assert.Equal(4, (await client.GetFromJsonAsync<JsonElement>(root + "limits", Token)).GetProperty("subflows").GetInt32());
            await ProblemAsync(HttpStatusCode.BadRequest, "0 to 8", client.PutAsJsonAsync(root + "limits", new { subflows = 9, addAddrAccepted = 3 }, Token));

            Assert.Equal(HttpStatusCode.OK, (await client.PostAsJsonAsync(root + "endpoints", new { address = "10.99.2.1", flags = new[] { "subflow" }, id = 4 }, Token)).StatusCode);
            Assert.Equal(HttpStatusCode.OK, (await client.PutAsJsonAsync(root + "endpoints/4", new { backup = true, fullmesh = false }, Token)).StatusCode);
            Assert.Contains("10.99.2.1 id 4 subflow backup", NamespaceScope.Ip(spec.A, "mptcp", "endpoint"));
            await ProblemAsync(HttpStatusCode.BadRequest, "flags", client.PostAsJsonAsync(root + "endpoints", new { address = "10.99.1.1", flags = new[] { "1" } }, Token));
            Assert.Equal(HttpStatusCode.OK, (await client.DeleteAsync(root + "endpoints/4", Token)).StatusCode);
            Assert.Equal(HttpStatusCode.NotFound, (await client.DeleteAsync(root + "endpoints/4", Token)).StatusCode);

            Assert.Equal(HttpStatusCode.OK, (await client.PostAsync(root + "presets/aggregate?side=OpensToGateway", null, Token)).StatusCode);
            Assert.Contains("subflows 8", NamespaceScope.Ip(spec.A, "mptcp", "limits"));
            await ProblemAsync(HttpStatusCode.BadRequest, "preset", client.PostAsync(root + "presets/1", null, Token));
        }
        finally
        {
            await labs.DownAsync(spec.Name, ChangeActor.System, CancellationToken.None);
        }
    }

    private static async Task ProblemAsync(HttpStatusCode status, string word, Task<HttpResponseMessage> asked)
    {
        using var answer = await asked;
        Assert.Equal(status, answer.StatusCode);
        Assert.Contains(word, (await answer.Content.ReadFromJsonAsync<JsonElement>(Token)).GetProperty("detail").GetString());
    }
}
