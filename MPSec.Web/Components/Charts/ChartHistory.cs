namespace MPSec.Components.Charts;

/// <summary>What a <see cref="HistoryChart"/> shows: buckets of equal length, a band per series.</summary>
/// <param name="From">Begin of the first bucket.</param>
/// <param name="StepSeconds">Length of a bucket.</param>
/// <param name="Bands">One per series, all of the same number of buckets.</param>
public sealed record ChartHistory(DateTimeOffset From, double StepSeconds, IReadOnlyList<ChartBand> Bands);

/// <summary>A series in buckets; NaN is a gap.</summary>
/// <param name="Min">Smallest values.</param>
/// <param name="Mean">Means.</param>
/// <param name="Max">Largest values.</param>
public sealed record ChartBand(double[] Min, double[] Mean, double[] Max);

/// <summary>Something that happened, as a mark under a chart.</summary>
/// <param name="At">When.</param>
/// <param name="Text">What, in the reader's language.</param>
/// <param name="IsBad">Something was lost.</param>
public sealed record ChartMark(DateTimeOffset At, string Text, bool IsBad);
