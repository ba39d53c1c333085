namespace MPSec.Live;

/// <summary>
/// The one timer of a source: reads, derives rates over monotonic time, publishes. A failed reading is published as a state, never thrown.
/// </summary>
/// <param name="read">Takes one reading; may throw.</param>
/// <param name="derive">Makes the snapshot from the reading before (null for the first), the reading and the monotonic time between them.</param>
/// <param name="publish">Receives every good snapshot before the store does, for history.</param>
/// <param name="store">Where samples go.</param>
/// <param name="pace">How often.</param>
/// <param name="time">The clock.</param>
public sealed class Sampler<TReading, TSnapshot>(
    Func<TReading> read,
    Func<TReading?, TReading, TimeSpan, TSnapshot> derive,
    Action<TSnapshot, DateTimeOffset> publish,
    LiveStore<Sample<TSnapshot>> store,
    SamplerPace pace,
    TimeProvider time)
    where TReading : class
    where TSnapshot : class
{
    private TaskCompletionSource _wake = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TReading? _before;
    private long _beforeTimestamp;

    /// <summary>Asks for a reading before its time; many wishes at once are one.</summary>
    public void Wake() => Volatile.Read(ref _wake).TrySetResult();

    /// <summary>Reads until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        store.SubscribersChanged += OnSubscribersChanged;
        try
        {
            while (!cancellationToken.IsCancellationRequested)
            {
                var started = time.GetTimestamp();
                // A wish that comes from here on is for the next reading.
                Interlocked.Exchange(ref _wake, new(TaskCreationOptions.RunContinuationsAsynchronously));
                TakeSample();
                var spent = time.GetElapsedTime(started);
                await Task.Delay(Max(SamplerPace.Shortest - spent, TimeSpan.Zero), time, cancellationToken);
                var interval = store.SubscriberCount > 0 ? pace.Watched : pace.Unwatched;
                await WaitAsync(Max(interval - time.GetElapsedTime(started), TimeSpan.Zero), cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The owner stops the sampler.
        }
        finally
        {
            store.SubscribersChanged -= OnSubscribersChanged;
        }
    }

    /// <summary>Takes and publishes one sample now.</summary>
    public void TakeSample()
    {
        var timestamp = time.GetTimestamp();
        var now = time.GetUtcNow();
        try
        {
            var reading = read();
            var snapshot = derive(_before, reading, _before is null ? TimeSpan.Zero : time.GetElapsedTime(_beforeTimestamp, timestamp));
            _before = reading;
            _beforeTimestamp = timestamp;
            publish(snapshot, now);
            store.Publish(new(snapshot, now, timestamp, null));
        }
        catch (Exception e)
        {
            // Rates must not bridge a gap in which the source may have been replaced.
            _before = null;
            var last = store.Current;
            var failure = new SampleFailure((e as SampleException)?.Code ?? "unreadable", e.Message, last?.Failure?.Since ?? now);
            store.Publish(new(last?.Value, last?.ValueAt ?? now, last?.ValueTimestamp ?? timestamp, failure));
        }
    }

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;

    private void OnSubscribersChanged()
    {
        if (store.SubscriberCount > 0)
        {
            Wake();
        }
    }

    private async Task WaitAsync(TimeSpan interval, CancellationToken cancellationToken)
    {
        using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var delay = Task.Delay(interval, time, timer.Token);
        await Task.WhenAny(delay, _wake.Task);
        await timer.CancelAsync();
        cancellationToken.ThrowIfCancellationRequested();
    }
}
