using System.Collections.Immutable;
using System.Net;
using System.Text.Json.Serialization;
using MPSec.Linux.Values;

namespace MPSec.Linux.Gateways;

/// <summary>
/// Everything MPSec reads of one gateway at one instant. Counters are raw, as the kernel keeps them. A part that could not be read is empty and
/// named in <see cref="Faults"/>, so that zero and unknown stay apart.
/// </summary>
public sealed record GatewayReading
{
    /// <summary>The gateway that was read.</summary>
    public required GatewayName Gateway { get; init; }

    /// <summary>Network interfaces in the order of their index.</summary>
    public ImmutableArray<LinkReading> Links { get; init; } = [];

    /// <summary>Addresses of all interfaces, both families.</summary>
    public ImmutableArray<AddressReading> Addresses { get; init; } = [];

    /// <summary>Routes of all tables, both families, without the kernel's own table <c>local</c>.</summary>
    public ImmutableArray<RouteReading> Routes { get; init; } = [];

    /// <summary>Policy rules, both families, by priority.</summary>
    public ImmutableArray<RuleReading> Rules { get; init; } = [];

    /// <summary>Root queueing disciplines; a shaper's rate is the capacity of its interface.</summary>
    public ImmutableArray<QdiscReading> Qdiscs { get; init; } = [];

    /// <summary>MPTCP endpoints by id.</summary>
    public ImmutableArray<MptcpEndpoint> Endpoints { get; init; } = [];

    /// <summary>Limits of the in-kernel path manager; null when unknown.</summary>
    public MptcpLimits? Limits { get; init; }

    /// <summary>Every setting below <c>net.mptcp</c> by its full name; empty when the kernel has no MPTCP.</summary>
    public ImmutableSortedDictionary<string, string> MptcpSettings { get; init; } = ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>MPTCP sockets (protocol 262): connections, and listeners when <see cref="ReadingScope.Listeners"/> was asked for.</summary>
    public ImmutableArray<MptcpConnection> Connections { get; init; } = [];

    /// <summary>TCP sockets that are subflows of an MPTCP connection; joined by <see cref="Subflow.TokenLocal"/>.</summary>
    public ImmutableArray<Subflow> Subflows { get; init; } = [];

    /// <summary>TCP sockets in state ESTABLISHED that are no subflow; null when not read.</summary>
    public int? PlainTcpEstablished { get; init; }

    /// <summary>Counters of <c>/proc/net/netstat</c>, <c>snmp</c> and <c>snmp6</c> by group and name, for example <c>MPTcpExtMPCapableSYNTX</c>.</summary>
    public CounterSet Counters { get; init; } = CounterSet.Empty;

    /// <summary>What could not be read, and why.</summary>
    public ImmutableArray<ReadingFault> Faults { get; init; } = [];

    /// <summary>
    /// How often the events between readings told that an interface was down or without carrier, by its index, and under 0 how often events were lost; only where
    /// somebody listens. A link that was down between two readings looks in both as if nothing had been.
    /// </summary>
    [JsonIgnore]
    public ImmutableDictionary<int, int> Interruptions { get; init; } = ImmutableDictionary<int, int>.Empty;

    /// <summary>
    /// Whether new sockets may speak MPTCP: <c>net.mptcp.enabled</c>; null when the kernel has no MPTCP or it could not be read.
    /// </summary>
    public bool? MptcpEnabled => MptcpSettings.TryGetValue("net.mptcp.enabled", out var value) ? value != "0" : null;
}

/// <summary>A part of a reading that failed.</summary>
/// <param name="Part">Which part: links, addresses, routes, rules, qdiscs, endpoints, limits, settings, connections, subflows, counters.</param>
/// <param name="Errno">Error number, 0 when the bytes were malformed.</param>
/// <param name="Reason">One English sentence.</param>
public sealed record ReadingFault(string Part, int Errno, string Reason);

