using System.Globalization;
using System.Net;
using AngleSharp.Dom;
using Bunit;
using Bunit.TestDoubles;
using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using MPSec.Changes;
using MPSec.Changes.Kernel;
using MPSec.Components;
using MPSec.Features.Network;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;
using MPSec.Live;
using MPSec.Tests.Changes;
using MPSec.Tests.Data;
using MudBlazor;
using MudBlazor.Services;

namespace MPSec.Tests.Features.Network;

public sealed class MptcpSettingsPanelTests : BunitContext, IAsyncLifetime
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);
    private readonly TempState _state = new();
    private readonly CultureInfo _before = CultureInfo.CurrentUICulture;
    private readonly FakeKernel _kernel = new();
    private readonly FakeSource _source = new();
    private readonly NoFeeds _feeds = new();
    private ServiceProvider? _changes;
    private IRenderedComponent<MudDialogProvider>? _dialogs;

    public async ValueTask InitializeAsync()
    {
        _kernel.Values["net.mptcp.stale_loss_cnt"] = "4";
        _changes = await _state.StartAsync(s => s.AddSingleton(TimeProvider.System).AddMPSecChanges().AddFakeDeadMan().AddSingleton<IHostKernel>(_kernel));
        await _changes.GetRequiredService<GatewayModes>().SetAsync(MptcpFacts.Gateway, GatewayMode.Managed, new("ada", ChangeRole.Administrator), Xunit.TestContext.Current.CancellationToken);
        JSInterop.Mode = JSRuntimeMode.Loose;
        Services.AddLogging().AddLocalization().AddSingleton<Sentences>().AddMudServices(o => o.PopoverOptions.CheckForPopoverProvider = false);
        Services.AddSingleton(TimeProvider.System).AddSingleton<IMptcpSettingsSource>(_source).AddSingleton<MptcpSettingsService>().AddSingleton<ILiveFeeds<GatewaySnapshot, RatePoint>>(_feeds);
        Services.AddSingleton(_changes.GetRequiredService<GatewayModes>()).AddChangeDesk(_changes);
    }

    public new async ValueTask DisposeAsync()
    {
        CultureInfo.CurrentUICulture = _before;
        await base.DisposeAsync();
        await (_changes?.DisposeAsync() ?? ValueTask.CompletedTask);
        _state.Dispose();
    }

    [Theory]
    [InlineData("en", "Congestion control and reordering", "how many retransmission intervals", "does not know this setting", "sysctl -w net.ipv4.tcp_allowed_congestion_control=\"reno bbr cubic\"")]
    [InlineData("ko", "혼잡 제어(congestion control)와 순서 바뀜(reordering)", "재전송 간격", "MPSec가 모르는 설정", "sysctl -w net.ipv4.tcp_allowed_congestion_control=\"reno bbr cubic\"")]
    public void Panel_OfThisKernel_ExplainsEachSettingInTheReadersLanguage(string language, string group, string sentence, string unknown, string trap)
    {
        Speak(language);
        var page = Show("Administrator");

        Assert.Contains(group, page.Markup, StringComparison.Ordinal);
        Assert.Contains(sentence, page.Find("[data-setting='net.mptcp.stale_loss_cnt']").TextContent.Replace("After ", "", StringComparison.Ordinal), StringComparison.OrdinalIgnoreCase);
        Assert.Contains(unknown, page.Find("[data-setting='net.mptcp.wonder']").TextContent, StringComparison.Ordinal);
        Assert.Contains("7.2", page.Find("[data-setting='net.mptcp.add_addr_v6_port_drop_ts']").TextContent, StringComparison.Ordinal);
        Assert.Contains(trap, page.Markup.Replace("&quot;", "\"", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Equal(4, page.FindAll("[data-preset]").Count);
        Assert.Single(page.FindAll("[data-endpoint]"));
        Assert.DoesNotContain("Set_", page.Markup, StringComparison.Ordinal);
    }

    [Fact]
    public void Panel_ForAnOperator_ShowsAllAndChangesNothing()
    {
        Speak("en");
        var page = Show("Operator");

        Assert.Contains("Only an administrator", page.Find(".banner").TextContent, StringComparison.Ordinal);
        Assert.All(page.FindAll("[data-setting] .btn, [data-preset] .btn, [data-endpoint] .btn"), b => Assert.True(b.HasAttribute("disabled")));
    }

    [Fact]
    public async Task Change_WrongThenRightValue_IsRefusedBesideTheFieldThenPreviewedAndApplied()
    {
        Speak("en");
        var page = Show("Administrator");
        var provider = _dialogs!;
        IElement Row() => page.Find("[data-setting='net.mptcp.stale_loss_cnt']");
        // Found and used in one turn of the renderer, so that no new rendering comes between.
        await page.InvokeAsync(() => Row().QuerySelector(".btn")!.ClickAsync(new()));
        await page.InvokeAsync(() => Row().QuerySelector("input")!.ChangeAsync(new() { Value = "-1" }));
        await page.InvokeAsync(() => Row().QuerySelector("form")!.SubmitAsync());
        page.WaitForAssertion(() => Assert.Contains("0 to 4294967295", Row().QuerySelector("[role=alert]")!.TextContent, StringComparison.Ordinal), s_patience);
        Assert.Empty(_kernel.Applied);

        await page.InvokeAsync(() => Row().QuerySelector("input")!.ChangeAsync(new() { Value = "6" }));
        var applying = page.InvokeAsync(() => Row().QuerySelector("form")!.SubmitAsync());
        provider.WaitForAssertion(() => Assert.Contains("net.mptcp.stale_loss_cnt=6", provider.Find(".dialog").TextContent, StringComparison.Ordinal), s_patience);
        Assert.Contains("net.mptcp.stale_loss_cnt=4", provider.Find(".dialog").TextContent, StringComparison.Ordinal);
        await provider.InvokeAsync(() => provider.Find(".dialog .foot .btn:last-child").ClickAsync(new()));
        await applying.WaitAsync(s_patience, Xunit.TestContext.Current.CancellationToken);
        Assert.Equal(["net.mptcp.stale_loss_cnt=6"], _kernel.Applied);
        page.WaitForAssertion(() => Assert.Null(Row().QuerySelector("form")), s_patience);
    }

    [Fact]
    public async Task Add_BesideAnotherOwner_TellsWhoOwnsTheEndpointsBeforeAnythingIsDone()
    {
        Speak("en");
        _kernel.Endpoints = true;
        _source.Next = MptcpFacts.Snapshot(owners: ["NetworkManager"]);
        var page = Show("Administrator");
        var dialogs = _dialogs!;
        Assert.Contains("NetworkManager", page.Find(".banner.warn").TextContent, StringComparison.Ordinal);
        await page.InvokeAsync(() => page.Find("#ep-address").ChangeAsync(new() { Value = "10.99.3.2" }));
        await page.InvokeAsync(() => page.Find(".flags input").ChangeAsync(new() { Value = true }));
        Assert.Contains("No program accepts", page.Find(".go").TextContent, StringComparison.Ordinal);
        var adding = page.InvokeAsync(() => page.Find("form.add").SubmitAsync());
        dialogs.WaitForAssertion(() => Assert.Contains("NetworkManager manages the endpoints", dialogs.Find(".dialog").TextContent, StringComparison.Ordinal), s_patience);
        Assert.Contains("endpoint add 10.99.3.2 id 1 signal", dialogs.Find(".dialog").TextContent, StringComparison.Ordinal);
        await dialogs.InvokeAsync(() => dialogs.Find(".dialog .foot .btn").ClickAsync(new()));
        await adding.WaitAsync(s_patience, Xunit.TestContext.Current.CancellationToken);
        Assert.Empty(_kernel.Applied);
    }

    [Fact]
    public void Panel_OfTheOutOfTreeKernel_HasItsNamesAndNoEndpoints()
    {
        Speak("en");
        _source.Next = MptcpSettingsSnapshot.Of(
            new() { Gateway = MptcpFacts.Gateway, Links = [new() { Index = 2, Name = "eth0", Flags = 1, OperationalState = "up", Mtu = 1500 }] },
            KernelMptcpSettings.ReadEntries(Path.Combine(AppContext.BaseDirectory, "Fixtures/OutOfTree/sys")), [], "4.19.234");
        var page = Show("Administrator");

        Assert.Contains("roundrobin", page.Find("[data-setting='net.mptcp.mptcp_scheduler']").TextContent, StringComparison.Ordinal);
        Assert.Contains("ip -n lab-b link set dev eth0 multipath backup", page.Markup, StringComparison.Ordinal);
        Assert.Empty(page.FindAll("#ep-address"));
    }

    [Fact]
    public void Panel_WithoutMptcp_SaysWhatWouldBringIt()
    {
        Speak("en");
        _source.Next = MptcpSettingsSnapshot.Of(new() { Gateway = MptcpFacts.Gateway }, [], [], "5.4.0");
        var page = Show("Administrator");

        Assert.Contains("Linux 5.6", page.Find(".banner.bad").TextContent, StringComparison.Ordinal);
        Assert.All(page.FindAll("[data-preset] .btn"), b => Assert.True(b.HasAttribute("disabled")));
        Assert.Contains("5.4.0", page.Find("[data-setting='net.mptcp.enabled']").TextContent, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Panel_LeftBeforeItHasRead_ListensNoMore()
    {
        using var gate = new ManualResetEventSlim();
        _source.Gate = gate;
        this.AddAuthorization().SetAuthorized("mina").SetRoles("Administrator");
        Render<MptcpSettingsPanel>(p => p.Add(x => x.Gateway, MptcpFacts.Gateway.Value));
        var store = _feeds.Get(MptcpFacts.Gateway.Value).Store;
        Assert.Equal(1, store.SubscriberCount);

        await DisposeComponentsAsync();
        gate.Set();
        await _source.FirstRead.Task.WaitAsync(s_patience, Xunit.TestContext.Current.CancellationToken);
        Assert.Equal(0, store.SubscriberCount);
    }

    private static void Speak(string language) => CultureInfo.CurrentUICulture = CultureInfo.GetCultureInfo(language);

    private IRenderedComponent<MptcpSettingsPanel> Show(string role)
    {
        this.AddAuthorization().SetAuthorized("mina").SetRoles(role);
        _dialogs = Render<MudDialogProvider>();
        var page = Render<MptcpSettingsPanel>(p => p.Add(x => x.Gateway, MptcpFacts.Gateway.Value));
        page.WaitForAssertion(() => Assert.NotNull(page.Find("[data-setting]")), s_patience);
        return page;
    }

    private sealed class FakeSource : IMptcpSettingsSource
    {
        public MptcpSettingsSnapshot Next { get; set; } = MptcpFacts.Snapshot(endpoints: [new(2, IPAddress.Parse("10.99.2.2"), 0, MptcpEndpointFlags.Signal, null)]);

        /// <summary>What a reading waits for.</summary>
        public ManualResetEventSlim? Gate { get; set; }

        /// <summary>Done when something was read.</summary>
        public TaskCompletionSource FirstRead { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public MptcpSettingsSnapshot Read(GatewayName gateway)
        {
            Gate?.Wait(s_patience);
            FirstRead.TrySetResult();
            return Next;
        }
    }

    private sealed class NoFeeds : ILiveFeeds<GatewaySnapshot, RatePoint>
    {
        private readonly LiveFeed<GatewaySnapshot, RatePoint> _feed = new(new(NullLogger<LiveStore<Sample<GatewaySnapshot>>>.Instance), new(1), () => { });

        public LiveFeed<GatewaySnapshot, RatePoint> Get(string name) => _feed;
    }
}
