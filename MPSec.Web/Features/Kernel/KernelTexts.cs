namespace MPSec.Features.Kernel;

/// <summary>Marker of the texts of the Kernel page (<c>KernelTexts.resx</c>, <c>KernelTexts.ko.resx</c>).</summary>
public sealed class KernelTexts;
