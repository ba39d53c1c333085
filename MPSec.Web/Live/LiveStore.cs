namespace MPSec.Live;

/// <summary>
/// The current value of something that changes often, and those who want to hear of it. One writer publishes; every subscriber has at most
/// one callback running and one value waiting, so a slow browser skips values and always ends with the latest.
/// </summary>
/// <typeparam name="T">An immutable value.</typeparam>
public sealed partial class LiveStore<T>(ILogger<LiveStore<T>> logger)
    where T : class
{
    private readonly ILogger _logger = logger;
    private readonly Lock _lock = new();
    private Subscription[] _subscriptions = [];
    private volatile T? _current;

    /// <summary>Raised after the number of subscribers changed, on the thread that changed it.</summary>
    public event Action? SubscribersChanged;

    /// <summary>The value published last; null before the first.</summary>
    public T? Current => _current;

    /// <summary>Subscribers that watch now; those who only listen do not count.</summary>
    public int SubscriberCount => _subscriptions.Count(s => s.Watches);

    /// <summary>Makes <paramref name="value"/> the current one and tells the subscribers. Never waits for them.</summary>
    public void Publish(T value)
    {
        ArgumentNullException.ThrowIfNull(value);
        _current = value;
        foreach (var subscription in _subscriptions)
        {
            subscription.Offer(value);
        }
    }

    /// <summary>
    /// Calls <paramref name="callback"/> with every value that it is fast enough for, until the result is disposed. The callback runs on the
    /// thread pool under the execution context of this call: without it a page would lose its user's culture.
    /// </summary>
    /// <param name="callback">Hears of new values.</param>
    /// <param name="watches">False for somebody who is content with what comes anyway: values are then made no more often for its sake.</param>
    public IDisposable Subscribe(Func<T, Task> callback, bool watches = true)
    {
        ArgumentNullException.ThrowIfNull(callback);
        var subscription = new Subscription(this, callback, ExecutionContext.Capture(), watches);
        lock (_lock)
        {
            _subscriptions = [.. _subscriptions, subscription];
        }

        SubscribersChanged?.Invoke();
        return subscription;
    }

    [LoggerMessage(EventId = 1001, Level = LogLevel.Error, Message = "A subscriber of {Store} failed; it stays subscribed")]
    private static partial void LogSubscriberFailed(ILogger logger, Exception exception, string store);

    [LoggerMessage(EventId = 1002, Level = LogLevel.Debug, Message = "A subscriber of {Store} is being closed: {Reason}")]
    private static partial void LogSubscriberClosing(ILogger logger, string reason, string store);

    private void Remove(Subscription subscription)
    {
        lock (_lock)
        {
            _subscriptions = [.. _subscriptions.Where(s => s != subscription)];
        }

        SubscribersChanged?.Invoke();
    }

    private sealed class Subscription(LiveStore<T> store, Func<T, Task> callback, ExecutionContext? context, bool watches) : IDisposable
    {
        public bool Watches => watches;

        private readonly Lock _lock = new();
        private T? _waiting;
        private bool _running;
        private bool _disposed;

        public void Offer(T value)
        {
            lock (_lock)
            {
                if (_disposed)
                {
                    return;
                }

                _waiting = value;
                if (_running)
                {
                    return;
                }

                _running = true;
            }

            ThreadPool.UnsafeQueueUserWorkItem(static s => _ = s.RunAsync(), this, preferLocal: false);
        }

        public void Dispose()
        {
            lock (_lock)
            {
                if (_disposed)
                {
                    return;
                }

                _disposed = true;
                _waiting = null;
            }

            store.Remove(this);
        }

        private async Task RunAsync()
        {
            while (Take() is { } value)
            {
                try
                {
                    await Invoke(value);
                }
                catch (ObjectDisposedException e)
                {
                    LogSubscriberClosing(store._logger, e.Message, typeof(T).Name); // a page that is being closed ends its subscription a moment later
                }
                catch (Exception e)
                {
                    LogSubscriberFailed(store._logger, e, typeof(T).Name);
                }
            }
        }

        private Task Invoke(T value)
        {
            if (context is null)
            {
                return callback(value);
            }

            var task = Task.CompletedTask;
            ExecutionContext.Run(context, _ => task = callback(value), null);
            return task;
        }

        private T? Take()
        {
            lock (_lock)
            {
                var value = _waiting;
                _waiting = null;
                _running = value is not null;
                return value;
            }
        }
    }
}
