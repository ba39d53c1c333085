using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Components.Server.Circuits;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Hosting.Auth;
using MPSec.Hosting.Bench;
using MPSec.Linux.Gateways;
using MPSec.Live;
using MPSec.Tests.Hosting.Auth;

namespace MPSec.Tests.Hosting.Load;

/// <summary>The real program, and pages without a browser that are open on it.</summary>
internal sealed class OpenPages : IAsyncDisposable
{
    public const string Dashboard = "/multipath?if=lo";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(90);

    private readonly List<HeadlessCircuit> _pages = [];
    private readonly CookieContainer _cookies = new();
    private HttpClient _http = null!;

    public RunningApp App { get; private set; } = null!;

    public CircuitWatch Circuits { get; } = new();

    public int Watchers => App.Program.Services.GetRequiredService<ILiveFeeds<GatewaySnapshot, RatePoint>>().Get("host").Store.SubscriberCount;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<OpenPages> StartAsync(Action<IServiceCollection>? add = null)
    {
        var pages = new OpenPages();
        pages.App = await RunningApp.StartAsync((WebApplicationBuilder b) =>
        {
            b.Services.AddSingleton<CircuitHandler>(pages.Circuits);
            add?.Invoke(b.Services);
        }, o => o.SampleIntervalMs = 100);
        await pages.App.AddUserAsync("adam", UserRole.Administrator);
        pages._http = new(new SocketsHttpHandler { CookieContainer = pages._cookies, UseProxy = false }) { BaseAddress = pages.App.Address };
        pages._http.DefaultRequestHeaders.Add("Origin", pages.App.Address.GetLeftPart(UriPartial.Authority));
        pages._http.DefaultRequestHeaders.Add("Accept", "text/html");
        using var answer = await pages.App.SignInAsync(pages._http, "adam");
        return pages;
    }

    public Uri Page(string path) => new(App.Address, path);

    public async Task<HeadlessCircuit> OpenAsync(string path = Dashboard)
    {
        var page = await HeadlessCircuit.OpenAsync(_http, _cookies.GetCookieHeader(App.Address), Page(path), Token);
        _pages.Add(page);
        return page;
    }

    /// <summary>Closes all pages as browsers do.</summary>
    public async Task LeaveAsync()
    {
        await Task.WhenAll(_pages.Select(p => p.LeaveAsync(_http, Token)));
        _pages.Clear();
    }

    public static async Task UntilAsync(Func<bool> condition, Func<string> why)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < s_patience, why());
            await Task.Delay(50, Token);
        }
    }

    /// <summary>Waits until <paramref name="page"/> got this many more chart rows.</summary>
    public static Task TicksAsync(HeadlessCircuit page, int more)
    {
        var goal = page.Traffic.ChartCalls + more;
        return UntilAsync(() => page.Traffic.ChartCalls >= goal || page.Ended is not null, () => $"{page.Traffic.ChartCalls} ticks of {goal}");
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_pages.Select(p => p.DisposeAsync().AsTask()));
        _http.Dispose();
        await App.DisposeAsync();
    }

    internal sealed class CircuitWatch : CircuitHandler
    {
        private readonly ConcurrentDictionary<string, byte> _open = new();

        public int Open => _open.Count;

        public override Task OnCircuitOpenedAsync(Circuit circuit, CancellationToken cancellationToken)
        {
            _open[circuit.Id] = 0;
            return Task.CompletedTask;
        }

        public override Task OnCircuitClosedAsync(Circuit circuit, CancellationToken cancellationToken)
        {
            _open.TryRemove(circuit.Id, out _);
            return Task.CompletedTask;
        }
    }
}