/// <summary>One interface (RTM_NEWLINK, include/uapi/linux/if_link.h).</summary>
public sealed record LinkReading
{
    /// <summary>Interface index, unique in the namespace.</summary>
    public required int Index { get; init; }

    /// <summary>IFLA_IFNAME, as the kernel tells it (it may hold any byte but / and white space).</summary>
    public required string Name { get; init; }

    /// <summary>IFF_* flags (if.h): 0x1 UP, 0x8 LOOPBACK, 0x10000 LOWER_UP.</summary>
    public required uint Flags { get; init; }

    /// <summary>IFLA_OPERSTATE in the words of RFC 2863: unknown, notpresent, down, lowerlayerdown, testing, dormant, up.</summary>
    public required string OperationalState { get; init; }

    /// <summary>IFLA_MTU in bytes.</summary>
    public required uint Mtu { get; init; }

    /// <summary>IFLA_INFO_KIND (veth, bridge, …); null for hardware.</summary>
    public string? Kind { get; init; }

    /// <summary>IFLA_ADDRESS in colon notation; null when the interface has none.</summary>
    public string? HardwareAddress { get; init; }

    /// <summary>IFLA_CARRIER_CHANGES: how often the other end came or went since the interface exists; null before Linux 3.15.</summary>
    public uint? CarrierChanges { get; init; }

    /// <summary>IFLA_STATS64; null when the kernel gave none.</summary>
    public LinkCounters? Counters { get; init; }

    /// <summary>Set up by the administrator (IFF_UP).</summary>
    public bool IsUp => (Flags & 0x1) != 0;

    /// <summary>Up, and the other end answers too (IFF_LOWER_UP).</summary>
    public bool HasCarrier => (Flags & 0x10000) != 0;

    /// <summary>The loopback interface.</summary>
    public bool IsLoopback => (Flags & 0x8) != 0;
}

/// <summary>struct rtnl_link_stats64, the leading fields; all count since the interface exists.</summary>
public sealed record LinkCounters(
    ulong RxPackets, ulong TxPackets, ulong RxBytes, ulong TxBytes, ulong RxErrors, ulong TxErrors, ulong RxDropped, ulong TxDropped, ulong Multicast, ulong Collisions);

/// <summary>One address (RTM_NEWADDR).</summary>
/// <param name="InterfaceIndex">Index of its interface.</param>
/// <param name="Prefix">Local address with prefix length.</param>
/// <param name="Flags">IFA_F_* flags: 0x80 permanent, 0x20 deprecated, 0x40 tentative.</param>
/// <param name="Scope">RT_SCOPE_*: 0 global, 253 link, 254 host.</param>
/// <param name="Label">IFA_LABEL, IPv4 only.</param>
public sealed record AddressReading(int InterfaceIndex, IpPrefix Prefix, uint Flags, byte Scope, string? Label);

/// <summary>One route (RTM_NEWROUTE, include/uapi/linux/rtnetlink.h).</summary>
/// <param name="Destination">Destination; 0.0.0.0/0 or ::/0 is the default route.</param>
/// <param name="Table">Routing table (254 main).</param>
/// <param name="Kind">RTN_* in iproute2's words: unicast, unreachable, blackhole, prohibit, multicast, …</param>
/// <param name="Gateway">Next hop; null when on link or of several hops.</param>
/// <param name="InterfaceIndex">Outgoing interface; null for unreachable and the like.</param>
/// <param name="PreferredSource">RTA_PREFSRC.</param>
/// <param name="Metric">RTA_PRIORITY; 0 when none.</param>
/// <param name="Protocol">RTPROT_*: 2 kernel, 3 boot, 4 static, 16 dhcp.</param>
/// <param name="Scope">RT_SCOPE_*.</param>
public sealed record RouteReading(
    IpPrefix Destination, uint Table, string Kind, IPAddress? Gateway, int? InterfaceIndex, IPAddress? PreferredSource, uint Metric, byte Protocol, byte Scope);

