using System.Collections.Immutable;
using MPSec.Changes;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>
/// The MPTCP of multipath-tcp.org (v0.9x, last on Linux 5.4): settings <c>net.mptcp.mptcp_*</c>, coupled congestion controls, and a patched iproute2 that sets
/// each interface's part. It has no endpoints and no limits.
/// </summary>
public sealed class MptcpOutOfTreeControl : IMptcpControl
{
    private static readonly string[] s_coupled = ["olia", "lia", "balia"];

    /// <inheritdoc/>
    public MptcpKernelKind Kind => MptcpKernelKind.OutOfTree;

    /// <inheritdoc/>
    public ImmutableArray<MptcpSetting> Known { get; } = [.. MptcpSettingCatalogue.OutOfTree, .. MptcpSettingCatalogue.Tcp];

    /// <inheritdoc/>
    public ImmutableArray<string> LinkCommands(GatewayName gateway, InterfaceName link)
    {
        string[] tool = gateway.IsHost ? ["ip"] : ["ip", "-n", gateway.Value];
        return [.. new[] { "on", "off", "backup" }.Select(part => string.Join(' ', tool.Concat(["link", "set", "dev", link.Value, "multipath", part]).Select(ShellText.Quote)))];
    }

    /// <inheritdoc/>
    public MptcpPresetPlan Preset(MptcpPreset preset, MptcpSide side, MptcpSettingsSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        var remarks = ImmutableArray.CreateBuilder<MptcpRemark>();
        var values = new List<(string Name, string Value)>
        {
            ("net.mptcp.mptcp_enabled", "1"),
            ("net.mptcp.mptcp_path_manager", "fullmesh"),
            ("net.mptcp.mptcp_scheduler", preset == MptcpPreset.LowLatency ? "redundant" : "default"),
        };
        if (preset == MptcpPreset.Original)
        {
            values.AddRange([("net.mptcp.mptcp_checksum", "1"), ("net.mptcp.mptcp_syn_retries", "3")]);
        }

        if (preset == MptcpPreset.Aggregate && s_coupled.FirstOrDefault(c => snapshot.Find(MptcpSettingCatalogue.CongestionControl)?.Choices.Contains(c) == true) is { } coupled)
        {
            values.Add((MptcpSettingCatalogue.CongestionControl, coupled));
        }
        else if (preset == MptcpPreset.Aggregate)
        {
            remarks.Add(new("coupled-not-loaded"));
        }

        if (preset == MptcpPreset.Survive)
        {
            remarks.Add(new("backup-by-link"));
        }
        else if (preset == MptcpPreset.LowLatency)
        {
            remarks.Add(new("redundant-cost"));
        }

        ImmutableArray<HostOperation> operations =
        [
            .. values.Where(v => snapshot.Find(v.Name) is { IsPresent: true } state && state.Value != v.Value).Select(v => new WriteSysctl(snapshot.Gateway, SysctlKey.Parse(v.Name), v.Value)),
        ];
        if (operations.Length == 0)
        {
            remarks.Insert(0, new("already"));
        }

        var plan = new ChangePlan { TitleCode = "mptcp.preset", TitleArguments = [snapshot.Gateway.Value, preset.ToString()], Operations = operations, Configuration = new() };
        return new(preset, plan, remarks.ToImmutable());
    }
}
