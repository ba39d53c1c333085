using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.Localization;
using MPSec.Components.Charts;
using MPSec.Components.Controls;
using MPSec.Linux.Gateways;
using MPSec.Live;

namespace MPSec.Features.Multipath;

/// <summary>A live chart per interface: tx, rx and both, to one scale. Four at first, all on demand; the choice is part of the address.</summary>
public sealed partial class ThroughputCard(IStringLocalizer<MultipathTexts> texts, NavigationManager navigation)
{
    private const int AtFirst = 4;
    private const int RingRows = 3000; // five minutes at ten readings a second

    private readonly Dictionary<string, ChartRing> _rings = new(StringComparer.Ordinal);
    private IReadOnlyList<ChartSeries> _series = [];
    private List<string> _names = [];
    private HashSet<string> _chosen = [];
    private string? _gateway;
    private ChartView _view;
    private DateTimeOffset _newest;
    private TimeRange _range = TimeRange.Live;

    /// <summary>Gateway whose interfaces show.</summary>
    [Parameter, EditorRequired]
    public required string Gateway { get; set; }

    /// <summary>Where the points before now come from.</summary>
    [Parameter]
    public LiveFeed<GatewaySnapshot, RatePoint>? Feed { get; set; }

    /// <summary>The newest sample.</summary>
    [Parameter]
    public Sample<GatewaySnapshot>? Sample { get; set; }

    /// <summary>The same as paths, for numbers and colours.</summary>
    [Parameter]
    public PathsSnapshot? Paths { get; set; }

    /// <summary>Nothing moves.</summary>
    [Parameter]
    public bool Paused { get; set; }

    /// <summary>Chosen interfaces, separated by commas; null for the first four.</summary>
    [SupplyParameterFromQuery(Name = "if")]
    public string? Wanted { get; set; }

    /// <summary><c>table</c> or nothing.</summary>
    [SupplyParameterFromQuery(Name = "view")]
    public string? Wish { get; set; }

    /// <summary>What time shows, as <see cref="TimeRange"/> writes it; live when nothing is said.</summary>
    [SupplyParameterFromQuery(Name = "range")]
    public string? Time { get; set; }

    private IStringLocalizer<MultipathTexts> L => texts;

    private SegmentChoice<ChartView>[] ViewChoices => [new(ChartView.Chart, L["Chart"]), new(ChartView.Table, L["Table"])];

    /// <inheritdoc/>
    protected override void OnInitialized() => _series = [new(L["Tx"], ChartLine.Area), new(L["Rx"], ChartLine.Dashed), new(L["TxRx"], ChartLine.Thin)];

    /// <inheritdoc/>
    protected override void OnParametersSet()
    {
        _range = TimeRange.Parse(Time);
        _view = Wish == "table" ? ChartView.Table : ChartView.Chart;
        if (_gateway != Gateway)
        {
            _gateway = Gateway;
            _rings.Clear();
            _newest = default;
        }

        if (Sample?.Value is not { } snapshot)
        {
            (_names, _chosen) = ([], []);
            return;
        }

        var paths = Paths?.Lanes.ToDictionary(l => l.Name, l => l.Number) ?? [];
        _names = [.. snapshot.Reading.Links.Where(l => !l.IsLoopback).Concat(snapshot.Reading.Links.Where(l => l.IsLoopback)).Select(l => l.Name)
            .OrderBy(n => paths.TryGetValue(n, out var number) ? number : int.MaxValue)];
        _chosen = Wanted is null ? [.. _names.Take(AtFirst)] : [.. Wanted.Split(',', StringSplitOptions.RemoveEmptyEntries).Where(_names.Contains)];
        if (Sample.ValueAt > _newest && !Paused)
        {
            _newest = Sample.ValueAt;
            foreach (var link in snapshot.Reading.Links)
            {
                if (_rings.TryGetValue(link.Name, out var ring))
                {
                    Add(ring, _newest, Rate(link));
                }
            }
        }
    }

    private static void Add(ChartRing ring, DateTimeOffset at, InterfaceRate? rate) =>
        ring.Add(at, (rate?.TxBitsPerSecond ?? double.NaN) / 1e6, (rate?.RxBitsPerSecond ?? double.NaN) / 1e6, (rate?.SumBitsPerSecond ?? double.NaN) / 1e6);

    private IEnumerable<LinkReading> Chosen() =>
        (Sample?.Value?.Reading.Links ?? []).Where(l => _chosen.Contains(l.Name)).OrderBy(l => _names.IndexOf(l.Name));

    private InterfaceRate? Rate(LinkReading link) =>
        Sample?.Value is { } snapshot && snapshot.Rates.TryGetValue(link.Index, out var rate) ? rate : null;

    private string? Why(InterfaceRate? rate) => rate is null ? L["NotYet"].Value : null;

    /// <summary>The ring of an interface; begins with what the feed remembers.</summary>
    private ChartRing Ring(string name)
    {
        if (!_rings.TryGetValue(name, out var ring))
        {
            _rings[name] = ring = new ChartRing(_series.Count, RingRows);
            if (Sample?.Value?.Reading.Links.FirstOrDefault(l => l.Name == name) is { } link)
            {
                foreach (var point in Feed?.History.ToArray() ?? [])
                {
                    Add(ring, point.At, point.Rates.TryGetValue(link.Index, out var rate) ? rate : null);
                }
            }
        }

        return ring;
    }

    private int Number(string name) => Paths?.Lanes.FirstOrDefault(l => l.Name == name)?.Number ?? 0;

    private string Css(string name) => PathBadge.CssOf(Number(name));

    private RenderFragment Badge(string name) => Number(name) is var number and > 0
        ? builder =>
        {
            builder.OpenComponent<PathBadge>(0);
            builder.AddComponentParameter(1, nameof(PathBadge.Number), number);
            builder.AddComponentParameter(2, nameof(PathBadge.Name), Paths?.Lanes.FirstOrDefault(l => l.Name == name)?.Title ?? name);
            builder.CloseComponent();
        }
        : builder =>
        {
            builder.OpenElement(3, "b");
            builder.AddContent(4, name);
            builder.CloseElement();
        };

    private void Choose(string name, bool show)
    {
        var chosen = show ? _chosen.Append(name) : _chosen.Where(n => n != name);
        navigation.NavigateTo(navigation.GetUriWithQueryParameter("if", string.Join(',', chosen)), replace: true);
    }

    private void SetView(ChartView view) =>
        navigation.NavigateTo(navigation.GetUriWithQueryParameter("view", view == ChartView.Table ? "table" : null), replace: true);

    private void SetRange(TimeRange range) =>
        navigation.NavigateTo(navigation.GetUriWithQueryParameter("range", range == TimeRange.Live ? null : range.Text), replace: true);

    // Each step of zooming is a step back in the browser.
    private void Zoom((DateTimeOffset From, DateTimeOffset To) stretch)
    {
        if (TimeRange.Between(stretch.From, stretch.To) is { } range)
        {
            navigation.NavigateTo(navigation.GetUriWithQueryParameter("range", range.Text));
        }
    }
}
