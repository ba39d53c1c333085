namespace MPSec.Features.Settings;

/// <summary>Marker of the texts of the Settings page (<c>SettingsTexts.resx</c>, <c>SettingsTexts.ko.resx</c>).</summary>
public sealed class SettingsTexts;
