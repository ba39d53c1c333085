using System.Buffers.Binary;
using Bunit;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.JSInterop;
using MPSec.Components.Charts;
using MPSec.Live;

namespace MPSec.Tests.Components;

public sealed class LiveChartTests : ShellContext
{
    private static readonly ChartSeries[] s_series = [new("tx", ChartLine.Area), new("rx", ChartLine.Dashed)];
    private static readonly DateTimeOffset s_start = DateTimeOffset.UnixEpoch.AddDays(20_000);

    [Fact]
    public void Pack_After_GivesOnlyNewerRows()
    {
        var ring = new ChartRing(2, 4);
        for (var i = 0; i < 6; i++)
        {
            ring.Add(s_start.AddSeconds(i), i, -i);
        }

        var all = ring.Pack(0, out var newest);
        Assert.Equal(4 * 3 * 8, all.Length);
        Assert.Equal((s_start.AddSeconds(5) - DateTimeOffset.UnixEpoch).TotalSeconds, newest);
        Assert.Equal(2, BinaryPrimitives.ReadDoubleLittleEndian(all.AsSpan(8)));
        var two = ring.Pack(newest - 2, out _);
        Assert.Equal(2 * 3 * 8, two.Length);
        Assert.Empty(ring.Pack(newest, out _));
    }

    [Fact]
    public void Add_NotNewer_IsLeftOut()
    {
        var ring = new ChartRing(1);
        ring.Add(s_start, 1);
        ring.Add(s_start, 2);
        ring.Add(s_start.AddSeconds(-1), 3);
        Assert.Equal([1.0], Assert.Single(ring.Newest(TimeSpan.FromMinutes(1))).Values);
    }

    [Fact]
    public void Add_WrongWidth_SaysBothNumbers() =>
        Assert.Contains("3 values, the ring has 2 series", Assert.Throws<ArgumentException>(() => new ChartRing(2).Add(s_start, 1, 2, 3)).Message);

    [Fact]
    public void Tick_WhileShown_SendsOnePackedCallWithTheNewRowsOnly()
    {
        Speak("en");
        var module = JSInterop.SetupModule("./js/liveChart.js");
        var chart = module.SetupModule("create", _ => true);
        chart.SetupVoid("setAll", _ => true).SetVoidResult();
        chart.SetupVoid("append", _ => true).SetVoidResult();
        var ring = new ChartRing(2);
        ring.Add(s_start, 1, 2);
        ring.Add(s_start.AddSeconds(1), 1, 2);
        var component = Render<LiveChart>(p => p.Add(c => c.Data, ring).Add(c => c.Series, s_series).Add(c => c.Label, "path1"));
        Assert.Equal(2 * 24, ((byte[])Assert.Single(chart.Invocations["setAll"]).Arguments[0]!).Length);
        ring.Add(s_start.AddSeconds(2), 3, 4);
        component.WaitForAssertion(() => Assert.Equal(24, ((byte[])Assert.Single(chart.Invocations["append"]).Arguments[0]!).Length));
    }

    [Fact]
    public async Task Tick_WhileCallRuns_IsSkippedAndCaughtUp()
    {
        Speak("en");
        var module = JSInterop.SetupModule("./js/liveChart.js");
        var chart = module.SetupModule("create", _ => true);
        chart.SetupVoid("setAll", _ => true).SetVoidResult();
        var append = chart.SetupVoid("append", _ => true);
        var ring = new ChartRing(2);
        ring.Add(s_start, 1, 2);
        var component = Render<LiveChart>(p => p.Add(c => c.Data, ring).Add(c => c.Series, s_series).Add(c => c.Label, "path1"));
        for (var i = 1; i <= 5; i++)
        {
            ring.Add(s_start.AddSeconds(i), 3, 4);
        }

        await component.InvokeAsync(() => { });
        Assert.Single(chart.Invocations["append"]);
        append.SetVoidResult();
        await component.InvokeAsync(() => { });
        ring.Add(s_start.AddSeconds(6), 3, 4);
        component.WaitForAssertion(() => Assert.Equal(2, chart.Invocations["append"].Count));
        Assert.Equal(5 * 24, ((byte[])chart.Invocations["append"][1].Arguments[0]!).Length);
    }

