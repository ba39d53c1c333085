namespace MPSec.Features;

/// <summary>Names the sentences with which changes are refused, for <see cref="MPSec.Components.Sentences"/>.</summary>
public sealed class ChangeSaidTexts;
