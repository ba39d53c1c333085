using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using MPSec.Data.History;

namespace MPSec.Tests.Browser;

[Collection(nameof(BrowserTests))]
public sealed class SettingsPageTests(BrowserFixture fixture)
{
    [Theory]
    [InlineData(1440, "light", "en")]
    [InlineData(1440, "dark", "ko")]
    [InlineData(390, "light", "ko")]
    public async Task Token_MadeOnThePage_WorksOnceShownAndEndsWhenRevoked(int width, string theme, string language)
    {
        LongProofs.SkipUsually(theme == "light" && width != 390);
        var look = $"{width}-{theme}-{language}";
        await using var page = await fixture.OpenAsync(new(width, width == 390 ? 844 : 900, theme, language), "/settings");
        await page.Page.FillAsync("#tk-name", "watch-" + look);
        await page.Page.ClickAsync("[data-make]");
        await page.Page.WaitForSelectorAsync($"[data-made='watch-{look}']");
        var secret = await page.Page.TextContentAsync("[data-secret]") ?? "";
        await page.Page.WaitForSelectorAsync($"tr[data-token='watch-{look}'][data-state=Active]");
        await page.ShotAsync("settings-made-" + look);
        await page.AssertAccessibleAsync();

        Assert.Equal(200, await StatusAsync(page, secret));
        await page.Page.ClickAsync("[data-done]");
        await page.Page.WaitForSelectorAsync("[data-made]", new() { State = WaitForSelectorState.Detached });
        Assert.DoesNotContain(secret[^43..], await page.Page.ContentAsync(), StringComparison.Ordinal);

        // The same name again is refused in one sentence.
        await page.Page.FillAsync("#tk-name", "watch-" + look);
        await page.Page.ClickAsync("[data-make]");
        await page.Page.WaitForSelectorAsync("[role=alert]");
        await page.Page.ClickAsync($"[data-revoke='watch-{look}']");
        await page.Page.ClickAsync(".dialog .foot .btn >> nth=-1");
        await page.Page.WaitForSelectorAsync($"tr[data-token='watch-{look}'][data-state=Revoked]");
        Assert.Equal(401, await StatusAsync(page, secret));

        await page.GoAsync("/settings?tab=alerts");
        await page.Page.FillAsync("#hook-address", "http://127.0.0.1:1/hook/very-secret-key");
        await page.Page.ClickAsync("[data-hook-save]");
        await page.Page.WaitForSelectorAsync("[data-hook='127.0.0.1:1']");
        await page.Page.ClickAsync("[data-hook-test]");
        await page.Page.WaitForSelectorAsync("[data-hook-result=refused]");
        Assert.DoesNotContain("very-secret-key", await page.Page.ContentAsync(), StringComparison.Ordinal);
        await page.Page.FillAsync("#mail-host", "127.0.0.1");
        await page.Page.FillAsync("#mail-port", "1");
        await page.Page.FillAsync("#mail-user", "mina");
        await page.Page.FillAsync("#mail-password", "very-secret-word");
        await page.Page.FillAsync("#mail-from", "mpsec@example.org");
        await page.Page.FillAsync("#mail-to", "admin@example.org");
        await page.Page.ClickAsync("[data-mail-save]");
        await page.Page.WaitForSelectorAsync("[data-mail-test]");
        await page.Page.ClickAsync("[data-mail-test]");
        await page.Page.WaitForSelectorAsync("[data-mail-result=refused]");
        Assert.Equal("", await page.Page.InputValueAsync("#mail-password"));
        Assert.DoesNotContain("very-secret-word", await page.Page.ContentAsync(), StringComparison.Ordinal);
        await page.ShotAsync("settings-alerts-" + look);
        await page.AssertAccessibleAsync();
        await page.Page.ClickAsync("[data-mail-remove]");
        await page.Page.WaitForSelectorAsync("[data-mail-test]", new() { State = WaitForSelectorState.Detached });
        await page.Page.ClickAsync("[data-hook-remove]");
        await page.Page.WaitForSelectorAsync("[data-hook-test]", new() { State = WaitForSelectorState.Detached });

        await page.GoAsync("/settings?tab=about");
        await page.Page.WaitForSelectorAsync("[data-version]");
        await page.ShotAsync("settings-about-" + look);
        await page.AssertAccessibleAsync();
    }

    [Fact]
    public async Task History_Settings_AreSavedAndFaultsNameTheField()
    {
        await using var page = await fixture.OpenAsync(new(Height: 900), "/settings?tab=history");
        await Assertions.Expect(page.Page.Locator("[data-history-state]")).ToContainTextAsync("Being written");
        await page.Page.FillAsync("#history-MinutesForDays", "many");
        await page.Page.ClickAsync("[data-history-save]");
        await Assertions.Expect(page.Page.Locator("[role=alert]")).ToContainTextAsync("Points of one minute: must be a whole number from 1 to 366");
        await page.Page.FillAsync("#history-MinutesForDays", "20");
        await page.Page.ClickAsync("[data-history-save]");
        await Assertions.Expect(page.Page.Locator("[data-history-saved]")).ToHaveCountAsync(1);
        Assert.Equal(20, fixture.App.Services.GetRequiredService<HistoryStore>().Settings.MinutesForDays);
        await page.ShotAsync("settings-history");
        await page.AssertAccessibleAsync();
        await page.Page.FillAsync("#history-QuarterHoursForDays", "10");
        await page.Page.ClickAsync("[data-history-save]");
        await Assertions.Expect(page.Page.Locator("[role=alert]")).ToContainTextAsync("Coarser points");
        await using var phone = await fixture.OpenAsync(new(390, 844, "dark", "ko"), "/settings?tab=history");
        await Assertions.Expect(phone.Page.Locator("#history-MinutesForDays")).ToHaveValueAsync("20");
        await phone.ShotAsync("settings-history-phone-ko");
    }

    private async Task<int> StatusAsync(BrowserPage page, string secret) => (await page.Page.APIRequest.GetAsync(
        $"{fixture.Url}/api/v1/gateways", new() { Headers = new Dictionary<string, string> { ["Authorization"] = "Bearer " + secret } })).Status;
}
