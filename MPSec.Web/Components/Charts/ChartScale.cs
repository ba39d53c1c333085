namespace MPSec.Components.Charts;

/// <summary>The scale of a chart.</summary>
public static class ChartScale
{
    /// <summary>A round number above <paramref name="peak"/>; 1 when there is none.</summary>
    public static double Top(double peak)
    {
        if (!(peak > 0) || !double.IsFinite(peak))
        {
            return 1;
        }

        var power = Math.Pow(10, Math.Floor(Math.Log10(peak)));
        return power * new[] { 1.2, 1.6, 2, 3, 4, 6, 8, 12 }.First(m => peak * 1.02 <= m * power || m == 12);
    }
}
