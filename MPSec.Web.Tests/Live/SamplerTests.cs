using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using MPSec.Live;

namespace MPSec.Tests.Live;

public sealed class SamplerTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly LiveStore<Sample<string>> _store = new(NullLogger<LiveStore<Sample<string>>>.Instance);
    private readonly List<string> _history = [];

    [Fact]
    public void TakeSample_FirstAndSecond_ElapsedIsMonotonicTimeBetween()
    {
        var sampler = Sampler(() => "r");
        sampler.TakeSample();
        Assert.Equal("first", _store.Current!.Value);
        _time.Advance(TimeSpan.FromMilliseconds(1250));
        sampler.TakeSample();
        Assert.Equal("1250", _store.Current!.Value);
    }

    [Fact]
    public void TakeSample_WallClockSetBack_ElapsedStaysRight()
    {
        // FakeTimeProvider refuses to go back, so the wall clock is shifted around a monotonic one.
        var clock = new ShiftedClock(_time);
        var sampler = new Sampler<string, string>(() => "r", Derive, (_, _) => { }, _store, SamplerPace.Default, clock);
        sampler.TakeSample();
        clock.Shift = TimeSpan.FromDays(-365);
        _time.Advance(TimeSpan.FromSeconds(1));
        sampler.TakeSample();
        Assert.Equal("1000", _store.Current!.Value);
    }

    [Fact]
    public void TakeSample_Failing_KeepsLastValueWithCauseAndSince()
    {
        var fail = false;
        var sampler = Sampler(() => fail ? throw new SampleException("gone", "the namespace is gone") : "r");
        sampler.TakeSample();
        var good = _store.Current!;
        fail = true;
        _time.Advance(TimeSpan.FromSeconds(1));
        var since = _time.GetUtcNow();
        sampler.TakeSample();
        _time.Advance(TimeSpan.FromSeconds(1));
        sampler.TakeSample();

        var sample = _store.Current!;
        Assert.Equal(good.Value, sample.Value);
        Assert.Equal(good.ValueAt, sample.ValueAt);
        Assert.Equal(new SampleFailure("gone", "the namespace is gone", since), sample.Failure);
        Assert.Single(_history);
    }

    [Fact]
    public void TakeSample_AfterFailure_StartsRatesAnew()
    {
        var fail = false;
        var sampler = Sampler(() => fail ? throw new IOException("x") : "r");
        sampler.TakeSample();
        fail = true;
        sampler.TakeSample();
        fail = false;
        _time.Advance(TimeSpan.FromSeconds(1));
        sampler.TakeSample();
        Assert.Equal("first", _store.Current!.Value);
        Assert.Null(_store.Current.Failure);
    }

    [Fact]
    public async Task RunAsync_Unwatched_ReadsSlowlyAndSubscribingWakes()
    {
        var reads = 0;
        using var stop = new CancellationTokenSource();
        var sampler = Sampler(() =>
        {
            Interlocked.Increment(ref reads);
            return "r";
        });
        var run = sampler.RunAsync(stop.Token);
        Assert.Equal(1, reads);

        await AdvanceAsync(TimeSpan.FromSeconds(4));
        Assert.Equal(1, reads);
        using var subscription = _store.Subscribe(_ => Task.CompletedTask);
        await UntilAsync(() => reads == 2);
        await AdvanceAsync(SamplerPace.Shortest);
        await AdvanceAsync(TimeSpan.FromSeconds(1));
        await UntilAsync(() => reads == 3);

        await stop.CancelAsync();
        await run;
    }

    [Fact]
    public async Task RunAsync_ManyWakes_NeverFasterThanShortest()
    {
        var reads = 0;
        using var stop = new CancellationTokenSource();
        var sampler = Sampler(() =>
        {
            Interlocked.Increment(ref reads);
            return "r";
        });
        var run = sampler.RunAsync(stop.Token);
        for (var i = 0; i < 1000; i++)
        {
            sampler.Wake();
        }

        await Task.Yield();
        Assert.Equal(1, reads);
        await AdvanceAsync(SamplerPace.Shortest);
        await UntilAsync(() => reads == 2);
        await stop.CancelAsync();
        await run;
    }

    private static string Derive(string? before, string now, TimeSpan elapsed) => before is null ? "first" : $"{elapsed.TotalMilliseconds:0}";

    private static async Task UntilAsync(Func<bool> condition)
    {
        var begun = Environment.TickCount64;
        while (!condition())
        {
            Assert.True(Environment.TickCount64 - begun < 120_000, "did not come");
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }
    }

    private Sampler<string, string> Sampler(Func<string> read) =>
        new(read, Derive, (snapshot, _) => _history.Add(snapshot), _store, SamplerPace.Default, _time);

    /// <summary>Lets the loop arrive at its next delay before the clock moves.</summary>
    private async Task AdvanceAsync(TimeSpan step)
    {
        await Task.Delay(20, TestContext.Current.CancellationToken);
        _time.Advance(step);
        await Task.Delay(20, TestContext.Current.CancellationToken);
    }

    private sealed class ShiftedClock(FakeTimeProvider inner) : TimeProvider
    {
        public TimeSpan Shift { get; set; }

        public override long TimestampFrequency => inner.TimestampFrequency;

        public override DateTimeOffset GetUtcNow() => inner.GetUtcNow() + Shift;

        public override long GetTimestamp() => inner.GetTimestamp();
    }
}
