namespace MPSec.Components.Layout;

/// <summary>Places of the frame where others may add something (<see cref="PageSlotEntry"/>).</summary>
public static class LayoutSlots
{
    /// <summary>Above every page.</summary>
    public const string AbovePage = "layout.above-page";
}
