using System.Collections.Immutable;
using System.Net;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.Extensions.Localization;
using MPSec.Changes;
using MPSec.Components.Controls;
using MPSec.Components.Layout;
using MPSec.Linux.Gateways;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;
using MPSec.Live;
using MudBlazor;

namespace MPSec.Features.Network;

/// <summary>The Network page: its tabs, its live reading, and the one way by which the tabs change a gateway.</summary>
public sealed partial class NetworkPage(
    ILiveFeeds<GatewaySnapshot, RatePoint> feeds,
    NetworkService service,
    ChangeDesk desk,
    ChangeService changes,
    GatewayModes modes,
    TimeProvider time,
    NavigationManager navigation,
    IDialogService dialogs,
    ISnackbar snackbar,
    IStringLocalizer<NetworkTexts> texts) : IDisposable
{
    // What is not in the reading, such as rp_filter, may change without an event.
    private static readonly TimeSpan s_oldest = TimeSpan.FromSeconds(10);

    private readonly CancellationTokenSource _stop = new();
    private string? _shown;
    private string? _shownPeers;
    private LiveFeed<GatewaySnapshot, RatePoint>? _feed;
    private IDisposable? _subscription;
    private ExecutionContext? _context;
    private Sample<GatewaySnapshot>? _sample;
    private GatewayReading? _asked;
    private long _askedAt;
    private bool _asking;
    private bool _again;
    private NetworkSnapshot? _network;
    private string? _problem;
    private bool _managed = true;
    private bool _busy;
    private string? _lock;
    private ChangeActor _actor = new("anonymous", ChangeRole.Viewer);

    /// <summary>The gateway of this page.</summary>
    [CascadingParameter(Name = GatewayLink.Parameter)]
    public string Gateway { get; set; } = "host";

    /// <summary>The tab shown.</summary>
    [SupplyParameterFromQuery(Name = "tab")]
    public string? Tab { get; set; }

    /// <summary>Peers that a person asks about, separated by commas.</summary>
    [SupplyParameterFromQuery(Name = "peers")]
    public string? PeersAsked { get; set; }

    [CascadingParameter]
    private Task<AuthenticationState>? Authentication { get; set; }

    private IStringLocalizer<NetworkTexts> L => texts;

    private GatewayName Name => GatewayName.Parse(Gateway);

    private static string[] Tabs => ["paths", "routing", "mptcp", "history"];

    private string Shown => Tabs.Contains(Tab) ? Tab! : Tabs[0];

    private string? PeerProblem
    {
        get
        {
            NetworkService.ParsePeers(PeersAsked, out var error);
            return error is null ? null : L["PeerProblem", error].Value;
        }
    }

    private (string Text, StateKind Kind) StateLine => (_sample, _network) switch
    {
        ({ Failure: not null }, _) => (L["StateFailed"], StateKind.Down),
        (_, null) => _problem is null ? (L["StateWaiting"], StateKind.Unknown) : (L["StateFailed"], StateKind.Down),
        (_, { } n) when n.Paths.All(p => !p.IsActive) => (L["StateNoPaths"], StateKind.Unknown),
        (_, { WrongCells: > 0 } n) => (L["StateWrong", n.WrongCells, n.Cells.Length], StateKind.Down),
        (_, { Findings.Length: > 0 } n) => (L["StateFindings", n.Findings.Length], StateKind.Degraded),
        (_, { Cells.Length: 0 } n) => (L["StateUnproved", n.Paths.Count(p => p.IsActive)], StateKind.Standby),
        (_, { } n) => (L["StateProved", n.Paths.Count(p => p.IsActive)], StateKind.Up),
    };

    private PanelCondition Condition => (_sample, _network) switch
    {
        ({ Failure: not null }, null) => PanelCondition.Error,
        ({ Failure: not null }, _) => PanelCondition.Stale,
        (_, null) => _problem is null ? PanelCondition.Loading : PanelCondition.Error,
        (_, { Paths.Length: 0 }) => PanelCondition.Empty,
        _ => _problem is null ? PanelCondition.Ready : PanelCondition.Stale,
    };

    private string? ConditionDetail => Condition switch
    {
        PanelCondition.Loading => L["StateWaiting"].Value,
        PanelCondition.Error or PanelCondition.Stale => L[_sample?.Failure?.Code switch { "gone" => "FailedGone", "permission" => "FailedPermission", _ => "FailedUnreadable" }].Value,
        _ => null,
    };

    private EventCallback Retry => EventCallback.Factory.Create(this, Wake);

    private void Wake()
    {
        _asked = null;
        _feed?.Wake();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
        _subscription?.Dispose();
        changes.Completed -= OnChange;
        modes.ModeChanged -= OnMode;
    }

    /// <inheritdoc/>
    protected override void OnInitialized()
    {
        _context = ExecutionContext.Capture();
        changes.Completed += OnChange;
        modes.ModeChanged += OnMode;
    }

    /// <inheritdoc/>
    protected override async Task OnParametersSetAsync()
    {
        if (_shown == Gateway)
        {
            if (_shownPeers != PeersAsked)
            {
                _shownPeers = PeersAsked;
                await AskAsync(force: true);
            }

            return;
        }

        (_shown, _shownPeers) = (Gateway, PeersAsked);
        _subscription?.Dispose();
        (_sample, _network, _problem, _asked, _subscription) = (null, null, null, null, null);
        if (!GatewayName.TryParse(Gateway, out var name, out _))
        {
            _sample = new(null, time.GetUtcNow(), 0, new("gone", Gateway, time.GetUtcNow()));
            return;
        }

        _feed = feeds.Get(name.Value);
        _sample = _feed.Store.Current;
        _subscription = _feed.Store.Subscribe(sample => InvokeAsync(async () =>
        {
            _sample = sample;
            await AskAsync();
            StateHasChanged();
        }));
        _actor = Authentication is null ? _actor : ChangeActor.Of((await Authentication).User);
        await desk.FindWayAsync();
        await LoadRightsAsync();
        await AskAsync();
    }

    /// <summary>Asks the kernel for the matrix when something that routes has changed, not at every tick.</summary>
    private async Task AskAsync(bool force = false)
    {
        if (_sample is not { Failure: null, Value.Reading: { } reading }
            || (!force && _asked is not null && RoutingAnalysis.IsSame(_asked, reading) && time.GetElapsedTime(_askedAt) < s_oldest))
        {
            return;
        }

        if (_asking)
        {
            _again |= force;
            return;
        }

        _asking = true;
        try
        {
            do
            {
                _again = false;
                (_asked, _askedAt) = (_sample!.Value!.Reading, time.GetTimestamp());
                var network = await service.ReadAsync(_asked, NetworkService.ParsePeers(PeersAsked, out _), _stop.Token);
                if (network.Gateway == Gateway)
                {
                    (_network, _problem) = (network, null);
                }
            }
            while (_again);
        }
        catch (OperationCanceledException)
        {
            // The page was left.
        }
        catch (Exception e) when (e is IOException or NetlinkFormatException)
        {
            (_problem, _asked) = (Said.Of(e.Message), null);
        }
        finally
        {
            _asking = false;
        }
    }

    private void AskPeers(string? peers) => navigation.NavigateTo(GatewayLink.To("network?tab=routing" + (string.IsNullOrWhiteSpace(peers) ? "" : "&peers=" + Uri.EscapeDataString(peers.Trim())), Gateway));

    private async Task RepairAsync(ImmutableArray<HostOperation> operations)
    {
        _busy = true;
        StateHasChanged();
        try
        {
            await desk.RunAsync(new(L["RepairTitle", Gateway], L["RepairSummary"], L["RepairConfirm"], L["RepairDone"]) { Plan = () => Task.FromResult(NetworkService.Plan(Name, operations)) }, _actor);
            _feed?.Wake();
        }
        finally
        {
            _busy = false;
            StateHasChanged();
        }
    }

    private async Task LoadRightsAsync()
    {
        _managed = await modes.GetAsync(Name) == GatewayMode.Managed;
        _lock = _actor.Role < ChangeRole.Administrator ? L["RoleReason"].Value : _managed ? null : L["ObserveReason"].Value;
        StateHasChanged();
    }

    private async Task ManageAsync()
    {
        if (await ChangeDialog.AskAsync(dialogs, new(L["ManageTitle", Gateway], L["ManageSummary"], L["ManageConfirm", Gateway], DangerLevel.Disturbs)))
        {
            await modes.SetAsync(Name, GatewayMode.Managed, _actor);
            snackbar.Add(L["ManageDone", Gateway], Severity.Success);
        }
    }

    private void OnChange(ChangeReport report)
    {
        if (report.Gateways.Any(g => g.Value == _shown))
        {
            Reload();
        }
    }

    private void OnMode(GatewayName gateway, GatewayMode mode)
    {
        if (gateway.Value == _shown)
        {
            Reload();
        }
    }

    // Both events come from any thread; without this context the page would lose its language. A setting that changed is in no reading: ask again.
    private void Reload() => ExecutionContext.Run(_context!, static self => _ = ((NetworkPage)self!).InvokeAsync(async () =>
    {
        var page = (NetworkPage)self!;
        page._asked = null;
        page._feed?.Wake();
        await page.LoadRightsAsync();
    }), this);
}
