using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using MPSec.Changes;
using MPSec.Features.Lab;
using MPSec.Linux.Sockets;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Browser;

/// <summary>The Connections page on a real lab with a real transfer.</summary>
[Collection(nameof(BrowserTests))]
public sealed class ConnectionsPageTests(BrowserFixture browser) : IAsyncLifetime
{
    private readonly string _name = "mpb" + Guid.NewGuid().ToString("N")[..6];
    private readonly List<Socket> _sockets = [];
    private LabSpec? _spec;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        using var scope = new NamespaceScope(); // skips where namespaces cannot be made
        Assert.SkipUnless(File.Exists("/usr/bin/chromium"), "/usr/bin/chromium is not installed");
        _spec = LabSpec.Parse(_name, "20,30,50", null, 50, out _)!;
        await browser.App.Services.GetRequiredService<LabService>().UpAsync(_spec, ChangeActor.System, Token);
        await browser.App.Services.GetRequiredService<LabTransferService>().StartAsync(_name, new(), ChangeActor.System, Token);

        // Two more connections that stand still: one over MPTCP, one that nobody lists.
        var listener = MptcpSocket.Open(_spec.B, AddressFamily.InterNetwork);
        _sockets.Add(listener);
        listener.Bind(new IPEndPoint(IPAddress.Any, 7443));
        listener.Listen(4);
        foreach (var multipath in new[] { true, false })
        {
            var client = MptcpSocket.Open(_spec.A, AddressFamily.InterNetwork, multipath);
            _sockets.Add(client);
            await client.ConnectAsync(IPEndPoint.Parse("10.99.1.2:7443"), Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _sockets.ForEach(s => s.Dispose());
        if (_spec is not null)
        {
            await browser.App.Services.GetRequiredService<LabService>().DownAsync(_name, ChangeActor.System, CancellationToken.None);
        }
    }

    [Fact]
    public async Task Page_WithTraffic_ListsFiltersAndExplainsAndTheLinkShowsTheSame()
    {
        await using var page = await browser.OpenAsync(new(Height: 1000), $"/connections?gateway={_spec!.A}");
        var idle = page.Page.Locator("tr.c", new() { HasText = "10.99.1.2:7443" });
        await Assertions.Expect(idle).ToHaveCountAsync(1);
        await Assertions.Expect(page.Page.Locator(".live-state")).ToContainTextAsync("none fell back to TCP");
        await Assertions.Expect(page.Page.Locator("footer", new() { HasText = "plain TCP" })).ToContainTextAsync("not listed: 1");

        var filter = page.Page.Locator("#filter");
        await filter.PressSequentiallyAsync("path:2 rtz>1");
        await Assertions.Expect(page.Page.Locator("#filter-problem")).ToContainTextAsync("At character 8");
        await Assertions.Expect(page.Page.Locator(".where mark")).ToHaveTextAsync("rtz");
        await page.ShotAsync("connections-filter-wrong", fullPage: false);
        await filter.FillAsync("remote:7443 -fallback:yes");
        await Assertions.Expect(page.Page.Locator("tr.c")).ToHaveCountAsync(1);
        await Assertions.Expect(page.Page.Locator("#filter-problem span")).ToHaveCountAsync(0);
        await Assertions.Expect(filter).ToBeFocusedAsync();
        await page.UrlAsync(u => u.Contains("filter=remote", StringComparison.Ordinal));

        await idle.Locator(".name").ClickAsync();
        var pane = page.Page.Locator(".pane");
        await Assertions.Expect(pane).ToContainTextAsync("ss -Mni");
        await Assertions.Expect(pane.Locator("[data-fact=process]")).ToContainTextAsync($"({Environment.ProcessId})");
        await Assertions.Expect(page.Page.Locator("tr.sub")).Not.ToHaveCountAsync(0);
        await page.UrlAsync(u => u.Contains("token=", StringComparison.Ordinal));

        await using var other = await browser.OpenAsync(new(Height: 1000), page.Page.Url);
        await Assertions.Expect(other.Page.Locator("#filter")).ToHaveValueAsync("remote:7443 -fallback:yes");
        await Assertions.Expect(other.Page.Locator("tr.c.sel")).ToHaveCountAsync(1);
        await Assertions.Expect(other.Page.Locator(".pane")).ToHaveAttributeAsync("data-details", (await pane.GetAttributeAsync("data-details"))!);

        await idle.Locator(".name").FocusAsync();
        await page.Page.Keyboard.PressAsync("Escape");
        await Assertions.Expect(pane).ToHaveCountAsync(0);
        await page.UrlAsync(u => !u.Contains("token=", StringComparison.Ordinal));
        await page.AssertAccessibleAsync();
    }

    [Fact]
    public async Task Page_InEveryLook_IsAccessibleAndFitsTheWindow()
    {
        foreach (var (width, theme, language, word) in new[] { (1440, "dark", "en", "Connections"), (1440, "light", "ko", "연결"), (390, "light", "en", "Connections"), (390, "dark", "ko", "연결") })
        {
            await using var page = await browser.OpenAsync(new(width, 1000, theme, language), $"/connections?gateway={_spec!.A}");
            await page.Page.WaitForSelectorAsync("tr.c:nth-of-type(3)");
            await Assertions.Expect(page.Page.Locator("h1")).ToHaveTextAsync(word);
            await page.Page.Locator("tr.c .name").First.ClickAsync();
            await page.Page.WaitForSelectorAsync("tr.sub");
            await page.ShotAsync($"connections-{theme}-{language}-{width}", fullPage: width > 600);
            Assert.True(await page.Page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth <= window.innerWidth"), "the page is wider than the window");
            await page.AssertAccessibleAsync();
            await page.Page.Locator(".pane header button").ClickAsync();
            await Assertions.Expect(page.Page.Locator(".pane")).ToHaveCountAsync(0);
            await page.ShotAsync($"connections-list-{theme}-{language}-{width}", fullPage: width > 600);
        }
    }
    [Fact]
    public async Task Grid_TenThousandLiveConnections_RendersOnlyWhatIsInSightAndKeepsItsPlace()
    {
        await using var page = await browser.OpenAsync(new(Height: 1000), "/gallery/connections");
        var cost = page.Page.Locator("#cost");
        await page.Page.WaitForFunctionAsync("() => Number(document.querySelector('#cost').dataset.rounds) >= 3");
        await Assertions.Expect(cost).ToContainTextAsync("16668 lines");
        await page.Page.EvaluateAsync("() => { document.querySelector('.list').scrollTop = 250000; }");
        await Assertions.Expect(page.Page.Locator("tbody tr[data-token]")).Not.ToHaveCountAsync(0);
        await page.Page.WaitForFunctionAsync("() => [...document.querySelectorAll('tbody tr')].some(r => (r.dataset.token || r.dataset.subflow) && r.getBoundingClientRect().top > 300 && r.getBoundingClientRect().top < 700)");

        // Live updates move nothing: neither the list nor the row in it.
        const string Seen = "() => { const l = document.querySelector('.list'); const r = [...l.querySelectorAll('tr[data-token]')].find(r => r.getBoundingClientRect().top > 400); return [l.scrollTop, r.dataset.token, Math.round(r.getBoundingClientRect().top)].join(' '); }";
        await page.Page.WaitForTimeoutAsync(500);
        var (before, rounds) = (await page.Page.EvaluateAsync<string>(Seen), await cost.GetAttributeAsync("data-rounds"));
        await page.Page.WaitForFunctionAsync($"() => Number(document.querySelector('#cost').dataset.rounds) >= {rounds} + 3");
        Assert.Equal(before, await page.Page.EvaluateAsync<string>(Seen));
        Assert.InRange(await page.Page.Locator("tbody tr").CountAsync(), 10, 120);

        // One screen further per frame for a second: how many frames the browser gave.
        var frames = await page.Page.EvaluateAsync<int>("() => new Promise(done => { const l = document.querySelector('.list'); let n = 0; const end = performance.now() + 1000; const step = t => { n++; l.scrollTop += 200; t < end || (n < 3 && t < end + 30000) ? requestAnimationFrame(step) : done(n); }; requestAnimationFrame(step); })");
        var figures = await cost.EvaluateAsync<string>("e => JSON.stringify(e.dataset)");
        TestContext.Current.TestOutputHelper?.WriteLine($"frames while scrolling {frames} in 1 s; {figures}");
        Assert.True(frames > 2, "the list does not scroll while it is updated");
    }
}
