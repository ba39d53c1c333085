using System.Globalization;

namespace MPSec.Features.Kernel;

/// <summary>How far a build is and how long it will go on, from the objects that are done.</summary>
/// <param name="expected">Objects in all.</param>
/// <param name="time">Clock.</param>
public sealed class KernelBuildProgress(int expected, TimeProvider time)
{
    private static readonly TimeSpan s_window = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan s_least = TimeSpan.FromSeconds(10);

    private readonly Queue<(long At, int Done)> _seen = new();
    private long _told;

    /// <summary>0 to 99.9; the last tenth is linking, of which nothing is told.</summary>
    public double Percent { get; private set; }

    /// <summary>The words for a page, at most four times a second; null in between.</summary>
    public string? Tell(KernelBuildLog log)
    {
        ArgumentNullException.ThrowIfNull(log);
        var now = time.GetTimestamp();
        if (_told != 0 && time.GetElapsedTime(_told, now) < TimeSpan.FromMilliseconds(250))
        {
            return null;
        }

        _told = now;
        while (_seen.Count > 1 && time.GetElapsedTime(_seen.Peek().At, now) > s_window)
        {
            _seen.Dequeue();
        }

        _seen.Enqueue((now, log.Done));
        var whole = Math.Max(expected, log.Done);
        Percent = whole == 0 ? 0 : Math.Min(99.9, 100.0 * log.Done / whole);
        var (first, done) = _seen.Peek();
        var (took, made) = (time.GetElapsedTime(first, now), log.Done - done);
        var left = took >= s_least && made > 0 ? took * ((double)(whole - log.Done) / made) : (TimeSpan?)null;
        return string.Create(CultureInfo.InvariantCulture, $"{log.Done:N0} of {whole:N0} objects{(left is { } rest ? $", about {Words(rest)} left" : "")}{(log.ErrorCount > 0 ? $", {log.ErrorCount} errors" : "")}");
    }

    private static string Words(TimeSpan left) => left < TimeSpan.FromMinutes(1.5)
        ? string.Create(CultureInfo.InvariantCulture, $"{Math.Ceiling(left.TotalSeconds / 10) * 10:0} s")
        : string.Create(CultureInfo.InvariantCulture, $"{Math.Ceiling(left.TotalMinutes):0} min");
}
