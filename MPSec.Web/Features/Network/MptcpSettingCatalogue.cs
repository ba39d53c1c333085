// Names, defaults, ranges: Documentation/networking/mptcp-sysctl.rst, net/mptcp/ctrl.c, Documentation/networking/ip-sysctl.rst; out-of-tree: net/mptcp/mptcp_ctrl.c of multipath-tcp.org.
using System.Collections.Frozen;
using System.Collections.Immutable;
using static MPSec.Features.Network.MptcpSettingGroup;
using static MPSec.Features.Network.MptcpSettingKind;

namespace MPSec.Features.Network;

/// <summary>Every setting that MPSec can explain, of the kernel's own MPTCP and of the out-of-tree one.</summary>
public static class MptcpSettingCatalogue
{
    /// <summary>Folder of both kinds of MPTCP.</summary>
    public const string Prefix = "net.mptcp.";

    /// <summary>Congestion control of new connections.</summary>
    public const string CongestionControl = "net.ipv4.tcp_congestion_control";

    /// <summary>Congestion controls that are loaded.</summary>
    public const string AvailableCongestionControls = "net.ipv4.tcp_available_congestion_control";

    /// <summary>Congestion controls that a namespace may choose; one list for the whole machine.</summary>
    public const string AllowedCongestionControls = "net.ipv4.tcp_allowed_congestion_control";

    /// <summary>Receive buffer.</summary>
    public const string ReceiveBuffer = "net.ipv4.tcp_rmem";

    /// <summary>Settings of a kernel with its own MPTCP (5.6 and newer).</summary>
    public static ImmutableArray<MptcpSetting> InTree { get; } =
    [
        new("net.mptcp.enabled", State, Toggle, "1", "5.6") { HasCaveat = true, IsForNewConnections = true },
        new("net.mptcp.path_manager", PathManager, Name, "kernel", "6.15") { ChoicesFrom = "net.mptcp.available_path_managers", HasCaveat = true, IsForNewConnections = true },
        new("net.mptcp.available_path_managers", PathManager, Words, null, "6.15") { IsReadOnly = true },
        new("net.mptcp.pm_type", PathManager, Number, "0", "5.19") { Maximum = 1, HasCaveat = true, IsForNewConnections = true },
        new("net.mptcp.scheduler", PathManager, Name, "default", "6.6") { ChoicesFrom = "net.mptcp.available_schedulers", HasCaveat = true, IsForNewConnections = true },
        new("net.mptcp.available_schedulers", PathManager, Words, null, "6.10") { IsReadOnly = true },
        new("net.mptcp.add_addr_timeout", Advanced, Number, "120", "5.11") { Unit = "s", HasCaveat = true },
        new("net.mptcp.add_addr_v6_port_drop_ts", Advanced, Toggle, "1", "7.2") { HasCaveat = true },
        new("net.mptcp.allow_join_initial_addr_port", Advanced, Toggle, "1", "5.14") { HasCaveat = true },
        new("net.mptcp.blackhole_timeout", Advanced, Number, "3600", "6.12") { Unit = "s", HasCaveat = true },
        new("net.mptcp.checksum_enabled", Advanced, Toggle, "0", "5.14") { HasCaveat = true, IsForNewConnections = true },
        new("net.mptcp.close_timeout", Advanced, Number, "60", "6.7") { Unit = "s" },
        new("net.mptcp.stale_loss_cnt", Advanced, Number, "4", "5.15") { Maximum = uint.MaxValue, Unit = "times", HasCaveat = true },
        new("net.mptcp.syn_retrans_before_tcp_fallback", Advanced, Number, "2", "6.14") { Maximum = 255, Unit = "times", HasCaveat = true },
    ];

