using System.Globalization;
using Bunit;
using Bunit.TestDoubles;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using MPSec.Changes;
using MPSec.Changes.Kernel;
using MPSec.Components;
using MPSec.Features;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;
using MPSec.Live;
using MPSec.Tests.Changes;
using MPSec.Tests.Data;
using MudBlazor;
using MudBlazor.Services;

namespace MPSec.Tests.Features;

/// <summary>The one way by which pages change a gateway, with a browser that gets through or does not.</summary>
public sealed class ChangeDeskTests : BunitContext, IAsyncLifetime
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);
    private static readonly ChangeActor s_mina = new("mina", ChangeRole.Administrator);
    private readonly TempState _state = new();
    private readonly CultureInfo _before = CultureInfo.CurrentUICulture;
    private readonly FakeKernel _kernel = new();
    private ServiceProvider? _changes;

    private static CancellationToken Token => Xunit.TestContext.Current.CancellationToken;

    private ChangeDesk Desk => Services.GetRequiredService<ChangeDesk>();

    private FakeBrowser Browser => Services.GetRequiredService<FakeBrowser>();

    private ChangeService Changes => _changes!.GetRequiredService<ChangeService>();

    public async ValueTask InitializeAsync()
    {
        CultureInfo.CurrentUICulture = CultureInfo.GetCultureInfo("en");
        _kernel.Values["net.mptcp.enabled"] = "1";
        _changes = await _state.StartAsync(s => s.AddSingleton(TimeProvider.System).AddMPSecChanges().AddFakeDeadMan().AddSingleton<IHostKernel>(_kernel));
        await _changes.GetRequiredService<GatewayModes>().SetAsync(GatewayName.Host, GatewayMode.Managed, s_mina, Token);
        JSInterop.Mode = JSRuntimeMode.Loose;
        Services.AddLogging().AddLocalization().AddSingleton<Sentences>().AddMudServices(o => o.PopoverOptions.CheckForPopoverProvider = false);
        Services.AddSingleton(TimeProvider.System).AddSingleton<ILiveFeeds<GatewaySnapshot, RatePoint>>(new NoFeeds()).AddChangeDesk(_changes);
        this.AddAuthorization().SetAuthorized("mina").SetRoles("Administrator");
    }

    public new async ValueTask DisposeAsync()
    {
        CultureInfo.CurrentUICulture = _before;
        await base.DisposeAsync();
        await (_changes?.DisposeAsync() ?? ValueTask.CompletedTask);
        _state.Dispose();
    }

    [Fact]
    public async Task Run_HarmlessAndReached_IsKeptWithoutAPerson()
    {
        var bar = Render<PendingChangeBar>();

        var answer = await Desk.RunAsync(Wish("net.mptcp.enabled", "0") with { AlwaysAsk = false }, s_mina);

        Assert.True(answer.IsDone, answer.Refusal);
        Assert.Equal("0", _kernel.Values["net.mptcp.enabled"]);
        Assert.Null(await Changes.PendingAsync(Token));
        bar.WaitForAssertion(() => Assert.Empty(bar.FindAll("dialog, [data-pending], [data-ended]")), s_patience);
    }

    [Fact]
    public async Task Run_NoNewConnectionGetsThrough_PersonIsAskedAndNothingIsKeptByItself()
    {
        Browser.Reaches = false;
        var bar = Render<PendingChangeBar>();

        var running = Desk.RunAsync(Wish("net.mptcp.enabled", "0") with { AlwaysAsk = false }, s_mina);
        bar.WaitForAssertion(() => Assert.Contains("sysctl -w net.mptcp.enabled=0", bar.Find("dialog.keep").TextContent, StringComparison.Ordinal), s_patience);
        var waiting = await Changes.PendingAsync(Token);
        bar.WaitForAssertion(() => Assert.Equal(waiting!.Id, Desk.Asks), s_patience);
        await Changes.RollbackAsync(waiting!.Id, s_mina, Token);
        var answer = await running.WaitAsync(s_patience, Token);

        Assert.False(answer.IsDone);
        Assert.Equal("1", _kernel.Values["net.mptcp.enabled"]);
        bar.WaitForAssertion(() => Assert.Contains("was undone", bar.Find("[data-ended=rolledback]").TextContent, StringComparison.Ordinal), s_patience);
        Assert.Empty(bar.FindAll("dialog"));

        // The same again, and this time it gets through.
        Browser.Reaches = true;
        await bar.InvokeAsync(() => bar.Find("[data-again]").ClickAsync(new()));
        bar.WaitForAssertion(() => Assert.Equal("0", _kernel.Values["net.mptcp.enabled"]), s_patience);
        bar.WaitForAssertion(() => Assert.Empty(bar.FindAll("[data-ended]")), s_patience);
    }

    [Fact]
    public async Task Run_MayCutOff_SaysSoAsksBeforeAndWaitsForThePerson()
    {
        // A browser on this machine, or a tunnel: nobody can tell what cuts it off.
        _kernel.Values["net.ipv4.tcp_rmem"] = "4096 131072 6291456";
        var dialogs = Render<MudDialogProvider>();
        var bar = Render<PendingChangeBar>();

        var running = bar.InvokeAsync(() => Desk.RunAsync(Wish("net.ipv4.tcp_rmem", "4096 4096 4096"), s_mina));
        dialogs.WaitForAssertion(() => Assert.Contains("MPSec cannot see whether this change cuts it off", dialogs.Find(".dialog").TextContent, StringComparison.Ordinal), s_patience);
        Assert.Contains("within 60 s", dialogs.Find(".dialog").TextContent, StringComparison.Ordinal);
        Assert.Contains("danger", dialogs.Find(".dialog .foot .btn:last-child").ClassName, StringComparison.Ordinal);
        await dialogs.InvokeAsync(() => dialogs.Find(".dialog .foot .btn:last-child").ClickAsync(new()));
        bar.WaitForAssertion(() => Assert.False(bar.Find("dialog.keep [data-keep]").HasAttribute("disabled")), s_patience);
        Assert.False(running.IsCompleted);

        await Changes.ConfirmAsync((await Changes.PendingAsync(Token))!.Id, s_mina, Token);
        Assert.True((await running.WaitAsync(s_patience, Token)).IsDone);
        Assert.Equal("4096 4096 4096", _kernel.Values["net.ipv4.tcp_rmem"]);
    }

    [Fact]
    public async Task Bar_ForSomebodyElse_TellsWhoseChangeWaitsAndAsksNothing()
    {
        CultureInfo.CurrentUICulture = CultureInfo.GetCultureInfo("ko");
        var bar = Render<PendingChangeBar>();
        var plan = await Wish("net.mptcp.enabled", "0").Plan();
        await Changes.ApplyCheckedAsync(plan, new("ada", ChangeRole.Administrator), null, Token);

        bar.WaitForAssertion(() => Assert.Contains("ada", bar.Find("[data-pending=waiting]").TextContent, StringComparison.Ordinal), s_patience);
        Assert.Contains("확인을 기다립니다", bar.Find("[data-pending=waiting]").TextContent, StringComparison.Ordinal);
        Assert.Empty(bar.FindAll("dialog"));
        var refused = await Desk.RunAsync(Wish("net.mptcp.enabled", "1") with { AlwaysAsk = false, TellsRefusal = true }, s_mina);
        Assert.Contains("of ada) waits to be confirmed", refused.Refusal, StringComparison.Ordinal);
        await bar.InvokeAsync(() => bar.Find("[data-revert-bar]").ClickAsync(new()));
        bar.WaitForAssertion(() => Assert.Equal("1", _kernel.Values["net.mptcp.enabled"]), s_patience);
    }

    private static ChangeWish Wish(string key, string value) => new("Really?", "It changes.", "Change it", "Done.")
    {
        Plan = () => Task.FromResult(new ChangePlan { TitleCode = "mptcp.setting", TitleArguments = ["host", key], Operations = [new WriteSysctl(GatewayName.Host, SysctlKey.Parse(key), value)], Danger = ChangeDanger.Low }),
    };

    private sealed class NoFeeds : ILiveFeeds<GatewaySnapshot, RatePoint>
    {
        private readonly LiveFeed<GatewaySnapshot, RatePoint> _feed = new(new(NullLogger<LiveStore<Sample<GatewaySnapshot>>>.Instance), new(1), () => { });

        public LiveFeed<GatewaySnapshot, RatePoint> Get(string name) => _feed;
    }
}
