using Microsoft.JSInterop;
using MPSec.Components;

namespace MPSec.Features;

/// <summary>Proves that the gateway can still be reached. Tests put a browser of their own here.</summary>
public interface IConnectionProof
{
    /// <summary>Says by a new connection of the browser that the change is kept; false when none got through within some seconds.</summary>
    Task<bool> ConfirmAsync(Guid change);
}

/// <summary>The browser of the page makes the connection (wwwroot/js/checked.js).</summary>
public sealed class BrowserConnectionProof(IJSRuntime js) : IConnectionProof, IAsyncDisposable
{
    private IJSObjectReference? _module;

    /// <inheritdoc/>
    public async Task<bool> ConfirmAsync(Guid change)
    {
        try
        {
            _module ??= await js.InvokeAsync<IJSObjectReference>("import", JsLimit.Usual, "./js/checked.js");
            return await _module.InvokeAsync<bool>("confirm", JsLimit.Usual, change);
        }
        catch (Exception e) when (e is JSException or JSDisconnectedException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            return false; // the browser has gone or does not answer
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await (_module?.DisposeAsync() ?? ValueTask.CompletedTask);
        }
        catch (Exception e) when (e is JSException or JSDisconnectedException or OperationCanceledException or ObjectDisposedException)
        {
            // The browser has gone, and its module with it.
        }
    }
}
