using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using MPSec.Changes;
using MPSec.Features.Lab;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Browser;

/// <summary>The Multipath and Overview pages on a real lab with real traffic.</summary>
[Collection(nameof(BrowserTests))]
public sealed class MultipathPageTests(BrowserFixture browser) : IAsyncLifetime
{
    private readonly string _name = "mpb" + Guid.NewGuid().ToString("N")[..6];
    private LabSpec? _spec;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Query => $"?gateway={_spec!.A}";

    public async ValueTask InitializeAsync()
    {
        using var scope = new NamespaceScope(); // skips where namespaces cannot be made
        Assert.SkipUnless(File.Exists("/usr/bin/chromium"), "/usr/bin/chromium is not installed");
        _spec = LabSpec.Default with { Name = _name };
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
    public async Task Lanes_WithTraffic_AgreeWithTheKernelsCountersOverTheSameTime()
    {
        await using var page = await browser.OpenAsync(new(Height: 1300), "/multipath" + Query);
        await WaitCarryingAsync(page.Page, 4);

        // A machine that stops for half a second in these ten spoils the comparison of a rate that stopped with it.
        var wrong = await CompareAsync(page.Page);
        for (var again = 0; again < 5 && wrong is not null; again++)
        {
            wrong = await CompareAsync(page.Page);
        }

        Assert.True(wrong is null, wrong);

        Assert.Equal(4, await page.Page.Locator(".if canvas").CountAsync());
        await page.ShotAsync("multipath-light");
        await page.AssertAccessibleAsync();
    }

    [Fact]
    public async Task IpDownAndUp_DuringTransfer_LaneTurnsDownAndComesBackWithItsRoutes()
    {
        await using var page = await browser.OpenAsync(new(), "/multipath" + Query);
        await WaitCarryingAsync(page.Page, 4);
        var routes = NamespaceScope.Ip(_spec!.A, "route", "show", "table", "102");
        var lane = page.Page.Locator("article[data-path=path2]");

        await lane.GetByRole(AriaRole.Button, new() { Name = "Down", Exact = true }).ClickAsync();
        var dialog = page.Page.GetByRole(AriaRole.Dialog, new() { Name = "Take path2 down?" });
        await Assertions.Expect(dialog).ToContainTextAsync($"ip -n {_spec.A} link set dev path2 up");
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Take path2 down" }).ClickAsync();
        await Assertions.Expect(lane).ToHaveAttributeAsync("data-state", "down");
        await Assertions.Expect(lane).ToContainTextAsync("Taken down by " + BrowserFixture.UserName);
        await page.ShotAsync("multipath-path-down");
        await WaitCarryingAsync(page.Page, 3);

        await lane.GetByRole(AriaRole.Button, new() { Name = "IP Up" }).ClickAsync();
        await Assertions.Expect(lane).ToHaveAttributeAsync("data-state", "up");
        await WaitCarryingAsync(page.Page, 4);
        Assert.Equal(routes, NamespaceScope.Ip(_spec.A, "route", "show", "table", "102"));
        await browser.SettledAsync();
    }

    [Fact]
    public async Task MpOff_ThenOn_SettingFollowsAndTheAuditLogHasBoth()
    {
        await using var page = await browser.OpenAsync(new(), "/multipath" + Query);
        var off = page.Page.GetByRole(AriaRole.Button, new() { Name = "MP OFF" });
        await off.ClickAsync();
        await page.Page.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Button, new() { Name = "Switch MPTCP off" }).ClickAsync();
        await Assertions.Expect(off).ToHaveAttributeAsync("aria-pressed", "true");
        Assert.Equal("0", NamespaceScope.In(_spec!.A, "sysctl", "-n", "net.mptcp.enabled").Trim());

        var on = page.Page.GetByRole(AriaRole.Button, new() { Name = "MP ON" });
        await on.ClickAsync();
        await Assertions.Expect(on).ToHaveAttributeAsync("aria-pressed", "true");
        Assert.Equal("1", NamespaceScope.In(_spec.A, "sysctl", "-n", "net.mptcp.enabled").Trim());

        await browser.SettledAsync(); // the line is written when the change is confirmed
        var audit = await browser.App.Services.GetRequiredService<AuditLog>().RecentAsync(50, Token);
        foreach (var verb in new[] { "mptcp.off", "mptcp.on" })
        {
            Assert.Contains(audit, e => e.Verb == verb && e.Gateway.Contains(_spec.A.Value, StringComparison.Ordinal) && e.Actor == BrowserFixture.UserName);
        }
    }

    [Fact]
    public async Task Transfer_StoppedAndStarted_PanelAndLanesFollow()
    {
        await using var page = await browser.OpenAsync(new(), "/multipath" + Query);
        await WaitCarryingAsync(page.Page, 4);
        var panel = page.Page.Locator(".lab-transfer");
        await panel.GetByRole(AriaRole.Button, new() { Name = "Stop" }).ClickAsync();
        await Assertions.Expect(panel).ToContainTextAsync("Stopped");
        await WaitCarryingAsync(page.Page, 0);
        await panel.GetByRole(AriaRole.Button, new() { Name = "Start" }).ClickAsync();
        await Assertions.Expect(panel).ToContainTextAsync("Running");
        await WaitCarryingAsync(page.Page, 4);
    }

