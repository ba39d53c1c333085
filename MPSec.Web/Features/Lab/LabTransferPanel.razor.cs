using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.Extensions.Localization;
using MPSec.Changes;
using MPSec.Components.Charts;
using MPSec.Components.Controls;
using MudBlazor;

namespace MPSec.Features.Lab;

/// <summary>The built-in transfer of the lab that a gateway belongs to: start, stop, direction, connections, and what arrives. Shows nothing elsewhere.</summary>
public sealed partial class LabTransferPanel(
    LabService labs, LabTransferService transfers, TimeProvider time, ISnackbar snackbar, IStringLocalizer<LabTransferTexts> texts) : IDisposable
{
    private static readonly int[] s_counts = [1, 2, 4, 8, 16, 32, 64];
    private static readonly TimeSpan s_window = TimeSpan.FromSeconds(60);

    private readonly ChartRing _ring = new(1, (int)(s_window / TimeSpan.FromMilliseconds(LabTransferSnapshot.BinMs)) + 1);
    private string? _shown;
    private LabSpec? _spec;
    private LabTransferSettings _settings = new();
    private LabTransferSnapshot? _now;
    private IDisposable? _subscription;
    private IReadOnlyList<ChartSeries> _series = [];
    private ChangeActor _actor = new("anonymous", ChangeRole.Viewer);
    private DateTimeOffset _began;
    private bool _busy;
    private bool _left;

    /// <summary>A gateway.</summary>
    [Parameter, EditorRequired]
    public required string Gateway { get; set; }

    [CascadingParameter]
    private Task<AuthenticationState>? Authentication { get; set; }

    private IStringLocalizer<LabTransferTexts> L => texts;

    private LabTransferState State => _now?.State ?? LabTransferState.Stopped;

    private bool Runs => State != LabTransferState.Stopped;

    private StateKind Kind => State switch
    {
        LabTransferState.Running => StateKind.Up,
        LabTransferState.Connecting => StateKind.Changing,
        LabTransferState.Stalled => StateKind.Down,
        _ => StateKind.Off,
    };

    private string? Locked => _actor.Role < ChangeRole.Operator ? L["RoleReason"].Value : null;

    private string Missing => Runs ? L["NotYet"] : L["NotRunning"];

    private double? Mbit => !Runs || _now is not { } now ? null : now.Settings.Direction switch
    {
        LabDirection.AToB => now.AToBMbit,
        LabDirection.BToA => now.BToAMbit,
        _ => now.AToBMbit + now.BToAMbit,
    };

    private double Ceiling => _spec!.HeaderLimitedMbit * (_settings.Direction == LabDirection.Both ? 2 : 1);

    private SegmentChoice<LabDirection>[] Directions =>
    [
        new(LabDirection.AToB, L["AToB", _spec!.A, _spec.B], Hint: Locked),
        new(LabDirection.BToA, L["BToA", _spec.A, _spec.B], Hint: Locked),
        new(LabDirection.Both, L["Both"], Hint: Locked),
    ];

    /// <inheritdoc/>
    public void Dispose()
    {
        _left = true;
        _subscription?.Dispose();
    }

    /// <inheritdoc/>
    protected override void OnInitialized() => _series = [new(L["Received"], ChartLine.Area)];

    /// <inheritdoc/>
    protected override async Task OnParametersSetAsync()
    {
        if (_shown == Gateway)
        {
            return;
        }

        _shown = Gateway;
        _subscription?.Dispose();
        _actor = Authentication is null ? _actor : ChangeActor.Of((await Authentication).User);
        var gateway = Gateway;
        var found = gateway.EndsWith("-a", StringComparison.Ordinal) || gateway.EndsWith("-b", StringComparison.Ordinal) ? await labs.FindSpecAsync(gateway[..^2]) : null;
        if (_left || _shown != gateway)
        {
            return; // the page was left, or shows another gateway by now
        }

        _spec = found;
        if (found is not { } spec)
        {
            return;
        }

        var store = transfers.Store(spec.Name);
        Take(store.Current);
        _settings = store.Current?.Settings ?? _settings;
        _subscription = store.Subscribe(snapshot => InvokeAsync(() =>
        {
            Take(snapshot);
            StateHasChanged();
        }));
    }

    private void Take(LabTransferSnapshot? snapshot)
    {
        if (snapshot is null)
        {
            return;
        }

        // A smaller elapsed time is another run. Its beginning is taken once: taken again each time it would jitter.
        if (_now is null || _now.Elapsed > snapshot.Elapsed)
        {
            _settings = snapshot.Settings;
            _began = time.GetUtcNow() - snapshot.Elapsed;
        }

        _now = snapshot;
        foreach (var bin in transfers.Bins(snapshot.Lab))
        {
            _ring.Add(_began + bin.At, bin.Mbit);
        }
    }

    private Task ChangeAsync(LabTransferSettings settings)
    {
        _settings = settings;
        return Runs ? RunAsync(true) : Task.CompletedTask;
    }

    private async Task RunAsync(bool start)
    {
        _busy = true;
        try
        {
            await (start ? transfers.StartAsync(_spec!.Name, _settings, _actor) : transfers.StopAsync(_spec!.Name, _actor));
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
}
