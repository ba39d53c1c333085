namespace MPSec.Components.Controls;

/// <summary>Meaning of a state; always shown as icon, word and colour together.</summary>
public enum StateKind
{
    /// <summary>Cannot be told; not the same as down.</summary>
    Unknown,

    /// <summary>Works.</summary>
    Up,

    /// <summary>Works, but worse than it should.</summary>
    Degraded,

    /// <summary>Does not work, although it should.</summary>
    Down,

    /// <summary>Ready, carries nothing.</summary>
    Standby,

    /// <summary>Taken down by a person; not a fault.</summary>
    Off,

    /// <summary>Is being changed now.</summary>
    Changing,

    /// <summary>Packets are encrypted.</summary>
    Protected,

    /// <summary>Packets can be read by anybody between the gateways.</summary>
    InClear,

    /// <summary>There is none.</summary>
    None,
}
