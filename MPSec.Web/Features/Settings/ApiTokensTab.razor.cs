using System.Data.Common;
using System.Globalization;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.EntityFrameworkCore;
using MPSec.Changes;
using MPSec.Components.Controls;
using MudBlazor;

namespace MPSec.Features.Settings;

/// <summary>Makes, lists and revokes bearer tokens; administrators only. A new token is on the page until its maker says so or leaves.</summary>
public sealed partial class ApiTokensTab(ApiTokenService service, NavigationManager navigation, IDialogService dialogs, ISnackbar snackbar) : IDisposable
{
    private ExecutionContext? _context;
    private ChangeActor _actor = new("anonymous", ChangeRole.Viewer);
    private IReadOnlyList<ApiTokenFacts>? _tokens;
    private NewApiToken? _made;
    private string _name = "";
    private ChangeRole _role = ChangeRole.Viewer;
    private int _days = ApiTokenService.UsualDays;
    private string? _problem;
    private string? _failed;
    private bool _busy;

    /// <summary>How many tokens are good now.</summary>
    [Parameter]
    public EventCallback<int> OnCounted { get; set; }

    [CascadingParameter]
    private Task<AuthenticationState>? Authentication { get; set; }

    private IReadOnlyList<SegmentChoice<ChangeRole>> Roles => [.. Enum.GetValues<ChangeRole>().Select(role => new SegmentChoice<ChangeRole>(role, L[$"Role_{role}"]))];

    private IReadOnlyList<SegmentChoice<int>> Lives => [.. new[] { 30, 90, 365 }.Select(days => new SegmentChoice<int>(days, L["NewDays", days]))];

    private string Address => navigation.BaseUri;

    /// <inheritdoc/>
    public void Dispose() => service.Changed -= OnChanged;

    /// <inheritdoc/>
    protected override async Task OnInitializedAsync()
    {
        _context = ExecutionContext.Capture();
        service.Changed += OnChanged; // before anything is waited for: the page may be left meanwhile
        _actor = Authentication is null ? _actor : ChangeActor.Of((await Authentication).User);
        await LoadAsync();
    }

    private static StateKind Kind(ApiTokenState state) => state switch { ApiTokenState.Active => StateKind.Up, ApiTokenState.Expired => StateKind.Degraded, _ => StateKind.Off };

    private static string Exact(DateTimeOffset at) => at.ToLocalTime().ToString("G", CultureInfo.CurrentCulture);

    private static string Minute(DateTimeOffset at) => at.ToLocalTime().ToString("g", CultureInfo.CurrentCulture);

    private static string Day(DateTimeOffset at) => at.ToLocalTime().ToString("d", CultureInfo.CurrentCulture);

    private string? Revoked(ApiTokenFacts token) => token.RevokedAt is { } at ? L["RevokedBy", token.RevokedBy ?? "", Exact(at)].Value : null;

    private async Task LoadAsync()
    {
        if (_actor.Role < ChangeRole.Administrator)
        {
            return; // nobody else sees them
        }

        try
        {
            (_tokens, _failed) = (await service.ListAsync(), null);
            await OnCounted.InvokeAsync(_tokens.Count(t => t.State == ApiTokenState.Active));
        }
        catch (Exception e) when (e is DbException or DbUpdateException)
        {
            _failed = Said.Of(e.Message);
        }
    }

    private Task MakeAsync() => TryAsync(async () =>
    {
        _made = await service.CreateAsync(_name.Trim(), _role, _days, _actor);
        _name = "";
    });

    private async Task RevokeAsync(string name)
    {
        if (await ChangeDialog.AskAsync(dialogs, new(L["RevokeTitle", name], L["RevokeSummary"], L["RevokeConfirm", name], DangerLevel.Disturbs)))
        {
            await TryAsync(async () =>
            {
                await service.RevokeAsync(name, _actor);
                _made = _made?.Token.Name == name ? null : _made;
                snackbar.Add(L["RevokeDone", name], Severity.Success);
            });
        }
    }

    private async Task TryAsync(Func<Task> act)
    {
        (_busy, _problem) = (true, null);
        try
        {
            await act();
        }
        catch (Exception e) when (e is ChangeException or DbException or DbUpdateException)
        {
            _problem = Said.Of(e.Message);
        }
        finally
        {
            _busy = false;
        }
    }

    // Raised by any thread, also for another administrator's tokens; without this context the page would lose its language.
    private void OnChanged() => ExecutionContext.Run(_context!, static self => _ = ((ApiTokensTab)self!).InvokeAsync(async () =>
    {
        await ((ApiTokensTab)self!).LoadAsync();
        ((ApiTokensTab)self!).StateHasChanged();
    }), this);
}
