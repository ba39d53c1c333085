using System.Collections.Concurrent;
using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using MPSec.Changes;
using MPSec.Components;
using MPSec.Hosting;
using MPSec.Hosting.Auth;
using MPSec.Tests.Data;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Browser;

/// <summary>Browser tests run one after the other and share program and browser.</summary>
[CollectionDefinition(nameof(BrowserTests))]
public sealed class BrowserTests : ICollectionFixture<BrowserFixture>;

/// <summary>How a page is looked at.</summary>
public sealed record BrowserLook(int Width = 1440, int Height = 900, string Theme = "light", string Language = "en", bool SignedIn = true);

/// <summary>
/// The real program on a free port with a state folder of its own, and Debian's chromium. One for all browser tests. With MPSEC_SCREENSHOTS
/// set, pictures are kept in that folder.
/// </summary>
public sealed class BrowserFixture : IAsyncLifetime
{
    public const string UserName = "mina";
    public const string Password = "four paths, one gateway";
    private const string Chromium = "/usr/bin/chromium";

    private readonly TempState _state = new();
    private WebApplication? _app;
    private IPlaywright? _playwright;
    private IBrowser? _browser;
    private string? _session;

    /// <summary>Address of the program, without a slash at the end.</summary>
    public string Url { get; private set; } = "";

    public WebApplication App => _app!;

    /// <summary>The link that made the first administrator; used up.</summary>
    public string SetupLink { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        if (!File.Exists(Chromium))
        {
            return;
        }

        _app = MPSecApp.Build(
            new MPSecOptions { State = _state.Root, Urls = "http://127.0.0.1:0" },
            b => b.Services.AddSingleton(new PageAssembly(typeof(BrowserFixture).Assembly)).AddSingleton(ShownJob.Kind));
        await _app.StartAsync();
        Url = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        SetupLink = (await File.ReadAllTextAsync(_app.Services.GetRequiredService<FirstAdministrator>().LinkFile)).Trim();
        Assertions.SetDefaultExpectTimeout(60_000);
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = Chromium,
            Timeout = 120_000,
            Args =
            [
                "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
                "--disable-background-networking", "--disable-component-update", "--disable-sync", "--force-color-profile=srgb",
            ],
        });
        await using var page = await OpenAsync(new(SignedIn: false), SetupLink);
        await page.Page.FillAsync("#name", UserName);
        await page.Page.FillAsync("#password", Password);
        await page.Page.FillAsync("#repeated", Password);
        await page.Page.ClickAsync(".gate-card button[type=submit]");
        await page.Page.WaitForSelectorAsync(".gate-bar", new() { State = WaitForSelectorState.Detached });
        _session = await page.Page.Context.StorageStateAsync();
    }

    /// <summary>Opens a page; disposing checks that it loaded nothing from elsewhere and logged no error.</summary>
    /// <param name="look">Window, theme, language, signed in or not.</param>
    /// <param name="address">Path and query, or a full address.</param>
    /// <param name="prepare">Called before the first request, for example to route something.</param>
    public async Task<BrowserPage> OpenAsync(BrowserLook look, string address, Func<IBrowserContext, Task>? prepare = null)
    {
        Assert.SkipUnless(_browser is not null, $"{Chromium} is not installed");
        var context = await _browser.NewContextAsync(new()
        {
            ViewportSize = new() { Width = look.Width, Height = look.Height },
            ColorScheme = look.Theme == "dark" ? ColorScheme.Dark : ColorScheme.Light,
            Locale = look.Language == "ko" ? "ko-KR" : "en-US",
            TimezoneId = "Etc/UTC",
            DeviceScaleFactor = look.Width < 600 ? 2 : 1,
            HasTouch = look.Width < 600,
            ReducedMotion = ReducedMotion.Reduce, // drawn by the processor, moving stripes cost a whole core
            StorageState = look.SignedIn ? _session : null,
        });
        context.SetDefaultTimeout(90_000); // a loaded 2-core machine must not fail a test
        await context.AddInitScriptAsync(BrowserPage.NoteToasts);
        if (prepare is not null)
        {
            await prepare(context);
        }

        var page = new BrowserPage(await context.NewPageAsync(), Url);
        await page.Page.GotoAsync(address.StartsWith("http", StringComparison.Ordinal) ? address : Url + address);
        if (look.SignedIn && prepare is null)
        {
            await page.WaitInteractiveAsync();
        }

        return page;
    }

    /// <summary>Waits until no change waits to be confirmed: a page shows what the kernel has, and confirms a moment later.</summary>
    public Task SettledAsync() => LabScope.UntilAsync(() => App.Services.GetRequiredService<ChangeJournal>().PendingAsync().GetAwaiter().GetResult() is null, "no change waits");

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.DisposeAsync();
        }

        _playwright?.Dispose();
        if (_app is not null)
        {
            await _app.StopAsync();
            await _app.DisposeAsync();
        }

        _state.Dispose();
    }
}

