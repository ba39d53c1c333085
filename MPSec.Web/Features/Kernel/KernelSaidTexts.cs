namespace MPSec.Features.Kernel;

/// <summary>Names the sentences of the jobs and refusals around kernels, for <see cref="MPSec.Components.Sentences"/>.</summary>
public sealed class KernelSaidTexts;
