using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using MPSec.Changes;
using MPSec.Features.Lab;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Browser;

/// <summary>The MPTCP tab of the Network page on a real lab.</summary>
[Collection(nameof(BrowserTests))]
public sealed class MptcpSettingsPageTests(BrowserFixture browser) : IAsyncLifetime
{
    private readonly string _name = "mpb" + Guid.NewGuid().ToString("N")[..6];
    private LabSpec? _spec;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        using var scope = new NamespaceScope(); // skips where namespaces cannot be made
        Assert.SkipUnless(File.Exists("/usr/bin/chromium"), "/usr/bin/chromium is not installed");
        _spec = LabSpec.Parse(_name, "20,30,50", null, 50, out _)!;
        await browser.App.Services.GetRequiredService<LabService>().UpAsync(_spec, ChangeActor.System, Token);
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
    public async Task SettingAndEndpoint_ChangedOnThePage_AreInTheKernel()
    {
        await using var page = await browser.OpenAsync(new(Height: 1200), $"/network?tab=mptcp&gateway={_spec!.B}");
        var row = page.Page.Locator("[data-setting='net.mptcp.stale_loss_cnt']");
        await row.GetByRole(AriaRole.Button, new() { Name = "Change net.mptcp.stale_loss_cnt" }).ClickAsync();
        await row.GetByRole(AriaRole.Textbox).FillAsync("6");
        await row.GetByRole(AriaRole.Button, new() { Name = "Apply" }).ClickAsync();
        var dialog = page.Page.GetByRole(AriaRole.Dialog);
        await Assertions.Expect(dialog).ToContainTextAsync("net.mptcp.stale_loss_cnt=4");
        await page.ShotAsync("mptcp-dialog", fullPage: false);
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Apply change" }).ClickAsync();
        await Assertions.Expect(row.Locator(".now")).ToHaveTextAsync("6");
        Assert.Equal("6", NamespaceScope.In(_spec.B, "cat", "/proc/sys/net/mptcp/stale_loss_cnt").Trim());

        var endpoint = page.Page.Locator("tr[data-endpoint='2']");
        await endpoint.GetByRole(AriaRole.Button, new() { Name = "Make backup" }).ClickAsync();
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Apply change" }).ClickAsync();
        await Assertions.Expect(endpoint).ToContainTextAsync("No backup");
        Assert.Contains("id 2 signal backup", NamespaceScope.Ip(_spec.B, "mptcp", "endpoint"));
        await browser.SettledAsync();

        // A change made in a terminal shows without a reload.
        NamespaceScope.Ip(_spec.B, "mptcp", "endpoint", "change", "id", "2", "nobackup");
        await Assertions.Expect(endpoint).ToContainTextAsync("Make backup");
        await page.AssertAccessibleAsync();
    }

    [Fact]
    public async Task Tab_InEveryLook_FitsTheWindow()
    {
        foreach (var (theme, language, width) in new[] { ("light", "en", 1440), ("dark", "en", 1440), ("light", "ko", 1440), ("dark", "ko", 390), ("light", "en", 390) })
        {
            await using var page = await browser.OpenAsync(new(width, 900, theme, language), $"/network?tab=mptcp&gateway={_spec!.A}");
            await page.Page.WaitForSelectorAsync("[data-setting='net.mptcp.enabled']");
            await page.ShotAsync($"mptcp-{theme}-{language}-{width}");
            var wide = await page.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth - document.documentElement.clientWidth");
            Assert.True(wide <= 0, $"{theme} {language}: the page is {wide} px wider than the window of {width} px");
        }
    }
}
