using AngleSharp.Dom;
using Bunit;
using Bunit.TestDoubles;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Web;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using MPSec.Components.Layout;
using MPSec.Features.Connections;
using MPSec.Linux.Gateways;
using MPSec.Linux.Procfs;
using MPSec.Live;
using MPSec.Tests.Components;
using MPSec.Tests.Data;
using static MPSec.Tests.Features.Connections.ConnectionFacts;

namespace MPSec.Tests.Features.Connections;

public sealed class ConnectionsPageTests : ShellContext
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);
    private readonly OneFeed _feed = new();
    private readonly TempState _proc = new();
    private GatewayReading? _before;

    public ConnectionsPageTests()
    {
        Services.AddSingleton<ILiveFeeds<GatewaySnapshot, RatePoint>>(_feed).AddSingleton(new ConnectionsService(new FakePaths())).AddSingleton(new SocketOwners(_proc.Root));
    }

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _proc.Dispose();
    }

    [Fact]
    public async Task Update_FromAThreadWithoutContext_KeepsOrderFocusedRowAndLanguage()
    {
        Speak("ko");
        Publish(Usual(1, rtt: 1000), Usual(2, rtt: 3000), Usual(3, rtt: 2000));
        var page = Show("connections?sort=-rtt");
        Assert.Equal(["00000002", "00000003", "00000001"], Tokens(page));
        Assert.Contains("연결 3개, 하위 흐름 6개", page.Find(".live-state").TextContent, StringComparison.Ordinal);

        await PublishFarAwayAsync(Usual(1, sent: 125_000, rtt: 9000), Usual(3, rtt: 10), Usual(2, rtt: 3000));
        page.WaitForAssertion(() => Assert.Equal("9", page.Find("tr[data-token='00000001'] td[data-col=rtt]").TextContent), s_patience);
        Assert.Equal(["00000002", "00000003", "00000001"], Tokens(page));
        Assert.Contains("다시 정렬", page.Find("[data-resort]:not([disabled])").TextContent, StringComparison.Ordinal);
        Assert.Equal("연결됨", page.Find("tr[data-token='00000001'] td[data-col=state]").TextContent);

        await page.Find("[data-resort]").ClickAsync(new MouseEventArgs());
        Assert.Equal(["00000001", "00000002", "00000003"], Tokens(page));
    }

    [Fact]
    public async Task Filter_WrongThenRight_PointsAtTheCharacterAndKeepsTheLastGoodOne()
    {
        Speak("en");
        Publish(Usual(1, rtt: 1000), Usual(2, rtt: 90_000));
        var page = Show("connections?filter=rtt%3E50");
        Assert.Equal(["00000002"], Tokens(page));
        Assert.Equal("rtt>50", page.Find("#filter").GetAttribute("value"));

        await page.Find("#filter").InputAsync(new ChangeEventArgs { Value = "rtx>50" });
        page.WaitForAssertion(() => Assert.NotEmpty(page.FindAll(".where")), s_patience);
        Assert.Contains("At character 1: there is no field “rtx”. Known: rtt, tx, rx.", page.Find("#filter-problem").TextContent, StringComparison.Ordinal);
        Assert.Equal("rtx", page.Find(".where mark").TextContent);
        Assert.Equal(["00000002"], Tokens(page));

        await page.Find("#filter").InputAsync(new ChangeEventArgs { Value = "rtt<50 path:1 -rtt>50" });
        page.WaitForAssertion(() => Assert.Equal(["00000001"], Tokens(page)), s_patience);
        Assert.Empty(page.FindAll(".where"));
        page.WaitForAssertion(() => Assert.Contains("filter=rtt%3C50%20path%3A1%20-rtt%3E50", Navigation.Uri, StringComparison.Ordinal), s_patience);

        await page.Find("#filter").InputAsync(new ChangeEventArgs { Value = "nothing" });
        page.WaitForAssertion(() => Assert.Contains("No connection matches", page.Markup, StringComparison.Ordinal), s_patience);
    }

    [Fact]
    public async Task Select_SortAndColumns_AreInTheAddressAndALinkShowsTheSame()
    {
        Speak("en");
        Publish(Usual(1, sent: 1 << 20, flags: 3), Usual(2));
        var page = Show("connections");
        await page.Find("tr[data-token='00000001'] .name").ClickAsync(new MouseEventArgs());
        await page.Find("button[data-sort=rtt]").ClickAsync(new MouseEventArgs());
        await page.Find("input[data-column=cc]").ChangeAsync(new ChangeEventArgs { Value = true });
        await page.Find("input[data-column=share]").ChangeAsync(new ChangeEventArgs { Value = false });

        Assert.Equal(2, page.FindAll("tr.sub").Count);
        Assert.Equal("Yes, plain TCP", page.Find("[data-fact=fallback]").TextContent);
        Assert.Contains("1,048,576", page.Find("[data-fact=sent]").GetAttribute("title"), StringComparison.Ordinal);
        Assert.Equal(("–", "The kernel does not tell when a connection began, and MPSec was not listening then."), (page.Find("[data-fact=age]").TextContent, page.Find("[data-fact=age]").GetAttribute("title")));
        Assert.Contains("ss -Mni 'src 10.99.1.1:40001 and dst 10.99.1.2:5001'", page.Find(".pane pre").TextContent, StringComparison.Ordinal);
        var address = Navigation.Uri;
        Assert.Contains("token=00000001", address, StringComparison.Ordinal);
        Assert.Contains("sort=-rtt", address, StringComparison.Ordinal);

        var again = Show(address);
        Assert.Equal(page.FindAll("th").Select(h => h.TextContent), again.FindAll("th").Select(h => h.TextContent));
        Assert.Contains(again.FindAll("th button"), b => b.GetAttribute("data-sort") == "cc");
        Assert.NotNull(again.Find(".pane[data-details='00000001']"));
        await again.Find(".pane").KeyDownAsync(new KeyboardEventArgs { Key = "Escape" });
        Assert.Empty(again.FindAll(".pane"));
        Assert.DoesNotContain("token=", Navigation.Uri, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Connection_ThatEndsWhileItsDetailsShow_KeepsItsLastFigures()
    {
        Speak("en");
        Publish(Usual(1, sent: 5000), Usual(2));
        var page = Show("connections?token=00000001");
        Assert.Equal("4.88 KiB", page.Find("[data-fact=sent]").TextContent);
        await PublishFarAwayAsync(Usual(2));
        page.WaitForAssertion(() => Assert.Contains("has ended", page.Find(".pane").TextContent, StringComparison.Ordinal), s_patience);
        Assert.Equal("4.88 KiB", page.Find("[data-fact=sent]").TextContent);
        Assert.Equal(["00000002"], Tokens(page));
    }

    [Fact]
    public async Task Pause_FreezesAndEmptySaysHowToBegin()
    {
        Speak("en");
        Publish(Usual(1));
        var page = Show("connections");
        await page.Find(".head button[aria-pressed]").ClickAsync(new MouseEventArgs());
        await PublishFarAwayAsync(Usual(1), Usual(2));
        await Task.Delay(200, Xunit.TestContext.Current.CancellationToken);
        Assert.Single(Tokens(page));
        await page.Find(".head button[aria-pressed]").ClickAsync(new MouseEventArgs());
        Assert.Equal(2, Tokens(page).Length);

        await PublishFarAwayAsync();
        page.WaitForAssertion(() => Assert.Contains("mptcpize run curl", page.Find(".begin pre").TextContent, StringComparison.Ordinal), s_patience);
        Assert.Contains("plain TCP sockets, not listed: 5", page.Markup, StringComparison.Ordinal);
    }

    private NavigationManager Navigation => Services.GetRequiredService<NavigationManager>();

    private static string?[] Tokens(IRenderedComponent<CascadingValue<string>> page) => [.. page.FindAll("tr.c").Select(r => r.GetAttribute("data-token"))];

    private IRenderedComponent<CascadingValue<string>> Show(string address)
    {
        Navigation.NavigateTo(address);
        return Render<CascadingValue<string>>(p => p.Add(c => c.Name, GatewayLink.Parameter).Add(c => c.Value, "t-a").AddChildContent<ConnectionsPage>());
    }

    private void Publish(params (MptcpConnection, Subflow[])[] connections)
    {
        var now = Reading(connections);
        var snapshot = GatewaySnapshot.Derive(_before, now, TimeSpan.FromSeconds(1));
        _before = now;
        _feed.Store.Publish(new(snapshot, TimeProvider.System.GetUtcNow(), TimeProvider.System.GetTimestamp(), null));
    }

    private async Task PublishFarAwayAsync(params (MptcpConnection, Subflow[])[] connections)
    {
        Task published;
        using (ExecutionContext.SuppressFlow())
        {
            published = Task.Factory.StartNew(() => Publish(connections), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }

        await published;
    }

    private sealed class OneFeed : ILiveFeeds<GatewaySnapshot, RatePoint>
    {
        public LiveStore<Sample<GatewaySnapshot>> Store { get; } = new(NullLogger<LiveStore<Sample<GatewaySnapshot>>>.Instance);

        public LiveFeed<GatewaySnapshot, RatePoint> Get(string name) => new(Store, new(1), () => { });
    }
}
