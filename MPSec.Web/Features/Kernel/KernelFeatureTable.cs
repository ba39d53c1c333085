using System.Collections.Immutable;

namespace MPSec.Features.Kernel;

/// <summary>Something that a kernel can do.</summary>
/// <param name="Key">Its name in the report and in the texts.</param>
/// <param name="Since">First Linux that has it, such as 5.6; of the out-of-tree Multipath TCP its own version.</param>
/// <param name="Option">The option that brings it, without CONFIG_.</param>
/// <param name="Flavour">The only Multipath TCP that has it; null when it has nothing to do with that.</param>
public sealed record KernelFeature(string Key, string Since, string Option, KernelFlavour? Flavour = null)
{
    /// <summary>The module it is when it is not built in; null when it cannot be one.</summary>
    public string? Module { get; init; }

    /// <summary>A setting that only kernels with this feature have.</summary>
    public string? Setting { get; init; }

    /// <summary>Value that <see cref="Setting"/> must not have for the feature to work.</summary>
    public string? OffValue { get; init; }

    /// <summary>Word that the list of congestion controls has when it is loaded.</summary>
    public string? CongestionControl { get; init; }

    /// <summary>MPSec uses it: without it something of the pages is missing.</summary>
    public bool IsNeeded { get; init; }

    /// <summary>What tries it in a network namespace that ends with the program; null when nothing is tried this way.</summary>
    public ImmutableArray<string> Trial { get; init; } = [];

    /// <summary>The trial makes the kernel look for a cipher, which may be a module.</summary>
    public bool TrialLoadsCrypto { get; init; }
}

/// <summary>Every feature of the report, in its order.</summary>
public static class KernelFeatureTable
{
    private const KernelFlavour Upstream = KernelFlavour.Upstream;
    private const KernelFlavour OutOfTree = KernelFlavour.OutOfTree;

    /// <summary>The cipher of the trials of ESP.</summary>
    internal const string TrialCipher = "rfc4106(gcm(aes))";

    // 20 octets: a key of 128 bits and its salt, for a security association that ends with the trial.
    private const string TrialKey = "0x0102030405060708090a0b0c0d0e0f1011121314";

    /// <summary>All of them.</summary>
    public static ImmutableArray<KernelFeature> All { get; } =
    [
        new("mptcp", "5.6", "MPTCP", Upstream) { Setting = "net.mptcp.enabled", OffValue = "0", IsNeeded = true },
        new("mptcp-ipv6", "5.6", "MPTCP_IPV6", Upstream) { IsNeeded = true },
        new("endpoints", "5.7", "MPTCP", Upstream) { IsNeeded = true, Trial = ["ip", "mptcp", "endpoint", "add", "192.0.2.1", "signal"] },
        new("mptcp-diag", "5.9", "INET_MPTCP_DIAG", Upstream) { Module = "mptcp_diag", IsNeeded = true },
        new("fullmesh", "5.15", "MPTCP", Upstream) { Trial = ["ip", "mptcp", "endpoint", "add", "192.0.2.1", "subflow", "fullmesh"] },
        new("userspace-pm", "5.19", "MPTCP", Upstream) { Setting = "net.mptcp.pm_type" },
        new("byte-counters", "6.5", "INET_MPTCP_DIAG", Upstream) { Module = "mptcp_diag" },
        new("mptcpify", "6.6", "BPF_SYSCALL", Upstream),
        new("scheduler-choice", "6.6", "MPTCP", Upstream) { Setting = "net.mptcp.scheduler" },
        new("named-pm", "6.15", "MPTCP", Upstream) { Setting = "net.mptcp.path_manager" },
        new("laminar", "6.18", "MPTCP", Upstream),
        new("oot-mptcp", "0.90", "MPTCP", OutOfTree) { Setting = "net.mptcp.mptcp_enabled", OffValue = "0" },
        new("oot-pm", "0.90", "MPTCP_PM_ADVANCED", OutOfTree) { Setting = "net.mptcp.mptcp_path_manager" },
        new("oot-scheduler", "0.90", "MPTCP_SCHED_ADVANCED", OutOfTree) { Setting = "net.mptcp.mptcp_scheduler" },
        new("lia", "0.90", "TCP_CONG_LIA", OutOfTree) { Module = "mptcp_coupled", CongestionControl = "lia" },
        new("olia", "0.90", "TCP_CONG_OLIA", OutOfTree) { Module = "mptcp_olia", CongestionControl = "olia" },
        new("balia", "0.90", "TCP_CONG_BALIA", OutOfTree) { Module = "mptcp_balia", CongestionControl = "balia" },
        new("wvegas", "0.90", "TCP_CONG_WVEGAS", OutOfTree) { Module = "mptcp_wvegas", CongestionControl = "wvegas" },
        new("policy-routing", "2.2", "IP_MULTIPLE_TABLES") { IsNeeded = true, Trial = ["ip", "rule", "add", "from", "192.0.2.1", "table", "100"] },
        new("policy-routing6", "2.6", "IPV6_MULTIPLE_TABLES") { Trial = ["ip", "-6", "rule", "add", "from", "2001:db8::1", "table", "100"] },
        new("namespaces", "2.6", "NET_NS") { IsNeeded = true, Trial = ["true"] },
        new("veth", "2.6", "VETH") { Module = "veth", IsNeeded = true, Trial = ["ip", "link", "add", "try0", "type", "veth", "peer", "name", "try1"] },
        new("tbf", "2.2", "NET_SCH_TBF") { Module = "sch_tbf", IsNeeded = true, Trial = ["tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "1mbit", "burst", "10kb", "latency", "50ms"] },
        new("netem", "2.6", "NET_SCH_NETEM") { Module = "sch_netem", IsNeeded = true, Trial = ["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"] },
        new("xfrm", "2.6", "XFRM_USER") { Module = "xfrm_user", IsNeeded = true, Trial = ["ip", "xfrm", "policy", "add", "src", "192.0.2.1", "dst", "192.0.2.2", "dir", "out"] },
        new("esp", "2.6", "INET_ESP") { Module = "esp4", IsNeeded = true, Trial = Esp("192.0.2.1", "192.0.2.2"), TrialLoadsCrypto = true },
        new("esp6", "2.6", "INET6_ESP") { Module = "esp6", Trial = Esp("2001:db8::1", "2001:db8::2"), TrialLoadsCrypto = true },
        new("cubic", "2.6", "TCP_CONG_CUBIC") { Module = "tcp_cubic", CongestionControl = "cubic" },
        new("bbr", "4.9", "TCP_CONG_BBR") { Module = "tcp_bbr", CongestionControl = "bbr" },
        new("btf", "5.2", "DEBUG_INFO_BTF"),
    ];

    /// <summary>The feature of this name.</summary>
    public static KernelFeature? Find(string key) => All.FirstOrDefault(f => f.Key == key);

    private static ImmutableArray<string> Esp(string from, string to) =>
        ["ip", "xfrm", "state", "add", "src", from, "dst", to, "proto", "esp", "spi", "0x100", "mode", "tunnel", "aead", TrialCipher, TrialKey, "128"];
}
