using System.Globalization;

namespace MPSec.Components.Charts;

/// <summary>A span of time that a chart shows: live, the last so long, or from one moment to another. Its text stands in the address of a page.</summary>
public sealed record TimeRange
{
    private static readonly (string Text, TimeSpan Window)[] s_presets =
    [
        ("live", TimeSpan.FromMinutes(1)), ("5m", TimeSpan.FromMinutes(5)), ("1h", TimeSpan.FromHours(1)), ("6h", TimeSpan.FromHours(6)), ("24h", TimeSpan.FromHours(24)),
        ("7d", TimeSpan.FromDays(7)), ("30d", TimeSpan.FromDays(30)), ("1y", TimeSpan.FromDays(365)),
    ];

    private TimeRange(string text, TimeSpan window, DateTimeOffset? from) => (Text, Window, From) = (text, window, from);

    /// <summary>The last minute, moving.</summary>
    public static TimeRange Live { get; } = new(s_presets[0].Text, s_presets[0].Window, null);

    /// <summary>The usual ones, shortest first.</summary>
    public static IReadOnlyList<TimeRange> Presets { get; } = [Live, .. s_presets.Skip(1).Select(p => new TimeRange(p.Text, p.Window, null))];

    /// <summary>As in the address: <c>live</c>, <c>5m</c>, <c>1h</c> … <c>1y</c>, or two Unix seconds: <c>1760000000~1760003600</c>.</summary>
    public string Text { get; }

    /// <summary>How long it is.</summary>
    public TimeSpan Window { get; }

    /// <summary>Its begin; null when it ends now.</summary>
    public DateTimeOffset? From { get; }

    /// <summary>Shown from readings as they come, not from history.</summary>
    public bool IsLive => From is null && Window <= s_presets[1].Window;

    /// <summary>From one moment to a later one; null when they are not in order or too close (1 s) or too far (10 years).</summary>
    public static TimeRange? Between(DateTimeOffset from, DateTimeOffset to)
    {
        var (first, last) = (from.ToUnixTimeSeconds(), to.ToUnixTimeSeconds());
        return last - first is < 1 or > 3660L * 86400
            ? null
            : new(string.Create(CultureInfo.InvariantCulture, $"{first}~{last}"), TimeSpan.FromSeconds(last - first), DateTimeOffset.FromUnixTimeSeconds(first));
    }

    /// <summary>Reads a text of an address; what it does not understand is live.</summary>
    public static TimeRange Parse(string? text)
    {
        if (Presets.FirstOrDefault(p => p.Text == text) is { } preset)
        {
            return preset;
        }

        var parts = text?.Split('~') ?? [];
        return parts.Length == 2 && TryMoment(parts[0], out var from) && TryMoment(parts[1], out var to) ? Between(from, to) ?? Live : Live;
    }

    /// <summary>Begin and end when it is <paramref name="now"/>.</summary>
    public (DateTimeOffset From, DateTimeOffset To) At(DateTimeOffset now) => From is { } from ? (from, from + Window) : (now - Window, now);

    private static bool TryMoment(string text, out DateTimeOffset moment)
    {
        var read = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds < 250_000_000_000;
        moment = read ? DateTimeOffset.FromUnixTimeSeconds(seconds) : default;
        return read;
    }
}
