using System.Net;

namespace MPSec.Linux.Gateways;

/// <summary>Something that happened in a gateway, as the kernel told it.</summary>
public abstract record GatewayEvent;

/// <summary>An interface is new or one of its properties changed.</summary>
public sealed record LinkChanged(LinkReading Link) : GatewayEvent;

/// <summary>An interface is gone.</summary>
public sealed record LinkGone(int Index, string Name) : GatewayEvent;

/// <summary>An address is new or changed.</summary>
public sealed record AddressAdded(AddressReading Address) : GatewayEvent;

/// <summary>An address is gone.</summary>
public sealed record AddressRemoved(AddressReading Address) : GatewayEvent;

/// <summary>A route of any table but <c>local</c> is new, changed or gone.</summary>
public sealed record RouteChanged(RouteReading Route, bool Removed) : GatewayEvent;

/// <summary>A policy rule is new or gone.</summary>
public sealed record RuleChanged(RuleReading Rule, bool Removed) : GatewayEvent;

/// <summary>The kernel had to throw events away: read everything again.</summary>
/// <param name="Reason">One English sentence.</param>
public sealed record EventsLost(string Reason) : GatewayEvent;

/// <summary>An MPTCP event (enum mptcp_event_type, include/uapi/linux/mptcp_pm.h). Which fields are there depends on the kind.</summary>
public sealed record MptcpEvent : GatewayEvent
{
    /// <summary>What happened.</summary>
    public required MptcpEventKind Kind { get; init; }

    /// <summary>Names the connection, as in the readings; null for listeners.</summary>
    public uint? Token { get; init; }

    /// <summary>Identifier of the local address.</summary>
    public byte? LocalId { get; init; }

    /// <summary>Identifier of the peer's address.</summary>
    public byte? RemoteId { get; init; }

    /// <summary>Local address and port.</summary>
    public IPEndPoint? Local { get; init; }

    /// <summary>The peer's address and port.</summary>
    public IPEndPoint? Remote { get; init; }

    /// <summary>The subflow is only used when no other carries.</summary>
    public bool? Backup { get; init; }

    /// <summary>Error number of the subflow's end.</summary>
    public byte? Error { get; init; }

    /// <summary>Reset reason (RFC 8684 3.6): 0 unspecified, 1 MPTCP error, 2 resources, 3 prohibited, 4 too much data, 5 bad performance, 6 middlebox.</summary>
    public uint? ResetReason { get; init; }

    /// <summary>Reset flags; bit 0: the condition is transient.</summary>
    public uint? ResetFlags { get; init; }

    /// <summary>Interface that the subflow's endpoint is bound to.</summary>
    public int? InterfaceIndex { get; init; }

    /// <summary>This host accepted the connection.</summary>
    public bool? ServerSide { get; init; }

    /// <summary>MPTCP_ATTR_FLAGS: bit 0 the peer refuses joins to its initial address, bit 1 server side.</summary>
    public ushort? Flags { get; init; }
}

/// <summary>enum mptcp_event_type.</summary>
public enum MptcpEventKind
{
    /// <summary>A number this program does not know.</summary>
    Unknown = 0,

    /// <summary>A connection was created.</summary>
    Created = 1,

    /// <summary>A connection may carry more subflows from now on.</summary>
    Established = 2,

    /// <summary>A connection ended.</summary>
    Closed = 3,

    /// <summary>The peer announced an address.</summary>
    Announced = 6,

    /// <summary>The peer withdrew an address.</summary>
    Removed = 7,

    /// <summary>A subflow was added.</summary>
    SubflowEstablished = 10,

    /// <summary>A subflow ended.</summary>
    SubflowClosed = 11,

    /// <summary>A subflow became backup or stopped being it.</summary>
    PriorityChanged = 13,

    /// <summary>A listening socket was made.</summary>
    ListenerCreated = 15,

    /// <summary>A listening socket was closed.</summary>
    ListenerClosed = 16,
}
