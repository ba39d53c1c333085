using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.Localization;
using MPSec.Components.Charts;
using MPSec.Components.Controls;
using MPSec.Components.Layout;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;
using MPSec.Live;

namespace MPSec.Features.SystemStatus;

/// <summary>The System page: what the machine does, and the interfaces of the gateway. The machine is read only while somebody looks, slowly otherwise.</summary>
public sealed partial class SystemPage(
    ILiveFeeds<MachineSnapshot, MachinePoint> machines, ILiveFeeds<GatewaySnapshot, RatePoint> gateways, IStringLocalizer<SystemTexts> texts,
    TimeProvider time, NavigationManager navigation) : IDisposable
{
    private const double FullPercent = 95;
    private static readonly TimeRange s_usual = TimeRange.Parse("5m");

    private readonly ChartRing _ring = new(2);
    private IReadOnlyList<ChartSeries> _series = [];
    private IReadOnlyList<PastLine> _past = [];
    private TimeRange _range = s_usual;
    private LiveFeed<MachineSnapshot, MachinePoint>? _feed;
    private IDisposable? _subscription;
    private Sample<MachineSnapshot>? _sample;
    private IReadOnlyList<string> _addresses = [];
    private bool _paused;

    /// <summary>The gateway of this page.</summary>
    [CascadingParameter(Name = GatewayLink.Parameter)]
    public string Gateway { get; set; } = "host";

    /// <summary>What time the chart shows, as <see cref="TimeRange"/> writes it; five minutes when nothing is said.</summary>
    [SupplyParameterFromQuery(Name = "range")]
    public string? Time { get; set; }

    private IStringLocalizer<SystemTexts> L => texts;

    private bool IsHost => Gateway == GatewayName.Host.Value;

    private (string Text, StateKind Kind) StateLine
    {
        get
        {
            if (_sample is not { Value: { } s })
            {
                return _sample?.Failure is null ? (L["StateWaiting"], StateKind.Unknown) : (L["StateFailed"], StateKind.Down);
            }

            var point = MachinePoint.Of(s, default);
            var full = s.Reading.FileSystems.Select(f => (f.MountPoint, Percent: f.FullPercent)).Where(f => f.Percent >= FullPercent).OrderByDescending(f => f.Percent).FirstOrDefault();
            return _sample.Failure is not null ? (L["StateFailed"], StateKind.Down)
                : full.MountPoint is not null ? (L["StateDisk", full.MountPoint, Figures.Percent(full.Percent)], StateKind.Degraded)
                : point.MemoryPercent >= FullPercent ? (L["StateMemory", Figures.Percent(point.MemoryPercent)], StateKind.Degraded)
                : (L["StateFine", Figures.Percent(point.CpuPercent), Figures.Percent(point.MemoryPercent)], StateKind.Up);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _subscription?.Dispose();

    /// <inheritdoc/>
    protected override void OnInitialized()
    {
        _series = [new(L["HistoryCpu"], ChartLine.Area, 1), new(L["HistoryMemory"], ChartLine.Solid, 2)];
        _past = [new("machine/cpu", L["HistoryCpu"], 1), new("machine/memory", L["HistoryMemory"], 2)];
        _feed = machines.Get(GatewayName.Host.Value);
        foreach (var point in _feed.History.ToArray())
        {
            Add(point);
        }

        Take(_feed.Store.Current);
        _subscription = _feed.Store.Subscribe(sample => InvokeAsync(() =>
        {
            if (!_paused)
            {
                Take(sample);
                StateHasChanged();
            }
        }));
    }

    /// <inheritdoc/>
    protected override void OnParametersSet() => _range = Time is null ? s_usual : TimeRange.Parse(Time);

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

    private void Wake() => _feed?.Wake();

    private void Take(Sample<MachineSnapshot>? sample)
    {
        // The first sample after a pause of the feed has old values: a share over that time is no share of now.
        if (sample?.Value is { } snapshot && time.GetElapsedTime(sample.ValueTimestamp) < TimeSpan.FromMinutes(2))
        {
            _sample = sample;
            Add(MachinePoint.Of(snapshot, sample.ValueAt));
            _addresses = [.. (gateways.Get(GatewayName.Host.Value).Store.Current?.Value?.Reading.Addresses ?? []).Where(a => a.Scope == 0).Select(a => a.Prefix.ToString())];
        }
        else if (sample?.Failure is not null)
        {
            _sample = sample;
        }
    }

    private void Add(MachinePoint point) => _ring.Add(point.At, point.CpuPercent ?? double.NaN, point.MemoryPercent ?? double.NaN);
}
