using System.Globalization;
using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.Localization;
using MPSec.Components.Charts;
using MPSec.Data.History;

namespace MPSec.Features;

/// <summary>Marks the texts of charts of a past time (PastTexts.resx and PastTexts.ko.resx).</summary>
public sealed class PastTexts;

/// <summary>A line of <see cref="PastSeries"/>.</summary>
/// <param name="Series">Name of the stored series.</param>
/// <param name="Title">Its name for the reader.</param>
/// <param name="Number">Number of its colour, 1 to 8.</param>
public sealed record PastLine(string Series, string Title, int Number);

/// <summary>Series of a gateway over a past time in one chart, one line each.</summary>
public sealed partial class PastSeries(HistoryStore store, TimeProvider time, IStringLocalizer<PastTexts> texts)
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

    /// <summary>The gateway.</summary>
    [Parameter, EditorRequired]
    public required string Gateway { get; set; }

    /// <summary>The lines.</summary>
    [Parameter, EditorRequired]
    public required IReadOnlyList<PastLine> Lines { get; set; }

    /// <summary>The time.</summary>
    [Parameter, EditorRequired]
    public required TimeRange Range { get; set; }

    /// <summary>Unit that the chart shows.</summary>
    [Parameter, EditorRequired]
    public required string Unit { get; set; }

    /// <summary>What the chart shows, for assistive technology.</summary>
    [Parameter, EditorRequired]
    public required string Label { get; set; }

    /// <summary>Stored values are divided by it to come to <see cref="Unit"/>.</summary>
    [Parameter]
    public double Divisor { get; set; } = 1;

    /// <summary>Upper end of the scale; null for one that fits.</summary>
    [Parameter]
    public double? Max { get; set; }

    /// <summary>Height in CSS pixels.</summary>
    [Parameter]
    public int Height { get; set; } = 212;

    /// <summary>Nothing is loaded anew by itself.</summary>
    [Parameter]
    public bool Paused { get; set; }

    /// <summary>A stretch was brushed.</summary>
    [Parameter]
    public EventCallback<(DateTimeOffset From, DateTimeOffset To)> OnBrush { get; set; }

    private IStringLocalizer<PastTexts> L => texts;

    private string ExportAddress
    {
        get
        {
            var (from, to) = Range.At(_loadedAt);
            var series = Uri.EscapeDataString(string.Join(',', Lines.Select(l => l.Series)));
            return string.Create(CultureInfo.InvariantCulture, $"api/v1/gateways/{Uri.EscapeDataString(Gateway)}/history?series={series}&from={from.ToUnixTimeSeconds()}&to={to.ToUnixTimeSeconds()}&buckets=1000&format=csv");
        }
    }

    private (string, string, string) Asked => (Gateway, Range.Text, string.Join(',', Lines.Select(l => l.Series)));

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
        var (asked, gateway, lines, (from, to)) = (_asked, Gateway, Lines, Range.At(_loadedAt));
        try
        {
            var ranges = await Task.Run(() => lines.Select(l => (Line: l, Range: store.Range(gateway, l.Series, from, to, Buckets))).ToArray());
            if (asked != _asked)
            {
                return;
            }

            // One grid for all: a series whose points are further apart than those of the others does not fit on it.
            var finest = ranges.Where(r => r.Range is { IsEmpty: false }).Select(r => r.Range!).MinBy(r => r.BucketSeconds);
            var shown = ranges.Where(r => r.Range is { IsEmpty: false } range && finest is not null && range.Buckets.Length == finest.Buckets.Length).Select(r => (r.Line, Range: r.Range!)).ToArray();
            var series = shown.Select(r => new ChartSeries(r.Line.Title, ChartLine.Solid, r.Line.Number)).ToArray();
            _series = series.SequenceEqual(_series) ? _series : series;
            _oldest = ranges.Min(r => r.Range?.Oldest);
            _data = finest is null ? null : new(finest.From, finest.BucketSeconds, [.. shown.Select(r => new ChartBand(Column(r.Range, p => p.Min), Column(r.Range, p => p.Mean), Column(r.Range, p => p.Max)))]);
            _max = Max ?? ChartScale.Top(_data is null ? 0 : _data.Bands.Max(b => b.Max.Where(double.IsFinite).DefaultIfEmpty().Max()));
            (_problem, _loaded) = (null, true);
        }
        catch (HistoryUnavailableException e)
        {
            _problem = e.Message;
        }
    }

    private double[] Column(HistoryRange range, Func<HistoryPoint, double> value) => Array.ConvertAll(range.Buckets, b => b is { } p ? value(p) / Divisor : double.NaN);
}
