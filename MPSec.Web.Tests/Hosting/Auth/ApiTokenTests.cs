using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using MPSec.Changes;
using MPSec.Features.Settings;
using MPSec.Hosting.Auth;
using MPSec.Tests.Data;

namespace MPSec.Tests.Hosting.Auth;

public sealed class ApiTokenTests
{
    private static readonly ChangeActor s_admin = new("adam", ChangeRole.Administrator);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Verify_EveryWrongToken_IsNobody()
    {
        using var state = new TempState();
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60));
        await using var services = await state.StartAsync(s => s.AddSingleton<TimeProvider>(time).AddSingleton<AuditLog>().AddSingleton<ApiTokenService>());
        var tokens = services.GetRequiredService<ApiTokenService>();
        var made = await tokens.CreateAsync("prometheus", ChangeRole.Viewer, 30, s_admin, Token);
        Assert.Equal(ChangeRole.Viewer, (await tokens.VerifyAsync(made.Secret, Token))!.Role);
        var flipped = made.Secret[..^2] + (made.Secret[^2] == 'A' ? 'B' : 'A') + made.Secret[^1];
        foreach (var wrong in new[] { "", "x", "mpsec_", flipped, made.Secret[..^1], made.Secret + "A", made.Secret.ToUpperInvariant(), made.Secret.Replace(made.Token.Key, "000000000000"), new string('a', 62), new string('é', 62) })
        {
            Assert.Null(await tokens.VerifyAsync(wrong, Token));
        }

        time.Advance(TimeSpan.FromDays(30));
        Assert.Null(await tokens.VerifyAsync(made.Secret, Token));
        Assert.Equal(ApiTokenState.Expired, Assert.Single(await tokens.ListAsync(Token)).State);
    }

    [Fact]
    public async Task Create_LeavesOnlyAHashAndAnAuditLine()
    {
        using var state = new TempState();
        await using var services = await state.StartAsync(s => s.AddSingleton(TimeProvider.System).AddSingleton<AuditLog>().AddSingleton<ApiTokenService>());
        var tokens = services.GetRequiredService<ApiTokenService>();
        var made = await tokens.CreateAsync("grafana", ChangeRole.Operator, 1, s_admin, Token);
        await tokens.RevokeAsync("grafana", s_admin, Token);
        Assert.Null(await tokens.VerifyAsync(made.Secret, Token));
        await tokens.CreateAsync("grafana", ChangeRole.Viewer, 1, s_admin, Token); // the name is free again

        var secret = made.Secret[^43..];
        foreach (var file in Directory.EnumerateFiles(state.Root, "*.db*", SearchOption.AllDirectories))
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var reader = new StreamReader(stream, System.Text.Encoding.Latin1);
            Assert.DoesNotContain(secret, await reader.ReadToEndAsync(Token), StringComparison.Ordinal);
        }

        var audit = services.GetRequiredService<AuditLog>();
        Assert.Equal(["token add", "token revoke", "token add"], (await audit.RecentAsync(3, Token)).Select(e => e.Verb));
        Assert.Null(await audit.VerifyAsync(Token));
    }

    [Theory]
    [InlineData("", 1, "name")]
    [InlineData("a b", 1, "name")]
    [InlineData("twice", 1, "name")]
    [InlineData("x", 0, "days")]
    [InlineData("x", 3651, "days")]
    public async Task Create_WrongField_IsNamed(string name, int days, string field)
    {
        using var state = new TempState();
        await using var services = await state.StartAsync(s => s.AddSingleton(TimeProvider.System).AddSingleton<AuditLog>().AddSingleton<ApiTokenService>());
        var tokens = services.GetRequiredService<ApiTokenService>();
        await tokens.CreateAsync("twice", ChangeRole.Viewer, 1, s_admin, Token);
        var fault = await Assert.ThrowsAsync<ChangeException>(() => tokens.CreateAsync(name, ChangeRole.Viewer, days, s_admin, Token));
        Assert.StartsWith(field + ":", fault.Message, StringComparison.Ordinal);
        fault = await Assert.ThrowsAsync<ChangeException>(() => tokens.CreateAsync("y", ChangeRole.Viewer, 1, s_admin with { Role = ChangeRole.Operator }, Token));
        Assert.Equal(ChangeFault.NotPermitted, fault.Fault);
    }

    [Fact]
    public async Task Bearer_OverHttp_HasTheRightsOfItsRoleAndNoMore()
    {
        await using var app = await RunningApp.StartAsync();
        var tokens = app.Program.Services.GetRequiredService<ApiTokenService>();
        var admin = (await tokens.CreateAsync("admin", ChangeRole.Administrator, 1, s_admin, Token)).Secret;
        using var http = Client(app, admin);
        var answer = await http.PostAsJsonAsync("/api/v1/tokens", new { name = "watch", role = "viewer", days = 1 }, Token);
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        var viewer = (await answer.Content.ReadFromJsonAsync<JsonElement>(Token)).GetProperty("secret").GetString()!;
        var list = await http.GetStringAsync("/api/v1/tokens", Token);
        Assert.Contains("\"watch\"", list, StringComparison.Ordinal);
        Assert.DoesNotContain(viewer[^43..], list, StringComparison.Ordinal);

        using var watching = Client(app, viewer);
        Assert.Equal(HttpStatusCode.OK, (await watching.GetAsync("/api/v1/gateways/host", Token)).StatusCode);
        foreach (var (method, path) in new[] { (HttpMethod.Get, "/api/v1/tokens"), (HttpMethod.Post, "/api/v1/gateways/host/mode/managed"), (HttpMethod.Delete, "/api/v1/labs/nothing") })
        {
            using var refused = await watching.SendAsync(new(method, path), Token);
            Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
            Assert.Equal("application/problem+json", refused.Content.Headers.ContentType!.MediaType);
        }

        // Pages and the circuit are for people: a token opens neither, and a cookie beside it counts for nothing.
        Assert.Equal(HttpStatusCode.Unauthorized, (await watching.GetAsync("/gallery", Token)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await watching.PostAsync("/_blazor/negotiate", null, Token)).StatusCode);
        await app.AddUserAsync("boss", UserRole.Administrator);
        using var both = app.Client();
        await app.SignInAsync(both, "boss");
        both.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", viewer);
        Assert.Equal(HttpStatusCode.Forbidden, (await both.GetAsync("/api/v1/tokens", Token)).StatusCode);

        Assert.Equal(HttpStatusCode.NoContent, (await http.DeleteAsync("/api/v1/tokens/watch", Token)).StatusCode);
        using var late = await watching.GetAsync("/api/v1/gateways/host", Token);
        Assert.Equal(HttpStatusCode.Unauthorized, late.StatusCode);
        Assert.Equal("application/problem+json", late.Content.Headers.ContentType!.MediaType);
        Assert.Contains("invalid_token", late.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bearer_ManyWrongOnes_WaitWhileTheRightOneGoesOn()
    {
        await using var app = await RunningApp.StartAsync();
        var good = (await app.Program.Services.GetRequiredService<ApiTokenService>().CreateAsync("good", ChangeRole.Viewer, 1, s_admin, Token)).Secret;
        using var guess = Client(app, "mpsec_000000000000_" + new string('A', 43));
        HttpStatusCode last = default;
        for (var i = 0; i < 14; i++)
        {
            using var answer = await guess.GetAsync("/api/v1/gateways", Token);
            last = answer.StatusCode;
            Assert.True(last == HttpStatusCode.Unauthorized || answer.Headers.RetryAfter is not null);
        }

        Assert.Equal(HttpStatusCode.TooManyRequests, last);
        using var http = Client(app, good);
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/api/v1/gateways", Token)).StatusCode);

        // Sign-in is counted apart.
        await app.AddUserAsync("mina", UserRole.Viewer);
        using var person = app.Client();
        Assert.Equal("/", (await app.SignInAsync(person, "mina")).Headers.Location!.ToString());
    }

    [Fact]
    public async Task Cookie_OnTheApi_StillNeedsItsOrigin()
    {
        await using var app = await RunningApp.StartAsync();
        await app.AddUserAsync("boss", UserRole.Administrator);
        using var client = app.Client();
        await app.SignInAsync(client, "boss");
        client.DefaultRequestHeaders.Remove("Origin");
        client.DefaultRequestHeaders.Add("Origin", "http://evil.example");
        Assert.Equal(HttpStatusCode.Forbidden, (await client.PostAsJsonAsync("/api/v1/tokens", new { name = "x" }, Token)).StatusCode);
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", "YTpi");
        Assert.Equal(HttpStatusCode.Forbidden, (await client.PostAsJsonAsync("/api/v1/tokens", new { name = "x" }, Token)).StatusCode);
        using var nobody = app.Client();
        using var refused = await nobody.GetAsync("/api/v1/tokens", Token);
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        Assert.StartsWith("Bearer", refused.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
    }

    internal static HttpClient Client(RunningApp app, string? token = null)
    {
        var client = new HttpClient { BaseAddress = app.Address };
        if (token is not null)
        {
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        return client;
    }
}
