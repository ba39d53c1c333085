namespace MPSec.Linux.Gateways;

/// <summary>Parts of a gateway that one reading asks the kernel for. A part that was not asked for is empty and no fault.</summary>
[Flags]
public enum ReadingScope
{
    /// <summary>Nothing: only checks that the gateway is there.</summary>
    None = 0,

    /// <summary>Interfaces with their counters.</summary>
    Links = 0x1,

    /// <summary>Addresses.</summary>
    Addresses = 0x2,

    /// <summary>Routes of all tables but <c>local</c>.</summary>
    Routes = 0x4,

    /// <summary>Policy rules.</summary>
    Rules = 0x8,

    /// <summary>Root queueing disciplines.</summary>
    Qdiscs = 0x10,

    /// <summary>MPTCP endpoints.</summary>
    Endpoints = 0x20,

    /// <summary>Limits of the path manager.</summary>
    Limits = 0x40,

    /// <summary>Settings below <c>net.mptcp</c>.</summary>
    Settings = 0x80,

    /// <summary>MPTCP connections.</summary>
    Connections = 0x100,

    /// <summary>TCP sockets: subflows, and the count of plain ones. More than half of the usual reading's cost.</summary>
    Subflows = 0x200,

    /// <summary>Counters of <c>/proc/net</c>.</summary>
    Counters = 0x400,

    /// <summary>
    /// MPTCP sockets that listen, among the connections. The kernel walks its whole table of listeners for each address family, whoever they belong
    /// to: as dear as a thousand connections. Ask for it on demand, not at every tick.
    /// </summary>
    Listeners = 0x800,

    /// <summary>Everything but the listeners: what changes from second to second.</summary>
    Usual = 0x7ff,

    /// <summary>Everything.</summary>
    All = 0xfff,
}