/// <summary>A page under test: what it loads and what it complains about is written down.</summary>
public sealed class BrowserPage : IAsyncDisposable
{
    private readonly string _origin;
    private readonly ConcurrentQueue<string> _foreign = new();
    private readonly ConcurrentQueue<string> _errors = new();

    internal BrowserPage(IPage page, string origin)
    {
        Page = page;
        _origin = origin;
        page.Context.Request += (_, request) =>
        {
            if (!request.Url.StartsWith(origin + "/", StringComparison.Ordinal) && !request.Url.StartsWith("data:", StringComparison.Ordinal))
            {
                _foreign.Enqueue(request.Url);
            }
        };
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning" && !IsConfirmedAgain(message))
            {
                _errors.Enqueue($"{message.Type}: {message.Text} ({message.Location})");
            }
        };
        page.PageError += (_, error) => _errors.Enqueue(error);
    }

    public IPage Page { get; }

    /// <summary>Set by tests that provoke errors on purpose, such as a cut connection.</summary>
    public bool ExpectsErrors { get; set; }

    /// <summary>Script for every page: messages stay for five seconds only, so what has been shown is written down.</summary>
    internal const string NoteToasts = """
        window.toastsSeen = new Set();
        new MutationObserver(() => document.querySelectorAll("[data-toast]").forEach(t => toastsSeen.add(t.dataset.toast))).observe(document, { childList: true, subtree: true });
        """;

    /// <summary>Waits for a message of this kind since the document was loaded.</summary>
    public Task ToastAsync(string kind) => ToastAsync(Page, kind);

    internal static Task ToastAsync(IPage page, string kind) => page.WaitForFunctionAsync("kind => window.toastsSeen.has(kind)", kind);

    /// <summary>Waits until buttons work.</summary>
    public Task WaitInteractiveAsync() => Page.WaitForSelectorAsync("[data-interactive=true]");

    /// <summary>Goes to another address and waits until its buttons work: what is clicked before, the page never hears of.</summary>
    /// <param name="path">Path and query, beginning with a slash.</param>
    public async Task GoAsync(string path)
    {
        await Page.GotoAsync(_origin + path);
        await WaitInteractiveAsync();
    }

    /// <summary>Waits until the address is as wanted. It looks again and again: WaitForURLAsync looks once and then waits for the next change, and misses one in between.</summary>
    public Task UrlAsync(Func<string, bool> wanted) => LabScope.UntilAsync(() => wanted(Page.Url), "the address is the one that was waited for");

    /// <summary>Keeps a picture when MPSEC_SCREENSHOTS names a folder.</summary>
    public async Task ShotAsync(string name, bool fullPage = true)
    {
        if (Environment.GetEnvironmentVariable("MPSEC_SCREENSHOTS") is { Length: > 0 } folder)
        {
            await Page.EvaluateAsync("() => document.fonts.ready.then(() => true)");
            await Page.ScreenshotAsync(new() { Path = Path.Combine(folder, name + ".png"), FullPage = fullPage, Animations = ScreenshotAnimations.Disabled });
        }
    }

    /// <summary>No serious or critical accessibility violation. What is on its way in or out, such as a message that fades, is judged when it has arrived.</summary>
    public async Task AssertAccessibleAsync()
    {
        await Page.WaitForFunctionAsync("() => document.getAnimations().every(a => a.playState !== 'running' || a.effect.getComputedTiming().endTime === Infinity)");
        var result = await Page.RunAxe(new AxeRunOptions { ResultTypes = [ResultType.Violations] });
        var violations = result.Violations.Where(v => v.Impact is "serious" or "critical")
            .Select(v => $"{v.Id}: {v.Help} at {string.Join(" | ", v.Nodes.Take(4).Select(n => n.Html))}").ToArray();
        Assert.True(violations.Length == 0, string.Join("\n", violations));
    }

    // A confirmation over a connection from before the change is refused and sent again over a new one: as it should be, and the browser notes the refusal.
    private static bool IsConfirmedAgain(IConsoleMessage message) =>
        message.Text.Contains("409", StringComparison.Ordinal) && message.Location.Contains("/api/v1/changes/", StringComparison.Ordinal) && message.Location.Contains("/confirm", StringComparison.Ordinal);

    public async ValueTask DisposeAsync()
    {
        await Page.Context.CloseAsync();
        Assert.True(_foreign.IsEmpty, string.Join("\n", _foreign));
        if (!ExpectsErrors)
        {
            Assert.True(_errors.IsEmpty, string.Join("\n", _errors));
        }
    }
}