    /// <summary>Settings of the out-of-tree kernel (multipath-tcp.org, v0.9x).</summary>
    public static ImmutableArray<MptcpSetting> OutOfTree { get; } =
    [
        new("net.mptcp.mptcp_enabled", State, Number, "1", "v0.9x") { Maximum = 15, HasCaveat = true, IsForNewConnections = true },
        new("net.mptcp.mptcp_path_manager", PathManager, Name, null, "v0.9x") { Choices = ["default", "fullmesh", "ndiffports", "binder", "netlink"], HasCaveat = true, IsForNewConnections = true },
        new("net.mptcp.mptcp_scheduler", PathManager, Name, "default", "v0.9x") { Choices = ["default", "roundrobin", "redundant", "blest", "ecf"], HasCaveat = true, IsForNewConnections = true },
        new("net.mptcp.mptcp_binder_gateways", Advanced, Words, null, "v0.9x"),
        new("net.mptcp.mptcp_checksum", Advanced, Toggle, "1", "v0.9x") { HasCaveat = true, IsForNewConnections = true },
        new("net.mptcp.mptcp_debug", Advanced, Toggle, "0", "v0.9x"),
        new("net.mptcp.mptcp_syn_retries", Advanced, Number, "3", "v0.9x") { Maximum = 255, Unit = "times" },
        new("net.mptcp.mptcp_version", Advanced, Toggle, "0", "v0.9x") { HasCaveat = true, IsForNewConnections = true },
    ];

    /// <summary>Settings of TCP that decide how well several paths work together; on both kinds.</summary>
    public static ImmutableArray<MptcpSetting> Tcp { get; } =
    [
        new(CongestionControl, Congestion, Name, "cubic", "2.6.13") { ChoicesFrom = AvailableCongestionControls, HasCaveat = true, IsForNewConnections = true },
        new(AvailableCongestionControls, Congestion, Words, null, "2.6.20") { IsReadOnly = true },
        new(AllowedCongestionControls, Congestion, Words, null, "2.6.20") { HasCaveat = true },
        new("net.ipv4.tcp_reordering", Congestion, Number, "3", "2.2") { Minimum = 1, Maximum = 300, Unit = "segments" },
        new("net.ipv4.tcp_max_reordering", Congestion, Number, "300", "3.19") { Minimum = 1, Unit = "segments" },
        new("net.ipv4.tcp_recovery", Congestion, Number, "1", "4.4") { Maximum = 255 },
        new(ReceiveBuffer, Congestion, Triple, null, "2.4") { Unit = "bytes", HasCaveat = true },
        new("net.ipv4.tcp_moderate_rcvbuf", Congestion, Toggle, "1", "2.6.7"),
        new("net.ipv4.tcp_retries2", Congestion, Number, "15", "2.2") { Maximum = 255, Unit = "times", HasCaveat = true },
        new("net.ipv4.tcp_early_retrans", Advanced, Number, "3", "3.10") { Maximum = 4 },
        new("net.ipv4.tcp_sack", Advanced, Toggle, "1", "2.2"),
        new("net.ipv4.tcp_dsack", Advanced, Toggle, "1", "2.4"),
        new("net.ipv4.tcp_comp_sack_delay_ns", Advanced, Number, "1000000", "4.18") { Unit = "ns" },
        new("net.ipv4.tcp_comp_sack_nr", Advanced, Number, "44", "4.18") { Maximum = 255, Unit = "segments" },
        new("net.ipv4.tcp_rto_min_us", Advanced, Number, "200000", "6.11") { Minimum = 1, Unit = "us" },
        new("net.ipv4.tcp_rto_max_ms", Advanced, Number, "120000", "6.15") { Minimum = 1000, Maximum = 120000, Unit = "ms", HasCaveat = true },
    ];

    private static readonly FrozenDictionary<string, MptcpSetting> s_byName = InTree.Concat(OutOfTree).Concat(Tcp).ToFrozenDictionary(s => s.Name);

    /// <summary>All of them.</summary>
    public static IEnumerable<MptcpSetting> All => s_byName.Values;

    /// <summary>What is known of the name; null when nothing is.</summary>
    public static MptcpSetting? Find(string name) => s_byName.GetValueOrDefault(name);
}
