namespace MPSec.Features.Multipath;

/// <summary>Marks the texts of the Multipath page (MultipathTexts.resx and MultipathTexts.ko.resx).</summary>
public sealed class MultipathTexts;
