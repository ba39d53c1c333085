using Microsoft.Playwright;
using MPSec.Features.Kernel;

namespace MPSec.Tests.Browser;

[Collection(nameof(BrowserTests))]
public sealed class KernelPageTests(BrowserFixture fixture)
{
    [Theory]
    [InlineData(1440, "light", "en")]
    [InlineData(1440, "dark", "ko")]
    [InlineData(390, "light", "ko")]
    public async Task Page_OfThisMachine_ShowsItsKernel(int width, string theme, string language)
    {
        LongProofs.SkipUsually(width == 390 || theme == "light");
        await using var page = await fixture.OpenAsync(new(width, width == 390 ? 844 : 1000, theme, language), "/kernel");
        await Assertions.Expect(page.Page.Locator("tr[data-feature]")).ToHaveCountAsync(KernelFeatureTable.All.Length);
        Assert.Equal(1, await page.Page.Locator(".drawer a[href*=kernel]").CountAsync());
        await page.Page.Locator("input[type=search]").FillAsync("netem");
        await Assertions.Expect(page.Page.Locator("tr[data-feature]")).ToHaveCountAsync(1);
        await page.Page.Locator("input[type=search]").FillAsync("");
        await page.ShotAsync($"kernel-{width}-{theme}-{language}");
        await page.AssertAccessibleAsync();
    }
}
