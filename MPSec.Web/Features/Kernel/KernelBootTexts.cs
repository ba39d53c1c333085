namespace MPSec.Features.Kernel;

/// <summary>Names the resources of the jobs that install and remove kernels.</summary>
public sealed class KernelBootTexts;
