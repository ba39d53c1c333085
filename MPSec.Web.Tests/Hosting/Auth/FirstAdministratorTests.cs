using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using MPSec.Hosting.Auth;
using MPSec.Tests.Data;

namespace MPSec.Tests.Hosting.Auth;

public sealed class FirstAdministratorTests
{
    private const string Password = RunningApp.Password;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Claim_HundredAtOnce_ExactlyOneWins()
    {
        await using var app = await RunningApp.StartAsync();
        var token = app.Token();
        using var client = app.Client();
        var form = await RunningApp.FormTokenAsync(client, $"/setup?token={token}");
        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => RunningApp.PostAsync(
            client, "/account/setup", ("__RequestVerificationToken", form), ("token", token), ("name", $"admin{i}"), ("password", Password), ("repeated", Password), ("gateway", "lab-a"))));
        Assert.All(answers, a => Assert.Equal(HttpStatusCode.SeeOther, a.StatusCode));
        var winners = answers.Where(a => a.Headers.Location!.ToString() == "/?gateway=lab-a").ToArray();
        Assert.Single(winners);
        Assert.Equal(99, answers.Count(a => a.Headers.Location!.ToString() == "/setup"));
        await using var scope = app.Program.Services.CreateAsyncScope();
        Assert.Single(await scope.ServiceProvider.GetRequiredService<UserAccounts>().ListAsync(Stop));
        Assert.False(File.Exists(app.First.LinkFile));
        Assert.False(app.First.IsGood(token));
    }

    [Fact]
    public async Task Claim_WrongToken_IsRefusedAndMakesNobody()
    {
        using var state = new TempState();
        await using var services = await StartAsync(state, new FakeTimeProvider());
        var first = services.GetRequiredService<FirstAdministrator>();
        var link = await first.IssueAsync("http://localhost:1", null, Stop);
        foreach (var guess in new[] { null, "", "x", new string('A', 22), new string('A', 5000), link!.Split("token=")[1][..^1] + "~" })
        {
            Assert.Equal(FirstAdministratorOutcome.Refused, (await first.ClaimAsync(guess, "mina", Password, Stop)).Outcome);
        }

        Assert.Empty(await UsersAsync(services));
    }

    [Fact]
    public async Task Claim_WeakPassword_LeavesTheLinkGood()
    {
        using var state = new TempState();
        await using var services = await StartAsync(state, new FakeTimeProvider());
        var first = services.GetRequiredService<FirstAdministrator>();
        var token = (await first.IssueAsync("http://localhost:1", null, Stop))!.Split("token=")[1];
        Assert.Equal(FirstAdministratorOutcome.Invalid, (await first.ClaimAsync(token, "mina", "short", Stop)).Outcome);
        Assert.Equal(FirstAdministratorOutcome.Invalid, (await first.ClaimAsync(token, "no spaces", Password, Stop)).Outcome);
        Assert.Empty(await UsersAsync(services));
        Assert.Equal(FirstAdministratorOutcome.Created, (await first.ClaimAsync(token, "mina", Password, Stop)).Outcome);
        Assert.Equal(FirstAdministratorOutcome.Refused, (await first.ClaimAsync(token, "second", Password, Stop)).Outcome);
        Assert.Equal([new UserAccount("mina", UserRole.Administrator)], await UsersAsync(services));
    }

    [Fact]
    public async Task Claim_After30Minutes_IsRefused()
    {
        using var state = new TempState();
        var time = new FakeTimeProvider();
        await using var services = await StartAsync(state, time);
        var first = services.GetRequiredService<FirstAdministrator>();
        var token = (await first.IssueAsync("http://localhost:1", null, Stop))!.Split("token=")[1];
        time.Advance(TimeSpan.FromMinutes(30) - TimeSpan.FromSeconds(1));
        Assert.True(first.IsGood(token));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(FirstAdministratorOutcome.Refused, (await first.ClaimAsync(token, "mina", Password, Stop)).Outcome);
    }

    [Fact]
    public async Task Issue_Again_VoidsTheLinkBefore()
    {
        using var state = new TempState();
        await using var services = await StartAsync(state, new FakeTimeProvider());
        var first = services.GetRequiredService<FirstAdministrator>();
        var before = (await first.IssueAsync("http://localhost:1", null, Stop))!.Split("token=")[1];
        var after = (await first.IssueAsync("http://localhost:1", null, Stop))!.Split("token=")[1];
        Assert.NotEqual(before, after);
        Assert.False(first.IsGood(before));
        Assert.True(first.IsGood(after));
    }

    [Fact]
    public async Task Issue_WithAdministrator_GivesNoneAndRemovesTheFile()
    {
        using var state = new TempState();
        await using var services = await StartAsync(state, new FakeTimeProvider());
        var first = services.GetRequiredService<FirstAdministrator>();
        await first.IssueAsync("http://localhost:1", null, Stop);
        await using (var scope = services.CreateAsyncScope())
        {
            Assert.True((await scope.ServiceProvider.GetRequiredService<UserAccounts>().AddAsync("mina", Password, UserRole.Administrator, Stop)).Succeeded);
        }

        Assert.Null(await first.IssueAsync("http://localhost:1", null, Stop));
        Assert.False(File.Exists(first.LinkFile));
    }

    [Fact]
    public async Task Issue_Link_Has128BitsAndAFileForTheOwnerOnly()
    {
        using var state = new TempState();
        await using var services = await StartAsync(state, new FakeTimeProvider());
        var first = services.GetRequiredService<FirstAdministrator>();
        var link = await first.IssueAsync("http://localhost:8080/mpsec", "lab-a", Stop);
        Assert.StartsWith("http://localhost:8080/mpsec/setup?token=", link);
        Assert.EndsWith("&gateway=lab-a", link);
        Assert.Equal(22, link!.Split("token=")[1].Split('&')[0].Length); // 16 bytes in base64url
        Assert.Equal(link, (await File.ReadAllTextAsync(first.LinkFile, Stop)).Trim());
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(first.LinkFile));
    }

    [Fact]
    public async Task SetupPage_UsedLink_SaysSoAndShowsNoForm()
    {
        await using var app = await RunningApp.StartAsync();
        using var client = app.Client();
        var html = await client.GetStringAsync("/setup?token=guess", Stop);
        Assert.DoesNotContain("account/setup", html);
        Assert.Contains("no longer good", html);
    }

    [Fact]
    public async Task Setup_PasswordsDiffer_KeepsTheLinkAndNamesTheFault()
    {
        await using var app = await RunningApp.StartAsync();
        var token = app.Token();
        using var client = app.Client();
        var form = await RunningApp.FormTokenAsync(client, $"/setup?token={token}");
        var answer = await RunningApp.PostAsync(
            client, "/account/setup", ("__RequestVerificationToken", form), ("token", token), ("name", "mina"), ("password", Password), ("repeated", Password + "!"), ("gateway", "lab-a"));
        var location = answer.Headers.Location!.ToString();
        Assert.Contains("error=differs", location);
        Assert.Contains("gateway=lab-a", location);
        Assert.Contains("The two passwords differ.", await client.GetStringAsync(location, Stop));
    }

    private static async Task<ServiceProvider> StartAsync(TempState state, TimeProvider time)
    {
        var services = await state.StartAsync(s => s.AddSingleton(time).AddSingleton<FirstAdministrator>().AddMPSecUsers());
        await using var scope = services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<UserAccounts>().EnsureRolesAsync();
        return services;
    }

    private static async Task<IReadOnlyList<UserAccount>> UsersAsync(IServiceProvider services)
    {
        await using var scope = services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<UserAccounts>().ListAsync(Stop);
    }
}