/// <summary>One policy rule (RTM_NEWRULE, include/uapi/linux/fib_rules.h).</summary>
/// <param name="Priority">FRA_PRIORITY; lower is asked first.</param>
/// <param name="Source">Source prefix; null means all.</param>
/// <param name="Destination">Destination prefix; null means all.</param>
/// <param name="Table">Table that is looked up.</param>
/// <param name="Action">FR_ACT_* in iproute2's words: lookup, unreachable, …</param>
/// <param name="IsIPv6">Rule of the IPv6 list.</param>
/// <param name="InputInterface">FRA_IIFNAME.</param>
/// <param name="OutputInterface">FRA_OIFNAME.</param>
/// <param name="Mark">FRA_FWMARK; null when none.</param>
public sealed record RuleReading(
    uint Priority, IpPrefix? Source, IpPrefix? Destination, uint Table, string Action, bool IsIPv6, string? InputInterface, string? OutputInterface, uint? Mark);

/// <summary>A root queueing discipline (RTM_NEWQDISC).</summary>
/// <param name="InterfaceIndex">Index of its interface.</param>
/// <param name="Kind">tbf, noqueue, fq_codel, …</param>
/// <param name="RateBitsPerSecond">Rate of a token bucket filter; null for kinds without one.</param>
/// <param name="BacklogBytes">Bytes that wait now.</param>
/// <param name="Drops">Packets dropped since it exists.</param>
public sealed record QdiscReading(int InterfaceIndex, string Kind, ulong? RateBitsPerSecond, uint BacklogBytes, uint Drops);

/// <summary>One MPTCP endpoint (MPTCP_PM_CMD_GET_ADDR, include/uapi/linux/mptcp_pm.h).</summary>
/// <param name="Id">1 to 255; 0 means the initial subflow.</param>
/// <param name="Address">Its address.</param>
/// <param name="Port">0 when none was given.</param>
/// <param name="Flags">MPTCP_PM_ADDR_FLAG_*.</param>
/// <param name="InterfaceIndex">Interface it is bound to; null when none.</param>
public sealed record MptcpEndpoint(byte Id, IPAddress Address, ushort Port, MptcpEndpointFlags Flags, int? InterfaceIndex);

/// <summary>MPTCP_PM_ADDR_FLAG_* (include/uapi/linux/mptcp.h).</summary>
[Flags]
public enum MptcpEndpointFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>Announced to the peer with ADD_ADDR.</summary>
    Signal = 0x1,

    /// <summary>The local side opens a subflow from it.</summary>
    Subflow = 0x2,

    /// <summary>Subflows are used only when no other carries.</summary>
    Backup = 0x4,

    /// <summary>Subflows to every known address of the peer.</summary>
    Fullmesh = 0x8,

    /// <summary>Made by the kernel for a subflow of an address that has no endpoint.</summary>
    Implicit = 0x10,

    /// <summary>Subflows from it to announced addresses only (6.18).</summary>
    Laminar = 0x20,
}

/// <summary>Limits of the in-kernel path manager, 0 to 8 each.</summary>
/// <param name="Subflows">Additional subflows per connection.</param>
/// <param name="AddAddrAccepted">Announced addresses taken per connection.</param>
public sealed record MptcpLimits(uint Subflows, uint AddAddrAccepted);

/// <summary>One MPTCP socket with struct mptcp_info (include/uapi/linux/mptcp.h). A field that this kernel does not tell is null.</summary>
public sealed record MptcpConnection
{
    /// <summary>Local address and port.</summary>
    public required IPEndPoint Local { get; init; }

    /// <summary>Remote address and port.</summary>
    public required IPEndPoint Remote { get; init; }

    /// <summary>TCP state number (net/tcp_states.h): 1 ESTABLISHED, 10 LISTEN.</summary>
    public required byte State { get; init; }

