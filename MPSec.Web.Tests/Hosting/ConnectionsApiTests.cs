using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using MPSec.Hosting.Auth;
using MPSec.Linux.Sockets;
using MPSec.Tests.Hosting.Auth;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Hosting;

public sealed class ConnectionsApiTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Connections_OfAGateway_AreFilteredAndWrongFiltersArePointedAt()
    {
        using var scope = new NamespaceScope(); // skips where namespaces cannot be made
        var a = scope.Add("a");
        using var listener = MptcpSocket.Open(a, AddressFamily.InterNetwork);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 5000));
        listener.Listen(2);
        using var client = MptcpSocket.Open(a, AddressFamily.InterNetwork);
        await client.ConnectAsync((IPEndPoint)listener.LocalEndPoint!, Token);
        using var server = await listener.AcceptAsync(Token);
        await client.SendAsync(new byte[700], Token);
        await server.ReceiveAsync(new byte[700], Token);

        await using var app = await RunningApp.StartAsync();
        using var nobody = app.Client();
        var root = $"/api/v1/gateways/{a}/connections";
        Assert.NotEqual(HttpStatusCode.OK, (await nobody.GetAsync(root, Token)).StatusCode);
        await app.AddUserAsync("vera", UserRole.Viewer);
        using var http = app.Client();
        await app.SignInAsync(http, "vera");

        var all = await http.GetFromJsonAsync<JsonElement>(root, Token);
        Assert.Equal((2, 2), (all.GetProperty("total").GetInt32(), all.GetProperty("connections").GetArrayLength()));
        var one = await http.GetFromJsonAsync<JsonElement>(root + "?filter=sent%3E%3D700%20state%3Aestablished", Token);
        var row = Assert.Single(one.GetProperty("connections").EnumerateArray());
        Assert.Equal((700, "127.0.0.1:5000", false), (row.GetProperty("bytesSent").GetInt32(), row.GetProperty("remote").GetString(), row.GetProperty("fallback").GetBoolean()));
        Assert.Equal("lo", Assert.Single(row.GetProperty("subflows").EnumerateArray()).GetProperty("interface").GetString());

        var bad = await http.GetAsync(root + "?filter=path:1%20rtx%3E5", Token);
        Assert.Equal((HttpStatusCode.BadRequest, "application/problem+json"), (bad.StatusCode, bad.Content.Headers.ContentType?.MediaType));
        var problem = await bad.Content.ReadFromJsonAsync<JsonElement>(Token);
        Assert.Equal((7, 3, "NoSuchField"), (problem.GetProperty("position").GetInt32(), problem.GetProperty("length").GetInt32(), problem.GetProperty("code").GetString()));
        Assert.Contains("At character 8", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync("/api/v1/gateways/no-such-gateway/connections", Token)).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await http.GetAsync("/api/v1/gateways/-x/connections", Token)).StatusCode);
    }
}
