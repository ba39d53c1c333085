using System.Collections.Immutable;
using MPSec.Linux.Procfs;

namespace MPSec.Features.Kernel;

/// <summary>What a profile begins with.</summary>
public enum KernelBase
{
    /// <summary>Everything off (<c>make tinyconfig</c>).</summary>
    Tiny,

    /// <summary>The configuration of the running kernel.</summary>
    Running,

    /// <summary>The configuration that comes with the distribution's source.</summary>
    Distribution,
}

/// <summary>A kernel to build: a base and what is laid over it.</summary>
/// <param name="Key">Its name on the command line.</param>
/// <param name="Base">What it begins with.</param>
/// <param name="Fragment">What is laid over it.</param>
public sealed record KernelProfile(string Key, KernelBase Base, KernelFragment Fragment);

/// <summary>The profiles, and what their bases need besides.</summary>
public static class KernelProfileTable
{
    private static readonly ImmutableArray<KernelOption> s_mptcp =
    [
        .. On("MPTCP MPTCP_IPV6 IP_ADVANCED_ROUTER IP_MULTIPLE_TABLES IPV6_MULTIPLE_TABLES INET_DIAG_DESTROY NET_NS IKCONFIG IKCONFIG_PROC"),
        .. Module("INET_DIAG INET_TCP_DIAG INET_MPTCP_DIAG NET_SCH_TBF NET_SCH_NETEM VETH XFRM_USER INET_ESP INET6_ESP TCP_CONG_BBR"),
    ];

    private static readonly ImmutableArray<KernelOption> s_gateway =
    [
        .. On("64BIT SMP MODULES MODULE_UNLOAD KERNEL_LZ4 CC_OPTIMIZE_FOR_PERFORMANCE PRINTK PRINTK_TIME BUG MULTIUSER SYSVIPC POSIX_MQUEUE HIGH_RES_TIMERS NO_HZ_IDLE IKCONFIG IKCONFIG_PROC"),
        .. On("MAGIC_SYSRQ NAMESPACES UTS_NS IPC_NS USER_NS PID_NS NET_NS CGROUPS CGROUP_BPF CGROUP_PIDS MEMCG CGROUP_SCHED"),
        .. On("BLK_DEV_INITRD RD_GZIP RD_ZSTD RD_LZ4 BINFMT_ELF BINFMT_SCRIPT BLOCK DEVTMPFS DEVTMPFS_MOUNT PROC_FS PROC_SYSCTL SYSFS TMPFS TMPFS_XATTR TMPFS_POSIX_ACL EXT4_FS FHANDLE INOTIFY_USER AUTOFS_FS"),
        .. Module("OVERLAY_FS BLK_DEV_LOOP"),
        .. On("PCI PCI_MSI ACPI HYPERVISOR_GUEST PARAVIRT KVM_GUEST TTY UNIX98_PTYS SERIAL_8250 SERIAL_8250_CONSOLE RTC_CLASS RTC_DRV_CMOS"),
        .. On("VIRTIO_MENU VIRTIO_PCI VIRTIO_MMIO VIRTIO_MMIO_CMDLINE_DEVICES BLK_DEV VIRTIO_BLK NETDEVICES NET_CORE VIRTIO_NET VIRTIO_CONSOLE HW_RANDOM HW_RANDOM_VIRTIO"),
        .. On("NETWORK_FILESYSTEMS NET_9P NET_9P_VIRTIO 9P_FS 9P_FS_POSIX_ACL"),
        .. On("NET UNIX PACKET INET IP_MULTICAST IP_ADVANCED_ROUTER IP_MULTIPLE_TABLES IP_ROUTE_MULTIPATH SYN_COOKIES IPV6 IPV6_MULTIPLE_TABLES INET_DIAG_DESTROY MPTCP MPTCP_IPV6"),
        .. Module("UNIX_DIAG PACKET_DIAG INET_DIAG INET_TCP_DIAG INET_UDP_DIAG INET_MPTCP_DIAG"),
        .. On("TCP_CONG_ADVANCED TCP_CONG_CUBIC"),
        .. Module("TCP_CONG_BBR TCP_CONG_WESTWOOD TCP_CONG_HTCP TCP_CONG_VEGAS TCP_CONG_ILLINOIS"),
        .. On("VETH"),
        .. Module("DUMMY TUN MACVLAN BRIDGE VLAN_8021Q IFB"),
        .. On("NET_SCHED NET_SCH_FQ_CODEL NET_CLS_ACT"),
        .. Module("NET_SCH_TBF NET_SCH_NETEM NET_SCH_HTB NET_SCH_FQ NET_SCH_INGRESS NET_CLS_U32 NET_CLS_FW NET_CLS_BPF NET_ACT_MIRRED"),
        .. On("XFRM_STATISTICS"),
        .. Module("XFRM_USER XFRM_INTERFACE NET_KEY INET_ESP INET6_ESP NET_IPVTI"),
        .. On("CRYPTO CRYPTO_AES CRYPTO_CBC CRYPTO_CTR CRYPTO_GCM CRYPTO_HMAC CRYPTO_SHA1 CRYPTO_SHA256 CRYPTO_SHA512 CRYPTO_SEQIV CRYPTO_ECHAINIV CRYPTO_AUTHENC CRYPTO_NULL"),
        .. Module("CRYPTO_CHACHA20POLY1305 CRYPTO_AES_NI_INTEL CRYPTO_USER_API_SKCIPHER CRYPTO_USER_API_HASH"),
        .. On("NETFILTER NETFILTER_ADVANCED NF_TABLES_INET NF_TABLES_IPV4 NF_TABLES_IPV6"),
        .. Module("NF_CONNTRACK NF_TABLES NFT_CT NFT_NAT NFT_MASQ NFT_REJECT NFT_XFRM NETFILTER_XTABLES NETFILTER_XT_MATCH_POLICY"),
        .. On("BPF BPF_SYSCALL BPF_JIT"),
        .. Off("EXPERT EMBEDDED LOCALVERSION_AUTO"),
        new("LOCALVERSION", "\"-mpsec\""),
    ];