    /// <summary>Inode of the socket.</summary>
    public required uint Inode { get; init; }

    /// <summary>User id of the owner.</summary>
    public required uint Uid { get; init; }

    /// <summary>mptcpi_token: names the connection; null when the kernel gave no information (listeners).</summary>
    public uint? Token { get; init; }

    /// <summary>mptcpi_flags: bit 0 FALLBACK, bit 1 REMOTE_KEY_RECEIVED.</summary>
    public uint? Flags { get; init; }

    /// <summary>mptcpi_subflows: additional subflows, the first not counted.</summary>
    public byte? Subflows { get; init; }

    /// <summary>mptcpi_subflows_max.</summary>
    public byte? SubflowsMax { get; init; }

    /// <summary>mptcpi_add_addr_signal: addresses announced.</summary>
    public byte? AddAddrSignal { get; init; }

    /// <summary>mptcpi_add_addr_accepted: announced addresses taken.</summary>
    public byte? AddAddrAccepted { get; init; }

    /// <summary>mptcpi_subflows_total, the first included (6.8).</summary>
    public byte? SubflowsTotal { get; init; }

    /// <summary>mptcpi_write_seq, data sequence number of the next byte to send.</summary>
    public ulong? WriteSequence { get; init; }

    /// <summary>mptcpi_snd_una, oldest unacknowledged data sequence number.</summary>
    public ulong? SendUnacknowledged { get; init; }

    /// <summary>mptcpi_rcv_nxt, next data sequence number expected.</summary>
    public ulong? ReceiveNext { get; init; }

    /// <summary>mptcpi_retransmits: data-level retransmissions (6.5).</summary>
    public uint? Retransmits { get; init; }

    /// <summary>mptcpi_bytes_retrans (6.5).</summary>
    public ulong? BytesRetransmitted { get; init; }

    /// <summary>mptcpi_bytes_sent (6.5).</summary>
    public ulong? BytesSent { get; init; }

    /// <summary>mptcpi_bytes_received (6.5).</summary>
    public ulong? BytesReceived { get; init; }

    /// <summary>mptcpi_bytes_acked (6.5).</summary>
    public ulong? BytesAcked { get; init; }

    /// <summary>mptcpi_last_data_sent in milliseconds (6.10).</summary>
    public uint? LastDataSentMs { get; init; }

    /// <summary>mptcpi_last_data_recv in milliseconds (6.10).</summary>
    public uint? LastDataReceivedMs { get; init; }

    /// <summary>Bytes in the receive queue (listeners: connections that wait to be accepted).</summary>
    public uint ReceiveQueue { get; init; }

    /// <summary>Bytes in the send queue (listeners: the longest queue allowed).</summary>
    public uint SendQueue { get; init; }

    /// <summary>The connection goes on as plain TCP.</summary>
    public bool IsFallback => (Flags & 1) == 1;
}

/// <summary>One TCP socket that is a subflow: struct tcp_info (include/uapi/linux/tcp.h) and the MPTCP ULP attributes.</summary>
public sealed record Subflow
{
    /// <summary>Local address and port.</summary>
    public required IPEndPoint Local { get; init; }

    /// <summary>Remote address and port.</summary>
    public required IPEndPoint Remote { get; init; }

    /// <summary>TCP state number: 1 ESTABLISHED, 2 SYN_SENT.</summary>
    public required byte State { get; init; }

    /// <summary>Interface the socket is bound to; 0 when none.</summary>
    public required uint BoundInterfaceIndex { get; init; }

    /// <summary>Inode; all subflows of a connection share it.</summary>
    public required uint Inode { get; init; }

    /// <summary>MPTCP_SUBFLOW_ATTR_TOKEN_LOC; equals <see cref="MptcpConnection.Token"/>.</summary>
    public required uint TokenLocal { get; init; }

