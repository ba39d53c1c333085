namespace MPSec.Features;

/// <summary>Texts of the log of a job, wherever it is shown.</summary>
public sealed class JobLogTexts;