    // EXPERT over an empty base leaves off what programs take for granted: it is named.
    private static readonly ImmutableArray<KernelOption> s_guest =
    [
        .. s_gateway.Where(o => o.Option is not ("AUTOFS_FS" or "OVERLAY_FS" or "BLK_DEV_LOOP" or "RTC_CLASS" or "RTC_DRV_CMOS" or "PCI_MSI" or "VIRTIO_PCI")),
        .. On("EXPERT KALLSYMS MAGIC_SYSRQ POSIX_TIMERS FUTEX EPOLL SIGNALFD TIMERFD EVENTFD AIO SHMEM FILE_LOCKING ADVISE_SYSCALLS MEMBARRIER SYSFS_SYSCALL RSEQ"),
        .. Off("PCI ACPI INPUT VT HID SERIO WLAN ETHERNET THERMAL ETHTOOL_NETLINK"),
    ];

    private static readonly ImmutableArray<KernelOption> s_outOfTree =
    [
        .. On("64BIT SMP MODULES PRINTK BUG MULTIUSER BLK_DEV_INITRD RD_GZIP BINFMT_ELF BINFMT_SCRIPT TTY SERIAL_8250 SERIAL_8250_CONSOLE HIGH_RES_TIMERS PCI ACPI DEVTMPFS PROC_FS PROC_SYSCTL SYSFS IKCONFIG IKCONFIG_PROC"),
        .. On("NAMESPACES NET_NS NET UNIX PACKET INET IP_ADVANCED_ROUTER IP_MULTIPLE_TABLES IPV6 NETDEVICES NET_CORE VETH TUN NET_SCHED NET_SCH_NETEM NET_SCH_TBF XFRM_USER INET_ESP"),
        .. On("MPTCP MPTCP_PM_ADVANCED MPTCP_FULLMESH MPTCP_NDIFFPORTS MPTCP_BINDER MPTCP_NETLINK DEFAULT_FULLMESH MPTCP_SCHED_ADVANCED MPTCP_BLEST MPTCP_ROUNDROBIN MPTCP_REDUNDANT MPTCP_ECF DEFAULT_SCHEDULER"),
        .. On("TCP_CONG_ADVANCED TCP_CONG_CUBIC TCP_CONG_LIA TCP_CONG_OLIA TCP_CONG_WVEGAS TCP_CONG_BALIA TCP_CONG_MCTCPDESYNC DEFAULT_CUBIC UNWINDER_FRAME_POINTER"),
        .. Off("RETPOLINE"), // gcc 12 compiled it this way; with it nobody tried
    ];

    /// <summary>All of them.</summary>
    public static ImmutableArray<KernelProfile> All { get; } =
    [
        new("like-running", KernelBase.Running, KernelFragment.Of(s_mptcp)),
        new("distribution", KernelBase.Distribution, KernelFragment.Of(s_mptcp)),
        new("minimal-gateway", KernelBase.Tiny, KernelFragment.Of(s_gateway)),
        new("lab-guest", KernelBase.Tiny, KernelFragment.Of(s_guest)),
        new("out-of-tree", KernelBase.Tiny, KernelFragment.Of(s_outOfTree)),
    ];

    /// <summary>What a base would make a build fail by: keys of the distribution that are not in the source, and type information without the program that makes it.</summary>
    /// <param name="config">The base.</param>
    /// <param name="hasPahole">Whether <c>pahole</c> is installed.</param>
    public static KernelFragment Repair(KernelConfig config, bool hasPahole)
    {
        ArgumentNullException.ThrowIfNull(config);
        var options = new[] { "SYSTEM_TRUSTED_KEYS", "SYSTEM_REVOCATION_KEYS" }.Where(o => config[o] is not (null or "\"\"")).Select(o => new KernelOption(o, "\"\"")).ToList();
        if (!hasPahole && config["DEBUG_INFO_BTF"] == "y")
        {
            // DEBUG_INFO alone comes back: the choice of its kind has to go too.
            options.AddRange([.. Off("DEBUG_INFO_BTF DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT DEBUG_INFO_DWARF4 DEBUG_INFO_DWARF5"), .. On("DEBUG_INFO_NONE")]);
        }

        return KernelFragment.Of(options);
    }

    private static IEnumerable<KernelOption> On(string names) => names.Split(' ').Select(n => new KernelOption(n, "y"));

    private static IEnumerable<KernelOption> Module(string names) => names.Split(' ').Select(n => new KernelOption(n, "m"));

    private static IEnumerable<KernelOption> Off(string names) => names.Split(' ').Select(n => new KernelOption(n, "n"));
}
