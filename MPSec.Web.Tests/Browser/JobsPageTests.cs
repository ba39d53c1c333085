using Microsoft.Playwright;

namespace MPSec.Tests.Browser;

public sealed class JobsPageTests(BrowserFixture fixture) : IClassFixture<BrowserFixture>
{
    [Theory]
    [InlineData(1440, "light", "en")]
    [InlineData(1440, "dark", "ko")]
    [InlineData(390, "light", "en")]
    public async Task Run_StartedFromThePage_IsFollowedLiveToItsEnd(int width, string theme, string language)
    {
        LongProofs.SkipUsually(width != 390 && theme == "light");
        var name = $"{width}-{theme}-{language}";
        await using var page = await fixture.OpenAsync(new(width, width == 390 ? 844 : 900, theme, language), "/jobs");
        await page.Page.ClickAsync("[data-start=shown]");
        await page.Page.WaitForSelectorAsync(".steps li:nth-child(2).now, .steps li:nth-child(2).done");
        await page.Page.WaitForSelectorAsync(".ln .tx:has-text('<b>not markup</b>')");
        await page.ShotAsync("job-running-" + name, fullPage: false);
        Assert.Equal(0, await page.Page.Locator(".ln b").CountAsync());
        await page.AssertAccessibleAsync();

        await page.Page.WaitForSelectorAsync("[role=alert] >> text=nothing was there; install it");
        await page.Page.WaitForSelectorAsync(".ln.note:has-text('failed: nothing was there')");
        await page.Page.FillAsync("input[type=search]", "LINE 11");
        await Assertions.Expect(page.Page.Locator(".ln .tx")).ToHaveCountAsync(11);
        await page.ShotAsync("job-ended-" + name);
        await page.AssertAccessibleAsync();

        var run = new Uri(page.Page.Url).AbsolutePath;
        var log = await page.Page.APIRequest.GetAsync($"{fixture.Url}/api/v1{run}/log");
        var text = await log.TextAsync();
        Assert.Equal(200, log.Status);
        for (var line = 1; line <= 120; line++)
        {
            Assert.Single(System.Text.RegularExpressions.Regex.Matches(text, $@"\| line {line} <"));
        }

        await page.GoAsync("/jobs?state=Failed");
        await page.Page.WaitForSelectorAsync($"tr[data-run='{run.Split('/')[^1]}'][data-state=Failed]");
        await page.ShotAsync("jobs-" + name);
        await page.AssertAccessibleAsync();
        await page.Page.SelectOptionAsync("select >> nth=1", "Cancelled");
        await page.Page.WaitForFunctionAsync("() => location.search.includes('state=Cancelled')");
        await page.Page.WaitForSelectorAsync(".panel-state");

        // What the kind offers after its failure is one button beside the reason, and leads to the run that it started.
        await page.GoAsync(run);
        await page.Page.ClickAsync("[role=alert] [data-offer=shown]");
        await page.Page.WaitForFunctionAsync("before => location.pathname !== before", run);
        await page.Page.WaitForSelectorAsync("[role=alert] >> text=nothing was there; install it");
        Assert.NotEqual(run, new Uri(page.Page.Url).AbsolutePath);
    }

    [Fact]
    public async Task Api_WithoutSession_IsRefused()
    {
        await using var page = await fixture.OpenAsync(new(SignedIn: false), "/sign-in");
        foreach (var path in (string[])["jobs", "jobs/1", "jobs/1/log"])
        {
            var answer = await page.Page.APIRequest.GetAsync($"{fixture.Url}/api/v1/{path}", new() { MaxRedirects = 0 });
            Assert.Equal(401, answer.Status);
        }
    }
}
