using System.Globalization;

namespace MPSec.Features.SystemStatus;

/// <summary>Parts of a bar whose whole length is 100 %.</summary>
internal static class Gauge
{
    /// <summary>Style of a part of <paramref name="percent"/>; nothing for what is not known.</summary>
    public static string Width(double? percent) => string.Create(CultureInfo.InvariantCulture, $"width:{Math.Clamp(percent ?? 0, 0, 100):0.##}%");

    /// <summary>Colour class of what should not become full.</summary>
    public static string Css(double? percent) => percent switch { >= 95 => "bad", >= 85 => "warn", _ => "" };
}
