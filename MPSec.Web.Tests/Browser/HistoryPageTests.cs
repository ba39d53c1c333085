using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using MPSec.Changes;
using MPSec.Data.History;
using MPSec.Features.Lab;
using MPSec.Linux.Gateways;
using MPSec.Live;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Browser;

/// <summary>History on the Multipath page and the event timeline, on a real lab with an hour of recorded past.</summary>
[Collection(nameof(BrowserTests))]
public sealed class HistoryPageTests(BrowserFixture browser) : IAsyncLifetime
{
    private readonly string _name = "mph" + Guid.NewGuid().ToString("N")[..6];
    private LabSpec? _spec;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        using var scope = new NamespaceScope(); // skips where namespaces cannot be made
        Assert.SkipUnless(File.Exists("/usr/bin/chromium"), "/usr/bin/chromium is not installed");
        _spec = LabSpec.Parse(_name, "20,30,50", null, 50, out _)!;
        var store = browser.App.Services.GetRequiredService<HistoryStore>();
        var now = TimeProvider.System.GetUtcNow();
        for (var second = 3400; second > 60; second -= 5)
        {
            // Ten minutes of nothing, half an hour ago.
            if (second is < 1500 or > 2100)
            {
                var set = new SeriesSet();
                for (var path = 1; path <= 3; path++)
                {
                    set.Add($"interface/path{path}/tx", (12e6 * path) + (4e6 * Math.Sin(second / 180.0)) + (second % 35 == 0 ? 5e6 : 0));
                    set.Add($"interface/path{path}/rx", 1e6 * path);
                    set.Add($"interface/path{path}/sum", (13e6 * path) + (4e6 * Math.Sin(second / 180.0)));
                }

                store.Record(_spec.A.Value, now.AddSeconds(-second), set);
            }
        }

        store.Record(new HistoryEvent { Scope = _spec.A.Value, At = now.AddSeconds(-1300), Kind = HistoryEventKind.LinkDown, Interface = "path2" });
        store.Record(new HistoryEvent { Scope = _spec.A.Value, At = now.AddSeconds(-1200), Kind = HistoryEventKind.LinkUp, Interface = "path2" });
        store.Record(new HistoryEvent { Scope = _spec.A.Value, At = now.AddSeconds(-1290), Kind = HistoryEventKind.SubflowClosed, Interface = "path2", Token = 0xfeed, Local = "10.99.2.1:40000", Remote = "10.99.2.2:7000", Error = 110, ResetReason = 5 });
        store.Record(new HistoryEvent { Scope = _spec.A.Value, At = now.AddSeconds(-1100), Kind = HistoryEventKind.Lost, Count = 1 });
        await store.FlushAsync(Token);
        await browser.App.Services.GetRequiredService<LabService>().UpAsync(_spec, ChangeActor.System, Token);
        // Only what happens while somebody listens is told.
        var feed = browser.App.Services.GetRequiredService<ILiveFeeds<GatewaySnapshot, RatePoint>>().Get(_spec.A.Value);
        await LabScope.UntilAsync(() => feed.Store.Current?.Value is not null, "the gateway is read and listened to");
        await browser.App.Services.GetRequiredService<LabTransferService>().StartAsync(_name, new(), ChangeActor.System, Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (_spec is not null)
        {
            await browser.App.Services.GetRequiredService<LabService>().DownAsync(_name, ChangeActor.System, CancellationToken.None);
        }
    }