    [Fact]
    public void Tick_CreationWasSwallowed_CreatesThePictureWithAllRows()
    {
        Speak("en");
        var module = JSInterop.SetupModule("./js/liveChart.js");
        module.AddInvocationHandler(new Swallowed());
        var ring = new ChartRing(2);
        ring.Add(s_start, 1, 2);
        var component = Render<LiveChart>(p => p.Add(c => c.Data, ring).Add(c => c.Series, s_series).Add(c => c.Label, "path1"));
        component.WaitForAssertion(() => Assert.Single(module.Invocations["create"]));
        var chart = module.SetupModule("create", _ => true);
        chart.SetupVoid("setAll", _ => true).SetVoidResult();
        ring.Add(s_start.AddSeconds(1), 3, 4);
        component.WaitForAssertion(() => Assert.Equal(2 * 24, ((byte[])Assert.Single(chart.Invocations["setAll"]).Arguments[0]!).Length));
    }

    [Fact]
    public async Task Tick_OutOfSight_SendsNothingUntilSeen()
    {
        Speak("en");
        var module = JSInterop.SetupModule("./js/liveChart.js");
        var chart = module.SetupModule("create", _ => true);
        chart.SetupVoid("setAll", _ => true).SetVoidResult();
        chart.SetupVoid("append", _ => true).SetVoidResult();
        var ring = new ChartRing(2);
        ring.Add(s_start, 1, 2);
        var component = Render<LiveChart>(p => p.Add(c => c.Data, ring).Add(c => c.Series, s_series).Add(c => c.Label, "path1"));
        await component.InvokeAsync(() => component.Instance.OnVisibleChanged(false));
        ring.Add(s_start.AddSeconds(1), 1, 2);
        ring.Add(s_start.AddSeconds(2), 1, 2);
        await component.InvokeAsync(() => { });
        Assert.Empty(chart.Invocations["append"]);
        await component.InvokeAsync(() => component.Instance.OnVisibleChanged(true));
        Assert.Equal(2 * 24, ((byte[])Assert.Single(chart.Invocations["append"]).Arguments[0]!).Length);
    }

    [Fact]
    public void Table_SameData_ShowsNewestFirstWithUnits()
    {
        Speak("ko");
        var ring = new ChartRing(2);
        ring.Add(s_start, 18.64, double.NaN);
        ring.Add(s_start.AddSeconds(1), 0, 0.5);
        var component = Render<LiveChart>(p => p.Add(c => c.Data, ring).Add(c => c.Series, s_series).Add(c => c.Label, "path1").Add(c => c.View, ChartView.Table).Add(c => c.Unit, "Mbit/s"));
        Assert.Equal(["시각", "tx, Mbit/s", "rx, Mbit/s"], component.FindAll("th").Select(h => h.TextContent));
        Assert.Equal(["0", "0.5", "18.6", "–"], component.FindAll("td.num").Select(c => c.TextContent));
    }

    [Fact]
    public async Task Dispose_Chart_StopsListening()
    {
        Speak("en");
        var ring = new ChartRing(2);
        Render<LiveChart>(p => p.Add(c => c.Data, ring).Add(c => c.Series, s_series).Add(c => c.Label, "path1"));
        await DisposeComponentsAsync();
        ring.Add(s_start, 1, 2); // must not reach a disposed component
    }

    [Fact]
    public async Task Publish_FromAThreadWithoutContext_RendersInTheUsersLanguage()
    {
        Speak("ko-KR");
        var store = new LiveStore<string>(NullLogger<LiveStore<string>>.Instance);
        var page = Render<LiveWordPage>(p => p.Add(w => w.Store, store));
        Assert.Equal("첫 값 없음 ₩0", page.Find("p").TextContent);
        Task published;
        using (ExecutionContext.SuppressFlow())
        {
            // Awaited outside: the flow must be restored on the thread that suppressed it.
            published = Task.Factory.StartNew(() => store.Publish("1234"), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }

        await published;

        page.WaitForAssertion(() => Assert.Equal("1234 ₩1,234", page.Find("p").TextContent));
    }

    /// <summary>The call that gets no answer, as with a connection that is down for longer than a call may take.</summary>
    private sealed class Swallowed : JSRuntimeInvocationHandlerBase<IJSObjectReference>
    {
        public Swallowed() : base(i => i.Identifier == "create", isCatchAllHandler: false) => SetCanceledBase();
    }
}
