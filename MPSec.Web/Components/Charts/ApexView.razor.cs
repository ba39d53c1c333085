using System.Text.Json;
using Microsoft.AspNetCore.Components;
using Microsoft.JSInterop;

namespace MPSec.Components.Charts;

/// <summary>
/// A chart that does not stream (gauge, bars, distribution) by ApexCharts; the library is fetched when the first one is shown. Streaming
/// data belongs into <see cref="LiveChart"/>.
/// </summary>
public sealed partial class ApexView(IJSRuntime js) : ComponentBase
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web);
    private ElementReference _element;
    private IJSObjectReference? _module;
    private IJSObjectReference? _chart;
    private string _shown = "";
    private bool _busy;
    private bool _disposed;

    /// <summary>Options of ApexCharts as an object to serialise; a colour may be a variable, for example <c>var(--path-1)</c>.</summary>
    [Parameter, EditorRequired]
    public required object Settings { get; set; }

    /// <summary>What the chart shows, with its values, for assistive technology.</summary>
    [Parameter, EditorRequired]
    public required string Label { get; set; }

    /// <summary>Height in CSS pixels.</summary>
    [Parameter]
    public int Height { get; set; } = 160;

    /// <summary>More classes.</summary>
    [Parameter]
    public string? Class { get; set; }

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
    }

    /// <inheritdoc/>
    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        var settings = JsonSerializer.Serialize(Settings, s_json);
        if (_busy || _disposed || settings == _shown)
        {
            return;
        }

        _busy = true;
        try
        {
            _module ??= await js.InvokeAsync<IJSObjectReference>("import", JsLimit.Usual, "./js/apexView.js");
            if (_disposed)
            {
                return; // It went while the script was fetched: there is no element to draw in.
            }

            if (_chart is null)
            {
                _chart = await _module.InvokeAsync<IJSObjectReference>("create", JsLimit.Usual, _element, Height, settings);
            }
            else
            {
                await _chart.InvokeVoidAsync("update", JsLimit.Usual, settings);
            }

            _shown = settings;
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
}
