using System.Data.Common;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Authorization;
using MPSec.Changes;

namespace MPSec.Features.Settings;

/// <summary>Alerts that are and were, and where they are sent. The address of the webhook is never sent back to a browser.</summary>
public sealed partial class AlertsTab(AlertService service, AlertWebhook webhook) : IDisposable
{
    private const int MostShown = 100;

    private ExecutionContext? _context;
    private ChangeActor _actor = new("anonymous", ChangeRole.Viewer);
    private IReadOnlyList<AlertFacts>? _alerts;
    private string? _host;
    private string _address = "";
    private string? _problem;
    private string? _result;
    private bool _taken;
    private bool _busy;

    [CascadingParameter]
    private Task<AuthenticationState>? Authentication { get; set; }

    /// <inheritdoc/>
    public void Dispose() => service.Changed -= OnChanged;

    /// <inheritdoc/>
    protected override async Task OnInitializedAsync()
    {
        _context = ExecutionContext.Capture();
        service.Changed += OnChanged; // before anything is waited for: the page may be left meanwhile
        _actor = Authentication is null ? _actor : ChangeActor.Of((await Authentication).User);
        _host = webhook.Host;
        await TryAsync(LoadAsync);
    }

    private async Task LoadAsync() => _alerts = await service.RecentAsync(MostShown);

    private Task SaveAsync() => TryAsync(async () =>
    {
        if (_address.Trim().Length == 0)
        {
            throw new ChangeException(ChangeFault.Invalid, "webhook: must be an address such as https://example.org/hook");
        }

        await webhook.SetAsync(_address, _actor);
        (_address, _host, _taken, _result) = ("", webhook.Host, true, L["HookSaved"]);
    });

    private Task RemoveAsync() => TryAsync(async () =>
    {
        await webhook.SetAsync(null, _actor);
        (_host, _taken, _result) = (webhook.Host, true, L["HookRemoved"]);
    });

    private Task TestAsync() => TryAsync(async () =>
    {
        var problem = await webhook.TestAsync(_actor);
        (_taken, _result) = (problem is null, problem is null ? L["HookTaken", _host!] : L["HookRefused", _host!, problem]);
    });

    private async Task TryAsync(Func<Task> act)
    {
        (_busy, _problem, _result) = (true, null, null);
        try
        {
            await act();
        }
        catch (Exception e) when (e is ChangeException or DbException or IOException or UnauthorizedAccessException)
        {
            _problem = Said.Of(e.Message);
        }
        finally
        {
            _busy = false;
        }
    }

    // Comes from any thread; without this context the page would lose its language.
    private void OnChanged() => ExecutionContext.Run(_context!, static self => _ = ((AlertsTab)self!).InvokeAsync(async () =>
    {
        await ((AlertsTab)self!).LoadAsync();
        ((AlertsTab)self!).StateHasChanged();
    }), this);
}
