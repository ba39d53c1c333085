namespace MPSec.Data.History;

/// <summary>The words for what happened. They are stored and part of the API: they never change their meaning.</summary>
public static class HistoryEventKind
{
    /// <summary>A connection was created.</summary>
    public const string ConnectionCreated = "connection-created";

    /// <summary>A connection may carry more subflows from now on.</summary>
    public const string ConnectionEstablished = "connection-established";

    /// <summary>A connection ended.</summary>
    public const string ConnectionClosed = "connection-closed";

    /// <summary>A subflow was added.</summary>
    public const string SubflowEstablished = "subflow-established";

    /// <summary>A subflow ended.</summary>
    public const string SubflowClosed = "subflow-closed";

    /// <summary>A subflow could not join: it ended before it was established.</summary>
    public const string SubflowFailed = "subflow-failed";

    /// <summary>A subflow became backup or stopped being it.</summary>
    public const string PriorityChanged = "priority-changed";

    /// <summary>The peer announced an address.</summary>
    public const string AddressAnnounced = "address-announced";

    /// <summary>The peer withdrew an address.</summary>
    public const string AddressWithdrawn = "address-withdrawn";

    /// <summary>A listening socket was made.</summary>
    public const string ListenerCreated = "listener-created";

    /// <summary>A listening socket was closed.</summary>
    public const string ListenerClosed = "listener-closed";

    /// <summary>An interface carries: it is up and the other end answers.</summary>
    public const string LinkUp = "link-up";

    /// <summary>An interface carries no longer.</summary>
    public const string LinkDown = "link-down";

    /// <summary>An interface is new.</summary>
    public const string LinkAdded = "link-added";

    /// <summary>An interface is gone.</summary>
    public const string LinkRemoved = "link-removed";

    /// <summary>An address of an interface is new.</summary>
    public const string IpAdded = "ip-added";

    /// <summary>An address of an interface is gone.</summary>
    public const string IpRemoved = "ip-removed";

    /// <summary>The kernel threw events away, because more happened than its buffer holds.</summary>
    public const string Lost = "events-lost";

    /// <summary>Events of connections that MPSec did not keep, because there were too many.</summary>
    public const string Skipped = "events-skipped";

    /// <summary>MPTCP events of this gateway cannot be heard.</summary>
    public const string NotHeard = "events-not-heard";

    /// <summary>All words, connections first.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        ConnectionCreated, ConnectionEstablished, ConnectionClosed, SubflowEstablished, SubflowClosed, SubflowFailed, PriorityChanged, AddressAnnounced, AddressWithdrawn, ListenerCreated, ListenerClosed,
        LinkUp, LinkDown, LinkAdded, LinkRemoved, IpAdded, IpRemoved, Lost, Skipped, NotHeard,
    ];
}
