using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Web.Virtualization;
using Microsoft.Extensions.Localization;
using Microsoft.JSInterop;
using MPSec.Components;

namespace MPSec.Features;

/// <summary>A log that may be long: only the lines in sight are sent. Follows its end until the reader scrolls up.</summary>
public sealed partial class JobLogView(IStringLocalizer<JobLogTexts> texts)
{
    // Pixels; the style sheet says the same.
    private const float LineHeight = 19;

    private JobLogIndex _index = new("");
    private Virtualize<JobLogLine>? _list;
    private ElementReference _box;
    private IJSObjectReference? _module;
    private DotNetObjectReference<JobLogView>? _self;
    private IReadOnlyList<int>? _found;
    private string? _search;
    private string? _shownPath;
    private bool _follow;
    private bool _disposed;

    /// <summary>The run.</summary>
    [Parameter, EditorRequired]
    public required long Run { get; set; }

    /// <summary>Its log file.</summary>
    [Parameter, EditorRequired]
    public required string Path { get; set; }

    /// <summary>Whether the end is followed at first: for a run that runs.</summary>
    [Parameter]
    public bool Following { get; set; }

    /// <summary>What stands above the lines while the run runs.</summary>
    [Parameter]
    public RenderFragment? ChildContent { get; set; }

    private IStringLocalizer<JobLogTexts> L => texts;

    private int Shown => _found?.Count ?? _index.Count;

    /// <summary>Takes in new lines.</summary>
    public async Task RefreshAsync()
    {
        if (!_index.Refresh() || _found is not null)
        {
            return;
        }

        await ShowAsync();
    }

    /// <summary>The reader scrolled away from the end.</summary>
    [JSInvokable]
    public void StopFollowing()
    {
        if (_follow)
        {
            _follow = false;
            StateHasChanged();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _disposed = true;
        try
        {
            await (_module?.DisposeAsync() ?? ValueTask.CompletedTask);
        }
        catch (Exception e) when (e is JSDisconnectedException or OperationCanceledException)
        {
            // The browser is gone, and the module with it.
        }

        _self?.Dispose();
    }

    /// <inheritdoc/>
    protected override void OnParametersSet()
    {
        if (_shownPath != Path)
        {
            (_shownPath, _index, _found, _search, _follow) = (Path, new(Path), null, null, Following);
            _index.Refresh();
        }
    }

    /// <inheritdoc/>
    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        if (!firstRender)
        {
            return;
        }

        try
        {
            _module = await Js.InvokeAsync<IJSObjectReference>("import", JsLimit.Usual, "./Features/JobLogView.razor.js");
            if (_disposed)
            {
                await _module.DisposeAsync();
                return; // Left before it was shown: there is no element to watch.
            }

            _self = DotNetObjectReference.Create(this);
            await _module.InvokeVoidAsync("watch", JsLimit.Usual, _box, _self);
            await ToEndAsync();
        }
        catch (Exception e) when (e is JSDisconnectedException or OperationCanceledException)
        {
            // Left before it was shown.
        }
    }

    private ValueTask<ItemsProviderResult<JobLogLine>> ProvideAsync(ItemsProviderRequest request)
    {
        var lines = _found is { } found
            ? [.. found.Skip(request.StartIndex).Take(request.Count).SelectMany(number => _index.Read(number, 1))]
            : _index.Read(request.StartIndex, request.Count);
        return ValueTask.FromResult(new ItemsProviderResult<JobLogLine>(lines, Shown));
    }

    private async Task SearchAsync(string? text)
    {
        _search = text;
        _found = text is { Length: > 0 } ? _index.Find(text, CancellationToken.None) : null;
        await ShowAsync();
    }

    private async Task ToggleFollowAsync()
    {
        _follow = !_follow;
        await ToEndAsync();
    }

    private async Task ShowAsync()
    {
        if (_list is not null)
        {
            await _list.RefreshDataAsync();
        }

        StateHasChanged();
        await ToEndAsync();
    }

    private async Task ToEndAsync()
    {
        if (_follow && _found is null && _module is not null)
        {
            try
            {
                await _module.InvokeVoidAsync("toEnd", JsLimit.Usual, _box);
            }
            catch (Exception e) when (e is JSDisconnectedException or OperationCanceledException)
            {
                // The browser has gone or does not answer.
            }
        }
    }
}
