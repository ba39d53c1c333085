using Microsoft.Playwright;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Browser;

/// <summary>A real browser at the far end of a real link, whose user cuts that link, and gets the gateway back.</summary>
[Collection(nameof(BrowserTests))]
public sealed class CutOffPageTests : IAsyncLifetime
{
    private const string Chromium = "/usr/bin/chromium";
    private ServedNamespace? _served;
    private IPlaywright? _playwright;
    private IBrowser? _browser;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(File.Exists(Chromium), $"{Chromium} is not installed");
        _served = await ServedNamespace.StartAsync(confirmSeconds: 20, listensEverywhere: true);

        // The browser sits where the administrator sits.
        var launcher = Path.Combine(_served.Folder, "chromium");
        await File.WriteAllTextAsync(launcher, $"#!/bin/sh\nexec ip netns exec {_served.ClientHost} {Chromium} \"$@\"\n", Token);
        File.SetUnixFileMode(launcher, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = launcher,
            Timeout = 120_000,
            Args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        });
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.DisposeAsync();
        }

        _playwright?.Dispose();
        if (_served is not null)
        {
            await _served.DisposeAsync();
        }
    }

    [Fact]
    public async Task OwnLink_TakenDownOnThePage_IsMarkedCountedAndBack()
    {
        var before = _served!.Snapshot();
        var page = await SignInAsync("/multipath?gateway=host");
        await Assertions.Expect(page.Locator("[data-path=eth0] [data-connected]")).ToBeVisibleAsync();
        await page.Locator("[data-path=eth0]").GetByRole(AriaRole.Button, new() { Name = "Down" }).ClickAsync();
        var question = page.GetByRole(AriaRole.Dialog);
        await Assertions.Expect(question).ToContainTextAsync("You are connected through eth0, from 10.77.1.2");
        await question.GetByRole(AriaRole.Button, new() { Name = "Take eth0 down" }).ClickAsync();

        await Assertions.Expect(page.Locator("dialog.keep[data-probe=bad]")).ToBeVisibleAsync();
        await ShotAsync(page, "cutoff-countdown");
        await Assertions.Expect(page.Locator("[data-ended=rolledback]")).ToContainTextAsync("Nobody confirmed it within 20 s. The state before is back");
        await ShotAsync(page, "cutoff-report");
        // The kernel finishes by itself: duplicate address detection takes its time.
        await LabScope.UntilAsync(() => before == _served.Snapshot(), "the state before is back");
        await Assertions.Expect(page.Locator("dialog.keep")).ToHaveCountAsync(0);
        await Assertions.Expect(page.Locator("[data-again]")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task Change_ThatWaits_IsSeenByOthersAndKeptOverANewConnection()
    {
        var first = await SignInAsync("/network?tab=mptcp&gateway=host");
        var second = await SignInAsync("/network?gateway=host");

        // A harmless one needs no answer of a person.
        var row = first.Locator("[data-setting='net.mptcp.stale_loss_cnt']");
        await row.GetByRole(AriaRole.Button, new() { Name = "Change net.mptcp.stale_loss_cnt" }).ClickAsync();
        await row.GetByRole(AriaRole.Textbox).FillAsync("6");
        await row.GetByRole(AriaRole.Button, new() { Name = "Apply" }).ClickAsync();
        await first.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Button, new() { Name = "Apply change" }).ClickAsync();
        await BrowserPage.ToastAsync(first, "success");
        Assert.Null(await _served!.Journal.PendingAsync(Token));

        // One that a program applied for this person: every page of the person asks, and keeps it.
        const string Apply = """
            () => fetch("api/v1/changes", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ timeoutSeconds: 600,
                operations: [{ verb: "addAddress", gateway: "host", interface: "eth1", address: "10.66.1.9/24" }] }) }).then(r => r.status)
            """;
        Assert.Equal(202, await first.EvaluateAsync<int>(Apply));
        var keep = second.Locator("dialog.keep");
        await Assertions.Expect(keep).ToContainTextAsync("ip address add 10.66.1.9/24 dev eth1");
        await Assertions.Expect(second.Locator("dialog.keep[data-probe=ok]")).ToBeVisibleAsync();
        await Assertions.Expect(second.Locator("[data-pending=waiting]")).ToContainTextAsync(ServedNamespace.User);
        await Assertions.Expect(keep.Locator("[data-revert]")).ToBeFocusedAsync();
        await ShotAsync(second, "keep");
        await keep.Locator("[data-keep]").ClickAsync();
        await Assertions.Expect(keep).ToHaveCountAsync(0);
        await Assertions.Expect(first.Locator("[data-pending]")).ToHaveCountAsync(0);
        Assert.Contains("10.66.1.9/24", NamespaceScope.Ip(_served.Host, "address"));
        Assert.Null(await _served.Journal.PendingAsync(Token));
    }

    [Fact]
    public async Task OwnAddress_ChangedOnThePage_IsKeptAtTheNewOne()
    {
        const string NewUrl = "http://10.77.1.9:8195/";
        _served!.ConfirmSeconds = 120; // there is a sign-in to be done
        await _served.KillServerAsync();
        await _served.ServeAsync();
        var page = await SignInAsync("/network?gateway=host");
        await page.ClickAsync("[data-edit=eth0]");
        await page.FillAsync("#pe-addresses", "10.77.1.9/24\nfd00:77::1/64");
        await page.ClickAsync("[data-take]");
        await page.ClickAsync("[data-apply]");
        var question = page.GetByRole(AriaRole.Dialog);
        await Assertions.Expect(question).ToContainTextAsync($"go on at {NewUrl}");
        await question.Locator(".foot .btn").Last.ClickAsync();
        var way = page.Locator("dialog.keep [data-moved] a");
        await Assertions.Expect(way).ToHaveAttributeAsync("href", NewUrl);
        await Assertions.Expect(page.Locator("dialog.keep[data-probe=bad]")).ToBeVisibleAsync();
        await ShotAsync(page, "cutoff-moved");

        var there = await page.Context.NewPageAsync();
        await SignInAsync(there, NewUrl);
        var keep = there.Locator("dialog.keep");
        await Assertions.Expect(there.Locator("dialog.keep[data-probe=ok]")).ToBeVisibleAsync();
        await keep.Locator("[data-keep]").ClickAsync();
        await Assertions.Expect(keep).ToHaveCountAsync(0);
        Assert.Null(await _served.Journal.PendingAsync(Token));
        Assert.Contains("10.77.1.9/24", NamespaceScope.Ip(_served.Host, "address"));
        Assert.DoesNotContain("10.77.1.1/24", NamespaceScope.Ip(_served.Host, "address"));
    }

    private static async Task ShotAsync(IPage page, string name)
    {
        if (Environment.GetEnvironmentVariable("MPSEC_SCREENSHOTS") is { Length: > 0 } folder)
        {
            await page.ScreenshotAsync(new() { Path = Path.Combine(folder, name + ".png"), Animations = ScreenshotAnimations.Disabled });
        }
    }

    private async Task<IPage> SignInAsync(string address)
    {
        var context = await _browser!.NewContextAsync(new() { ViewportSize = new() { Width = 1440, Height = 900 }, Locale = "en-US" });
        context.SetDefaultTimeout(90_000);
        await context.AddInitScriptAsync(BrowserPage.NoteToasts);
        Assertions.SetDefaultExpectTimeout(60_000);
        var page = await context.NewPageAsync();
        await SignInAsync(page, ServedNamespace.Url + "/");
        await page.GotoAsync(ServedNamespace.Url + address);
        await page.WaitForSelectorAsync("[data-interactive=true]");
        return page;
    }

    private static async Task SignInAsync(IPage page, string url)
    {
        await page.GotoAsync(url + "sign-in");
        await page.FillAsync("#name", ServedNamespace.User);
        await page.FillAsync("#password", ServedNamespace.Password);
        await page.ClickAsync(".gate-card button[type=submit]");
        await page.WaitForSelectorAsync("[data-interactive=true]");
    }
}
