using MPSec.Features.Settings;

namespace MPSec.Tests.Features.Settings;

/// <summary>When alerts begin and end.</summary>
public sealed class AlertWatchTests
{
    private static readonly AlertRule s_ratio = new() { Kind = AlertKind.FallbackRatio, Raise = 20, Clear = 10, Seconds = 60 };
    private static readonly AlertKey s_key = new(AlertKind.FallbackRatio, "host", null);
    private readonly AlertWatch _watch = new();

    [Fact]
    public void Observe_ValueStandsForItsTime_IsRaisedOnce()
    {
        Assert.Empty(At(0, 25));
        Assert.Empty(At(59, 25));
        Assert.Equal(new(s_key, true, 30, 20), Assert.Single(At(60, 30)));
        Assert.Empty(At(70, 99));
        Assert.Equal([s_key], _watch.Standing);
    }

    [Fact]
    public void Observe_ValueComesAndGoes_IsNeverRaised()
    {
        for (var second = 0; second < 600; second += 30)
        {
            Assert.Empty(At(second, second % 60 == 0 ? 25 : 5));
        }
    }

    [Fact]
    public void Observe_ValueOnTheEdge_DoesNotFlap()
    {
        At(0, 25);
        Assert.Single(At(60, 25));
        for (var second = 90; second < 600; second += 30)
        {
            Assert.Empty(At(second, second % 60 == 0 ? 19 : 21)); // below the one threshold, above the other
        }

        Assert.Empty(At(600, 10));
        Assert.Equal(new(s_key, false, 4, 10), Assert.Single(At(660, 4)));
        Assert.Empty(_watch.Standing);
    }

    [Fact]
    public void Observe_NumberMissing_AlertStaysUntilItIsForgotten()
    {
        At(0, 25);
        At(60, 25);
        Assert.Empty(_watch.Observe([], [s_ratio], TimeSpan.FromSeconds(359)));
        Assert.Equal(new(s_key, false, null, 10), Assert.Single(_watch.Observe([], [s_ratio], TimeSpan.FromSeconds(360))));
    }

    [Fact]
    public void Observe_RuleSwitchedOff_AlertEnds()
    {
        At(0, 25);
        At(60, 25);
        Assert.False(Assert.Single(_watch.Observe([new(AlertKind.FallbackRatio, "host", null, 25)], [s_ratio with { Enabled = false }], TimeSpan.FromSeconds(61))).Raised);
    }

    [Fact]
    public void Observe_RestoredAlert_IsNotToldAgainAndEnds()
    {
        _watch.Restore(s_key, TimeSpan.Zero);
        Assert.Empty(At(0, 25));
        Assert.Empty(At(100, 25));
        Assert.Empty(At(101, 0));
        Assert.False(Assert.Single(At(161, 0)).Raised);
    }

    [Fact]
    public void Observe_PathsOfOneName_AreTwoAlerts()
    {
        var rule = AlertRule.Usual.Single(r => r.Kind == AlertKind.PathDown) with { Seconds = 0 };
        var turns = _watch.Observe([new(AlertKind.PathDown, "a", "path1", 1), new(AlertKind.PathDown, "b", "path1", 1), new(AlertKind.PathDown, "b", "path2", 0), new(AlertKind.Disk, "", null, double.NaN)],
            [rule, .. AlertRule.Usual.Where(r => r.Kind == AlertKind.Disk)], TimeSpan.Zero);
        Assert.Equal(["a", "b"], turns.Select(t => t.Key.Gateway));
    }

    private System.Collections.Immutable.ImmutableArray<AlertTurn> At(int second, double value) =>
        _watch.Observe([new(AlertKind.FallbackRatio, "host", null, value)], [s_ratio], TimeSpan.FromSeconds(second));
}
