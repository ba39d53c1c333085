namespace MPSec.Features.Network;

/// <summary>Marks the texts of the Network page (NetworkTexts.resx and NetworkTexts.ko.resx).</summary>
public sealed class NetworkTexts;
