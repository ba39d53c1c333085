using System.Globalization;
using MPSec.Components.Controls;

namespace MPSec.Tests.Components;

public sealed class FiguresTests : IDisposable
{
    private readonly CultureInfo _before = CultureInfo.CurrentCulture;

    public FiguresTests() => CultureInfo.CurrentCulture = CultureInfo.GetCultureInfo("en-US");

    public void Dispose() => CultureInfo.CurrentCulture = _before;

    [Theory]
    [InlineData(null, "–")]
    [InlineData(double.NaN, "–")]
    [InlineData(double.PositiveInfinity, "–")]
    [InlineData(0.0, "0")]
    [InlineData(-0.001, "0")]
    [InlineData(0.5, "0.5")]
    [InlineData(2.774, "2.77")]
    [InlineData(9.994, "9.99")]
    [InlineData(9.996, "10.0")]
    [InlineData(19.0, "19.0")]
    [InlineData(99.94, "99.9")]
    [InlineData(99.96, "100")]
    [InlineData(131.4, "131")]
    [InlineData(1180.2, "1,180")]
    public void Number_Value_HasAtMostThreeSignificantDigits(double? value, string expected) => Assert.Equal(expected, Figures.Number(value));

    [Theory]
    [InlineData(20.0, "20")]
    [InlineData(12.5, "12.5")]
    [InlineData(null, "–")]
    public void Short_Value_DropsZeros(double? value, string expected) => Assert.Equal(expected, Figures.Short(value));

    [Theory]
    [InlineData(null, "–")]
    [InlineData(0.0, "0 B")]
    [InlineData(999.0, "999 B")]
    [InlineData(1000.0, "0.98 KiB")]
    [InlineData(1536.0, "1.5 KiB")]
    [InlineData(4.0e9, "3.73 GiB")]
    public void Bytes_Value_TakesTheBinaryUnit(double? value, string expected) => Assert.Equal(expected, Figures.Bytes(value));

    [Fact]
    public void WithUnit_Missing_IsADashAlone()
    {
        Assert.Equal("–", Figures.Mbit(null));
        Assert.Equal("–", Figures.Milliseconds(double.NaN));
        Assert.Equal("12.4 ms", Figures.Milliseconds(12.42));
        Assert.Equal("0 %", Figures.Percent(0));
        Assert.Equal("<0.01 %", Figures.Percent(0.002));
        Assert.Equal("47.1 Mbit/s", Figures.Mbit(47.09));
    }

    [Fact]
    public void Number_OtherCulture_TakesItsSeparators()
    {
        CultureInfo.CurrentCulture = CultureInfo.GetCultureInfo("de-DE");
        Assert.Equal("1.180", Figures.Number(1180));
        Assert.Equal("2,77", Figures.Number(2.77));
    }

    [Theory]
    [InlineData(0.38, "380 ms")]
    [InlineData(12, "12.0 s")]
    [InlineData(129, "2 min 09 s")]
    [InlineData(11_100, "3 h 05 min")]
    [InlineData(370_320, "4 d 06 h 52 min")]
    public void Duration_Value_ReadsWell(double seconds, string expected) => Assert.Equal(expected.Replace("12.0", "12"), Figures.Duration(TimeSpan.FromSeconds(seconds)));
}
