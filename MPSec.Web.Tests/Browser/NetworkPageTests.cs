using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using MPSec.Changes;
using MPSec.Features.Lab;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Browser;

/// <summary>The Network page on a real lab: a break shows, one click repairs it.</summary>
[Collection(nameof(BrowserTests))]
public sealed class NetworkPageTests(BrowserFixture browser) : IAsyncLifetime
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
    }

    public async ValueTask DisposeAsync()
    {
        if (_spec is not null)
        {
            await browser.App.Services.GetRequiredService<LabService>().DownAsync(_name, ChangeActor.System, CancellationToken.None);
        }
    }

    [Fact]
    public async Task Rule_Deleted_IsFoundRepairedByOneClickAndProved()
    {
        await using var page = await browser.OpenAsync(new(Height: 1200), $"/network?tab=routing&gateway={_spec!.A}");
        var good = page.Page.Locator("td[data-verdict=OwnDevice]");
        await Assertions.Expect(good).ToHaveCountAsync(9);
        await Assertions.Expect(page.Page.Locator(".finding")).ToHaveCountAsync(0);

        NamespaceScope.Ip(_spec.A, "rule", "del", "pref", "1002");
        var finding = page.Page.Locator(".finding[data-fault=MissingRule][data-path=path2]");
        await Assertions.Expect(finding).ToHaveCountAsync(1);
        await Assertions.Expect(page.Page.Locator("td[data-verdict=OtherDevice], td[data-verdict=NoRoute]")).Not.ToHaveCountAsync(0);
        await page.ShotAsync("network-routing-broken");

        await finding.Locator("button[data-repair=MissingRule]").ClickAsync();
        var dialog = page.Page.GetByRole(AriaRole.Dialog);
        await Assertions.Expect(dialog).ToContainTextAsync($"ip -n {_spec.A} rule add pref 1002 from 10.99.2.1 table 102");
        await Assertions.Expect(dialog).ToContainTextAsync($"ip -n {_spec.A} rule del pref 1002 from 10.99.2.1 table 102");
        await page.ShotAsync("network-preview", fullPage: false);
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Repair routing" }).ClickAsync();

        await Assertions.Expect(good).ToHaveCountAsync(9);
        await Assertions.Expect(page.Page.Locator(".finding")).ToHaveCountAsync(0);
        await page.ToastAsync("success");
        Assert.Contains("10.99.2.1", NamespaceScope.Ip(_spec.A, "rule", "show", "pref", "1002"), StringComparison.Ordinal);
        await browser.SettledAsync();
        var audit = await browser.App.Services.GetRequiredService<AuditLog>().RecentAsync(20, Token);
        Assert.Contains(audit, e => e.Verb == "network.routing" && e.Gateway.Contains(_spec.A.Value, StringComparison.Ordinal) && e.Actor == BrowserFixture.UserName);
        await page.AssertAccessibleAsync();
    }

    [Fact]
    public async Task Tabs_InEveryLook_AreAccessibleAndFitTheWindow()
    {
        NamespaceScope.Ip(_spec!.A, "route", "del", "unreachable", "default", "table", "103");
        foreach (var (width, theme, language, word) in new[] { (1440, "dark", "en", "Network"), (390, "light", "ko", "네트워크") })
        {
            foreach (var tab in new[] { "paths", "routing" })
            {
                await using var page = await browser.OpenAsync(new(width, 1200, theme, language), $"/network?tab={tab}&gateway={_spec!.A}");
                await page.Page.WaitForSelectorAsync(tab == "paths" ? "tr[data-path=path3]" : ".finding[data-fault=NoLastResort]");
                await page.ShotAsync($"network-{tab}-{theme}-{language}-{width}");
                await Assertions.Expect(page.Page.Locator("h1")).ToHaveTextAsync(word);
                Assert.True(await page.Page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth <= window.innerWidth"), $"{tab} is wider than the window");
                await page.AssertAccessibleAsync();
            }
        }
    }

    [Fact]
    public async Task Peers_GivenAndWrong_AreAskedOrNamedAndObserveModeAndStaleShow()
    {
        await using var page = await browser.OpenAsync(new(), $"/network?tab=routing&gateway={_spec!.A}");
        await page.Page.FillAsync(".peers input", "192.0.2.77, nonsense");
        await page.Page.ClickAsync(".peers button");
        await Assertions.Expect(page.Page.Locator("td[data-peer='192.0.2.77'][data-verdict=OwnDevice]")).ToHaveCountAsync(3);
        await Assertions.Expect(page.Page.GetByRole(AriaRole.Alert)).ToContainTextAsync("nonsense");

        // Somebody who may not change anything sees the fault and the reason.
        var modes = browser.App.Services.GetRequiredService<GatewayModes>();
        await modes.SetAsync(_spec.A, GatewayMode.Observe, ChangeActor.System, Token);
        NamespaceScope.Ip(_spec.A, "rule", "del", "pref", "1003");
        var repair = page.Page.Locator("button[data-repair=MissingRule]");
        await Assertions.Expect(repair).ToBeDisabledAsync();
        await Assertions.Expect(page.Page.Locator(".finding")).ToContainTextAsync("Observe mode");
        await page.ShotAsync("network-observe");
        await modes.SetAsync(_spec.A, GatewayMode.Managed, ChangeActor.System, Token);
        await Assertions.Expect(repair).ToBeEnabledAsync();

        // A gateway that goes away leaves its last values, greyed.
        await browser.App.Services.GetRequiredService<LabService>().DownAsync(_name, ChangeActor.System, Token);
        await Assertions.Expect(page.Page.Locator(".faded td[data-verdict]")).Not.ToHaveCountAsync(0);
        _spec = null;
        await page.GoAsync($"/network?gateway=no-such-gateway");
        await Assertions.Expect(page.Page.GetByText("The gateway cannot be read").First).ToBeVisibleAsync();
    }
}
