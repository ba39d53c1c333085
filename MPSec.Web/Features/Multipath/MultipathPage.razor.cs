using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.Extensions.Localization;
using MPSec.Changes;
using MPSec.Components.Controls;
using MPSec.Components.Layout;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;
using MPSec.Live;
using MudBlazor;

namespace MPSec.Features.Multipath;

/// <summary>The Multipath page: paths, throughput, MP ON/OFF, IP Up/Down.</summary>
public sealed partial class MultipathPage(
    ILiveFeeds<GatewaySnapshot, RatePoint> feeds,
    MultipathService service,
    PathControl control,
    ChangeDesk desk,
    ChangeService changes,
    GatewayModes modes,
    IPeerDirectory peers,
    TimeProvider time,
    IDialogService dialogs,
    ISnackbar snackbar,
    IStringLocalizer<MultipathTexts> texts) : IDisposable
{
    private string? _shown;
    private LiveFeed<GatewaySnapshot, RatePoint>? _feed;
    private IDisposable? _subscription;
    private ExecutionContext? _context;
    private Sample<GatewaySnapshot>? _sample;
    private PathsSnapshot? _paths;
    private IReadOnlyDictionary<string, LinkDownNote> _downNotes = new Dictionary<string, LinkDownNote>();
    private bool _managed = true;
    private bool _paused;
    private DateTimeOffset _pausedAt;
    private string? _busy;
    private string? _peer;
    private string? _lock;
    private ChangeActor _actor = new("anonymous", ChangeRole.Viewer);

    /// <summary>The gateway of this page.</summary>
    [CascadingParameter(Name = GatewayLink.Parameter)]
    public string Gateway { get; set; } = "host";

    [CascadingParameter]
    private Task<AuthenticationState>? Authentication { get; set; }

    private IStringLocalizer<MultipathTexts> L => texts;

    private GatewayName Name => GatewayName.Parse(Gateway);

    private static TimeSpan StaleAfter => TimeSpan.FromSeconds(3);

    private SegmentChoice<bool>[] MpChoices => [new(true, L["MpOn"], "power", Hint: _lock), new(false, L["MpOff"], Hint: _lock)];

    private (string Text, StateKind Kind) StateLine => (_sample, _paths) switch
    {
        (null, _) => (L["StateWaiting"], StateKind.Unknown),
        ({ Failure: not null }, _) => (L["StateFailed"], StateKind.Down),
        (_, null or { Lanes.Length: 0 }) => (L["StateNoPaths"], StateKind.Unknown),
        (_, { } p) when p.Lanes.Count(l => l.State == PathState.Down) is var down and > 0 => (L["StateDown", down, p.Lanes.Length], StateKind.Down),
        (_, { } p) when p.Lanes.Any(l => l.State == PathState.Degraded) => (L["StateCarrying", p.Carrying, p.Lanes.Length], StateKind.Degraded),
        (_, { Carrying: > 0 } p) => (L["StateCarrying", p.Carrying, p.Lanes.Length], StateKind.Up),
        (_, { } p) => (L["StateIdle"], StateKind.Up),
    };

    private PanelCondition Condition => (_sample, _paths) switch
    {
        (null, _) => PanelCondition.Loading,
        _ when _paused => PanelCondition.Paused,
        ({ Failure: not null, Value: null }, _) => PanelCondition.Error,
        ({ Failure: not null }, _) => PanelCondition.Stale,
        (_, { Lanes.Length: 0 }) => PanelCondition.Empty,
        _ => PanelCondition.Ready,
    };

    private string? ConditionTitle => Condition switch
    {
        PanelCondition.Empty => L["PathsEmpty"].Value,
        PanelCondition.Error => L["StateFailed"].Value,
        _ => null,
    };

    private string? ConditionDetail => Condition switch
    {
        PanelCondition.Empty => L["PathsEmptyWhy"].Value,
        PanelCondition.Loading => L["LoadingPaths"].Value,
        PanelCondition.Error or PanelCondition.Stale => L[_sample!.Failure!.Code switch { "gone" => "FailedGone", "permission" => "FailedPermission", _ => "FailedUnreadable" }].Value,
        _ => null,
    };

    private EventCallback ResumeOrRetry => EventCallback.Factory.Create(this, () =>
    {
        if (_paused)
        {
            SetPausedAsync(false);
        }
        else
        {
            _feed?.Wake();
        }
    });

    /// <inheritdoc/>
    public void Dispose()
    {
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
            return;
        }

        _shown = Gateway;
        _subscription?.Dispose();
        (_sample, _paths, _paused, _subscription) = (null, null, false, null);
        if (!GatewayName.TryParse(Gateway, out var name, out _))
        {
            _sample = new(null, time.GetUtcNow(), 0, new("gone", Gateway, time.GetUtcNow()));
            return;
        }

        _feed = feeds.Get(name.Value);
        Take(_feed.Store.Current);
        _subscription = _feed.Store.Subscribe(sample => InvokeAsync(() =>
        {
            if (!_paused)
            {
                Take(sample);
                StateHasChanged();
            }
        }));
        _actor = Authentication is null ? _actor : ChangeActor.Of((await Authentication).User);
        _peer = peers.PeerOf(name)?.Value;
        await desk.FindWayAsync();
        await LoadRightsAsync();
    }

    private void Take(Sample<GatewaySnapshot>? sample)
    {
        _sample = sample;
        _paths = sample?.Value is { } snapshot ? service.Paths(snapshot) : null;
    }

    private async Task LoadRightsAsync()
    {
        _managed = await modes.GetAsync(Name) == GatewayMode.Managed;
        _lock = _actor.Role < ChangeRole.Operator ? L["RoleReason"].Value : _managed ? null : L["ObserveReason"].Value;
        _downNotes = await control.TakenDownAsync(Name);
        StateHasChanged();
    }

    private void SetPausedAsync(bool paused)
    {
        _paused = paused;
        _pausedAt = time.GetUtcNow();
        if (!paused)
        {
            Take(_feed?.Store.Current);
        }
    }

    private async Task SetLinkAsync((string Path, bool Up) wish)
    {
        if (!InterfaceName.TryParse(wish.Path, out var link, out var error))
        {
            snackbar.Add(error!, Severity.Error);
            return;
        }

        await RunAsync(wish.Path, new(
            L[wish.Up ? "UpTitle" : "DownTitle", wish.Path], L[wish.Up ? "UpSummary" : "DownSummary"], L[wish.Up ? "UpConfirm" : "DownConfirm", wish.Path], L[wish.Up ? "DoneUp" : "DoneDown", wish.Path])
        {
            Plan = () => wish.Up ? control.UpAsync(Name, link) : Task.FromResult(control.Down(Name, link)),
            AlwaysAsk = false,
        });
    }

    private Task SetMptcpAsync(bool on) => RunAsync("mptcp", new(L["OffTitle"], L["OffSummary", Gateway], L["OffConfirm"], L[on ? "DoneOn" : "DoneOff"])
    {
        Plan = () => Task.FromResult(control.Multipath(Name, on)),
        AlwaysAsk = false,
    });

    private async Task RunAsync(string what, ChangeWish wish)
    {
        _busy = what;
        StateHasChanged();
        try
        {
            await desk.RunAsync(wish, _actor);
            _feed?.Wake();
        }
        finally
        {
            _busy = null;
            StateHasChanged();
        }
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

    // Both events come from any thread; without this context the page would lose its language.
    private void Reload() => ExecutionContext.Run(_context!, static self => _ = ((MultipathPage)self!).InvokeAsync(((MultipathPage)self!).LoadRightsAsync), this);
}
