using System.Globalization;
using Bunit;
using Bunit.TestDoubles;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Web;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Data.History;
using MPSec.Features.Connections;
using MPSec.Tests.Components;
using MPSec.Tests.Data.History;

namespace MPSec.Tests.Features.Connections;

public sealed class EventTimelineTests : ShellContext
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly HistoryScope _history = new();

    public EventTimelineTests() => Services.AddSingleton(_history.Store);

    private static CancellationToken Token => Xunit.TestContext.Current.CancellationToken;

    private BunitNavigationManager Navigation => Services.GetRequiredService<BunitNavigationManager>();

    [Fact]
    public async Task Timeline_LiveEvents_ComeOnTopInTheReadersLanguageAndFiltersStandInTheAddress()
    {
        await using var history = _history;
        await history.Store.StartAsync(Token);
        await history.WaitAsync(s => s.State == HistoryState.Writing);
        CultureInfo.CurrentCulture = CultureInfo.CurrentUICulture = new("ko");
        Happen(history, HistoryEventKind.SubflowClosed, "p2", 0xabc, 110, 4);
        Happen(history, HistoryEventKind.LinkDown, "p2", null, null, null);
        await history.Store.FlushAsync(Token);
        JSInterop.SetupModule("./Features/Connections/EventTimeline.razor.js").Setup<bool>("isAtTop", _ => true).SetResult(true);
        var timeline = Render<EventTimeline>(p => p.Add(t => t.Gateway, "gw").Add(t => t.Numbers, new Dictionary<string, int> { ["p2"] = 2 }));
        timeline.WaitForAssertion(() => Assert.Equal(["link-down", "subflow-closed"], Kinds(timeline)), s_patience);
        Assert.Equal("10.0.0.1:7 → 10.0.0.2:80, 시간 초과, 재설정: 미처리 데이터가 너무 많음", timeline.Find("tr[data-event=subflow-closed] .detail").TextContent);
        Assert.Equal("2", timeline.Find("tr[data-event=link-down] .path").GetAttribute("data-n"));

        using (ExecutionContext.SuppressFlow())
        {
            Happen(history, HistoryEventKind.Lost, null, null, null, null);
        }

        await history.Store.FlushAsync(Token);
        timeline.WaitForAssertion(() => Assert.Equal(["events-lost", "link-down", "subflow-closed"], Kinds(timeline)), s_patience);
        Assert.Contains("이벤트 일부가 빠졌습니다", timeline.Find("tr[data-event=events-lost] .detail").TextContent, StringComparison.Ordinal);

        await timeline.Find("#find").ChangeAsync(new ChangeEventArgs { Value = "00000abc" });
        Assert.EndsWith("?find=00000abc", Navigation.Uri, StringComparison.Ordinal);
        timeline.Render(p => p.Add(t => t.Find, "00000abc"));
        timeline.WaitForAssertion(() => Assert.Equal(["subflow-closed"], Kinds(timeline)), s_patience);
        await timeline.Find("[data-kind=events-lost]").ChangeAsync(new ChangeEventArgs { Value = false });
        Assert.Contains("kinds=", Navigation.Uri, StringComparison.Ordinal);
        Assert.DoesNotContain("events-lost", Navigation.Uri, StringComparison.Ordinal);
        timeline.Render(p => p.Add(t => t.Find, null).Add(t => t.Kinds, "link-down,link-up"));
        timeline.WaitForAssertion(() => Assert.Equal(["link-down"], Kinds(timeline)), s_patience);
        timeline.Render(p => p.Add(t => t.Kinds, null));
        timeline.WaitForAssertion(() => Assert.Equal(3, Kinds(timeline).Length), s_patience);
        await timeline.Find("tr[data-event=subflow-closed] .plain.mono").ClickAsync(new MouseEventArgs());
        Assert.Contains("of=00000abc", Navigation.Uri, StringComparison.Ordinal);
        timeline.Render(p => p.Add(t => t.Of, "00000abc"));
        timeline.WaitForAssertion(() => Assert.Equal(["subflow-closed"], Kinds(timeline)), s_patience);
    }

    [Fact]
    public async Task Timeline_ReaderScrolledDown_NewEventsWaitForAClick()
    {
        await using var history = _history;
        await history.Store.StartAsync(Token);
        await history.WaitAsync(s => s.State == HistoryState.Writing);
        CultureInfo.CurrentCulture = CultureInfo.CurrentUICulture = new("en");
        Happen(history, HistoryEventKind.LinkUp, "p1", null, null, null);
        await history.Store.FlushAsync(Token);
        JSInterop.SetupModule("./Features/Connections/EventTimeline.razor.js").Setup<bool>("isAtTop", _ => true).SetResult(false);
        var timeline = Render<EventTimeline>(p => p.Add(t => t.Gateway, "gw"));
        timeline.WaitForAssertion(() => Assert.Single(Kinds(timeline)), s_patience);
        Happen(history, HistoryEventKind.LinkDown, "p1", null, null, null);
        await history.Store.FlushAsync(Token);
        timeline.WaitForAssertion(() => Assert.Contains("1 new", timeline.Find("[data-fresh]").TextContent, StringComparison.Ordinal), s_patience);
        Assert.Equal(["link-up"], Kinds(timeline));
        await timeline.Find("[data-fresh]").ClickAsync(new MouseEventArgs());
        Assert.Equal(["link-down", "link-up"], Kinds(timeline));
    }

    private static string?[] Kinds(IRenderedComponent<EventTimeline> timeline) => [.. timeline.FindAll("tr[data-event]").Select(r => r.GetAttribute("data-event"))];

    private static void Happen(HistoryScope history, string kind, string? device, uint? token, int? error, int? reason) => history.Store.Record(new HistoryEvent
    {
        Scope = "gw", At = HistoryScope.Start, Kind = kind, Interface = device, Token = token, Error = error, ResetReason = reason,
        Local = token is null ? null : "10.0.0.1:7", Remote = token is null ? null : "10.0.0.2:80",
    });
}
