using MPSec.Components.Charts;

namespace MPSec.Tests.Components;

public sealed class TimeRangeTests
{
    [Theory]
    [InlineData(null, "live", true)]
    [InlineData("5m", "5m", true)]
    [InlineData("30d", "30d", false)]
    [InlineData("1760000000~1760003600", "1760000000~1760003600", false)]
    [InlineData("1760003600~1760000000", "live", true)]
    [InlineData("-5~7", "live", true)]
    [InlineData("999999999999999999999~1", "live", true)]
    [InlineData("next week", "live", true)]
    public void Parse_TextOfAnAddress_IsARangeOrLive(string? text, string expected, bool live)
    {
        var range = TimeRange.Parse(text);
        Assert.Equal((expected, live), (range.Text, range.IsLive));
    }

    [Fact]
    public void At_Now_EndsNowUnlessItIsFixed()
    {
        var now = DateTimeOffset.FromUnixTimeSeconds(1_770_000_000);
        Assert.Equal((now.AddDays(-7), now), TimeRange.Parse("7d").At(now));
        Assert.Equal((DateTimeOffset.FromUnixTimeSeconds(1_760_000_000), DateTimeOffset.FromUnixTimeSeconds(1_760_003_600)), TimeRange.Parse("1760000000~1760003600").At(now));
    }
}
