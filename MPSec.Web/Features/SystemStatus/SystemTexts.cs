namespace MPSec.Features.SystemStatus;

/// <summary>Marker of the texts of the System page (<c>SystemTexts.resx</c>, <c>SystemTexts.ko.resx</c>).</summary>
public sealed class SystemTexts;
