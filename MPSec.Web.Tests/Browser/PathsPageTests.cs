using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using MPSec.Changes;
using MPSec.Features.Lab;
using MPSec.Features.Network;
using MPSec.Linux.Values;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Browser;

/// <summary>Paths and History of the Network page, on namespaces that begin with addresses only.</summary>
[Collection(nameof(BrowserTests))]
public sealed class PathsPageTests(BrowserFixture browser) : IAsyncLifetime
{
    private static readonly int[] s_rates = [20, 30, 50, 40];
    private NamespaceScope? _scope;
    private GatewayName _a;
    private GatewayName _b;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        _scope = new NamespaceScope(); // skips where namespaces cannot be made
        Assert.SkipUnless(File.Exists("/usr/bin/chromium"), "/usr/bin/chromium is not installed");
        (_a, _b) = (_scope.Add("a"), _scope.Add("b"));
        for (var i = 1; i <= s_rates.Length; i++)
        {
            _scope.Veth(_a, $"path{i}", $"10.99.{i}.1/24", _b, $"path{i}", $"10.99.{i}.2/24");
            foreach (var gateway in new[] { _a, _b })
            {
                // As a lab shapes its paths: a bucket of 10 ms, a buffer of 50 ms.
                var rate = s_rates[i - 1] * 1_000_000;
                NamespaceScope.Run("tc", "-n", gateway.Value, "qdisc", "add", "dev", $"path{i}", "root", "tbf", "rate", $"{rate}", "burst", $"{rate / 8 / 100}", "latency", "50ms");
            }
        }

        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        _scope?.Dispose();
        await ValueTask.CompletedTask;
    }

    [Fact]
    public async Task BarePair_SetUpOnThePageAlone_BecomesFourPathsThatAddUp()
    {
        await SetUpAsync(_a, peer: 2, side: "connects to a gateway");
        await SetUpAsync(_b, peer: 1, side: "accepts connections");

        var spec = new LabSpec { Name = _a.Value[..^2], Paths = [.. s_rates.Select(r => new LabPathSpec(r))] };
        var measured = await LabRun.MeasureAsync(spec, new(), TimeSpan.FromSeconds(5), TimeProvider.System, Token);
        for (var again = 0; again < 5 && measured.Percent < 90; again++)
        {
            measured = await LabRun.MeasureAsync(spec, new(), TimeSpan.FromSeconds(5), TimeProvider.System, Token); // a machine that stopped for a moment
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"received {measured.GoodputMbit:0.0} of {measured.HeaderLimitedMbit:0.0} Mbit/s, {measured.Percent:0.0} %");
        Assert.All(measured.Paths, p => Assert.True(p.CarriedMbit > 1, $"{p.Interface} carried {p.CarriedMbit} Mbit/s"));
        Assert.True(measured.Percent >= 90, $"{measured.GoodputMbit:0.0} of {measured.HeaderLimitedMbit:0.0} Mbit/s");
    }

    [Fact]
    public async Task Draft_WrongFieldAndSomebodyElsesVersion_AreToldAndNothingIsLost()
    {
        await ManageAsync(_a);
        await using var mine = await browser.OpenAsync(new(Height: 1200), $"/network?gateway={_a}");
        var page = mine.Page;
        await page.ClickAsync("[data-set-up-all]");
        await page.ClickAsync("[data-edit=path2]");
        await page.FillAsync("#pe-hops", "10.98.2.2");
        await page.FillAsync("#pe-mtu", "forty");
        await page.ClickAsync("[data-take]");
        await Assertions.Expect(page.Locator("[data-fault-of=mtu]")).ToContainTextAsync("forty");
        await page.FillAsync("#pe-mtu", "");
        await page.ClickAsync("[data-take]");
        await Assertions.Expect(page.Locator("[data-fault-of=nextHops]")).ToContainTextAsync("10.98.2.2");
        Assert.Equal("10.98.2.2", await page.InputValueAsync("#pe-hops"));
        await page.FillAsync("#pe-hops", "10.99.2.2");
        await page.FillAsync("#pe-name", "Glasfaser 2호");
        await page.ClickAsync("[data-take]");
        await Assertions.Expect(page.Locator("form[data-editor]")).ToHaveCountAsync(0);

        // Somebody else is faster.
        var configurations = browser.App.Services.GetRequiredService<NetworkConfigurationService>();
        var theirs = NetworkDocument.Empty with { Paths = [new() { Interface = InterfaceName.Parse("path1"), Name = "LTE" }] };
        await configurations.SaveWithoutChangeAsync(_a, theirs, 0, new("ada", ChangeRole.Administrator), cancellationToken: Token);
        await page.ClickAsync("[data-apply]");
        await Assertions.Expect(page.Locator("[data-conflict]")).ToContainTextAsync("ada saved version 1");
        await Assertions.Expect(page.Locator("[data-conflict]")).ToBeInViewportAsync(); // beside the button that was pressed
        Assert.Equal(1, (await configurations.CurrentAsync(_a, Token))!.Version);
        Assert.DoesNotContain("102", NamespaceScope.Ip(_a, "rule"), StringComparison.Ordinal);
        await mine.ShotAsync("network-conflict");

        await page.Locator("[data-conflict]").GetByRole(AriaRole.Button, new() { Name = "Apply mine on top" }).ClickAsync();
        await ConfirmAsync(page, "Apply set-up");
        await Assertions.Expect(page.Locator("[data-draft]")).ToHaveCountAsync(0);
        await Assertions.Expect(page.Locator("tr[data-path=path2]")).ToContainTextAsync("Glasfaser 2호");
        Assert.Contains("lookup 102", NamespaceScope.Ip(_a, "rule"), StringComparison.Ordinal);
        await mine.AssertAccessibleAsync();

        // And back again, from the history.
        await mine.GoAsync($"/network?tab=history&gateway={_a}");
        await page.Locator("tr[data-version='2']").GetByRole(AriaRole.Button, new() { Name = "Show" }).ClickAsync();
        await Assertions.Expect(page.Locator("pre.diff")).ToContainTextAsync("Glasfaser 2호");
        await mine.ShotAsync("network-history");
        await page.ClickAsync("[data-revert='1']");
        await ConfirmAsync(page, "Go back to version 1");
        await Assertions.Expect(page.Locator("tr[data-version='3']")).ToContainTextAsync("current");
        Assert.DoesNotContain("lookup 102", NamespaceScope.Ip(_a, "rule"), StringComparison.Ordinal);
        await mine.AssertAccessibleAsync();
    }

    [Fact]
    public async Task Editor_InEveryLook_IsAccessibleAndFitsTheWindow()
    {
        await ManageAsync(_a);
        foreach (var (width, theme, language) in new[] { (1440, "dark", "en"), (390, "light", "ko") })
        {
            await using var page = await browser.OpenAsync(new(width, 1200, theme, language), $"/network?gateway={_a}");
            var place = await page.Page.Locator("[data-edit=path3]").BoundingBoxAsync();
            await page.Page.ClickAsync("[data-set-up-all]");
            await Assertions.Expect(page.Page.Locator("[data-apply]")).ToBeInViewportAsync();
            Assert.Equal(place!.Y, (await page.Page.Locator("[data-edit=path3]").BoundingBoxAsync())!.Y); // what a draft brings moves nothing that may be clicked next
            await page.ShotAsync($"network-draft-{theme}-{language}-{width}");
            await page.Page.ClickAsync("[data-edit=path3]");
            await page.Page.WaitForSelectorAsync("form[data-editor=path3]");
            await page.ShotAsync($"network-editor-{theme}-{language}-{width}");
            Assert.True(await page.Page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth <= window.innerWidth"), "the page is wider than the window");
            await page.AssertAccessibleAsync();
            await page.GoAsync($"/network?tab=history&gateway={_a}");
            await page.Page.WaitForSelectorAsync("#import-text");
            await page.ShotAsync($"network-history-{theme}-{language}-{width}");
            await page.AssertAccessibleAsync();
        }
    }

    private static async Task ConfirmAsync(IPage page, string button) => await page.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Button, new() { Name = button }).ClickAsync();

    private Task ManageAsync(GatewayName gateway) => browser.App.Services.GetRequiredService<GatewayModes>().SetAsync(gateway, GatewayMode.Managed, ChangeActor.System, Token);

    private async Task SetUpAsync(GatewayName gateway, int peer, string side)
    {
        await using var opened = await browser.OpenAsync(new(Height: 1200), $"/network?gateway={gateway}");
        var page = opened.Page;
        await page.GetByRole(AriaRole.Button, new() { Name = "Manage this gateway" }).ClickAsync();
        await ConfirmAsync(page, $"Manage {gateway}");
        await page.ClickAsync("[data-set-up-all]");
        for (var i = 1; i <= s_rates.Length; i++)
        {
            await page.ClickAsync($"[data-edit=path{i}]");
            await page.WaitForSelectorAsync($"form[data-editor=path{i}]");
            await page.FillAsync("#pe-hops", $"10.99.{i}.{peer}");
            await page.ClickAsync("[data-take]");
            await Assertions.Expect(page.Locator("form[data-editor]")).ToHaveCountAsync(0);
        }

        await page.ClickAsync("[data-apply]");
        await opened.ShotAsync("network-paths-preview", fullPage: false);
        await ConfirmAsync(page, "Apply set-up");
        await Assertions.Expect(page.Locator("[data-draft]")).ToHaveCountAsync(0);
        await Assertions.Expect(page.Locator("tr[data-path=path4]")).ToContainTextAsync("104");

        await opened.GoAsync($"/network?tab=mptcp&gateway={gateway}");
        var chosen = page.GetByRole(AriaRole.Button, new() { Name = side });
        await chosen.ClickAsync();
        await Assertions.Expect(chosen).ToHaveAttributeAsync("aria-pressed", "true");
        await page.ClickAsync("[data-preset=Aggregate] .btn");
        await ConfirmAsync(page, "Apply change");
        await opened.ToastAsync("success");
        await opened.GoAsync($"/network?tab=routing&gateway={gateway}");
        await Assertions.Expect(page.Locator("td[data-verdict=OwnDevice]")).ToHaveCountAsync(s_rates.Length * s_rates.Length);
        await Assertions.Expect(page.Locator(".finding")).ToHaveCountAsync(0);
    }
}
