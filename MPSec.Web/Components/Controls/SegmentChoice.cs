namespace MPSec.Components.Controls;

/// <summary>A choice of <see cref="Segmented{TValue}"/>.</summary>
/// <param name="Value">What is chosen.</param>
/// <param name="Text">The word.</param>
/// <param name="Icon">Name of an icon, or null.</param>
/// <param name="Disabled">Cannot be chosen.</param>
/// <param name="Hint">Tooltip; says why when disabled.</param>
public sealed record SegmentChoice<TValue>(TValue Value, string Text, string? Icon = null, bool Disabled = false, string? Hint = null);
