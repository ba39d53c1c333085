using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.Localization;
using MPSec.Changes;
using MPSec.Components.Controls;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>
/// The paths of a gateway, and the draft in which a person edits them: several paths are edited, then applied in one change. The draft knows the saved version
/// that it began from, so that nobody overwrites what somebody else saved meanwhile.
/// </summary>
public sealed partial class NetworkPathsTab(NetworkConfigurationService configurations, ChangeDesk desk, IStringLocalizer<NetworkTexts> texts)
{
    private readonly SortedSet<string> _changed = new(StringComparer.Ordinal);
    private NetworkDocument? _draft;
    private Task<NetworkProposal>? _beginning;
    private NetworkDocument? _shown;
    private int _base;
    private string? _gateway;
    private string? _editing;
    private string? _problem;
    private SavedNetwork? _theirs;
    private string? _theirDiff;
    private bool _busy;

    /// <summary>What is shown.</summary>
    [Parameter, EditorRequired]
    public required NetworkSnapshot Snapshot { get; set; }

    /// <summary>Who looks.</summary>
    [Parameter, EditorRequired]
    public required ChangeActor Actor { get; set; }

    /// <summary>Why nothing may be changed; null when it may.</summary>
    [Parameter]
    public string? Locked { get; set; }

    /// <summary>State of the panel.</summary>
    [Parameter]
    public PanelCondition Condition { get; set; } = PanelCondition.Ready;

    /// <summary>Why the panel is in that state.</summary>
    [Parameter]
    public string? Detail { get; set; }

    /// <summary>Time of the data.</summary>
    [Parameter]
    public DateTimeOffset? At { get; set; }

    /// <summary>Something was applied: read again.</summary>
    [Parameter]
    public EventCallback OnApplied { get; set; }

    private GatewayName Name => GatewayName.Parse(Snapshot.Gateway);

    /// <inheritdoc/>
    protected override void OnParametersSet()
    {
        if (_gateway != Snapshot.Gateway)
        {
            _gateway = Snapshot.Gateway;
            Discard();
        }
    }

    private static string Lines(NetworkPath path, Func<NetworkPathFamily, string?> of) =>
        path.Families.Select(of).OfType<string>().Distinct().ToList() is { Count: > 0 } values ? string.Join(", ", values) : Figures.Missing;

    private string TitleOf(NetworkPath path) => Draft(path.Name)?.Name ?? configurations.NameOf(Name, path.Name) ?? path.Name;

    private string OwnerWord(NetworkPath path)
    {
        var name = path.Owner.Kind switch
        {
            InterfaceOwnerKind.NetworkManager => "NetworkManager",
            InterfaceOwnerKind.SystemdNetworkd => "systemd-networkd",
            InterfaceOwnerKind.Netplan => "netplan",
            InterfaceOwnerKind.Ifupdown => "ifupdown",
            _ => texts["OwnerNobody"].Value,
        };
        return path.FromDhcp ? name + " · DHCP" : name;
    }

    private NetworkDocumentPath? Draft(string name) => _draft?.FindPath(name);

    // A second click may come while the first one still reads.
    private async Task BeginAsync()
    {
        if (_draft is null)
        {
            var proposal = await (_beginning ??= configurations.ProposedAsync(Snapshot));
            _beginning = null;
            if (_draft is null)
            {
                (_draft, _base) = proposal;
                _shown = _draft;
            }
        }
    }

    private async Task EditAsync(string name)
    {
        await BeginAsync();
        if (Draft(name) is null && InterfaceName.TryParse(name, out var device, out _))
        {
            _draft = _draft! with { Paths = _draft.Paths.Add(new() { Interface = device }) };
        }

        (_editing, _problem) = (name, null);
    }

    /// <summary>Takes a path over into the draft unless that makes the draft wrong.</summary>
    private Dictionary<string, string> Take(NetworkDocumentPath path)
    {
        var before = Draft(path.Interface.Value)!;
        var draft = _draft! with { Paths = _draft.Paths.Replace(before, path) };
        var known = _draft.Faults().Select(f => f.Sentence).ToHashSet(StringComparer.Ordinal);
        var faults = draft.Faults().Where(f => !known.Contains(f.Sentence) || f.Path == path.Interface.Value).ToList();
        if (faults.Count == 0)
        {
            _draft = draft;
            if (before != path)
            {
                _changed.Add(path.Interface.Value);
            }
        }

        return faults.GroupBy(f => f.Field).ToDictionary(g => g.Key, g => g.First().Sentence);
    }

    /// <summary>Gives every path without a table one of its own, with the number that it has on every page.</summary>
    private async Task SetUpAllAsync()
    {
        await BeginAsync();
        var tables = _draft!.Paths.Select(p => p.Table).OfType<uint>().ToHashSet();
        foreach (var path in Snapshot.Paths.Where(p => p.IsActive && p.Families.Any()))
        {
            if (Draft(path.Name) is not { Table: null } draft)
            {
                continue;
            }

            var table = (uint)(100 + path.Number);
            while (!tables.Add(table))
            {
                table++;
            }

            _draft = _draft with { Paths = _draft.Paths.Replace(draft, draft with { Table = table, RulePriority = 1000 + table - 100, Role = draft.Role ?? Role(path, draft) }) };
            _changed.Add(path.Name);
        }

        _problem = _draft.Faults().FirstOrDefault()?.Sentence;
    }

    // Primary needs a next hop; where none is known yet the path carries with the others.
    private static NetworkPathRole Role(NetworkPath path, NetworkDocumentPath draft) =>
        path.Role == NetworkPathRole.Primary && draft.NextHops.IsEmpty ? NetworkPathRole.Bonded : path.Role;

    private void Discard()
    {
        (_draft, _shown, _base, _editing, _problem, _theirs, _theirDiff) = (null, null, 0, null, null, null, null);
        _changed.Clear();
    }

    private async Task MineOnTopAsync()
    {
        (_base, _theirs, _theirDiff) = (_theirs?.Version ?? _base, null, null);
        await ApplyAsync();
    }

    private async Task ApplyAsync()
    {
        var (draft, shown) = (_draft!, _shown);
        if (draft.Faults().FirstOrDefault() is { } fault)
        {
            _problem = fault.Sentence;
            return;
        }

        (_busy, _problem) = (true, null);
        try
        {
            if (await configurations.CurrentAsync(Name) is { } current && current.Version != _base)
            {
                (_theirs, _theirDiff) = (current, NetworkDiff.Between(current.Document, draft).Text);
                return;
            }

            if ((await configurations.PlanAsync(Name, draft, _base, shown)).Operations.IsEmpty)
            {
                await configurations.SaveWithoutChangeAsync(Name, draft, _base, Actor);
                Discard();
                await OnApplied.InvokeAsync();
                return;
            }

            var answer = await desk.RunAsync(new(texts["ApplyTitle", Snapshot.Gateway], texts["ApplySummary"], texts["ApplyConfirm"], texts["ApplyDone"])
            {
                Plan = () => configurations.PlanAsync(Name, draft, _base, shown),
                TellsRefusal = true,
            }, Actor);
            _problem = answer.Refusal;
            if (answer.IsDone)
            {
                Discard();
                await OnApplied.InvokeAsync();
            }
        }
        catch (ChangeException e)
        {
            _problem = Said.Of(e.Message);
        }
        finally
        {
            _busy = false;
        }
    }
}
