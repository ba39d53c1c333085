using System.Globalization;

namespace MPSec.Components.Controls;

/// <summary>Figures as people read them: fixed units, at most three significant digits, the user's separators, a dash for what was not measured.</summary>
public static class Figures
{
    /// <summary>Shown for a value that was not measured; the reason belongs into the tooltip.</summary>
    public const string Missing = "–";

    private static readonly string[] s_byteUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

    /// <summary>A live figure without unit: 1,180 · 131 · 45.9 · 2.77 · 0.5 · 0. The digits behind the point stay when they are zero, so that a column does not dance.</summary>
    public static string Number(double? value) => Format(value, "0.0");

    /// <summary>A figure that stands still, without useless zeros: 20 · 12.5.</summary>
    public static string Short(double? value) => Format(value, "0.#");

    /// <summary>A count: 9,940.</summary>
    public static string Count(long? value) => value is { } v ? v.ToString("N0", CultureInfo.CurrentCulture) : Missing;

    /// <summary>Rate in Mbit/s, from Mbit/s, with unit.</summary>
    public static string Mbit(double? value) => Measured(value, Number(value), "Mbit/s");

    /// <summary>Milliseconds with unit.</summary>
    public static string Milliseconds(double? value) => Measured(value, Number(value), "ms");

    /// <summary>Percent with unit, from percent.</summary>
    public static string Percent(double? value) => Measured(value, value is > 0 and < 0.01 ? "<" + Number(0.01) : Number(value), "%");

    /// <summary>Bytes in the binary unit that leaves at most three digits before the point.</summary>
    public static string Bytes(double? value)
    {
        if (value is not { } bytes || !double.IsFinite(bytes))
        {
            return Missing;
        }

        var unit = 0;
        while (Math.Abs(bytes) >= 999.5 && unit < s_byteUnits.Length - 1)
        {
            bytes /= 1024;
            unit++;
        }

        return $"{(unit == 0 ? Short(bytes) : Number(bytes))} {s_byteUnits[unit]}";
    }

    /// <summary>Time of day in the server's zone: 12:03:10.</summary>
    public static string Clock(DateTimeOffset? at) => at is { } t ? t.ToLocalTime().ToString("HH:mm:ss", CultureInfo.InvariantCulture) : Missing;

    /// <summary>A long time: 4 d 07 h 12 min · 3 h 05 min · 2 min 09 s · 12 s · 380 ms.</summary>
    public static string Duration(TimeSpan? value) => value switch
    {
        null => Missing,
        { TotalSeconds: < 1 } t => $"{t.TotalMilliseconds.ToString("0", CultureInfo.CurrentCulture)} ms",
        { TotalMinutes: < 1 } t => $"{Short(t.TotalSeconds)} s",
        { TotalHours: < 1 } t => $"{t.Minutes} min {t.Seconds:00} s",
        { TotalDays: < 1 } t => $"{t.Hours} h {t.Minutes:00} min",
        { } t => $"{(int)t.TotalDays} d {t.Hours:00} h {t.Minutes:00} min",
    };

    private static string Measured(double? value, string text, string unit) => value is { } v && double.IsFinite(v) ? $"{text} {unit}" : Missing;

    private static string Format(double? value, string tens)
    {
        if (value is not { } v || !double.IsFinite(v))
        {
            return Missing;
        }

        var format = Math.Abs(v) switch { >= 99.95 => "#,0", >= 9.995 => tens, _ => "0.##" };
        var text = v.ToString(format, CultureInfo.CurrentCulture);
        return text is "-0" ? "0" : text;
    }
}
