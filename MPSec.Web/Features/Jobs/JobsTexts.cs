namespace MPSec.Features.Jobs;

/// <summary>Marks the texts of the Jobs pages (JobsTexts.resx and JobsTexts.ko.resx).</summary>
public sealed class JobsTexts;
