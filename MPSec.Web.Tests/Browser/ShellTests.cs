using System.Collections.Concurrent;
using Microsoft.Playwright;

namespace MPSec.Tests.Browser;

[Collection(nameof(BrowserTests))]
public sealed class ShellTests(BrowserFixture fixture)
{
    private static readonly BrowserLook s_phone = new(390, 844);

    [Theory]
    [InlineData(1440, "light", "en")]
    [InlineData(1440, "dark", "en")]
    [InlineData(1440, "light", "ko")]
    [InlineData(390, "light", "en")]
    [InlineData(390, "dark", "ko")]
    public async Task Gallery_InEveryLook_HasNoViolationAndFitsTheWidth(int width, string theme, string language)
    {
        await using var page = await fixture.OpenAsync(new(width, width == 390 ? 844 : 900, theme, language), "/gallery");
        await page.Page.WaitForSelectorAsync(".live-chart[data-points]");
        await page.Page.WaitForSelectorAsync(".apexcharts-canvas");
        await page.ShotAsync($"gallery-{width}-{theme}-{language}");
        await page.AssertAccessibleAsync();
        Assert.Equal(width, await page.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth"));
    }

    [Theory]
    [InlineData(1440, "light", "en")]
    [InlineData(390, "dark", "ko")]
    public async Task SignIn_Page_RefusesAndLetsIn(int width, string theme, string language)
    {
        await using var page = await fixture.OpenAsync(new(width, 844, theme, language, SignedIn: false), "/gallery?gateway=lab-a");
        await page.ShotAsync($"sign-in-{width}-{theme}-{language}");
        await page.AssertAccessibleAsync();
        await page.Page.FillAsync("#name", BrowserFixture.UserName);
        await page.Page.FillAsync("#password", "not the password");
        await page.Page.PressAsync("#password", "Enter");
        await page.Page.WaitForSelectorAsync(".banner.bad");
        await page.ShotAsync($"sign-in-wrong-{width}-{theme}-{language}");
        await page.Page.FillAsync("#name", BrowserFixture.UserName);
        await page.Page.FillAsync("#password", BrowserFixture.Password);
        await page.Page.PressAsync("#password", "Enter");
        await page.WaitInteractiveAsync();
        Assert.EndsWith("/gallery?gateway=lab-a", page.Page.Url);
    }

    [Fact]
    public async Task SetupLink_Used_ShowsNoForm()
    {
        await using var page = await fixture.OpenAsync(new(SignedIn: false), fixture.SetupLink);
        Assert.Equal(0, await page.Page.Locator("form[action='account/setup']").CountAsync());
        await page.ShotAsync("setup-used");
        await page.AssertAccessibleAsync();
    }

    [Fact]
    public async Task Theme_Chosen_StaysAfterReloadAndRepaintsCharts()
    {
        await using var page = await fixture.OpenAsync(new(), "/gallery");
        await page.Page.WaitForSelectorAsync(".live-chart[data-points]");
        Assert.Equal("light", await ThemeAsync(page));
        await page.Page.ClickAsync(".theme-menu summary");
        await page.ShotAsync("theme-menu", fullPage: false);
        await page.Page.ClickAsync("[data-theme-set=dark]");
        Assert.Equal("dark", await ThemeAsync(page));
        Assert.Equal("rgb(14, 18, 22)", await page.Page.EvaluateAsync<string>("() => getComputedStyle(document.body).backgroundColor"));
        await page.Page.ReloadAsync();
        Assert.Equal("dark", await ThemeAsync(page));
    }

    [Fact]
    public async Task Language_Chosen_ChangesThePageAndStaysThroughLiveData()
    {
        await using var page = await fixture.OpenAsync(new(), "/gallery?gateway=host");
        await page.Page.ClickAsync("form[action=culture] >> xpath=.. >> summary");
        await page.Page.ClickAsync("button[value=ko]");
        await page.Page.WaitForSelectorAsync("html[lang=ko]");
        await page.WaitInteractiveAsync();
        Assert.EndsWith("/gallery?gateway=host", page.Page.Url);
        await WaitForNewPointsAsync(page, 6);
        Assert.Contains("월", await page.Page.TextContentAsync("#culture"));
        Assert.Contains("전 갱신", await page.Page.TextContentAsync(".head .age"));
    }

    [Fact]
    public async Task Drawer_OnAPhone_OpensClosesAndGivesTheFocusBack()
    {
        await using var page = await fixture.OpenAsync(s_phone, "/gallery");
        var drawer = page.Page.Locator(".drawer");
        Assert.False(await drawer.IsVisibleAsync());
        await page.Page.ClickAsync("[data-drawer-toggle]");
        await drawer.WaitForAsync(new() { State = WaitForSelectorState.Visible });
        Assert.Equal("true", await page.Page.GetAttributeAsync("[data-drawer-toggle]", "aria-expanded"));
        await page.ShotAsync("drawer-phone", fullPage: false);
        await page.Page.Keyboard.PressAsync("Escape");
        await drawer.WaitForAsync(new() { State = WaitForSelectorState.Hidden });
        Assert.True(await page.Page.EvaluateAsync<bool>("() => document.activeElement.matches('[data-drawer-toggle]')"));
    }

    [Fact]
    public async Task Menus_OfTheBar_WorkByKeyboard()
    {
        await using var page = await fixture.OpenAsync(new(), "/gallery?gateway=host");
        await page.Page.FocusAsync(".switcher");
        await page.Page.Keyboard.PressAsync("Enter");
        await page.Page.WaitForSelectorAsync(".menu.switch[open]");
        await page.ShotAsync("gateway-menu", fullPage: false);
        await page.AssertAccessibleAsync();
        await page.Page.Keyboard.PressAsync("Escape");
        await page.Page.WaitForSelectorAsync(".menu.switch:not([open])");
        await page.Page.ClickAsync(".avatar");
        await page.ShotAsync("user-menu", fullPage: false);
    }

    [Fact]
    public async Task LiveChart_WithData_MovesAndTheTableShowsTheSame()
    {
        await using var page = await fixture.OpenAsync(new(), "/gallery");
        await WaitForNewPointsAsync(page, 3);
        await page.Page.ClickAsync("text=Table");
        await page.Page.WaitForSelectorAsync(".live-table tbody tr");
        Assert.True(await page.Page.Locator(".live-table").First.Locator("tbody tr").CountAsync() > 10);
        await page.ShotAsync("gallery-table");
        await page.Page.ClickAsync("text=Chart");
        await WaitForNewPointsAsync(page, 2);
    }

    [Fact]
    public async Task LiveChart_OutOfSight_GetsNothingUntilItComesBack()
    {
        await using var page = await fixture.OpenAsync(new(1440, 500), "/gallery");
        await WaitForNewPointsAsync(page, 2);
        await page.Page.EvaluateAsync("() => document.getElementById('throw').scrollIntoView()");
        var before = await NewestAsync(page);
        for (var look = 0; ; look++)
        {
            await Task.Delay(2000, TestContext.Current.CancellationToken);
            var now = await NewestAsync(page);
            if (now == before)
            {
                break;
            }

            Assert.True(look < 30, "the chart goes on although nobody can see it"); // the server hears of it a little later
            before = now;
        }

        await page.Page.EvaluateAsync("() => scrollTo(0, 0)");
        await WaitForNewPointsAsync(page, 2);
    }

    [Fact]
    public async Task Dialog_Irreversible_StartsOnCancelAndEnterNeverConfirms()
    {
        await using var page = await fixture.OpenAsync(new(), "/gallery");
        await page.Page.ClickAsync("#ask");
        await page.Page.WaitForSelectorAsync(".dialog .foot");
        await page.Page.WaitForFunctionAsync("() => document.activeElement?.textContent === 'Cancel'");
        await page.ShotAsync("dialog-light", fullPage: false);
        await page.AssertAccessibleAsync();
        await page.Page.FillAsync(".dialog input", "demo");
        await page.Page.WaitForSelectorAsync(".foot .danger:not([disabled])");
        await page.Page.PressAsync(".dialog input", "Enter");
        await page.Page.FocusAsync(".foot .danger");
        await page.Page.Keyboard.PressAsync("Enter");
        await Task.Delay(500, TestContext.Current.CancellationToken);
        Assert.True(await page.Page.IsVisibleAsync(".dialog .foot"));
        await page.Page.ClickAsync(".foot .danger");
        await page.Page.WaitForFunctionAsync("() => document.getElementById('answer').textContent === 'deleted'");
        await page.Page.WaitForFunctionAsync("() => window.toastsSeen.size > 0");
        await page.ShotAsync("snackbar-light", fullPage: false);
    }

    [Fact]
    public async Task Fault_InAPage_LeavesTheShellAndGivesACode()
    {
        await using var page = await fixture.OpenAsync(new(), "/gallery");
        await page.Page.ClickAsync("#throw");
        await page.Page.WaitForSelectorAsync("[data-copy^=E-UI-]");
        Assert.True(await page.Page.IsVisibleAsync(".drawer"));
        await page.ShotAsync("page-fault", fullPage: false);
    }

    [Fact]
    public async Task Reconnect_ConnectionCut_ShowsTheDialogAndGoesOn()
    {
        var sockets = new ConcurrentQueue<IWebSocketRoute>();
        var cut = false;
        await using var page = await fixture.OpenAsync(new(), "/healthz/live", async context =>
        {
            await context.RouteWebSocketAsync("**/_blazor*", socket =>
            {
                if (Volatile.Read(ref cut))
                {
                    _ = socket.CloseAsync();
                    return;
                }

                socket.ConnectToServer();
                sockets.Enqueue(socket);
            });
            // Without WebSockets the page would go on by long polling.
            await context.RouteAsync("**/_blazor/**", route => Volatile.Read(ref cut) ? route.AbortAsync() : route.ContinueAsync());
        });
        page.ExpectsErrors = true;
        await page.GoAsync("/gallery?gateway=host");
        await WaitForNewPointsAsync(page, 2);
        Volatile.Write(ref cut, true);
        foreach (var socket in sockets)
        {
            await socket.CloseAsync(new() { Code = 1011 });
        }

        await page.Page.WaitForSelectorAsync("#components-reconnect-modal[open]");
        await Task.Delay(1500, TestContext.Current.CancellationToken);
        await page.ShotAsync("reconnect-light", fullPage: false);
        await page.AssertAccessibleAsync();
        Volatile.Write(ref cut, false);
        await page.Page.WaitForSelectorAsync("#components-reconnect-modal:not([open])", new() { State = WaitForSelectorState.Attached });
        await WaitForNewPointsAsync(page, 2);
        Assert.EndsWith("/gallery?gateway=host", page.Page.Url);
    }

    private static Task<string> ThemeAsync(BrowserPage page) => page.Page.EvaluateAsync<string>("() => document.documentElement.dataset.theme");

    private static Task<double> NewestAsync(BrowserPage page) => page.Page.EvaluateAsync<double>("() => Number(document.querySelector('.live-chart').dataset.newest)");

    private static async Task WaitForNewPointsAsync(BrowserPage page, int seconds)
    {
        // A chart that has just been made has no points yet, and may take the place of another one between two questions.
        var first = await page.Page.WaitForFunctionAsync("() => { const newest = Number(document.querySelector('.live-chart')?.dataset.newest); return newest > 0 ? newest : null; }");
        var before = await first.JsonValueAsync<double>();
        await page.Page.WaitForFunctionAsync($"before => Number(document.querySelector('.live-chart').dataset.newest) > before + {seconds}", before);
    }
}
