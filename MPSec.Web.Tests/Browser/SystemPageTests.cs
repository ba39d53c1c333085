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
}
