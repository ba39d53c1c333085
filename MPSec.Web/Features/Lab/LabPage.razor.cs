using System.Globalization;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.Extensions.Localization;
using MPSec.Changes;
using MPSec.Components.Controls;
using MudBlazor;

namespace MPSec.Features.Lab;

/// <summary>The Lab page: labs that stand, build one, drop one, and the transfer of each.</summary>
public sealed partial class LabPage(LabService service, ChangeService changes, IDialogService dialogs, ISnackbar snackbar, IStringLocalizer<LabTexts> texts) : IDisposable
{
    private IReadOnlyList<LabStatus>? _labs;
    private IReadOnlyList<string> _faults = [];
    private ExecutionContext? _context;
    private ChangeActor _actor = new("anonymous", ChangeRole.Viewer);
    private string _name = "lab";
    private string _paths = "20,30,50,40";
    private string _rtt = "";
    private string _buffer = "50";
    private bool _busy;

    [CascadingParameter]
    private Task<AuthenticationState>? Authentication { get; set; }

    private IStringLocalizer<LabTexts> L => texts;

    private string? Locked => _actor.Role < ChangeRole.Administrator ? L["RoleReason"].Value : null;

    private (string Text, StateKind Kind) StateLine => _labs switch
    {
        null or { Count: 0 } => (L["StateNone"], StateKind.None),
        { } labs when labs.Any(l => l.Stage == "leftover") => (L["StateLeftover"], StateKind.Degraded),
        { } labs => (L["StateStanding", labs.Count], StateKind.Up),
    };

    /// <inheritdoc/>
    public void Dispose() => changes.Completed -= OnChange;

    /// <inheritdoc/>
    protected override async Task OnInitializedAsync()
    {
        _context = ExecutionContext.Capture();
        changes.Completed += OnChange;
        _actor = Authentication is null ? _actor : ChangeActor.Of((await Authentication).User);
        await LoadAsync();
    }

    private static StateKind Meaning(LabStatus lab) => lab.Stage switch
    {
        "standing" => StateKind.Up,
        "leftover" => StateKind.Degraded,
        _ => StateKind.Changing,
    };

    private static StateKind Meaning(string? state) => state switch
    {
        "up" => StateKind.Up,
        "down" => StateKind.Off,
        "lowerlayerdown" => StateKind.Down,
        null => StateKind.None,
        _ => StateKind.Unknown,
    };

    private string Word(string? state) => state is null ? L["Missing"] : L[$"Link_{state}"] is { ResourceNotFound: false } word ? word : state;

    private async Task LoadAsync()
    {
        _labs = await service.StatusAsync();
        StateHasChanged();
    }

    private async Task BuildAsync()
    {
        var buffer = double.TryParse(_buffer, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) ? number : 0;
        if (LabSpec.Parse(_name.Trim(), _paths, _rtt.Trim().Length == 0 ? null : _rtt, buffer, out _faults) is { } spec)
        {
            await RunAsync(() => service.UpAsync(spec, _actor), L["Built", spec.Name]);
        }
    }

    private async Task DropAsync(LabStatus lab)
    {
        var prompt = new ChangePrompt(L["DropTitle", lab.Name], L["DropSummary", lab.GatewayA, lab.GatewayB], L["DropConfirm"], DangerLevel.Irreversible)
        {
            TypedName = lab.Name,
            Commands = [$"ip netns del {lab.GatewayA}", $"ip netns del {lab.GatewayB}"],
        };
        if (await ChangeDialog.AskAsync(dialogs, prompt))
        {
            await RunAsync(() => service.DownAsync(lab.Name, _actor), L["Dropped", lab.Name]);
        }
    }

    private async Task RunAsync(Func<Task> act, string done)
    {
        _busy = true;
        _faults = [];
        StateHasChanged();
        try
        {
            await act();
            snackbar.Add(done, Severity.Success);
        }
        catch (ChangeException e)
        {
            _faults = [Said.Of(e.Message)];
            snackbar.Add(Said.Of(e.Message), Severity.Error);
        }
        finally
        {
            _busy = false;
            await LoadAsync();
        }
    }

    // From any thread; without this context the page would lose its language.
    private void OnChange(ChangeReport report) =>
        ExecutionContext.Run(_context!, static self => _ = ((LabPage)self!).InvokeAsync(((LabPage)self!).LoadAsync), this);
}
