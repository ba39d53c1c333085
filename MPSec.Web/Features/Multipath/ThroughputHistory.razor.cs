using System.Globalization;
using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.Localization;
using MPSec.Components.Charts;
using MPSec.Components.Controls;
using MPSec.Data.History;

namespace MPSec.Features.Multipath;

/// <summary>The throughput of interfaces over a past time, to one scale, with what happened to each as marks.</summary>
public sealed partial class ThroughputHistory(HistoryStore store, TimeProvider time, IStringLocalizer<MultipathTexts> texts)
{
    private const int Buckets = 500;
    private const int MostMarks = 200;

    private static readonly string[] s_kinds =
        [HistoryEventKind.LinkUp, HistoryEventKind.LinkDown, HistoryEventKind.SubflowEstablished, HistoryEventKind.SubflowClosed, HistoryEventKind.SubflowFailed, HistoryEventKind.PriorityChanged, HistoryEventKind.IpAdded, HistoryEventKind.IpRemoved];

    private IReadOnlyList<Shown>? _shown;
    private IReadOnlyList<ChartSeries> _series = [];
    private (string, string, string)? _asked;
    private DateTimeOffset _loadedAt;
    private DateTimeOffset? _oldest;
    private string? _problem;
    private double _max = 1;
    private double _step;
    private bool _loading;

    /// <summary>The gateway.</summary>
    [Parameter, EditorRequired]
    public required string Gateway { get; set; }

    /// <summary>The interfaces.</summary>
    [Parameter, EditorRequired]
    public required IReadOnlyList<string> Interfaces { get; set; }

    /// <summary>The time.</summary>
    [Parameter, EditorRequired]
    public required TimeRange Range { get; set; }

    /// <summary>Means and largest values instead of curves.</summary>
    [Parameter]
    public bool AsTable { get; set; }

    /// <summary>Nothing is loaded anew by itself.</summary>
    [Parameter]
    public bool Paused { get; set; }

    /// <summary>Name of an interface with number and colour.</summary>
    [Parameter, EditorRequired]
    public required Func<string, RenderFragment> Badge { get; set; }

    /// <summary>Class with the colour of an interface.</summary>
    [Parameter, EditorRequired]
    public required Func<string, string> CssOf { get; set; }

    /// <summary>A stretch was brushed.</summary>
    [Parameter]
    public EventCallback<(DateTimeOffset From, DateTimeOffset To)> OnBrush { get; set; }

    private IStringLocalizer<MultipathTexts> L => texts;

    private string ExportAddress
    {
        get
        {
            var (from, to) = Range.At(time.GetUtcNow());
            var series = string.Join(',', Interfaces.SelectMany(i => new[] { $"interface/{i}/tx", $"interface/{i}/rx" }).Take(32));
            return string.Create(CultureInfo.InvariantCulture, $"api/v1/gateways/{Uri.EscapeDataString(Gateway)}/history?series={Uri.EscapeDataString(series)}&from={from.ToUnixTimeSeconds()}&to={to.ToUnixTimeSeconds()}&buckets=1000&format=csv");
        }
    }

    /// <inheritdoc/>
    protected override void OnInitialized() => _series = [new(L["Tx"], ChartLine.Area), new(L["Rx"], ChartLine.Dashed)];

    /// <inheritdoc/>
    protected override async Task OnParametersSetAsync()
    {
        var asked = (Gateway, Range.Text, string.Join(',', Interfaces));
        // What ends now goes on: anew when a bucket more can be full.
        var grown = !Paused && Range.From is null && time.GetUtcNow() - _loadedAt >= TimeSpan.FromSeconds(Math.Clamp(_step, 5, 60));
        if (_asked != asked || grown)
        {
            await LoadAsync();
        }
    }

    private async Task LoadAsync()
    {
        if (_loading && _asked == (Gateway, Range.Text, string.Join(',', Interfaces)))
        {
            return;
        }

        (_loading, _asked, _loadedAt) = (true, (Gateway, Range.Text, string.Join(',', Interfaces)), time.GetUtcNow());
        var (asked, gateway, names, (from, to)) = (_asked, Gateway, Interfaces, Range.At(_loadedAt));
        try
        {
            var shown = await Task.Run(() => names.Select(n => Read(gateway, n, from, to)).ToArray());
            if (asked == _asked)
            {
                (_shown, _problem) = (shown, null);
                _max = ChartScale.Top(shown.Max(s => s.Data is null ? 0 : s.Data.Bands.Max(b => b.Max.Where(double.IsFinite).DefaultIfEmpty().Max())));
                _step = shown.Max(s => s.Data?.StepSeconds ?? 0);
                _oldest = shown.Min(s => s.Oldest);
            }
        }
        catch (HistoryUnavailableException e)
        {
            _problem = e.Message;
        }
        finally
        {
            _loading = false;
        }
    }

    private Shown Read(string gateway, string name, DateTimeOffset from, DateTimeOffset to)
    {
        var tx = store.Range(gateway, $"interface/{name}/tx", from, to, Buckets);
        var rx = store.Range(gateway, $"interface/{name}/rx", from, to, Buckets);
        if (tx is null or { IsEmpty: true } || rx is null || rx.Buckets.Length != tx.Buckets.Length)
        {
            return new(name, null, [], tx?.Oldest);
        }

        var marks = store.Events(new(gateway) { Interface = name, Kinds = s_kinds, From = from, To = to, Limit = MostMarks })
            .Select(e => new ChartMark(e.At, L[$"Mark_{e.Kind}"], e.Kind is HistoryEventKind.LinkDown or HistoryEventKind.IpRemoved or HistoryEventKind.SubflowFailed || (e.Kind == HistoryEventKind.SubflowClosed && e.Error > 0))).ToArray();
        return new(name, new(tx.From, tx.BucketSeconds, [Band(tx), Band(rx)]), marks, tx.Oldest);
    }

    private static ChartBand Band(HistoryRange range)
    {
        return new(Column(p => p.Min), Column(p => p.Mean), Column(p => p.Max));

        double[] Column(Func<HistoryPoint, double> value) => Array.ConvertAll(range.Buckets, b => b is { } p ? value(p) / 1e6 : double.NaN);
    }

    /// <summary>An interface as it shows; without data nothing was measured in the range.</summary>
    private sealed record Shown(string Name, ChartHistory? Data, IReadOnlyList<ChartMark> Marks, DateTimeOffset? Oldest)
    {
        public double? TxMean => Of(0, b => b.Mean, Enumerable.Average);

        public double? TxMax => Of(0, b => b.Max, Enumerable.Max);

        public double? RxMean => Of(1, b => b.Mean, Enumerable.Average);

        public double? RxMax => Of(1, b => b.Max, Enumerable.Max);

        private double? Of(int band, Func<ChartBand, double[]> column, Func<IEnumerable<double>, double> make) =>
            Data is not null && column(Data.Bands[band]).Where(double.IsFinite).ToArray() is { Length: > 0 } values ? make(values) : null;
    }
}
