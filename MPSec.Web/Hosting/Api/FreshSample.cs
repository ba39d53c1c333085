using MPSec.Live;

namespace MPSec.Hosting.Api;

/// <summary>Samples for a single question, where nobody may have looked for a while.</summary>
internal static class FreshSample
{
    private static readonly TimeSpan s_fresh = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <summary>The current sample when it is new, else the next one that <paramref name="suits"/>; null when none comes in time.</summary>
    public static async Task<Sample<TSnapshot>?> OfAsync<TSnapshot, TPoint>(LiveFeed<TSnapshot, TPoint> feed, TimeProvider time, CancellationToken stop, Func<TSnapshot, bool>? suits = null)
        where TSnapshot : class
    {
        if (feed.Store.Current is { Failure: null, Value: { } value } current && time.GetElapsedTime(current.ValueTimestamp) < s_fresh && suits?.Invoke(value) != false)
        {
            return current;
        }

        var next = new TaskCompletionSource<Sample<TSnapshot>>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var subscription = feed.Store.Subscribe(sample =>
        {
            if (sample.Failure is not null || suits?.Invoke(sample.Value!) != false)
            {
                next.TrySetResult(sample);
            }

            return Task.CompletedTask;
        });
        feed.Wake();
        try
        {
            return await next.Task.WaitAsync(s_patience, time, stop);
        }
        catch (TimeoutException)
        {
            return null;
        }
    }
}
