using MPSec.Linux.Gateways;
using MPSec.Live;

namespace MPSec.Hosting;

/// <summary>What is known about one sampler: how often it read, how often it failed, and when it last came round. Written by the sampler, read by anybody.</summary>
public sealed class FeedFigures(string gateway, LiveStore<Sample<GatewaySnapshot>> store, TimeProvider time)
{
    private long _readings;
    private long _failures;
    private long _turnedAt = time.GetTimestamp();

    /// <summary>The gateway.</summary>
    public string Gateway => gateway;

    /// <summary>Its newest sample; null before the first.</summary>
    public Sample<GatewaySnapshot>? Current => store.Current;

    /// <summary>Readings tried since the sampler began.</summary>
    public long Readings => Volatile.Read(ref _readings);

    /// <summary>Of these, how many failed.</summary>
    public long Failures => Volatile.Read(ref _failures);

    /// <summary>Time since a reading ended, good or bad: how long the sampler may have been stuck.</summary>
    public TimeSpan SinceTurn => time.GetElapsedTime(Volatile.Read(ref _turnedAt));

    /// <summary>Takes a reading and counts it.</summary>
    internal GatewayReading Count(Func<GatewayReading> read)
    {
        Interlocked.Increment(ref _readings);
        try
        {
            return read();
        }
        catch
        {
            Interlocked.Increment(ref _failures);
            throw;
        }
        finally
        {
            Volatile.Write(ref _turnedAt, time.GetTimestamp());
        }
    }
}