    /// <summary>MPTCP_SUBFLOW_ATTR_TOKEN_REM.</summary>
    public required uint TokenRemote { get; init; }

    /// <summary>MPTCP_SUBFLOW_ATTR_ID_LOC.</summary>
    public required byte LocalId { get; init; }

    /// <summary>MPTCP_SUBFLOW_ATTR_ID_REM.</summary>
    public required byte RemoteId { get; init; }

    /// <summary>MPTCP_SUBFLOW_ATTR_FLAGS: bits 0 MCAP_REM, 1 MCAP_LOC, 2 JOIN_REM, 3 JOIN_LOC, 4 BKUP_REM, 5 BKUP_LOC, 6 FULLY_ESTABLISHED, 7 CONNECTED, 8 MAPVALID.</summary>
    public required uint Flags { get; init; }

    /// <summary>Congestion control; null when not told.</summary>
    public string? CongestionControl { get; init; }

    /// <summary>tcpi_rtt, smoothed, microseconds.</summary>
    public uint? RttMicroseconds { get; init; }

    /// <summary>tcpi_rttvar, microseconds.</summary>
    public uint? RttVariationMicroseconds { get; init; }

    /// <summary>tcpi_min_rtt, microseconds.</summary>
    public uint? MinRttMicroseconds { get; init; }

    /// <summary>tcpi_rto, microseconds.</summary>
    public uint? RtoMicroseconds { get; init; }

    /// <summary>tcpi_backoff: doublings of the retransmission timer; above 0 nothing comes back at the moment.</summary>
    public byte? Backoff { get; init; }

    /// <summary>tcpi_snd_mss, bytes.</summary>
    public uint? SendMss { get; init; }

    /// <summary>tcpi_snd_cwnd, segments.</summary>
    public uint? CongestionWindow { get; init; }

    /// <summary>tcpi_snd_ssthresh, segments; 0x7fffffff means none.</summary>
    public uint? SlowStartThreshold { get; init; }

    /// <summary>tcpi_unacked, segments in flight.</summary>
    public uint? Unacknowledged { get; init; }

    /// <summary>tcpi_lost, segments.</summary>
    public uint? Lost { get; init; }

    /// <summary>tcpi_retrans, segments in retransmission now.</summary>
    public uint? Retransmitting { get; init; }

    /// <summary>tcpi_total_retrans, segments.</summary>
    public uint? TotalRetransmissions { get; init; }

    /// <summary>tcpi_bytes_acked.</summary>
    public ulong? BytesAcked { get; init; }

    /// <summary>tcpi_bytes_received.</summary>
    public ulong? BytesReceived { get; init; }

    /// <summary>tcpi_bytes_sent.</summary>
    public ulong? BytesSent { get; init; }

    /// <summary>tcpi_bytes_retrans.</summary>
    public ulong? BytesRetransmitted { get; init; }

    /// <summary>tcpi_segs_out.</summary>
    public uint? SegmentsOut { get; init; }

    /// <summary>tcpi_segs_in.</summary>
    public uint? SegmentsIn { get; init; }

    /// <summary>tcpi_pacing_rate, bytes per second; all ones means unlimited.</summary>
    public ulong? PacingRateBytes { get; init; }

    /// <summary>tcpi_delivery_rate, bytes per second.</summary>
    public ulong? DeliveryRateBytes { get; init; }

    /// <summary>tcpi_reordering, segments.</summary>
    public uint? Reordering { get; init; }

    /// <summary>tcpi_rcv_ooopack, segments received out of order.</summary>
    public uint? ReceivedOutOfOrder { get; init; }

    /// <summary>Bytes in the receive queue.</summary>
    public uint ReceiveQueue { get; init; }

    /// <summary>Bytes in the send queue.</summary>
    public uint SendQueue { get; init; }

    /// <summary>Either side asked to use this subflow only as backup.</summary>
    public bool IsBackup => (Flags & 0x30) != 0;
}
