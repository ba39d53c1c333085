using Microsoft.AspNetCore.Components.Server;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using MPSec.Components;
using MPSec.Hosting.Bench;

namespace MPSec.Tests.Hosting.Load;

/// <summary>Pages that behave badly, and many at once.</summary>
public sealed class LoadFaultTests
{
    [Fact]
    public async Task Page_ThatConfirmsNothing_IsDrawnNoFurtherAndDisturbsNobody()
    {
        await using var pages = await OpenPages.StartAsync();
        var good = await pages.OpenAsync();
        var bad = await pages.OpenAsync();
        await OpenPages.TicksAsync(bad, 2);
        (bad.Confirms, bad.Answers) = (false, false);
        var seen = bad.Traffic.Renders;
        var limit = pages.App.Program.Services.GetRequiredService<IOptions<CircuitOptions>>().Value.MaxBufferedUnacknowledgedRenderBatches;

        await OpenPages.TicksAsync(good, 4 * limit);

        Assert.Null(good.Ended);
        Assert.InRange(bad.Traffic.Renders - seen, 1, limit + 1); // what waits for it does not grow
        bad.Confirms = true; // one that the server has not forgotten
        Assert.Null(bad.Ended);
    }

    [Fact]
    public async Task Page_ThatStopsReading_IsEndedAndLeavesNothing()
    {
        await using var pages = await OpenPages.StartAsync(s => s
            .Configure<HubOptions>(o => (o.KeepAliveInterval, o.ClientTimeoutInterval) = (TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(20)))
            .Configure<CircuitOptions>(o => o.DisconnectedCircuitRetentionPeriod = TimeSpan.FromSeconds(1)));
        var good = await pages.OpenAsync();
        var frozen = await pages.OpenAsync();
        await OpenPages.TicksAsync(frozen, 2);
        Assert.Equal(2, pages.Circuits.Open);

        frozen.Stalled = true;
        await OpenPages.UntilAsync(() => pages.Circuits.Open == 1, () => $"{pages.Circuits.Open} circuits are open");
        await OpenPages.TicksAsync(good, 10);

        Assert.Null(good.Ended);
        Assert.Equal(1, pages.Circuits.Open);
    }

    [Theory]
    [InlineData(12)]
    [InlineData(100)]
    public async Task Pages_ManyAtOnce_AllGetTicksAndLeaveNothing(int count)
    {
        LongProofs.SkipUsually(count > 12);
        var open = new List<HeadlessCircuit>();
        await using var pages = await OpenPages.StartAsync();
        for (var i = 0; i < count; i++)
        {
            open.Add(await pages.OpenAsync());
        }

        await OpenPages.UntilAsync(() => pages.Watchers == count, () => $"{pages.Watchers} of {count} watch");
        await Task.WhenAll(open.Select(p => OpenPages.TicksAsync(p, 5)));

        Assert.All(open, p => Assert.Null(p.Ended));
        await pages.LeaveAsync();
        await OpenPages.UntilAsync(() => pages.Circuits.Open == 0 && pages.Watchers == 0, () => $"{pages.Circuits.Open} circuits, {pages.Watchers} watchers");
    }

    /// <summary>The framework ends a page whose list goes away while the browser does not answer within the limit for calls: so that limit must be long.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task List_ThatGoesWhileTheBrowserDoesNotAnswer_EndsThePageOnlyWithAShortLimit(bool isShort)
    {
        await using var pages = await OpenPages.StartAsync(s => _ = isShort ? s.Configure<CircuitOptions>(o => o.JSInteropDefaultCallTimeout = TimeSpan.FromSeconds(5)) : s);
        Assert.Equal(isShort ? TimeSpan.FromSeconds(5) : JsLimit.Others, pages.App.Program.Services.GetRequiredService<IOptions<CircuitOptions>>().Value.JSInteropDefaultCallTimeout);
        var page = await pages.OpenAsync("/jobs");
        await page.GoAsync(pages.Page(ListPage.Path));
        await OpenPages.UntilAsync(() => page.Calls.Any(c => c.EndsWith("Virtualize.init", StringComparison.Ordinal)), () => string.Join(", ", page.Calls));
        page.Answers = false;
        await page.GoAsync(pages.Page(OpenPages.Dashboard));
        if (isShort)
        {
            // Should this fail one day, the framework has learnt it and the long limit can go.
            await OpenPages.UntilAsync(() => page.Ended is not null, () => "the page lives");
        }
        else
        {
            page.Answers = true;
            await page.GoAsync(pages.Page("/jobs"));
            await page.GoAsync(pages.Page(OpenPages.Dashboard));
            await OpenPages.TicksAsync(page, 3);
            Assert.Null(page.Ended);
        }
    }
}
