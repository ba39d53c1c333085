using System.Collections.Immutable;
using MPSec.Linux.Procfs;
using MPSec.Linux.Sysctl;

namespace MPSec.Features.Kernel;

/// <summary>Whose Multipath TCP a kernel has.</summary>
public enum KernelFlavour
{
    /// <summary>None.</summary>
    None,

    /// <summary>Linux itself, from 5.6 on: protocol version 1.</summary>
    Upstream,

    /// <summary>multipath-tcp.org, v0.9x.</summary>
    OutOfTree,
}

/// <summary>How far a kernel module is.</summary>
public enum ModuleState
{
    /// <summary>This kernel has none of this name.</summary>
    Absent,

    /// <summary>It can be loaded.</summary>
    OnDisk,

    /// <summary>It is loaded, or a part of the kernel.</summary>
    Present,
}

/// <summary>What came of trying something.</summary>
/// <param name="Worked">Whether the kernel did it; null when the program that asks for it does not know how.</param>
/// <param name="Evidence">What was tried, and what the kernel said.</param>
public sealed record KernelTrial(bool? Worked, string Evidence);

/// <summary>A kernel package that the distribution offers.</summary>
/// <param name="Name">Name of the package.</param>
/// <param name="Version">The version that would be installed.</param>
public sealed record KernelPackage(string Name, string Version);

/// <summary>Everything that is read about the running kernel, before any judgement.</summary>
public sealed record KernelFacts
{
    /// <summary>As <c>uname -r</c> prints it; null when <c>/proc</c> does not tell.</summary>
    public required string? Release { get; init; }

    /// <summary>The distribution's own name for itself; null when it has none.</summary>
    public required string? Distribution { get; init; }

    /// <summary>Options it was compiled with; null when neither the kernel nor a file tells.</summary>
    public required KernelConfig? Config { get; init; }

    /// <summary>Settings below <c>net.mptcp</c>.</summary>
    public required ImmutableArray<SysctlEntry> Mptcp { get; init; }

    /// <summary>Congestion controls that are loaded.</summary>
    public required ImmutableArray<string> CongestionControls { get; init; }

    /// <summary>Whether the kernel describes its own types (<c>/sys/kernel/btf/vmlinux</c>).</summary>
    public required bool HasBtf { get; init; }

    /// <summary>Whether the cipher of <see cref="KernelFeatureTable.TrialCipher"/> is in use already (<c>/proc/crypto</c>).</summary>
    public required bool HasTrialCipher { get; init; }

    /// <summary>Whether the kernel may load modules, for all that is known.</summary>
    public bool CanLoadModules => Config is null || Config["MODULES"] is not null;

    /// <summary>How far each module of <see cref="KernelFeatureTable"/> is.</summary>
    public required ImmutableDictionary<string, ModuleState> Modules { get; init; }

    /// <summary>What was tried, by feature.</summary>
    public ImmutableDictionary<string, KernelTrial> Trials { get; init; } = ImmutableDictionary<string, KernelTrial>.Empty;

    /// <summary>Kernels that the distribution offers; empty when it was not asked.</summary>
    public ImmutableArray<KernelPackage> Packages { get; init; } = [];

    /// <summary>Whose Multipath TCP it is, by the names of its settings.</summary>
    public KernelFlavour Flavour => Mptcp.Any(s => s.Name == "net.mptcp.mptcp_enabled") ? KernelFlavour.OutOfTree : Mptcp.IsEmpty ? KernelFlavour.None : KernelFlavour.Upstream;

    /// <summary>Whether Multipath TCP is switched on; null when there is none, or it does not tell.</summary>
    public bool? IsEnabled => Setting(Flavour == KernelFlavour.OutOfTree ? "net.mptcp.mptcp_enabled" : "net.mptcp.enabled")?.Value is { } value ? value != "0" : null;

    /// <summary>The first two numbers of the release; null when they are none.</summary>
    public Version? Version => VersionOf(Release);

    /// <summary>A setting below <c>net.mptcp</c>; null when this kernel does not have it.</summary>
    public SysctlEntry? Setting(string? name) => Mptcp.FirstOrDefault(s => s.Name == name);

    /// <summary>The first two numbers in a release or package version; null when it does not begin with them.</summary>
    internal static Version? VersionOf(string? text)
    {
        var parts = (text ?? "").Split('.', 3);
        return parts.Length > 1 && System.Version.TryParse($"{parts[0]}.{string.Concat(parts[1].TakeWhile(char.IsAsciiDigit))}", out var version) ? version : null;
    }
}
