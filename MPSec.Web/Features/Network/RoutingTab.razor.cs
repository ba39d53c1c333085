using System.Collections.Immutable;
using Microsoft.AspNetCore.Components;
using MPSec.Changes;
using MPSec.Components.Controls;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>The matrix of sources and peers with the kernel's answers, and the findings with their repairs.</summary>
public sealed partial class RoutingTab(NetworkConfigurationService configurations)
{
    private string? _peers;
    private string? _askedBefore;

    /// <summary>What is shown.</summary>
    [Parameter, EditorRequired]
    public required NetworkSnapshot Snapshot { get; set; }

    /// <summary>State of the panel.</summary>
    [Parameter]
    public PanelCondition Condition { get; set; } = PanelCondition.Ready;

    /// <summary>Why the panel is in that state.</summary>
    [Parameter]
    public string? Detail { get; set; }

    /// <summary>Time of the data.</summary>
    [Parameter]
    public DateTimeOffset? At { get; set; }

    /// <summary>Why nothing may be changed; null when it may.</summary>
    [Parameter]
    public string? Locked { get; set; }

    /// <summary>A change is running.</summary>
    [Parameter]
    public bool Busy { get; set; }

    /// <summary>Peers in the address of the page.</summary>
    [Parameter]
    public string? Asked { get; set; }

    /// <summary>What is wrong with <see cref="Asked"/>; null when nothing.</summary>
    [Parameter]
    public string? PeerProblem { get; set; }

    /// <summary>Other peers are asked about.</summary>
    [Parameter]
    public EventCallback<string?> OnPeers { get; set; }

    /// <summary>A repair is wanted.</summary>
    [Parameter]
    public EventCallback<ImmutableArray<HostOperation>> OnRepair { get; set; }

    /// <inheritdoc/>
    protected override void OnParametersSet()
    {
        if (_askedBefore != Asked)
        {
            _peers = _askedBefore = Asked;
        }
    }

    private static StateKind Meaning(RoutingVerdict verdict) => verdict switch
    {
        RoutingVerdict.OwnDevice => StateKind.Up,
        RoutingVerdict.Silent => StateKind.Standby,
        _ => StateKind.Down,
    };

    private int Number(string path) => Snapshot.Paths.FirstOrDefault(p => p.Name == path)?.Number ?? 0;

    private string Explain(RoutingCell cell) => cell.Answer.Refusal == RouteRefusal.None
        ? L[cell.Verdict == RoutingVerdict.OwnDevice ? "CellOwn" : "CellOther", cell.Device ?? "?", cell.Answer.NextHop?.ToString() ?? L["OnLink"].Value, cell.Answer.Table?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "?", cell.Path]
        : L["CellRefused", cell.Answer.Errno];

    private string TitleOf(string path) => configurations.NameOf(GatewayName.Parse(Snapshot.Gateway), path) ?? path;
}
