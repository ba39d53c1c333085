using System.Globalization;

namespace MPSec.Features.Multipath;

/// <summary>
/// Sizes of the paths view in CSS pixels. One scale for all lanes of a view: 0.9 px per Mbit/s, scaled down so that the widest bed has at most 48 px.
/// The fans left and right bring the lanes together at the gateways without changing their thickness.
/// </summary>
public sealed class LaneGeometry
{
    /// <summary>Height of one lane.</summary>
    public const double LaneHeight = 96;

    /// <summary>Width of a fan.</summary>
    public const double FanWidth = 64;

    private const double WidestBed = 48;
    private const double PixelsPerMbit = 0.9;
    private const double UnknownBed = 18;
    private const double NarrowestBed = 4;
    private const double ThinnestFill = 2;
    private const double Gap = 13;

    /// <summary>Distance from a lane's top to the middle of its band.</summary>
    private const double BandMiddle = 66;

    /// <summary>Measures <paramref name="lanes"/>.</summary>
    public LaneGeometry(IReadOnlyList<PathLane> lanes)
    {
        ArgumentNullException.ThrowIfNull(lanes);
        var widest = lanes.Select(l => (l.CapacityBitsPerSecond ?? l.BusierBitsPerSecond ?? 0) / 1e6).DefaultIfEmpty(0).Max();
        var scale = Math.Min(PixelsPerMbit, widest > 0 ? WidestBed / widest : PixelsPerMbit);
        var beds = lanes.Select(l => l.CapacityBitsPerSecond is { } c ? Math.Max(NarrowestBed, c / 1e6 * scale) : UnknownBed).ToList();
        Height = Math.Max(LaneHeight, lanes.Count * LaneHeight);
        var port = (Height - beds.Sum() - (Gap * Math.Max(0, lanes.Count - 1))) / 2;
        var strips = new List<LaneStrip>();
        for (var i = 0; i < lanes.Count; i++)
        {
            var bed = beds[i];
            var use = (lanes[i].BusierBitsPerSecond ?? 0) / 1e6 * scale;
            var fill = lanes[i].IsCarrying ? Math.Clamp(use, Math.Min(ThinnestFill, bed), bed) : 0;
            strips.Add(new(bed, fill, (i * LaneHeight) + BandMiddle, port + (bed / 2)));
            port += bed + Gap;
        }

        Strips = strips;
    }

    /// <summary>Height of the whole view.</summary>
    public double Height { get; }

    /// <summary>One strip per lane, in the same order.</summary>
    public IReadOnlyList<LaneStrip> Strips { get; }

    /// <summary>SVG path of a strip of <paramref name="thickness"/> from the gateway's side (left) to the lane's (right); mirrored for the peer.</summary>
    public static string Fan(LaneStrip strip, double thickness, bool mirrored)
    {
        ArgumentNullException.ThrowIfNull(strip);
        var half = thickness / 2;
        var (from, to) = mirrored ? (FanWidth, 0.0) : (0.0, FanWidth);
        const double Middle = FanWidth / 2;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"M{from:0.#} {strip.Port - half:0.#}C{Middle:0.#} {strip.Port - half:0.#} {Middle:0.#} {strip.Lane - half:0.#} {to:0.#} {strip.Lane - half:0.#}L{to:0.#} {strip.Lane + half:0.#}C{Middle:0.#} {strip.Lane + half:0.#} {Middle:0.#} {strip.Port + half:0.#} {from:0.#} {strip.Port + half:0.#}Z");
    }

    /// <summary>SVG path of the middle line of a strip, for lanes that carry nothing.</summary>
    public static string Line(LaneStrip strip, bool mirrored)
    {
        ArgumentNullException.ThrowIfNull(strip);
        var (from, to) = mirrored ? (FanWidth, 0.0) : (0.0, FanWidth);
        const double Middle = FanWidth / 2;
        return string.Create(CultureInfo.InvariantCulture, $"M{from:0.#} {strip.Port:0.#}C{Middle:0.#} {strip.Port:0.#} {Middle:0.#} {strip.Lane:0.#} {to:0.#} {strip.Lane:0.#}");
    }
}

/// <summary>A lane measured.</summary>
/// <param name="Bed">Thickness of the capacity.</param>
/// <param name="Fill">Thickness of the throughput now; 0 when nothing moves.</param>
/// <param name="Lane">Middle of the lane's band, from the top of the view.</param>
/// <param name="Port">Middle of its place at the gateway, from the top of the view.</param>
public sealed record LaneStrip(double Bed, double Fill, double Lane, double Port);
