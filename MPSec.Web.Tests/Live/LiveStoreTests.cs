using System.Globalization;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using MPSec.Live;

namespace MPSec.Tests.Live;

public sealed class LiveStoreTests
{
    private readonly LiveStore<string> _store = new(NullLogger<LiveStore<string>>.Instance);

    [Fact]
    public async Task Publish_SlowSubscriber_GetsFirstAndLastOnly()
    {
        var seen = new List<string>();
        var entered = new TaskCompletionSource();
        var release = new TaskCompletionSource();
        var last = new TaskCompletionSource();
        using var subscription = _store.Subscribe(async value =>
        {
            seen.Add(value);
            entered.TrySetResult();
            await release.Task;
            if (value == "4999")
            {
                last.SetResult();
            }
        });

        _store.Publish("0");
        await entered.Task;
        for (var i = 1; i < 5000; i++)
        {
            _store.Publish(i.ToString(CultureInfo.InvariantCulture));
        }

        release.SetResult();
        await last.Task;
        Assert.Equal(["0", "4999"], seen);
    }

    [Fact]
    public async Task Publish_ThrowingSubscriber_OthersAndLaterValuesStillArrive()
    {
        var values = new List<string>();
        var done = new TaskCompletionSource();
        using var bad = _store.Subscribe(_ => throw new InvalidOperationException("broken page"));
        using var good = _store.Subscribe(value =>
        {
            values.Add(value);
            if (value == "b")
            {
                done.SetResult();
            }

            return Task.CompletedTask;
        });

        _store.Publish("a");
        _store.Publish("b");
        await done.Task;
        Assert.Equal("b", values[^1]);
    }

    [Fact]
    public async Task Publish_FromThreadWithoutContext_KeepsSubscribersCulture()
    {
        var culture = new TaskCompletionSource<string>();
        CultureInfo.CurrentCulture = new CultureInfo("ko-KR");
        using var subscription = _store.Subscribe(_ =>
        {
            culture.TrySetResult(CultureInfo.CurrentCulture.Name);
            return Task.CompletedTask;
        });

        var thread = new Thread(() =>
        {
            CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
            _store.Publish("x");
        });
        using (ExecutionContext.SuppressFlow())
        {
            thread.Start();
        }

        Assert.Equal("ko-KR", await culture.Task);
    }

    [Fact]
    public void Dispose_Twice_CountGoesBackToZero()
    {
        var changes = 0;
        _store.SubscribersChanged += () => changes++;
        var subscription = _store.Subscribe(_ => Task.CompletedTask);
        Assert.Equal(1, _store.SubscriberCount);
        subscription.Dispose();
        subscription.Dispose();
        Assert.Equal(0, _store.SubscriberCount);
        Assert.Equal(2, changes);
    }

    [Fact]
    public async Task Dispose_WhileRunning_NothingArrivesAfterwards()
    {
        var calls = 0;
        var entered = new TaskCompletionSource();
        var release = new TaskCompletionSource();
        var subscription = _store.Subscribe(async _ =>
        {
            Interlocked.Increment(ref calls);
            entered.TrySetResult();
            await release.Task;
        });
        _store.Publish("a");
        await entered.Task;
        _store.Publish("b");
        subscription.Dispose();
        release.SetResult();
        _store.Publish("c");
        await Task.Yield();
        Assert.Equal(1, calls);
    }

    [Theory]
    [InlineData(true, LogLevel.Debug)]
    [InlineData(false, LogLevel.Error)]
    public async Task Publish_SubscriberFails_IsAnErrorUnlessItIsBeingClosed(bool closing, LogLevel level)
    {
        var log = new LevelLog();
        var store = new LiveStore<string>(log);
        var calls = 0;
        var again = new TaskCompletionSource();
        using var subscription = store.Subscribe(_ =>
        {
            if (++calls == 2)
            {
                again.SetResult();
            }

            throw closing ? new ObjectDisposedException("page") : new InvalidOperationException("page");
        });
        store.Publish("a");
        Assert.Equal(level, await log.First.Task.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken));
        store.Publish("b");
        await again.Task.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken); // it stayed subscribed
    }

    [Fact]
    public void RingBuffer_Overfull_KeepsNewestInOrder()
    {
        var ring = new RingBuffer<int>(3);
        Assert.Empty(ring.ToArray());
        for (var i = 1; i <= 5; i++)
        {
            ring.Add(i);
        }

        Assert.Equal([3, 4, 5], ring.ToArray());
        Assert.Equal(3, ring.Count);
    }

    private sealed class LevelLog : ILogger<LiveStore<string>>
    {
        public TaskCompletionSource<LogLevel> First { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => First.TrySetResult(logLevel);
    }
}
