namespace MPSec.Components;

/// <summary>Marker of the shell's and the controls' texts (<c>UiTexts.resx</c>, <c>UiTexts.ko.resx</c>).</summary>
public sealed class UiTexts;

/// <summary>Marker of the texts inside MudBlazor's own components (<c>MudTexts.resx</c>, <c>MudTexts.ko.resx</c>).</summary>
public sealed class MudTexts;
