using System.Net;
using System.Net.WebSockets;

namespace MPSec.Tests.Hosting.Auth;

public sealed class GuardTests(SignInFixture fixture) : IClassFixture<SignInFixture>
{
    public static readonly TheoryData<string?> ForeignOrigins = new(
        null, "null", "", "http://evil.example", "https://evil.example", "http://127.0.0.1", "http://127.0.0.1:1", "https://OWN", "http://OWN.evil.example", "http://evil.OWN",
        "http://OWN@evil.example", "http://evil.example/OWN", "http://OWN/", "http://OWN#", "http://user@OWN", "ws://OWN", "OWN", "//OWN", "http://localhost:PORT", "http://[::1]:PORT",
        "http://127.0.0.1.nip.io:PORT", "http://127.1:PORT", "http://2130706433:PORT", "http://OWN http://evil.example", "file://", "chrome-extension://abc");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(ForeignOrigins))]
    public async Task Circuit_ForeignOrigin_Gets403OnNegotiateStreamAndSocket(string? origin)
    {
        var own = fixture.App.Address.Authority;
        origin = origin?.Replace("OWN", own).Replace("PORT", fixture.App.Address.Port.ToString(System.Globalization.CultureInfo.InvariantCulture));
        using var client = fixture.App.Client();
        await fixture.App.SignInAsync(client, "viewer");
        client.DefaultRequestHeaders.Remove("Origin");
        if (origin is not null)
        {
            Assert.True(client.DefaultRequestHeaders.TryAddWithoutValidation("Origin", origin));
        }

        Assert.Equal(HttpStatusCode.Forbidden, (await client.PostAsync("/_blazor/negotiate?negotiateVersion=1", null, Stop)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await client.GetAsync("/_blazor?id=x", Stop)).StatusCode);
        using var socket = new ClientWebSocket();
        if (!string.IsNullOrEmpty(origin))
        {
            socket.Options.SetRequestHeader("Origin", origin);
        }

        socket.Options.CollectHttpResponseDetails = true;
        await Assert.ThrowsAsync<WebSocketException>(() => socket.ConnectAsync(new Uri($"ws://{own}/_blazor"), Stop));
        Assert.Equal(HttpStatusCode.Forbidden, socket.HttpStatusCode);
    }

    [Fact]
    public async Task Circuit_OverPlainHttpFromAnotherMachine_GetsItsStartUpScripts()
    {
        using var client = fixture.App.Client();
        await fixture.App.SignInAsync(client, "viewer");
        client.DefaultRequestHeaders.Remove("Origin"); // a browser sends no Origin with a GET, and no Sec-Fetch-Site where the address is not trusted
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/_blazor/initializers", Stop)).StatusCode);
    }

    [Fact]
    public async Task Circuit_OwnOriginSignedIn_Negotiates()
    {
        using var client = fixture.App.Client();
        await fixture.App.SignInAsync(client, "viewer");
        Assert.Equal(HttpStatusCode.OK, (await client.PostAsync("/_blazor/negotiate?negotiateVersion=1", null, Stop)).StatusCode);
    }

    [Theory]
    [InlineData("/account/sign-in")]
    [InlineData("/account/sign-out")]
    [InlineData("/account/setup")]
    [InlineData("/culture")]
    [InlineData("/api/v1/anything")]
    public async Task Post_FromAnotherSite_Gets403(string address)
    {
        using var client = fixture.App.Client("http://evil.example");
        Assert.Equal(HttpStatusCode.Forbidden, (await RunningApp.PostAsync(client, address, ("a", "b"))).StatusCode);
    }

    [Theory]
    [InlineData("/sign-in")]
    [InlineData("/gallery")]
    [InlineData("/js/theme.js")]
    [InlineData("/healthz/live")]
    [InlineData("/no/such/page")]
    public async Task Headers_OnEveryAnswer_AreStrict(string address)
    {
        using var client = fixture.App.Client();
        using var answer = await client.GetAsync(address, Stop);
        var policy = Assert.Single(answer.Headers.GetValues("Content-Security-Policy"));
        Assert.Contains("default-src 'none'", policy);
        Assert.Contains("frame-ancestors 'none'", policy);
        Assert.DoesNotContain("unsafe-eval", policy);
        var scripts = policy.Split(';').Single(p => p.Trim().StartsWith("script-src", StringComparison.Ordinal));
        Assert.DoesNotContain("unsafe-inline", scripts);
        Assert.Equal("DENY", Assert.Single(answer.Headers.GetValues("X-Frame-Options")));
        Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
        Assert.Equal("same-origin", Assert.Single(answer.Headers.GetValues("Referrer-Policy")));
        Assert.False(answer.Headers.Contains("Server"));
    }

    [Fact]
    public async Task Nonce_OfTwoPages_Differs()
    {
        using var client = fixture.App.Client();
        using var one = await client.GetAsync("/sign-in", Stop);
        using var two = await client.GetAsync("/sign-in", Stop);
        Assert.NotEqual(one.Headers.GetValues("Content-Security-Policy").Single(), two.Headers.GetValues("Content-Security-Policy").Single());
    }

    [Fact]
    public async Task ForwardedHeaders_FromUnknownPeer_AreIgnored()
    {
        await using var app = await RunningApp.StartAsync(change: o => o.KnownProxies = ["192.0.2.1"]);
        using var client = app.Client();
        client.DefaultRequestHeaders.Add("X-Forwarded-Proto", "https");
        client.DefaultRequestHeaders.Add("X-Forwarded-Host", "evil.example");
        client.DefaultRequestHeaders.Add("X-Forwarded-Prefix", "/evil");
        using var answer = await client.GetAsync("/sign-in", Stop);
        Assert.False(answer.Headers.Contains("Strict-Transport-Security"));
        Assert.Contains("<base href=\"/\"", await answer.Content.ReadAsStringAsync(Stop));
    }

    [Fact]
    public async Task ForwardedHeaders_FromKnownProxy_MoveThePage()
    {
        using var client = fixture.App.Client();
        client.DefaultRequestHeaders.Add("X-Forwarded-Proto", "https");
        client.DefaultRequestHeaders.Add("X-Forwarded-Host", "gw.example");
        client.DefaultRequestHeaders.Add("X-Forwarded-Prefix", "/mpsec");
        using var answer = await client.GetAsync("/sign-in", Stop);
        Assert.True(answer.Headers.Contains("Strict-Transport-Security"));
        Assert.Contains("<base href=\"/mpsec/\"", await answer.Content.ReadAsStringAsync(Stop));
        using var page = await client.GetAsync("/gallery", Stop);
        Assert.Equal("/mpsec/sign-in?returnUrl=%2Fgallery", page.Headers.Location!.ToString());
    }

    [Fact]
    public async Task PathBase_Set_IsInEveryAddress()
    {
        await using var app = await RunningApp.StartAsync(change: o => o.PathBase = "/mpsec");
        Assert.Contains("/mpsec/setup?token=", File.ReadAllText(app.First.LinkFile));
        using var client = app.Client();
        using var page = await client.GetAsync("/mpsec/gallery", Stop);
        Assert.Equal("/mpsec/sign-in?returnUrl=%2Fgallery", page.Headers.Location!.ToString());
    }

    [Fact]
    public void Keys_Folder_IsForTheOwnerOnly() => Assert.Equal(
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute,
        File.GetUnixFileMode(Path.Combine(fixture.App.StateRoot, "keys")));
}
