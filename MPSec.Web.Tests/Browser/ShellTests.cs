namespace MPSec.Tests.Browser;

[Collection(nameof(BrowserTests))]
public sealed class ShellTests(BrowserFixture fixture)
{
    [Theory]
    [InlineData(1440, "light", "en")]
    [InlineData(1440, "dark", "en")]
    [InlineData(1440, "light", "ko")]
    [InlineData(390, "light", "en")]
    [InlineData(390, "dark", "ko")]
    public async Task Gallery_InEveryLook_HasNoViolationAndNoForeignRequest(int width, string theme, string language)
    {
        await using var page = await fixture.OpenAsync(new(width, width == 390 ? 844 : 900, theme, language), "/gallery");
        await page.Page.WaitForSelectorAsync(".live-chart[data-points]");
        await page.Page.WaitForSelectorAsync(".apexcharts-canvas");
        await page.ShotAsync($"gallery-{width}-{theme}-{language}");
        await page.AssertAccessibleAsync();
    }
}
