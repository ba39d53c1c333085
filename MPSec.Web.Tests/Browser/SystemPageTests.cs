using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using MPSec.Data.History;
using MPSec.Live;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Browser;

[Collection(nameof(BrowserTests))]
public sealed class SystemPageTests(BrowserFixture fixture)
{
    [Theory]
    [InlineData(1440, "light", "en")]
    [InlineData(1440, "dark", "ko")]
    [InlineData(390, "light", "ko")]
    public async Task Page_OfAGateway_ShowsTheMachineLiveAndItsOwnInterfaces(int width, string theme, string language)
    {
        LongProofs.SkipUsually(theme == "light" && width != 390);
        using var scope = new NamespaceScope();
        var (a, b) = (scope.Add("a"), scope.Add("b"));
        scope.Veth(a, "eth7", "10.9.1.1/24", b, "eth0", "10.9.1.2/24");
        await using var page = await fixture.OpenAsync(new(width, width == 390 ? 844 : 1000, theme, language), $"/system?gateway={a}");
        await page.Page.WaitForSelectorAsync("[data-core='0'] .bar i");
        await page.Page.WaitForSelectorAsync("tr[data-link=eth7] >> text=10.9.1.1/24");
        Assert.Equal("–", (await page.Page.TextContentAsync("tr[data-link=eth7] [data-speed]"))!.Trim());
        await page.Page.WaitForSelectorAsync("tr[data-link=eth7] >> text=veth");
        Assert.Contains(Environment.MachineName, await page.Page.TextContentAsync("[data-machine]"), StringComparison.Ordinal);
        Assert.True(await page.Page.Locator("[data-processes] tbody tr").CountAsync() >= 5);
        Assert.True(await page.Page.Locator("tr[data-mount='/']").CountAsync() == 1);

        // Live: the time on the page goes on by itself.
        var before = await page.Page.TextContentAsync("[data-machine]");
        await page.Page.WaitForFunctionAsync("before => document.querySelector('[data-machine]').textContent !== before", before);
        await page.ShotAsync($"system-{width}-{theme}-{language}");
        await page.AssertAccessibleAsync();
    }

    [Fact]
    public async Task History_OfTheMachine_IsShownAndARangeThatIsTypedStays()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/chromium"), "/usr/bin/chromium is not installed");
        var store = fixture.App.Services.GetRequiredService<HistoryStore>();
        var now = TimeProvider.System.GetUtcNow();
        for (var second = 3400; second > 60; second -= 5)
        {
            var set = new SeriesSet();
            set.Add("machine/cpu", 40 + (30 * Math.Sin(second / 200.0)));
            set.Add("machine/memory", 55);
            store.Record("host", now.AddSeconds(-second), set);
        }

        await store.FlushAsync(TestContext.Current.CancellationToken);
        await using var page = await fixture.OpenAsync(new(Height: 1200), "/system?range=1h");
        await Assertions.Expect(page.Page.Locator(".history-chart[data-points]")).ToHaveCountAsync(1);
        var table = await page.Page.Locator("a[download='mpsec-history-host.csv']").GetAttributeAsync("href");
        var answer = await page.Page.APIRequest.GetAsync(new Uri(new Uri(page.Page.Url), table!).AbsoluteUri);
        Assert.StartsWith("series,unit,time,min,mean,max,count\nmachine/cpu,%,", await answer.TextAsync(), StringComparison.Ordinal);
        await page.ShotAsync("system-history");
        await page.AssertAccessibleAsync();

        // The page draws itself anew each second; what a reader types between must stay.
        await page.Page.Locator(".range summary").ClickAsync();
        var from = page.Page.Locator(".range input").First;
        await from.FillAsync("2026-01-02T03:04");
        var before = await page.Page.TextContentAsync("[data-machine]");
        for (var tick = 0; tick < 2; tick++)
        {
            await page.Page.WaitForFunctionAsync("before => document.querySelector('[data-machine]').textContent !== before", before);
            before = await page.Page.TextContentAsync("[data-machine]");
        }

        await Assertions.Expect(from).ToHaveValueAsync("2026-01-02T03:04");
        await page.Page.Locator("[data-preset='live'], [data-preset='5m']").First.ClickAsync();
        await Assertions.Expect(page.Page.Locator(".history-chart")).ToHaveCountAsync(0);
    }
}
