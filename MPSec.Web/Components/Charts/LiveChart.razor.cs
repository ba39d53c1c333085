using System.Globalization;
using Microsoft.AspNetCore.Components;
using Microsoft.JSInterop;

namespace MPSec.Components.Charts;

/// <summary>
/// A streaming line chart. The ring of points lives in the browser: per tick one call carries the rows that are new, packed. A tick is left
/// out while the call before still runs; a chart that nobody can see gets nothing, and all at once when it can be seen again.
/// </summary>
public sealed partial class LiveChart(IJSRuntime js) : ComponentBase
{
    private static readonly TimeSpan s_callLimit = TimeSpan.FromSeconds(3);
    private ElementReference _element;
    private IJSObjectReference? _module;
    private IJSObjectReference? _chart;
    private DotNetObjectReference<LiveChart>? _self;
    private ExecutionContext? _context;
    private ChartRing? _subscribed;
    private ChartView? _shown;
    private double _sentUpTo;
    private bool _visible = true;
    private bool _sending;
    private bool _disposed;

    /// <summary>The points. The owner adds rows; the chart follows without rendering.</summary>
    [Parameter, EditorRequired]
    public required ChartRing Data { get; set; }

    /// <summary>The series, in the order of the values of a row.</summary>
    [Parameter, EditorRequired]
    public required IReadOnlyList<ChartSeries> Series { get; set; }

    /// <summary>What the chart shows, for assistive technology.</summary>
    [Parameter, EditorRequired]
    public required string Label { get; set; }

    /// <summary>Unit of all values.</summary>
    [Parameter]
    public string? Unit { get; set; }

    /// <summary>Length of the time axis.</summary>
    [Parameter]
    public TimeSpan Window { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Height in CSS pixels.</summary>
    [Parameter]
    public int Height { get; set; } = 132;

    /// <summary>Charts of one page with the same group share one scale.</summary>
    [Parameter]
    public string? Group { get; set; }

    /// <summary>Upper end of the scale; when null it follows the data.</summary>
    [Parameter]
    public double? Max { get; set; }

    /// <summary>Series are stacked on each other instead of drawn over each other.</summary>
    [Parameter]
    public bool Stacked { get; set; }

    /// <summary>Small picture without axes.</summary>
    [Parameter]
    public bool Spark { get; set; }

    /// <summary>Nothing moves while true; afterwards the chart catches up.</summary>
    [Parameter]
    public bool Paused { get; set; }

    /// <summary>Picture or table.</summary>
    [Parameter]
    public ChartView View { get; set; }

    /// <summary>More classes; <c>p1</c> … <c>p8</c> bring a path's colour.</summary>
    [Parameter]
    public string? Class { get; set; }

    /// <summary>Called by the browser when the chart comes into or goes out of sight.</summary>
    [JSInvokable]
    public Task OnVisibleChanged(bool visible)
    {
        _visible = visible;
        return visible ? SendAsync() : Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _disposed = true;
        _subscribed?.Changed -= OnDataChanged;
        await DestroyAsync();
        _self?.Dispose();
        if (_module is not null)
        {
            await ReachesAsync(_module.DisposeAsync().AsTask());
        }
    }

    /// <inheritdoc/>
    protected override void OnParametersSet()
    {
        _context ??= ExecutionContext.Capture();
        if (_subscribed != Data)
        {
            _subscribed?.Changed -= OnDataChanged;
            Data.Changed += OnDataChanged;
            _subscribed = Data;
            _sentUpTo = 0;
        }
    }

    /// <inheritdoc/>
    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        if (View != _shown && _chart is not null)
        {
            await DestroyAsync();
        }

        _shown = View;
        await SendAsync();
    }

    /// <summary>Whether the browser took the call; a browser that has gone, for now or for good, is no fault.</summary>
    private static async Task<bool> ReachesAsync(Task call)
    {
        try
        {
            await call;
            return true;
        }
        catch (Exception e) when (e is JSDisconnectedException or OperationCanceledException)
        {
            return false;
        }
    }

    private async Task CreateAsync()
    {
        _sending = true;
        try
        {
            _module ??= await js.InvokeAsync<IJSObjectReference>("import", JsLimit.Usual, "./js/liveChart.js");
            if (_disposed || View != ChartView.Chart)
            {
                return; // It went while the script was fetched: there is no element to draw in.
            }

            _self ??= DotNetObjectReference.Create(this);
            _sentUpTo = 0;
            _visible = true; // the new picture tells when it is not
            _chart = await _module.InvokeAsync<IJSObjectReference>("create", JsLimit.Usual, _element, _self, new
            {
                series = Series,
                unit = Unit,
                window = Window.TotalSeconds,
                group = Group,
                max = Max,
                stacked = Stacked,
                spark = Spark,
                language = CultureInfo.CurrentUICulture.Name,
                ago = TextOfWindow(),
                now = L["ChartNow"].Value,
            });
        }
        finally
        {
            _sending = false;
        }
    }

    private string TextOfWindow() =>
        Window.TotalSeconds >= 180 ? L["ChartMinutesAgo", Window.TotalMinutes] : L["ChartSecondsAgo", Window.TotalSeconds];

    private void OnDataChanged()
    {
        // Comes from the sampler's thread: the context brings the user's culture back for what is rendered below.
        if (_context is null)
        {
            _ = InvokeAsync(OnTickAsync);
        }
        else
        {
            ExecutionContext.Run(_context, static self => _ = ((LiveChart)self!).InvokeAsync(((LiveChart)self!).OnTickAsync), this);
        }
    }

    private async Task OnTickAsync()
    {
        if (View == ChartView.Table && !Paused)
        {
            StateHasChanged();
        }

        await SendAsync();
    }

    private async Task SendAsync()
    {
        if (_chart is null && _shown == ChartView.Chart && View == ChartView.Chart && !_disposed && !_sending)
        {
            await ReachesAsync(CreateAsync()); // Also with a tick: a connection that was down may have swallowed the first try.
        }

        if (_chart is null || _sending || !_visible || (Paused && _sentUpTo != 0) || _disposed || View != ChartView.Chart)
        {
            return;
        }

        _sending = true;
        try
        {
            var all = _sentUpTo == 0;
            var rows = Data.Pack(_sentUpTo, out var newest);
            if (rows.Length > 0 || all)
            {
                // A connection that breaks swallows the answer: without a limit of its own the call would block the chart for a minute.
                if (await ReachesAsync(_chart.InvokeVoidAsync(all ? "setAll" : "append", s_callLimit, rows).AsTask()))
                {
                    _sentUpTo = newest;
                }
            }
        }
        finally
        {
            _sending = false;
        }
    }

    private async Task DestroyAsync()
    {
        var chart = _chart;
        _chart = null;
        if (chart is not null)
        {
            await ReachesAsync(chart.InvokeVoidAsync("destroy", JsLimit.Usual).AsTask());
            await ReachesAsync(chart.DisposeAsync().AsTask());
        }
    }
}
