namespace MPSec.Features.Lab;

/// <summary>Marks the texts of the transfer card (LabTransferTexts.resx and LabTransferTexts.ko.resx).</summary>
public sealed class LabTransferTexts;
