namespace MPSec.Features.Overview;

/// <summary>Places of the Overview page where others may add something.</summary>
public static class OverviewSlots
{
    /// <summary>Below what is wrong now.</summary>
    public const string BelowHealth = "overview.below-health";
}
