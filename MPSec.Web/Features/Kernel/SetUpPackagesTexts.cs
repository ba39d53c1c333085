namespace MPSec.Features.Kernel;

/// <summary>Marks the texts of the job that sets up packages (SetUpPackagesTexts.resx and SetUpPackagesTexts.ko.resx).</summary>
public sealed class SetUpPackagesTexts;
