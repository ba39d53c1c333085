using System.Collections.Immutable;
using MPSec.Changes;
using MPSec.Linux.Sysctl;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>How the MPTCP of a kernel is driven: the kernel's own, or that of multipath-tcp.org. Which one it is decides what is found.</summary>
public interface IMptcpControl
{
    /// <summary>Which MPTCP.</summary>
    MptcpKernelKind Kind { get; }

    /// <summary>Settings that can be explained.</summary>
    ImmutableArray<MptcpSetting> Known { get; }

    /// <summary>The operations of a preset, computed for this gateway, and what cannot be done here.</summary>
    MptcpPresetPlan Preset(MptcpPreset preset, MptcpSide side, MptcpSettingsSnapshot snapshot);

    /// <summary>The commands that set an interface's part in MPTCP: on, off, backup. Empty where endpoints do that.</summary>
    ImmutableArray<string> LinkCommands(GatewayName gateway, InterfaceName link);

    /// <summary>The control for a kernel with these settings.</summary>
    static IMptcpControl For(IReadOnlyList<SysctlEntry> entries) =>
        entries.Any(e => e.Name == "net.mptcp.mptcp_enabled") ? new MptcpOutOfTreeControl() : new MptcpInTreeControl(entries.Any(e => e.Name == "net.mptcp.enabled"));

    /// <summary>The control for a gateway that was read.</summary>
    static IMptcpControl For(MptcpSettingsSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        return snapshot.Kind == MptcpKernelKind.OutOfTree ? new MptcpOutOfTreeControl() : new MptcpInTreeControl(snapshot.Kind == MptcpKernelKind.InTree);
    }
}

/// <summary>Settings for a purpose.</summary>
public enum MptcpPreset
{
    /// <summary>All paths carry at once.</summary>
    Aggregate,

    /// <summary>One path carries, the others wait for its failure.</summary>
    Survive,

    /// <summary>Only paths with a short round trip carry.</summary>
    LowLatency,

    /// <summary>As the first MPSec set its out-of-tree kernel: full mesh, checksums.</summary>
    Original,
}

/// <summary>What the gateway does in its connections; it decides on which side endpoints help.</summary>
public enum MptcpSide
{
    /// <summary>Accepts connections and announces its addresses.</summary>
    Accepts,

    /// <summary>Opens connections to a gateway that announces its addresses.</summary>
    OpensToGateway,

    /// <summary>Opens connections to a server with one address.</summary>
    OpensToServer,
}

/// <summary>A remark of a preset.</summary>
/// <param name="Code">Key of its text, without <c>Remark_</c>.</param>
/// <param name="Arguments">For its placeholders.</param>
public sealed record MptcpRemark(string Code, params ImmutableArray<string> Arguments);

/// <summary>A preset computed for a gateway.</summary>
/// <param name="Preset">Which.</param>
/// <param name="Plan">What would be done; null when it cannot be had here: a remark says why.</param>
/// <param name="Remarks">What to know, and what cannot be done here.</param>
public sealed record MptcpPresetPlan(MptcpPreset Preset, ChangePlan? Plan, ImmutableArray<MptcpRemark> Remarks);
