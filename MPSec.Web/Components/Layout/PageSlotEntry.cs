namespace MPSec.Components.Layout;

/// <summary>
/// A card that one feature adds to the page of another, so that neither knows the other. Registered as a singleton by whoever puts the program together.
/// </summary>
/// <param name="Slot">Name of the place, published by the page.</param>
/// <param name="Order">Order within the place.</param>
/// <param name="Component">Component with a parameter <c>Gateway</c> (text); it shows nothing where it does not apply.</param>
public sealed record PageSlotEntry(string Slot, int Order, Type Component);
