using System.Buffers.Binary;
using System.Globalization;
using Microsoft.AspNetCore.Components;
using Microsoft.JSInterop;

namespace MPSec.Components.Charts;

/// <summary>
/// A chart of the past: the mean as a line in a band from smallest to largest value, gaps as gaps, events as marks under it. A stretch that is brushed is told to
/// the owner, who loads it finer.
/// </summary>
public sealed partial class HistoryChart(IJSRuntime js) : ComponentBase
{
    private ElementReference _element;
    private IJSObjectReference? _module;
    private IJSObjectReference? _chart;
    private DotNetObjectReference<HistoryChart>? _self;
    private (ChartHistory, IReadOnlyList<ChartMark>, double)? _shown;
    private bool _busy;
    private bool _disposed;

    /// <summary>The buckets.</summary>
    [Parameter, EditorRequired]
    public required ChartHistory Data { get; set; }

    /// <summary>The series, in the order of the bands.</summary>
    [Parameter, EditorRequired]
    public required IReadOnlyList<ChartSeries> Series { get; set; }

    /// <summary>Events.</summary>
    [Parameter]
    public IReadOnlyList<ChartMark> Marks { get; set; } = [];

    /// <summary>Upper end of the scale, so that charts beside each other can be compared.</summary>
    [Parameter, EditorRequired]
    public required double Max { get; set; }

    /// <summary>What the chart shows, for assistive technology.</summary>
    [Parameter, EditorRequired]
    public required string Label { get; set; }

    /// <summary>Unit of all values.</summary>
    [Parameter]
    public string? Unit { get; set; }

    /// <summary>Height in CSS pixels.</summary>
    [Parameter]
    public int Height { get; set; } = 150;

    /// <summary>More classes; <c>p1</c> … <c>p8</c> bring a path's colour.</summary>
    [Parameter]
    public string? Class { get; set; }

    /// <summary>A stretch was brushed.</summary>
    [Parameter]
    public EventCallback<(DateTimeOffset From, DateTimeOffset To)> OnBrush { get; set; }

    /// <summary>Called by the browser with Unix seconds.</summary>
    [JSInvokable]
    public Task OnBrushed(double from, double to) => double.IsFinite(from) && double.IsFinite(to) && from >= 0 && to < 2.5e11
        ? OnBrush.InvokeAsync((DateTimeOffset.UnixEpoch.AddSeconds(from), DateTimeOffset.UnixEpoch.AddSeconds(to)))
        : Task.CompletedTask;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _disposed = true;
        try
        {
            if (_chart is not null)
            {
                await _chart.InvokeVoidAsync("destroy", JsLimit.Usual);
                await _chart.DisposeAsync();
            }

            if (_module is not null)
            {
                await _module.DisposeAsync();
            }
        }
        catch (Exception e) when (e is JSDisconnectedException or OperationCanceledException)
        {
            // The browser has gone.
        }

        _self?.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        if (_busy || _disposed || _shown == (Data, Marks, Max))
        {
            return;
        }

        _busy = true;
        try
        {
            _module ??= await js.InvokeAsync<IJSObjectReference>("import", JsLimit.Usual, "./js/historyChart.js");
            if (_disposed)
            {
                return; // It went while the script was fetched: there is no element to draw in.
            }

            _self ??= DotNetObjectReference.Create(this);
            _chart ??= await _module.InvokeAsync<IJSObjectReference>("create", JsLimit.Usual, _element, _self, new { series = Series, unit = Unit, language = CultureInfo.CurrentUICulture.Name });
            while (!_disposed && _shown != (Data, Marks, Max))
            {
                _shown = (Data, Marks, Max);
                var marks = Marks.Select(m => new { at = (m.At - DateTimeOffset.UnixEpoch).TotalSeconds, text = m.Text, bad = m.IsBad });
                await _chart.InvokeVoidAsync("set", JsLimit.Usual, (Data.From - DateTimeOffset.UnixEpoch).TotalSeconds, Data.StepSeconds, Pack(Data), marks, Max);
            }
        }
        catch (Exception e) when (e is JSDisconnectedException or OperationCanceledException)
        {
            // The browser has gone.
        }
        finally
        {
            _busy = false;
        }
    }

    // Little-endian floats, column by column: min, mean and max of the first series, then of the next.
    private static byte[] Pack(ChartHistory data)
    {
        var columns = data.Bands.SelectMany(b => new[] { b.Min, b.Mean, b.Max }).ToArray();
        var bytes = new byte[columns.Sum(c => c.Length) * sizeof(float)];
        var at = 0;
        foreach (var value in columns.SelectMany(c => c))
        {
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(at), (float)value);
            at += sizeof(float);
        }

        return bytes;
    }
}
