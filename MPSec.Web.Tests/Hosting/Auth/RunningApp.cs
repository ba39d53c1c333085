using System.Net;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using MPSec.Components;
using MPSec.Hosting;
using MPSec.Hosting.Auth;
using MPSec.Tests.Data;

namespace MPSec.Tests.Hosting.Auth;

/// <summary>The real program on a free port with its own state folder, spoken to by plain HTTP.</summary>
internal sealed partial class RunningApp : IAsyncDisposable
{
    public const string Password = "four paths, one gateway";

    private readonly TempState _state = new();

    private RunningApp()
    {
    }

    public WebApplication Program { get; private set; } = null!;

    public Uri Address { get; private set; } = null!;

    public string StateRoot => _state.Root;

    public FirstAdministrator First => Program.Services.GetRequiredService<FirstAdministrator>();

    public static async Task<RunningApp> StartAsync(Action<WebApplicationBuilder>? configure = null, Action<MPSecOptions>? change = null)
    {
        var app = new RunningApp();
        var options = new MPSecOptions { State = app._state.Root, Urls = "http://127.0.0.1:0" };
        change?.Invoke(options);
        app.Program = MPSecApp.Build(options, b =>
        {
            b.Services.AddSingleton(new PageAssembly(typeof(RunningApp).Assembly));
            b.Logging.ClearProviders();
            configure?.Invoke(b);
        });
        await app.Program.StartAsync(TestContext.Current.CancellationToken);
        app.Address = new Uri(app.Program.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        return app;
    }

    /// <summary>A browser without a screen: keeps cookies, follows nothing, sends the Origin that a browser would.</summary>
    public HttpClient Client(string? origin = "own")
    {
        var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, CookieContainer = new CookieContainer(), UseCookies = true, MaxConnectionsPerServer = 100 })
        {
            BaseAddress = Address,
        };
        if (origin is not null)
        {
            client.DefaultRequestHeaders.Add("Origin", origin == "own" ? Address.GetLeftPart(UriPartial.Authority) : origin);
        }

        client.DefaultRequestHeaders.Add("Accept", "text/html");
        return client;
    }

    public string Token() => File.ReadAllText(First.LinkFile).Trim().Split("token=")[1].Split('&')[0];

    /// <summary>The antiforgery token of the form on <paramref name="page"/>.</summary>
    public static async Task<string> FormTokenAsync(HttpClient client, string page)
    {
        var html = await client.GetStringAsync(page, TestContext.Current.CancellationToken);
        return FormToken().Match(html).Groups[1].Value;
    }

    public static Task<HttpResponseMessage> PostAsync(HttpClient client, string address, params (string Name, string Value)[] fields) =>
        client.PostAsync(address, new FormUrlEncodedContent(fields.Select(f => KeyValuePair.Create(f.Name, f.Value))), TestContext.Current.CancellationToken);

    /// <summary>Adds a user without a page.</summary>
    public async Task AddUserAsync(string name, string role)
    {
        await using var scope = Program.Services.CreateAsyncScope();
        var result = await scope.ServiceProvider.GetRequiredService<UserAccounts>().AddAsync(name, Password, role, TestContext.Current.CancellationToken);
        Assert.True(result.Succeeded, string.Join(" ", result.Errors.Select(e => e.Description)));
    }

    public async Task<HttpResponseMessage> SignInAsync(HttpClient client, string name, string password = Password, string? returnUrl = null)
    {
        var token = await FormTokenAsync(client, "/sign-in");
        return await PostAsync(client, "/account/sign-in", ("__RequestVerificationToken", token), ("name", name), ("password", password), ("returnUrl", returnUrl ?? "/"));
    }

    public async ValueTask DisposeAsync()
    {
        await Program.StopAsync();
        await Program.DisposeAsync();
        _state.Dispose();
    }

    [GeneratedRegex("name=\"__RequestVerificationToken\" value=\"([^\"]+)\"")]
    private static partial Regex FormToken();
}