    [Fact]
    public async Task Throughput_OfThePast_IsBrushedResetAndStandsInTheAddress()
    {
        await using var page = await browser.OpenAsync(new(Height: 1500), $"/multipath?gateway={_spec!.A}");
        await page.Page.Locator(".throughput .range summary").ClickAsync();
        await page.Page.Locator("[data-preset='1h']").ClickAsync();
        await page.UrlAsync(u => u.Contains("range=1h", StringComparison.Ordinal));
        var chart = page.Page.Locator("[data-history][data-interface=path2] .history-chart[data-points]");
        await Assertions.Expect(chart).ToHaveCountAsync(1);
        Assert.True(int.Parse((await chart.GetAttributeAsync("data-gaps"))!, CultureInfo.InvariantCulture) > 20, "ten minutes without readings must be a gap");
        Assert.True(int.Parse((await chart.GetAttributeAsync("data-marks"))!, CultureInfo.InvariantCulture) >= 3);
        await page.ShotAsync("history-multipath-light");
        await page.AssertAccessibleAsync();

        // A quarter of the hour is brushed: the address holds it, the chart is finer.
        var box = (await chart.Locator(".u-over").BoundingBoxAsync())!;
        await page.Page.Mouse.MoveAsync(box.X + (box.Width * 0.6f), box.Y + 40);
        await page.Page.Mouse.DownAsync();
        await page.Page.Mouse.MoveAsync(box.X + (box.Width * 0.85f), box.Y + 40, new() { Steps = 5 });
        await page.Page.Mouse.UpAsync();
        await page.UrlAsync(u => u.Contains('~', StringComparison.Ordinal) || u.Contains("%7E", StringComparison.OrdinalIgnoreCase));
        await page.ShotAsync("history-multipath-zoomed");
        await using (var other = await browser.OpenAsync(new(Height: 1500, Theme: "dark"), page.Page.Url[page.Page.Url.IndexOf('/', 8)..]))
        {
            await Assertions.Expect(other.Page.Locator("[data-history] .history-chart[data-points]")).Not.ToHaveCountAsync(0);
            await other.ShotAsync("history-multipath-dark");
        }

        await page.Page.Locator("[data-reset]").ClickAsync();
        await page.UrlAsync(u => !u.Contains("range=", StringComparison.Ordinal));
        await Assertions.Expect(page.Page.Locator(".if canvas")).Not.ToHaveCountAsync(0);
        await page.GoAsync($"/multipath?gateway={_spec.A}&range=1000000000~1000003600");
        await Assertions.Expect(page.Page.Locator(".throughput")).ToContainTextAsync("No data in this range");
        await page.ShotAsync("history-multipath-empty");
        await page.GoAsync($"/?gateway={_spec.A}&range=1h");
        await Assertions.Expect(page.Page.Locator(".past .history-chart[data-points]")).ToHaveCountAsync(1);
        await page.ShotAsync("history-overview");
        await page.AssertAccessibleAsync();
        await using var phone = await browser.OpenAsync(new(Width: 390, Language: "ko"), $"/multipath?gateway={_spec.A}&range=1h");
        await Assertions.Expect(phone.Page.Locator("[data-history] .history-chart[data-points]")).Not.ToHaveCountAsync(0);
        await phone.ShotAsync("history-multipath-phone-ko");
    }

    [Fact]
    public async Task Timeline_OfTheLab_ShowsFiltersAndFollows()
    {
        await using var page = await browser.OpenAsync(new(Height: 1000), $"/connections?gateway={_spec!.A}");
        await page.Page.Locator("[data-tab=timeline]").ClickAsync();
        await Assertions.Expect(page.Page.Locator("tr[data-event=events-lost]")).ToHaveCountAsync(1);
        await Assertions.Expect(page.Page.Locator("tr[data-event=connection-established]")).Not.ToHaveCountAsync(0);
        await Assertions.Expect(page.Page.Locator("tr[data-event=subflow-closed]", new() { HasText = "timed out, reset: bad performance" })).ToHaveCountAsync(1);
        await page.ShotAsync("history-timeline-light", fullPage: false);
        await page.AssertAccessibleAsync();

        await page.Page.Locator("#find").FillAsync("path3");
        await page.Page.Locator("#find").PressAsync("Enter");
        await page.UrlAsync(u => u.Contains("find=path3", StringComparison.Ordinal));
        await Assertions.Expect(page.Page.Locator("#find")).ToHaveValueAsync("path3");
        await Assertions.Expect(page.Page.Locator("tr[data-event=events-lost]")).ToHaveCountAsync(0);
        var ups = page.Page.Locator("tr[data-event=link-up]", new() { HasText = "path3" });
        var before = await ups.CountAsync(); // the lab may have been listened to while it was built
        NamespaceScope.Ip(_spec.A, "link", "set", "path3", "down");
        await Assertions.Expect(page.Page.Locator("tr[data-event=link-down]", new() { HasText = "path3" })).ToHaveCountAsync(1);
        NamespaceScope.Ip(_spec.A, "link", "set", "path3", "up");
        await Assertions.Expect(ups).ToHaveCountAsync(before + 1);
        await using var other = await browser.OpenAsync(new(Height: 1000, Theme: "dark", Language: "ko"), $"/connections?gateway={_spec.A}&tab=timeline");
        await Assertions.Expect(other.Page.Locator("tr[data-event=link-up]")).Not.ToHaveCountAsync(0);
        await other.ShotAsync("history-timeline-dark-ko", fullPage: false);
        await using var phone = await browser.OpenAsync(new(Width: 390, Language: "ko"), $"/connections?gateway={_spec.A}&tab=timeline");
        await Assertions.Expect(phone.Page.Locator("tr[data-event=link-up]")).Not.ToHaveCountAsync(0);
        await phone.ShotAsync("history-timeline-phone-ko", fullPage: false);
        await page.GoAsync($"/connections?gateway={_spec.A}");
        await page.Page.Locator("tr.c .name").First.ClickAsync();
        await Assertions.Expect(page.Page.Locator("[data-own-events] li[data-event=connection-established]")).ToHaveCountAsync(1);
        await Assertions.Expect(page.Page.Locator("[data-fact=age]")).Not.ToHaveTextAsync("–");
        await page.ShotAsync("history-connection-events");
    }
}
