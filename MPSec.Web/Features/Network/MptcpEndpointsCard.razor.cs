using System.Globalization;
using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.Localization;
using MPSec.Changes;
using MPSec.Linux.Gateways;

namespace MPSec.Features.Network;

/// <summary>Endpoints and limits: list, add, change while connections run, remove.</summary>
public sealed partial class MptcpEndpointsCard(IStringLocalizer<MptcpTexts> texts)
{
    private static readonly MptcpEndpointFlags[] s_choosable =
        [MptcpEndpointFlags.Signal, MptcpEndpointFlags.Subflow, MptcpEndpointFlags.Backup, MptcpEndpointFlags.Fullmesh, MptcpEndpointFlags.Laminar];

    private MptcpLimits? _limitsSeen;
    private uint _subflows;
    private uint _accepted;
    private string _address = "";
    private string _link = "";
    private string _id = "";
    private string _port = "";
    private MptcpEndpointFlags _flags;
    private string? _refusal;
    private bool _busy;

    /// <summary>The gateway as it is.</summary>
    [Parameter, EditorRequired]
    public required MptcpSettingsSnapshot Snapshot { get; set; }

    /// <summary>Why nothing can be changed; null when it can.</summary>
    [Parameter]
    public string? Locked { get; set; }

    /// <summary>A plan shall be previewed and run.</summary>
    [Parameter]
    public EventCallback<MptcpPlanRequest> OnPlan { get; set; }

    private bool Off => Locked is not null || _busy;

    /// <inheritdoc/>
    protected override void OnParametersSet()
    {
        if (Snapshot.Limits != _limitsSeen)
        {
            _limitsSeen = Snapshot.Limits;
            (_subflows, _accepted) = (_limitsSeen?.Subflows ?? 0, _limitsSeen?.AddAddrAccepted ?? 0);
        }
    }

    private static IEnumerable<string> Words(MptcpEndpointFlags flags) => s_choosable.Where(f => flags.HasFlag(f)).Select(f => f.ToString().ToLowerInvariant());

    // A text that is no number becomes one that is refused with the field's own sentence.
    private static int? Number(string text) =>
        string.IsNullOrWhiteSpace(text) ? null : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : -1;

    private MptcpEndpointWish Wish() => new(_address, _flags, Number(_id), _link, Number(_port));

    private async Task AddAsync()
    {
        var wish = Wish();
        var owners = string.Join(", ", Snapshot.Owners);
        // The dialog tells who owns the endpoints; whoever confirms it has accepted that.
        List<string> remarks = [.. MptcpEndpointPlans.Pitfalls(Snapshot, wish).Select(p => texts[$"Pitfall_{p}"].Value)];
        if (owners.Length > 0)
        {
            remarks.Insert(0, texts["Owners", owners]);
        }

        if (await RunAsync(new(now => MptcpEndpointPlans.Add(now, wish, ownersAccepted: string.Join(", ", now.Owners) == owners), texts["AddTitle", _address], texts["AddSummary"], remarks)))
        {
            (_address, _link, _id, _port, _flags) = ("", "", "", "", 0);
        }
    }

    private Task<bool> ChangeAsync(MptcpEndpoint endpoint, bool backup, bool mesh) =>
        RunAsync(new(now => MptcpEndpointPlans.Change(now, endpoint.Id, backup, mesh), texts["ChangeTitle", endpoint.Address], texts["ChangeSummary"], []));

    private Task<bool> RemoveAsync(MptcpEndpoint endpoint) =>
        RunAsync(new(now => MptcpEndpointPlans.Remove(now, endpoint.Id), texts["RemoveTitle", endpoint.Address], texts["RemoveSummary"], []));

    private Task<bool> LimitAsync()
    {
        var (subflows, accepted) = ((int)_subflows, (int)_accepted);
        return RunAsync(new(now => MptcpEndpointPlans.Limits(now, subflows, accepted), texts["LimitsTitle", subflows, accepted], texts["LimitsWhy"], []));
    }

    private async Task<bool> RunAsync(MptcpPlanRequest request)
    {
        _busy = true;
        await OnPlan.InvokeAsync(request);
        (_busy, _refusal) = (false, request.Refusal);
        return request.IsDone;
    }
}
