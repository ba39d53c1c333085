using System.Collections.Immutable;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.Extensions.Localization;
using MPSec.Changes;
using MPSec.Components.Controls;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Values;
using MPSec.Live;

namespace MPSec.Features.Network;

/// <summary>A plan that the panel shall preview and run.</summary>
/// <param name="Plan">Makes it from the newest facts; may refuse with one sentence.</param>
/// <param name="Title">The question.</param>
/// <param name="Summary">What happens.</param>
/// <param name="Remarks">One sentence each.</param>
public sealed record MptcpPlanRequest(Func<MptcpSettingsSnapshot, ChangePlan> Plan, string Title, string Summary, IReadOnlyList<string> Remarks)
{
    /// <summary>What the door or the kernel said; null when the change stands or was not confirmed.</summary>
    public string? Refusal { get; set; }

    /// <summary>Whether the change stands.</summary>
    public bool IsDone { get; set; }
}

/// <summary>All MPTCP settings of a gateway: presets, groups of settings, endpoints and limits.</summary>
public sealed partial class MptcpSettingsPanel(
    MptcpSettingsService service,
    ILiveFeeds<GatewaySnapshot, RatePoint> feeds,
    ChangeDesk desk,
    GatewayModes modes,
    IStringLocalizer<MptcpTexts> texts) : IDisposable
{
    private string? _shown;
    private MptcpSettingsSnapshot? _snapshot;
    private GatewayReading? _seen;
    private IDisposable? _subscription;
    private ExecutionContext? _context;
    private MptcpSide _side;
    private string? _fault;
    private string? _lock;
    private string? _problem;
    private bool _busy;
    private ChangeActor _actor = new("anonymous", ChangeRole.Viewer);

    /// <summary>The gateway.</summary>
    [Parameter, EditorRequired]
    public required string Gateway { get; set; }

    [CascadingParameter]
    private Task<AuthenticationState>? Authentication { get; set; }

    private SegmentChoice<MptcpSide>[] Sides => [.. Enum.GetValues<MptcpSide>().Select(s => new SegmentChoice<MptcpSide>(s, texts[$"Side_{s}"], Hint: texts[$"SideWhy_{s}"]))];

    /// <inheritdoc/>
    public void Dispose()
    {
        _subscription?.Dispose();
        modes.ModeChanged -= OnMode;
    }

    /// <inheritdoc/>
    protected override void OnInitialized()
    {
        _context = ExecutionContext.Capture();
        modes.ModeChanged += OnMode;
    }

    /// <inheritdoc/>
    protected override async Task OnParametersSetAsync()
    {
        if (_shown == Gateway || !GatewayName.TryParse(Gateway, out var name, out _fault))
        {
            return;
        }

        _shown = Gateway;
        _subscription?.Dispose();
        (_snapshot, _seen, _problem) = (null, null, null);
        // Before anything is waited for: the page may be left, or show another gateway, meanwhile, and this would listen for ever.
        _subscription = feeds.Get(name.Value).Store.Subscribe(sample => InvokeAsync(() => LookAsync(sample.Value?.Reading)));
        _actor = Authentication is null ? _actor : ChangeActor.Of((await Authentication).User);
        await LoadAsync();
        _side = _snapshot is null ? default : MptcpSettingsService.Side(_snapshot);
    }

    /// <summary>Reads everything again when the sampler saw a setting, an endpoint or a limit change.</summary>
    private async Task LookAsync(GatewayReading? reading)
    {
        if (reading is null || reading.Gateway.Value != Gateway)
        {
            return;
        }

        var before = _seen;
        _seen = reading;
        // A change of our own and one in a terminal may both fall between two samples: what is shown counts too, not only the sample before.
        if (Differs(reading) || (before is not null && !(before.MptcpSettings.SequenceEqual(reading.MptcpSettings) && before.Endpoints.SequenceEqual(reading.Endpoints) && before.Limits == reading.Limits
            && before.Addresses.SequenceEqual(reading.Addresses))))
        {
            await LoadAsync();
        }
    }

    private bool Differs(GatewayReading reading) => _snapshot is { } shown
        && (!Own(shown.Endpoints).SequenceEqual(Own(reading.Endpoints)) || (reading.Limits is { } limits && shown.Limits != limits)
            || shown.Settings.Any(s => reading.MptcpSettings.TryGetValue(s.Name, out var value) && s.Value is { } known && known != value));

    private static IEnumerable<MptcpEndpoint> Own(IEnumerable<MptcpEndpoint> endpoints) => endpoints.Where(e => !e.Flags.HasFlag(MptcpEndpointFlags.Implicit)).OrderBy(e => e.Id);

    private async Task LoadAsync()
    {
        var name = GatewayName.Parse(Gateway);
        MptcpSettingsSnapshot? snapshot = null;
        string? fault = null;
        var mode = GatewayMode.Observe;
        try
        {
            mode = await modes.GetAsync(name);
            snapshot = await service.ReadAsync(name);
        }
        catch (Exception e) when (e is NamespaceException or IOException)
        {
            fault = Said.Of(e.Message);
        }

        if (name.Value != Gateway)
        {
            return; // another gateway is shown by now
        }

        (_snapshot, _fault) = (snapshot, fault);
        _lock = _actor.Role < ChangeRole.Administrator ? texts["RoleReason"].Value : mode == GatewayMode.Managed ? null : texts["ObserveReason"].Value;
        StateHasChanged();
    }

    private ImmutableArray<MptcpSettingState> Of(MptcpSettingGroup group) => [.. _snapshot!.Settings.Where(s => s.Group == group)];

    private string Tell(MptcpRemark remark) => texts[$"Remark_{remark.Code}", [.. remark.Arguments]];

    private static string[] LinkCommands(MptcpSettingsSnapshot now) =>
        [.. now.Links.Where(l => !l.IsLoopback).SelectMany(l => InterfaceName.TryParse(l.Name, out var name, out _) ? IMptcpControl.For(now).LinkCommands(now.Gateway, name) : [])];

    private async Task PresetAsync(MptcpPresetPlan preset)
    {
        var (which, side) = (preset.Preset, _side);
        var request = new MptcpPlanRequest(
            now => MptcpSettingsService.Preset(now, which, side).Plan ?? throw new ChangeException(ChangeFault.NotAvailable, $"preset {which}: cannot be had on gateway {now.Gateway} any more"),
            texts["PresetTitle", texts[$"Preset_{which}"].Value, Gateway], texts[$"PresetWhy_{which}"], [.. preset.Remarks.Select(Tell)]);
        await RunAsync(request);
        _problem = request.Refusal;
    }

    private Task WriteAsync(MptcpSettingChange change)
    {
        var request = new MptcpPlanRequest(
            now => MptcpSettingsService.Write(now, new Dictionary<string, string> { [change.Name] = change.Value }),
            texts["WriteTitle", change.Name, change.Value], texts["WriteSummary"], []);
        return change.RunAsync(request, RunAsync);
    }

    /// <summary>Plans from the newest facts, shows the preview, runs, and tells.</summary>
    private async Task RunAsync(MptcpPlanRequest request)
    {
        _busy = true;
        _problem = null;
        try
        {
            var answer = await desk.RunAsync(new(request.Title, request.Summary, texts["Confirm"], texts["Done"])
            {
                Plan = async () => request.Plan(await service.ReadAsync(GatewayName.Parse(Gateway))),
                Affected = request.Remarks,
                TellsRefusal = true,
            }, _actor);
            (request.IsDone, request.Refusal) = (answer.IsDone, answer.Refusal);
            if (answer.Report is not null)
            {
                await LoadAsync();
            }
        }
        finally
        {
            _busy = false;
            StateHasChanged();
        }
    }

    // Comes from any thread; without this context the page would lose its language.
    private void OnMode(GatewayName gateway, GatewayMode mode)
    {
        if (gateway.Value == _shown)
        {
            ExecutionContext.Run(_context!, static self => _ = ((MptcpSettingsPanel)self!).InvokeAsync(((MptcpSettingsPanel)self!).LoadAsync), this);
        }
    }
}
