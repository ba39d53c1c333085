using System.Globalization;
using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.Localization;
using MPSec.Components.Charts;
using MPSec.Data.History;
using MPSec.Features.Multipath;

namespace MPSec.Features.Overview;

/// <summary>The throughput of all paths over a past time, one line each.</summary>
public sealed partial class OverviewHistory(HistoryStore store, TimeProvider time, IStringLocalizer<OverviewTexts> texts)
{
    private const int Buckets = 500;

    private (string, string, string)? _asked;
    private IReadOnlyList<ChartSeries> _series = [];
    private ChartHistory? _data;
    private DateTimeOffset _loadedAt;
    private DateTimeOffset? _oldest;
    private string? _problem;
    private double _max = 1;
    private bool _loaded;

    /// <summary>The paths.</summary>
    [Parameter, EditorRequired]
    public required PathsSnapshot Paths { get; set; }

    /// <summary>The time.</summary>
    [Parameter, EditorRequired]
    public required TimeRange Range { get; set; }

    /// <summary>Nothing is loaded anew by itself.</summary>
    [Parameter]
    public bool Paused { get; set; }

    /// <summary>A stretch was brushed.</summary>
    [Parameter]
    public EventCallback<(DateTimeOffset From, DateTimeOffset To)> OnBrush { get; set; }

    private IStringLocalizer<OverviewTexts> L => texts;

    private (string, string, string) Asked => (Paths.Gateway.Value, Range.Text, string.Join(',', Paths.Lanes.Select(l => l.Name)));

    /// <inheritdoc/>
    protected override async Task OnParametersSetAsync()
    {
        // What ends now goes on: anew when a bucket more can be full.
        var grown = !Paused && Range.From is null && time.GetUtcNow() - _loadedAt >= TimeSpan.FromSeconds(Math.Clamp(Range.Window.TotalSeconds / Buckets, 5, 60));
        if (_asked != Asked || grown)
        {
            await LoadAsync();
        }
    }

    private async Task LoadAsync()
    {
        (_asked, _loadedAt) = (Asked, time.GetUtcNow());
        var (asked, gateway, lanes, (from, to)) = (_asked, Paths.Gateway.Value, Paths.Lanes, Range.At(_loadedAt));
        try
        {
            var ranges = await Task.Run(() => lanes.Select(l => (Lane: l, Range: store.Range(gateway, $"interface/{l.Name}/sum", from, to, Buckets))).ToArray());
            if (asked != _asked)
            {
                return;
            }

            // Charts share one grid: a path whose points are further apart than those of the others does not fit on it.
            var finest = ranges.Where(r => r.Range is { IsEmpty: false }).Select(r => r.Range!).MinBy(r => r.BucketSeconds);
            var shown = ranges.Where(r => r.Range is { IsEmpty: false } range && finest is not null && range.Buckets.Length == finest.Buckets.Length).Select(r => (r.Lane, Range: r.Range!)).ToArray();
            var series = shown.Select(r => new ChartSeries(r.Lane.Title, ChartLine.Solid, r.Lane.Number)).ToArray();
            _series = series.SequenceEqual(_series) ? _series : series;
            _oldest = ranges.Min(r => r.Range?.Oldest);
            _data = finest is null ? null : new(finest.From, finest.BucketSeconds, [.. shown.Select(r => new ChartBand(Column(r.Range, p => p.Min), Column(r.Range, p => p.Mean), Column(r.Range, p => p.Max)))]);
            _max = ChartScale.Top(_data is null ? 0 : _data.Bands.Max(b => b.Max.Where(double.IsFinite).DefaultIfEmpty().Max()));
            (_problem, _loaded) = (null, true);
        }
        catch (HistoryUnavailableException e)
        {
            _problem = e.Message;
        }
    }

    private static double[] Column(HistoryRange range, Func<HistoryPoint, double> value) => Array.ConvertAll(range.Buckets, b => b is { } p ? value(p) / 1e6 : double.NaN);
}
