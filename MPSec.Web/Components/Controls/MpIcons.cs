using System.Collections.Frozen;

namespace MPSec.Components.Controls;

/// <summary>Size of an icon.</summary>
public enum MpIconSize
{
    /// <summary>16 px.</summary>
    Normal,

    /// <summary>14 px.</summary>
    Small,

    /// <summary>20 px.</summary>
    Large,
}

/// <summary>An icon on a 24 by 24 grid, drawn with a stroke.</summary>
/// <param name="Outline">Path data.</param>
/// <param name="Dashed">Path data of the part drawn dashed; null when there is none.</param>
public sealed record MpIconShape(string Outline, string? Dashed = null);

/// <summary>The one icon set.</summary>
public static class MpIcons
{
    private const string Circle = "M3.5 12a8.5 8.5 0 1 0 17 0a8.5 8.5 0 1 0-17 0";
    private const string LockBody = "M7 11h10a2 2 0 0 1 2 2v5a2 2 0 0 1-2 2H7a2 2 0 0 1-2-2v-5a2 2 0 0 1 2-2z";

    private static readonly FrozenDictionary<string, MpIconShape> s_shapes = new Dictionary<string, MpIconShape>
    {
        // states
        ["ok"] = new(Circle + "M8 12.5l2.8 2.7L16 9.5"),
        ["warn"] = new("M12 4l9 16H3zM12 10v4.5M12 17.3v.2"),
        ["bad"] = new(Circle + "M9 9l6 6M15 9l-6 6"),
        ["unknown"] = new(Circle + "M9.7 9.5c.4-3 5-2.6 4.7.3-.2 1.8-2.4 1.8-2.4 3.7M12 16.5v.2"),
        ["standby"] = new("M12 8v4", Circle),
        ["lock"] = new(LockBody + "M8 11V8a4 4 0 0 1 8 0v3"),
        ["unlock"] = new(LockBody + "M8 11V8a4 4 0 0 1 7.6-1.7"),
        ["clock"] = new(Circle + "M12 7v5l3.5 2"),
        ["info"] = new(Circle + "M12 11v5M12 7.8v.2"),
        // pages
        ["overview"] = new("M4 4h7v9H4zM13 4h7v5h-7zM13 11h7v9h-7zM4 15h7v5H4z"),
        ["multipath"] = new("M3 12h3c4 0 3-7 7-7h8M6 12h15M6 12c4 0 3 7 7 7h8"),
        ["connections"] = new("M3.5 6a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0M15.5 18a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0M8.5 6H14a3 3 0 0 1 3 3v6.5"),
        ["network"] = new("M10 3h4a1 1 0 0 1 1 1v3a1 1 0 0 1-1 1h-4a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM4 16h4a1 1 0 0 1 1 1v3a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1v-3a1 1 0 0 1 1-1zM16 16h4a1 1 0 0 1 1 1v3a1 1 0 0 1-1 1h-4a1 1 0 0 1-1-1v-3a1 1 0 0 1 1-1zM12 8v4M6 16v-4h12v4"),
        ["security"] = new("M12 3l7.5 3v5.5c0 4.7-3.2 8-7.5 9.5-4.3-1.5-7.5-4.8-7.5-9.5V6z"),
        ["capture"] = new("M4 7h16M4 12h10M4 17h6M14.5 16.5a3 3 0 1 0 6 0a3 3 0 1 0-6 0M20 19l1.5 1.5"),
        ["system"] = new("M7 5h10a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H7a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2zM9.5 9.5h5v5h-5zM9 2v3M15 2v3M9 19v3M15 19v3M2 9h3M2 15h3M19 9h3M19 15h3"),
        ["kernel"] = new("M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9"),
        ["lab"] = new("M9.5 3h5M10.5 3v6L5 18.5c-.7 1.2.1 2.5 1.5 2.5h11c1.4 0 2.2-1.3 1.5-2.5L13.5 9V3M7.5 15h9"),
        ["doctor"] = new("M3 12h4l2.5-6 4.5 12 2.5-6H21"),
        ["jobs"] = new(Circle + "M12 7v5l3.5 2"),
        ["settings"] = new("M4 7h9M19 7h1M4 17h1M11 17h9M13.5 7a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0M5.5 17a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0"),
        // things
        ["gateway"] = new("M5.5 4h13A1.5 1.5 0 0 1 20 5.5v4a1.5 1.5 0 0 1-1.5 1.5h-13A1.5 1.5 0 0 1 4 9.5v-4A1.5 1.5 0 0 1 5.5 4zM5.5 13h13a1.5 1.5 0 0 1 1.5 1.5v4a1.5 1.5 0 0 1-1.5 1.5h-13A1.5 1.5 0 0 1 4 18.5v-4A1.5 1.5 0 0 1 5.5 13zM7.5 7.5h.1M7.5 16.5h.1"),
        ["globe"] = new(Circle + "M3.5 12h17M12 3.5c5 5 5 12 0 17M12 3.5c-5 5-5 12 0 17"),
        ["sun"] = new("M8 12a4 4 0 1 0 8 0a4 4 0 1 0-8 0M12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1 1M17.4 17.4l1 1M18.4 5.6l-1 1M6.6 17.4l-1 1"),
        ["moon"] = new("M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z"),
        ["user"] = new("M8 8a4 4 0 1 0 8 0a4 4 0 1 0-8 0M4.5 20c.5-4 3.5-6 7.5-6s7 2 7.5 6"),
        ["columns"] = new("M5.5 5h13A1.5 1.5 0 0 1 20 6.5v11a1.5 1.5 0 0 1-1.5 1.5h-13A1.5 1.5 0 0 1 4 17.5v-11A1.5 1.5 0 0 1 5.5 5zM9.5 5v14M14.5 5v14"),
        ["plug"] = new("M9 3v5M15 3v5M6 8h12v3a6 6 0 0 1-12 0zM12 17v4"),
        ["speaker"] = new("M4 10v4h3l5 4V6L7 10zM16 9.5c1.3 1.5 1.3 3.5 0 5M18.5 7c2.7 3 2.7 7 0 10"),
        // actions
        ["check"] = new("M5 12.5l4.5 4.5L19 7.5"),
        ["add"] = new("M12 5v14M5 12h14"),
        ["dash"] = new("M6 12h12"),
        ["close"] = new("M6 6l12 12M18 6L6 18"),
        ["menu"] = new("M4 7h16M4 12h16M4 17h16"),
        ["pause"] = new("M9 6v12M15 6v12"),
        ["play"] = new("M8 5.5v13l10.5-6.5z"),
        ["stop"] = new("M8 7h8a1 1 0 0 1 1 1v8a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V8a1 1 0 0 1 1-1z"),
        ["power"] = new("M12 4v8M7 6.5a8 8 0 1 0 10 0"),
        ["up"] = new("M12 19V6M6.5 11.5L12 6l5.5 5.5"),
        ["down"] = new("M12 5v13M6.5 12.5L12 18l5.5-5.5"),
        ["right"] = new("M5 12h14M13 6l6 6-6 6"),
        ["chevron-down"] = new("M7 10l5 5 5-5"),
        ["chevron-right"] = new("M10 7l5 5-5 5"),
        ["undo"] = new("M8 5L4 9l4 4M4 9h10a6 6 0 0 1 0 12h-4"),
        ["retry"] = new("M19.5 12a7.5 7.5 0 1 1-2.2-5.3M19.5 4v4.5H15"),
        ["edit"] = new("M4 20h4L19 9l-4-4L4 16zM13 7l4 4"),
        ["download"] = new("M12 4v11M7 11l5 5 5-5M5 20h14"),
        ["copy"] = new("M10 8h8a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-8a2 2 0 0 1-2-2v-8a2 2 0 0 1 2-2zM16 8V5a1 1 0 0 0-1-1H5a1 1 0 0 0-1 1v10a1 1 0 0 0 1 1h3"),
        ["search"] = new("M4.5 10.5a6 6 0 1 0 12 0a6 6 0 1 0-12 0M15 15l5 5"),
        ["leave"] = new("M14 4H6a1 1 0 0 0-1 1v14a1 1 0 0 0 1 1h8M10 12h10M16.5 8.5L20 12l-3.5 3.5"),
        ["external"] = new("M14 5h5v5M19 5l-8 8M17 14v4a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V8a1 1 0 0 1 1-1h4"),
    }.ToFrozenDictionary();

    /// <summary>All names.</summary>
    public static IEnumerable<string> Names => s_shapes.Keys;

    /// <summary>The icon called <paramref name="name"/>; the question mark for any other name.</summary>
    public static MpIconShape Find(string name) => s_shapes.GetValueOrDefault(name) ?? s_shapes["unknown"];
}
