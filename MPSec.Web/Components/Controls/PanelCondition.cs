namespace MPSec.Components.Controls;

/// <summary>The states of a panel that shows live data.</summary>
public enum PanelCondition
{
    /// <summary>Data is there and fresh: only the content shows.</summary>
    Ready,

    /// <summary>The first data has not come yet.</summary>
    Loading,

    /// <summary>There is nothing to show, and that is no fault.</summary>
    Empty,

    /// <summary>This host or kernel cannot do it.</summary>
    NotAvailable,

    /// <summary>The user's role does not allow it.</summary>
    NoPermission,

    /// <summary>The last data is too old; it shows grey.</summary>
    Stale,

    /// <summary>Something failed.</summary>
    Error,

    /// <summary>The user stopped the flow.</summary>
    Paused,
}
