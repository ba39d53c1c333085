using System.Collections.Immutable;
using System.Globalization;
using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.Localization;
using MPSec.Changes;
using MPSec.Components.Charts;
using MPSec.Components.Controls;
using MPSec.Components.Layout;
using MPSec.Features.Multipath;
using MPSec.Linux.Gateways;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;
using MPSec.Live;

namespace MPSec.Features.Overview;

/// <summary>The first page: health, then the paths and their rates, then what changed.</summary>
public sealed partial class OverviewPage(
    ILiveFeeds<GatewaySnapshot, RatePoint> feeds, MultipathService paths, ChangeJournal journal, ChangeService changes, IShellState shell, ChangeTitles titles, NavigationManager navigation,
    IStringLocalizer<OverviewTexts> texts)
    : IDisposable
{
    private static readonly TimeRange s_usual = TimeRange.Parse("5m");
    private const int ChangesShown = 8;
    private const int JournalDepth = 100;
    private const double LanePixelsPerMbit = 0.5;
    private const double WidestLane = 26;
    private static readonly string? s_kernel = KernelRelease.Read();

    private string? _shown;
    private LiveFeed<GatewaySnapshot, RatePoint>? _feed;
    private IDisposable? _subscription;
    private ExecutionContext? _context;
    private Sample<GatewaySnapshot>? _sample;
    private PathsSnapshot? _paths;
    private ImmutableArray<HealthFinding> _findings = [];
    private IReadOnlyList<ChangeReport> _changes = [];
    private IReadOnlyList<ChartSeries> _series = [];
    private ImmutableArray<int> _indexes = [];
    private ChartRing? _ring;
    private bool _paused;
    private TimeRange _range = s_usual;

    /// <summary>The gateway of this page.</summary>
    [CascadingParameter(Name = GatewayLink.Parameter)]
    public string Gateway { get; set; } = "host";

    /// <summary>What time the chart shows, as <see cref="TimeRange"/> writes it; five minutes when nothing is said.</summary>
    [SupplyParameterFromQuery(Name = "range")]
    public string? Time { get; set; }

    private IStringLocalizer<OverviewTexts> L => texts;

    private GatewayReading? Reading => _sample?.Value?.Reading;

    private HealthSeverity Verdict => OverviewHealth.Verdict(_findings);

    /// <summary>What needs attention; when nothing does, what passed.</summary>
    private IEnumerable<HealthFinding> Shown => _findings.Any(f => f.Severity > HealthSeverity.Passed) ? _findings.Where(f => f.Severity > HealthSeverity.Passed) : _findings.Take(4);

    private string? OtherGateway => shell.Gateways.FirstOrDefault(g => g.Name == Gateway) is { Kind: ShellGatewayKind.ThisMachine }
        ? shell.Gateways.FirstOrDefault(g => g.Kind == ShellGatewayKind.Lab)?.Name
        : null;

    private (string Text, StateKind Kind) StateLine => (_sample, Verdict) switch
    {
        (null, _) => (L["StateWaiting"], StateKind.Unknown),
        ({ Failure: not null }, _) => (L["StateFailed"], StateKind.Down),
        (_, HealthSeverity.Passed) => (L["StatePassed"], StateKind.Up),
        (_, var verdict) => (L["StateFindings", _findings.Count(f => f.Severity > HealthSeverity.Passed)], verdict switch { HealthSeverity.Serious => StateKind.Down, HealthSeverity.Warning => StateKind.Degraded, _ => StateKind.Unknown }),
    };

    /// <inheritdoc/>
    public void Dispose()
    {
        _subscription?.Dispose();
        changes.Completed -= OnChange;
    }

    /// <inheritdoc/>
    protected override void OnInitialized()
    {
        _context = ExecutionContext.Capture();
        changes.Completed += OnChange;
    }

    /// <inheritdoc/>
    protected override async Task OnParametersSetAsync()
    {
        _range = Time is null ? s_usual : TimeRange.Parse(Time);
        if (_shown == Gateway)
        {
            return;
        }

        _shown = Gateway;
        _subscription?.Dispose();
        (_sample, _paths, _ring, _paused, _indexes) = (null, null, null, false, []);
        if (!GatewayName.TryParse(Gateway, out _, out var error))
        {
            Take(new(null, default, 0, new("gone", error!, default)));
            return;
        }

        _feed = feeds.Get(Gateway);
        Take(_feed.Store.Current);
        _subscription = _feed.Store.Subscribe(sample => InvokeAsync(() =>
        {
            if (!_paused)
            {
                Take(sample);
                StateHasChanged();
            }
        }));
        await LoadChangesAsync();
    }

    private static string Css(HealthSeverity severity) => severity switch { HealthSeverity.Passed => "ok", HealthSeverity.Warning => "warn", HealthSeverity.Serious => "bad", _ => "" };

    private static string Icon(HealthSeverity severity) => severity switch { HealthSeverity.Passed => "ok", HealthSeverity.Warning => "warn", HealthSeverity.Serious => "bad", _ => "unknown" };

    private static StateKind Kind(PathLane lane) => lane.State switch
    {
        PathState.Up => StateKind.Up,
        PathState.Standby => StateKind.Standby,
        PathState.Degraded => StateKind.Degraded,
        PathState.Down => StateKind.Down,
        _ => StateKind.Unknown,
    };

    private string Thickness(PathLane lane)
    {
        var widest = Math.Max(1, (_paths?.Lanes ?? []).Max(l => (l.CapacityBitsPerSecond ?? l.BusierBitsPerSecond ?? 0) / 1e6));
        var scale = Math.Min(LanePixelsPerMbit, WidestLane / widest);
        return string.Create(CultureInfo.InvariantCulture, $"--c:{(lane.CapacityBitsPerSecond ?? 0) / 1e6 * scale:0.#}px;--f:{(lane.BusierBitsPerSecond ?? 0) / 1e6 * scale:0.#}px");
    }

    private string Setting(string name) => Reading?.MptcpSettings.GetValueOrDefault("net.mptcp." + name) ?? Figures.Missing;

    private void Take(Sample<GatewaySnapshot>? sample)
    {
        _sample = sample;
        _paths = sample?.Value is { } snapshot ? paths.Paths(snapshot) : null;
        _findings = sample is null ? [] : OverviewHealth.Of(sample, _paths);
        if (_paths is not { Lanes.Length: > 0 } now)
        {
            return;
        }

        ImmutableArray<int> indexes = [.. now.Lanes.Select(l => l.InterfaceIndex ?? 0)];
        if (_ring is null || !_indexes.SequenceEqual(indexes))
        {
            _indexes = indexes;
            _series = [.. now.Lanes.Select(l => new ChartSeries(l.Name, ChartLine.Area, l.Number))];
            _ring = new ChartRing(_series.Count);
            foreach (var point in _feed!.History.ToArray())
            {
                _ring.Add(point.At, [.. indexes.Select(i => Mbit(point.Rates.TryGetValue(i, out var rate) ? rate : null))]);
            }
        }

        _ring.Add(sample!.ValueAt, [.. now.Lanes.Select(l => Mbit(l.Rate))]);
    }

    private static IReadOnlyList<PastLine> PastOf(PathsSnapshot paths) => [.. paths.Lanes.Select(l => new PastLine($"interface/{l.Name}/sum", l.Title, l.Number))];

    private static double Mbit(InterfaceRate? rate) => rate is { } r ? r.SumBitsPerSecond / 1e6 : double.NaN;

    private async Task LoadChangesAsync()
    {
        _changes = [.. (await journal.RecentAsync(JournalDepth)).Where(c => c.Gateways.Any(g => g.Value == _shown)).OrderByDescending(c => c.At).Take(ChangesShown)];
        StateHasChanged();
    }

    private void SetRange(TimeRange? range) =>
        navigation.NavigateTo(navigation.GetUriWithQueryParameter("range", range is null || range == s_usual ? null : range.Text), replace: true);

    // Each step of zooming is a step back in the browser.
    private void Zoom((DateTimeOffset From, DateTimeOffset To) stretch)
    {
        if (TimeRange.Between(stretch.From, stretch.To) is { } range)
        {
            navigation.NavigateTo(navigation.GetUriWithQueryParameter("range", range.Text));
        }
    }

    private void SetPaused(bool paused)
    {
        _paused = paused;
        if (!paused)
        {
            Take(_feed?.Store.Current);
        }
    }

    // Comes from any thread; without this context the page would lose its language.
    private void OnChange(ChangeReport report) =>
        ExecutionContext.Run(_context!, static self => _ = ((OverviewPage)self!).InvokeAsync(((OverviewPage)self!).LoadChangesAsync), this);
}