    [Theory]
    [InlineData(1440, "dark", "en", "다중 경로", false)]
    [InlineData(1440, "light", "ko", "다중 경로", true)]
    [InlineData(390, "light", "en", "Multipath", true)]
    public async Task Pages_InEveryLook_AreAccessibleAndFitTheWindow(int width, string theme, string language, string word, bool expected)
    {
        LongProofs.SkipUsually(language == "ko");
        foreach (var (name, address) in new[] { ("multipath", "/multipath"), ("overview", "/") })
        {
            await using var page = await browser.OpenAsync(new(width, 1300, theme, language), address + Query);
            await page.Page.WaitForSelectorAsync("[data-rate], .mini");
            await Task.Delay(2500, Token); // a chart with some points makes the better picture; nothing is asserted on it
            await page.ShotAsync($"{name}-{theme}-{language}-{width}");
            Assert.Equal(expected, (await page.Page.ContentAsync()).Contains(word, StringComparison.Ordinal));
            Assert.True(await page.Page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth <= window.innerWidth"), $"{name} is wider than the window");
            await page.AssertAccessibleAsync();
        }
    }

    [Fact]
    public async Task Gateway_UnknownOrHostile_PageSaysSoAndGoesOn()
    {
        foreach (var gateway in new[] { "no-such-gateway", "..%2Fetc", "<script>alert(1)</script>" })
        {
            await using var page = await browser.OpenAsync(new(), "/multipath?gateway=" + gateway);
            await Assertions.Expect(page.Page.GetByText("The gateway cannot be read").First).ToBeVisibleAsync();
            await page.GoAsync("/?gateway=" + gateway);
            await Assertions.Expect(page.Page.GetByText("The gateway cannot be read").First).ToBeVisibleAsync();
        }
    }

    /// <summary>
    /// The page shows the rate of each interval between two readings; its mean, each weighed with the interval's length, must agree with the difference of two readings of ip
    /// made at the same two moments. Null, or what does not.
    /// </summary>
    private async Task<string?> CompareAsync(IPage page)
    {
        const string Begin = """
            () => new Promise(begun => {
                const lanes = [...document.querySelectorAll("article [data-rate]")];
                const seen = window.seen = { sums: lanes.map(() => 0), first: 0, last: 0, changed: null };
                new MutationObserver(() => {
                    const now = performance.now();
                    if (seen.last) lanes.forEach((lane, i) => seen.sums[i] += Number(lane.dataset.rate) * (now - seen.last));
                    else seen.first = now;
                    seen.last = now;
                    begun();
                    seen.changed?.();
                }).observe(document.body, { attributes: true, attributeFilter: ["data-rate"], subtree: true });
            })
            """;
        const string End = """
            () => new Promise(done => {
                const seen = window.seen;
                seen.changed = () => { if (seen.last - seen.first >= 10000) done(seen.sums.map(sum => sum / (seen.last - seen.first))); };
            })
            """;
        await page.EvaluateAsync(Begin);
        var (before, started) = Timed();
        var shown = await page.EvaluateAsync<double[]>(End);
        var (after, ended) = Timed();
        for (var i = 0; i < 4; i++)
        {
            var kernel = (after[i] - before[i]) * 8 / (ended - started);
            if (Math.Abs(shown[i] - kernel) > 0.05 * kernel)
            {
                return $"path{i + 1}: the page says {shown[i]:0} bit/s, the kernel {kernel:0}";
            }
        }

        return null;
    }

    // The middle of the time that the reading took, in seconds.
    private (double[] Bytes, double At) Timed()
    {
        var begun = TimeProvider.System.GetTimestamp();
        var bytes = Bytes();
        return (bytes, (begun + TimeProvider.System.GetTimestamp()) / 2.0 / TimeProvider.System.TimestampFrequency);
    }

    private static Task<IJSHandle> WaitCarryingAsync(IPage page, int count) => page.WaitForFunctionAsync(
        "n => [...document.querySelectorAll('article[data-path]')].length === 4 && [...document.querySelectorAll('article[data-path]')].filter(a => a.classList.contains('carrying')).length === n",
        count);

    /// <summary>Bytes of each path in both directions, by <c>ip</c>.</summary>
    private double[] Bytes() => [.. NamespaceScope.IpJson(_spec!.A, "-j", "-s", "link").EnumerateArray()
        .Where(l => l.GetProperty("ifname").GetString()!.StartsWith("path", StringComparison.Ordinal))
        .OrderBy(l => int.Parse(l.GetProperty("ifname").GetString()!.AsSpan(4), CultureInfo.InvariantCulture))
        .Select(l => Of(l, "rx") + Of(l, "tx"))];

    private static double Of(JsonElement link, string side) => link.GetProperty("stats64").GetProperty(side).GetProperty("bytes").GetDouble();
}
