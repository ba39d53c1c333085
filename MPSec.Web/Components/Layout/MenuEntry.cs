namespace MPSec.Components.Layout;

/// <summary>
/// A line of the menu, registered as a singleton by whoever puts the program together; only pages that exist have one.
/// </summary>
/// <param name="Order">Place in the menu: see <see cref="MenuOrder"/>.</param>
/// <param name="Href">Address of the page relative to the base, without query; empty for the start page.</param>
/// <param name="Icon">Name of an icon of <see cref="Controls.MpIcon"/>.</param>
/// <param name="Texts">Marker type of the texts that hold the word.</param>
/// <param name="Key">Key of the word.</param>
/// <param name="Count">Number shown beside the word; null or nothing shows none.</param>
public sealed record MenuEntry(int Order, string Href, string Icon, Type Texts, string Key, Func<IShellState, int?>? Count = null)
{
    /// <summary>Whether <see cref="Count"/> is something to worry about.</summary>
    public bool CountWarns { get; init; }
}

/// <summary>Order of the menu.</summary>
public static class MenuOrder
{
#pragma warning disable CS1591 // the names say it
    public const int Overview = 10;
    public const int Multipath = 20;
    public const int Connections = 30;
    public const int Network = 40;
    public const int Security = 50;
    public const int Capture = 60;
    public const int SystemStatus = 70;
    public const int Kernel = 80;
    public const int Lab = 90;
    public const int Doctor = 100;
    public const int Jobs = 110;
    public const int Settings = 120;
#pragma warning restore CS1591
}
