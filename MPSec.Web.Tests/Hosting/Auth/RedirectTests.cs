using System.Net;
using MPSec.Hosting.Auth;

namespace MPSec.Tests.Hosting.Auth;

public sealed class RedirectTests(SignInFixture fixture) : IClassFixture<SignInFixture>
{
    public static readonly TheoryData<string> Hostile = new(
        "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "/\n/evil.example", "/\r\n/evil.example",
        "http://evil.example", "https:evil.example", "HTTPS://evil.example", "javascript:alert(1)", "data:text/html,x", "evil.example", "evil.example/a",
        " //evil.example", "\t//evil.example", "./\\evil.example", "?//evil.example", "#//evil.example", "@evil.example", ":8080/x", "/a//evil.example",
        "/%0d%0aLocation:x\r\nSet-Cookie:a=b", "/\u0000/evil.example", "/\u0009//evil", "ftp://evil.example", "//127.0.0.1:1/", "/\\/evil.example",
        "/path\\..\\\\evil.example", "~//evil.example", "~/", "", "/" + new string('a', 3000));

    [Theory]
    [MemberData(nameof(Hostile))]
    public void Local_HostileAddress_IsTheStartPage(string address) => Assert.Equal("/", SignInRedirect.Local(address));

    [Theory]
    [InlineData("/")]
    [InlineData("/multipath?gateway=lab-a")]
    [InlineData("/jobs/12?x=http%3A%2F%2Fa")]
    [InlineData("/a?b=//c")]
    public void Local_OwnAddress_Stays(string address) => Assert.Equal(address, SignInRedirect.Local(address));

    [Theory]
    [MemberData(nameof(Hostile))]
    public async Task Culture_HostileReturn_StaysHere(string address)
    {
        using var client = fixture.App.Client();
        var token = await RunningApp.FormTokenAsync(client, "/sign-in");
        var answer = await RunningApp.PostAsync(client, "/culture", ("__RequestVerificationToken", token), ("culture", "ko"), ("returnUrl", address));
        Assert.True(answer.StatusCode == HttpStatusCode.BadRequest || answer.Headers.Location?.ToString() == "/"); // NUL is no form text at all
    }

    [Fact]
    public async Task SignIn_HostileReturn_StaysHere()
    {
        using var client = fixture.App.Client();
        Assert.Equal("/", (await fixture.App.SignInAsync(client, "viewer", returnUrl: "//evil.example")).Headers.Location!.ToString());
    }

    [Fact]
    public async Task Culture_Korean_ChangesThePage()
    {
        using var client = fixture.App.Client();
        var token = await RunningApp.FormTokenAsync(client, "/sign-in");
        await RunningApp.PostAsync(client, "/culture", ("__RequestVerificationToken", token), ("culture", "ko"), ("returnUrl", "/sign-in"));
        var html = await client.GetStringAsync("/sign-in", TestContext.Current.CancellationToken);
        Assert.Contains("<html lang=\"ko\"", html);
        Assert.Contains("로그인", html);
    }

    [Theory]
    [InlineData("ko-KR,ko;q=0.9,en;q=0.5", "ko")]
    [InlineData("de-DE,fr;q=0.5", "en")]
    [InlineData("en-GB", "en")]
    [InlineData("../../etc/passwd", "en")]
    public async Task Page_AcceptLanguage_ChoosesTheLanguage(string header, string expected)
    {
        using var client = fixture.App.Client();
        client.DefaultRequestHeaders.TryAddWithoutValidation("Accept-Language", header);
        Assert.Contains($"<html lang=\"{expected}\"", await client.GetStringAsync("/sign-in", TestContext.Current.CancellationToken));
    }
}
