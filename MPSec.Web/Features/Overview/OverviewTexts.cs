namespace MPSec.Features.Overview;

/// <summary>Marks the texts of the Overview page (OverviewTexts.resx and OverviewTexts.ko.resx).</summary>
public sealed class OverviewTexts;
