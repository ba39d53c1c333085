using System.Net;
using System.Security.Claims;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Hosting.Auth;

namespace MPSec.Tests.Hosting.Auth;

public sealed class SignInFixture : IAsyncLifetime
{
    internal RunningApp App { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        App = await RunningApp.StartAsync();
        foreach (var role in UserRole.All)
        {
            await App.AddUserAsync(role.ToLowerInvariant(), role);
        }
    }

    public ValueTask DisposeAsync() => App.DisposeAsync();
}

public sealed class SignInTests(SignInFixture fixture) : IClassFixture<SignInFixture>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private RunningApp App => fixture.App;

    [Fact]
    public async Task SignIn_RightPassword_OpensPagesAndSetsAStrictCookie()
    {
        using var client = App.Client();
        var answer = await App.SignInAsync(client, "viewer", returnUrl: "/gallery?gateway=lab-a");
        Assert.Equal(HttpStatusCode.SeeOther, answer.StatusCode);
        Assert.Equal("/gallery?gateway=lab-a", answer.Headers.Location!.ToString());
        var cookie = Assert.Single(answer.Headers.GetValues("Set-Cookie"), c => c.StartsWith("mpsec-session=", StringComparison.Ordinal)).ToLowerInvariant();
        Assert.Contains("httponly", cookie);
        Assert.Contains("samesite=strict", cookie);
        Assert.DoesNotContain("expires", cookie);
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/gallery", Stop)).StatusCode);
    }

    [Theory]
    [InlineData("viewer", "wrong password here")]
    [InlineData("nobody-at-all", "wrong password here")]
    [InlineData("viewer", "")]
    [InlineData("", "x")]
    [InlineData("<script>", "x")]
    public async Task SignIn_Wrong_SaysTheSameAndSetsNoSession(string name, string password)
    {
        using var client = App.Client();
        var answer = await App.SignInAsync(client, name, password);
        Assert.Equal("/sign-in?error=wrong&returnUrl=%2F", answer.Headers.Location!.ToString());
        Assert.False(answer.Headers.TryGetValues("Set-Cookie", out var cookies) && cookies.Any(c => c.StartsWith("mpsec-session", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Page_WithoutSession_GoesToSignInAndComesBack()
    {
        using var client = App.Client();
        var answer = await client.GetAsync("/gallery?gateway=lab-a&x=1", Stop);
        Assert.Equal(HttpStatusCode.Redirect, answer.StatusCode);
        Assert.Equal("/sign-in?returnUrl=%2Fgallery%3Fgateway%3Dlab-a%26x%3D1", answer.Headers.Location!.ToString());
    }

    [Fact]
    public async Task Page_LinkFromElsewhere_IsAskedAgainSoThatTheStrictCookieComes()
    {
        using var client = App.Client();
        client.DefaultRequestHeaders.Add("Sec-Fetch-Site", "cross-site");
        var answer = await client.GetAsync("/gallery?gateway=lab-a", Stop);
        Assert.Equal("0;url=/gallery?gateway=lab-a", Assert.Single(answer.Headers.GetValues("Refresh")));
    }

    [Theory]
    [InlineData("/_blazor/negotiate?negotiateVersion=1")]
    [InlineData("/gallery")]
    public async Task Request_WithoutSession_NoPage_Gets401(string address)
    {
        using var client = App.Client();
        client.DefaultRequestHeaders.Accept.Clear();
        var answer = address.StartsWith("/_blazor", StringComparison.Ordinal)
            ? await client.PostAsync(address, null, Stop)
            : await client.GetAsync(address, Stop);
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
    }

    [Fact]
    public async Task SignOut_EndsEverySessionOfTheUser()
    {
        await App.AddUserAsync("leaver", UserRole.Viewer);
        using var one = App.Client();
        using var two = App.Client();
        await App.SignInAsync(one, "leaver");
        await App.SignInAsync(two, "leaver");
        var before = await StampAsync("leaver");
        var form = await RunningApp.FormTokenAsync(one, "/gallery");
        var answer = await RunningApp.PostAsync(one, "/account/sign-out", ("__RequestVerificationToken", form));
        Assert.Equal("/sign-in", answer.Headers.Location!.ToString());
        Assert.Equal(HttpStatusCode.Redirect, (await one.GetAsync("/gallery", Stop)).StatusCode);
        Assert.NotEqual(before, await StampAsync("leaver")); // what every other session is compared with
        Assert.True(AuthSetup.Revalidation <= TimeSpan.FromSeconds(60));
    }

    [Theory]
    [InlineData("/account/sign-in")]
    [InlineData("/account/sign-out")]
    [InlineData("/account/setup")]
    [InlineData("/culture")]
    public async Task Post_WithoutFormToken_IsRefused(string address)
    {
        using var client = App.Client();
        await App.SignInAsync(client, "viewer");
        var answer = await RunningApp.PostAsync(client, address, ("name", "viewer"), ("password", RunningApp.Password), ("culture", "ko"), ("token", "x"));
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    [Theory]
    [InlineData(UserRole.Viewer, UserRole.Viewer, true)]
    [InlineData(UserRole.Viewer, UserRole.Operator, false)]
    [InlineData(UserRole.Viewer, UserRole.Administrator, false)]
    [InlineData(UserRole.Operator, UserRole.Viewer, true)]
    [InlineData(UserRole.Operator, UserRole.Operator, true)]
    [InlineData(UserRole.Operator, UserRole.Administrator, false)]
    [InlineData(UserRole.Administrator, UserRole.Viewer, true)]
    [InlineData(UserRole.Administrator, UserRole.Operator, true)]
    [InlineData(UserRole.Administrator, UserRole.Administrator, true)]
    public async Task Policy_OfRole_IncludesTheWeakerOnes(string role, string policy, bool allowed)
    {
        var user = new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Role, role)], "test"));
        await using var scope = App.Program.Services.CreateAsyncScope();
        var result = await scope.ServiceProvider.GetRequiredService<IAuthorizationService>().AuthorizeAsync(user, null, policy);
        Assert.Equal(allowed, result.Succeeded);
        Assert.Equal(allowed, UserRole.May(user, policy));
    }

    [Fact]
    public void Endpoints_Anonymous_AreOnlyTheseOnes()
    {
        var open = App.Program.Services.GetRequiredService<Microsoft.AspNetCore.Routing.EndpointDataSource>().Endpoints
            .OfType<Microsoft.AspNetCore.Routing.RouteEndpoint>()
            .Where(e => e.Metadata.GetMetadata<IAllowAnonymous>() is not null)
            .Select(e => "/" + e.RoutePattern.RawText!.TrimStart('/'))
            .Where(p => !IsStaticFile(p))
            .Distinct().Order();
        Assert.Equal(["/account/setup", "/account/sign-in", "/culture", "/healthz/live", "/healthz/ready", "/setup", "/sign-in"], open);

        bool IsStaticFile(string path) => App.Program.Services.GetRequiredService<Microsoft.AspNetCore.Routing.EndpointDataSource>().Endpoints
            .Any(e => e is Microsoft.AspNetCore.Routing.RouteEndpoint route && "/" + route.RoutePattern.RawText!.TrimStart('/') == path
                && e.Metadata.Any(m => m.GetType().Name.Contains("StaticAsset", StringComparison.Ordinal)));
    }

    private async Task<string> StampAsync(string name)
    {
        await using var scope = App.Program.Services.CreateAsyncScope();
        var users = scope.ServiceProvider.GetRequiredService<UserManager<IdentityUser>>();
        return await users.GetSecurityStampAsync((await users.FindByNameAsync(name))!);
    }
}
