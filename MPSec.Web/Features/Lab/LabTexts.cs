namespace MPSec.Features.Lab;

/// <summary>Marks the texts of the Lab page (LabTexts.resx and LabTexts.ko.resx).</summary>
public sealed class LabTexts;
