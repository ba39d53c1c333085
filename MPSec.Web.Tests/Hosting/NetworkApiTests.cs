using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Features.Network;
using MPSec.Hosting.Auth;
using MPSec.Linux.Values;
using MPSec.Tests.Changes;
using MPSec.Tests.Hosting.Auth;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Hosting;

public sealed class NetworkApiTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Configuration_WithoutSignInOrByOperator_CannotBeWritten()
    {
        await using var app = await RunningApp.StartAsync();
        using var nobody = app.Client();
        Assert.NotEqual(HttpStatusCode.OK, (await nobody.GetAsync("/api/v1/gateways/host/network", Token)).StatusCode);
        await app.AddUserAsync("olga", UserRole.Operator);
        using var client = app.Client();
        await app.SignInAsync(client, "olga");
        Assert.Equal("host", (await client.GetFromJsonAsync<JsonElement>("/api/v1/gateways/host/network", Token)).GetProperty("gateway").GetString());
        await ProblemAsync(HttpStatusCode.NotFound, "none is saved yet", client.GetAsync("/api/v1/gateways/host/network/configuration", Token));
        await ProblemAsync(HttpStatusCode.Forbidden, "olga may not", PutAsync(client, "host", NetworkDocument.Empty, "\"0\""));
        await ProblemAsync(HttpStatusCode.Forbidden, "olga may not", client.PostAsync("/api/v1/gateways/host/network/history/1/revert", null, Token));
    }

    [Fact]
    public async Task All_ByAdministrator_ApplyWithACheckAndKeepVersions()
    {
        using var scope = new NamespaceScope();
        var (a, b) = (scope.Add("a"), scope.Add("b"));
        scope.Veth(a, "p1", "10.77.1.1/24", b, "p1", "10.77.1.2/24");
        scope.Veth(a, "p2", "10.77.2.1/24", b, "p2", "10.77.2.2/24");
        NamespaceScope.Ip(a, "route", "add", "default", "via", "10.77.1.2");
        NamespaceScope.Ip(a, "route", "add", "default", "via", "10.77.2.2", "metric", "9");
        await using var app = await RunningApp.StartAsync(builder => builder.Services.AddSingleton<FakeDeadMan>().AddSingleton<IDeadManStart>(p => p.GetRequiredService<FakeDeadMan>()));
        await app.AddUserAsync("adam", UserRole.Administrator);
        using var client = app.Client();
        await app.SignInAsync(client, "adam");
        var document = NetworkDocument.Empty with
        {
            Paths = [new() { Interface = InterfaceName.Parse("p1"), Name = "DSL", Addresses = [IpPrefix.Parse("10.77.1.1/24")], NextHops = [IPAddress.Parse("10.77.1.2")], Table = 101 }],
        };

        await ProblemAsync(HttpStatusCode.Conflict, "observe mode", PutAsync(client, a.Value, document, "\"0\""));
        await client.PostAsync($"/api/v1/gateways/{a}/mode/managed", null, Token);
        var root = $"/api/v1/gateways/{a}/network";
        await ProblemAsync(HttpStatusCode.PreconditionRequired, "If-Match", PutAsync(client, a.Value, document, null));
        await ProblemAsync(HttpStatusCode.BadRequest, "If-Match", PutAsync(client, a.Value, document, "3"));
        await ProblemAsync(HttpStatusCode.PreconditionFailed, "version 7", PutAsync(client, a.Value, document, "\"7\""));
        await ProblemAsync(HttpStatusCode.BadRequest, "path p1: mtu 5", PutAsync(client, a.Value, document with { Paths = [document.Paths[0] with { Mtu = 5 }] }, "\"0\""));
        await ProblemAsync(HttpStatusCode.BadRequest, "timeout", PutAsync(client, a.Value, document, "\"0\"", "?timeoutSeconds=0.5"));

        await ConfirmAsync(client, await PutAsync(client, a.Value, document, "\"0\""));
        var saved = await client.GetAsync(root + "/configuration", Token);
        Assert.Equal("\"1\"", saved.Headers.ETag!.Tag);
        Assert.Equal(document.ToJson(), await saved.Content.ReadAsStringAsync(Token));
        Assert.Contains("10.77.1.1", NamespaceScope.Ip(a, "rule"), StringComparison.Ordinal);
        await ProblemAsync(HttpStatusCode.PreconditionFailed, "adam saved version 1", PutAsync(client, a.Value, document with { Paths = [] }, "\"0\""));

        // A name changes nothing of the gateway: kept at once.
        var renamed = await PutAsync(client, a.Value, document with { Paths = [document.Paths[0] with { Name = "광케이블" }] }, "\"1\"");
        Assert.Equal((HttpStatusCode.OK, 2), (renamed.StatusCode, (await renamed.Content.ReadFromJsonAsync<JsonElement>(Token)).GetProperty("version").GetInt32()));

        await ConfirmAsync(client, await PutAsync(client, a.Value, NetworkDocument.Empty, "\"2\""));
        Assert.DoesNotContain("table 101", NamespaceScope.Ip(a, "rule"), StringComparison.Ordinal);
        Assert.Equal([3, 2, 1], (await client.GetFromJsonAsync<JsonElement>(root + "/history", Token)).EnumerateArray().Select(v => v.GetProperty("version").GetInt32()));
        Assert.Contains("광케이블", await client.GetStringAsync(root + "/history/2", Token), StringComparison.Ordinal);
        Assert.Contains((await client.GetFromJsonAsync<JsonElement>(root + "/history/1/diff/2", Token)).GetProperty("lines").EnumerateArray(), l => l.GetProperty("field").GetString() == "name" && l.GetProperty("old").GetString() == "DSL");
        await ProblemAsync(HttpStatusCode.NotFound, "no version 9", client.GetAsync(root + "/history/9", Token));
        await ProblemAsync(HttpStatusCode.NotFound, "no version 9", client.PostAsync(root + "/history/9/revert", null, Token));

        NamespaceScope.Ip(a, "addr", "add", "10.77.1.1/24", "dev", "p1"); // taken away with the document that named it
        NamespaceScope.Ip(a, "route", "replace", "default", "via", "10.77.1.2");
        await ConfirmAsync(client, await client.PostAsync(root + "/history/2/revert", null, Token));
        Assert.Equal("\"4\"", (await client.GetAsync(root + "/configuration", Token)).Headers.ETag!.Tag);

        Assert.True((await client.GetFromJsonAsync<JsonElement>(root, Token)).GetProperty("findings").GetArrayLength() > 0);
        Assert.Equal(HttpStatusCode.OK, (await client.PostAsync(root + "/repair", null, Token)).StatusCode);
        Assert.Equal(0, (await client.GetFromJsonAsync<JsonElement>(root, Token)).GetProperty("findings").GetArrayLength());
        Assert.Equal("\"5\"", (await client.GetAsync(root + "/configuration", Token)).Headers.ETag!.Tag);
        await ProblemAsync(HttpStatusCode.BadRequest, "peers", client.GetAsync(root + "?peers=1", Token));
        await ProblemAsync(HttpStatusCode.NotFound, "no-such", client.GetAsync("/api/v1/gateways/no-such/network", Token));
    }

    private static Task<HttpResponseMessage> PutAsync(HttpClient client, string gateway, NetworkDocument document, string? match, string query = "")
    {
        var request = new HttpRequestMessage(HttpMethod.Put, $"/api/v1/gateways/{gateway}/network/configuration{query}") { Content = new StringContent(document.ToJson(), Encoding.UTF8, "application/json") };
        if (match is not null)
        {
            request.Headers.TryAddWithoutValidation("If-Match", match);
        }

        return client.SendAsync(request, Token);
    }

    private static async Task ConfirmAsync(HttpClient client, HttpResponseMessage applied)
    {
        Assert.True(applied.StatusCode == HttpStatusCode.Accepted, await applied.Content.ReadAsStringAsync(Token));
        var id = (await applied.Content.ReadFromJsonAsync<JsonElement>(Token)).GetProperty("id").GetGuid();
        var kept = await client.PostAsync($"/api/v1/changes/{id}/confirm", null, Token);
        for (var again = 0; again < 5 && kept.StatusCode == HttpStatusCode.Conflict && (await kept.Content.ReadAsStringAsync(Token)).Contains("confirm over a new connection", StringComparison.Ordinal); again++)
        {
            // The client still held a connection that the server was just closing; programs ask again, as the page does.
            kept = await client.PostAsync($"/api/v1/changes/{id}/confirm", null, Token);
        }

        Assert.True(kept.IsSuccessStatusCode, await kept.Content.ReadAsStringAsync(Token));
    }

    private static async Task ProblemAsync(HttpStatusCode status, string word, Task<HttpResponseMessage> asked)
    {
        using var answer = await asked;
        Assert.True(status == answer.StatusCode, $"{answer.StatusCode}: {await answer.Content.ReadAsStringAsync(Token)}");
        Assert.Contains(word, (await answer.Content.ReadFromJsonAsync<JsonElement>(Token)).GetProperty("detail").GetString());
    }
}
