using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.Extensions.Localization;
using Microsoft.JSInterop;
using MPSec.Changes;
using MPSec.Components;
using MudBlazor;

namespace MPSec.Features;

/// <summary>
/// Above every page: the change that waits to be confirmed, whose it is and how long; for the person who made it a dialog with the countdown; afterwards what
/// became of it when it was not kept.
/// </summary>
public sealed partial class PendingChangeBar(
    PendingChangeWatch watch, ChangeService changes, ChangeDesk desk, ISnackbar snackbar, IJSRuntime js, TimeProvider time, ChangeTitles titles, IStringLocalizer<ChangeTexts> texts) : IAsyncDisposable
{
    /// <summary>How long a page that is opened afterwards still tells of a change that was undone.</summary>
    private static readonly TimeSpan s_news = TimeSpan.FromMinutes(5);

    private ExecutionContext? _context;
    private PendingChange? _pending;
    private ElementReference _dialog;
    private IJSObjectReference? _module;
    private IJSObjectReference? _countdown;
    private (Guid, PendingStage) _counted;
    private Guid? _dismissed;
    private bool _busy;
    private ChangeActor _actor = new("anonymous", ChangeRole.Viewer);

    /// <summary>The gateway of the page.</summary>
    [Parameter]
    public string? Gateway { get; set; }

    [CascadingParameter]
    private Task<AuthenticationState>? Authentication { get; set; }

    /// <summary>The last change, when this person made it and it does not stand.</summary>
    private ChangeReport? Told => watch.LastEnded is { Outcome: not ChangeOutcome.Applied } ended && ended.Actor == _actor.Name && ended.Id != _dismissed && time.GetUtcNow() - ended.At < s_news ? ended : null;

    /// <summary>
    /// The change that this person is asked about. One that may cut the browser off is shown before it is applied: afterwards the server may not be able to tell.
    /// </summary>
    private PendingChange? Asked => _pending is { } pending && IsMine(pending) && (pending.Stage == PendingStage.Waiting || (pending.Stage == PendingStage.Applying && pending.Id == desk.Asks)) ? pending : null;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        watch.Changed -= OnChanged;
        await StopAsync();
        if (_module is not null)
        {
            await QuietlyAsync(_module.DisposeAsync().AsTask());
        }
    }

    /// <inheritdoc/>
    protected override async Task OnInitializedAsync()
    {
        _context = ExecutionContext.Capture();
        watch.Changed += OnChanged; // before anything is waited for: the page may be left meanwhile
        _actor = Authentication is null ? _actor : ChangeActor.Of((await Authentication).User);
        Take();
    }

    /// <inheritdoc/>
    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        if (firstRender)
        {
            await QuietlyAsync(ImportAsync()); // before it is needed: then there may be no way to fetch it
        }

        if (Asked is { } asked)
        {
            if (_counted != (asked.Id, asked.Stage))
            {
                await StopAsync();
                _counted = (asked.Id, asked.Stage);
                await QuietlyAsync(CountAsync(asked));
            }
        }
        else if (_counted != default)
        {
            await StopAsync();
        }
    }

    private bool IsMine(PendingChange pending) => pending.Actor == _actor.Name;

    private string Sentence(PendingChange pending) => pending.Stage switch
    {
        PendingStage.Reverting => texts["PendingReverting", titles.Of(pending), pending.Actor],
        PendingStage.Applying => texts["PendingApplying", titles.Of(pending), pending.Actor],
        _ => texts["PendingWaiting", titles.Of(pending), pending.Actor, Math.Ceiling(pending.Remaining.TotalSeconds)],
    };

    /// <summary>A change that confirms itself in a moment is nobody's business.</summary>
    private void Take()
    {
        var now = watch.Current;
        var shown = now is { Stage: PendingStage.Reverting } || watch.IsOverdue || (now is not null && now.Id == desk.Asks);
        _pending = shown ? now : null;
    }

    private async Task<IJSObjectReference> ImportAsync() => _module ??= await js.InvokeAsync<IJSObjectReference>("import", JsLimit.Usual, "./js/checked.js");

    private async Task CountAsync(PendingChange pending)
    {
        _countdown = await (await ImportAsync()).InvokeAsync<IJSObjectReference>("count", JsLimit.Usual, _dialog, (pending.Stage == PendingStage.Waiting ? pending.Remaining : pending.Timeout).TotalMilliseconds, pending.Timeout.TotalMilliseconds);
    }

    private async Task StopAsync()
    {
        _counted = default;
        if (_countdown is { } countdown)
        {
            _countdown = null;
            await QuietlyAsync(countdown.InvokeVoidAsync("stop", JsLimit.Usual).AsTask());
            await QuietlyAsync(countdown.DisposeAsync().AsTask());
        }
    }

    private async Task AgainAsync()
    {
        _dismissed = Told?.Id;
        await desk.RepeatAsync();
    }

    private async Task RevertAsync(Guid change)
    {
        _busy = true;
        try
        {
            await changes.RollbackAsync(change, _actor);
        }
        catch (ChangeException e)
        {
            snackbar.Add(Said.Of(e.Message), Severity.Error);
        }
        finally
        {
            _busy = false;
        }
    }

    // From any thread; without this context the bar would lose its language.
    private void OnChanged() => ExecutionContext.Run(_context!, static self => _ = ((PendingChangeBar)self!).InvokeAsync(() =>
    {
        ((PendingChangeBar)self!).Take();
        ((PendingChangeBar)self!).StateHasChanged();
    }), this);

    private static async Task QuietlyAsync(Task call)
    {
        try
        {
            await call;
        }
        catch (Exception e) when (e is JSException or JSDisconnectedException or OperationCanceledException or ObjectDisposedException)
        {
            // The browser has gone or does not answer.
        }
    }
}
