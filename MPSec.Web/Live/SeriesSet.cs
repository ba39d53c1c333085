namespace MPSec.Live;

/// <summary>Figures of one source at one instant, by the names of their series: what history keeps of a snapshot.</summary>
public sealed class SeriesSet
{
    private readonly List<KeyValuePair<string, double>> _values = [];

    /// <summary>The figures added so far.</summary>
    public IReadOnlyList<KeyValuePair<string, double>> Values => _values;

    /// <summary>Adds a figure; one that was not measured (null, NaN, infinite) is a gap and is left out.</summary>
    /// <param name="name">Name of the series, unique within its source, lower case and parted by slashes: <c>interface/eth0/tx</c>.</param>
    /// <param name="value">The value in the unit of the series.</param>
    public void Add(string name, double? value)
    {
        if (value is { } v && double.IsFinite(v))
        {
            _values.Add(new(name, v));
        }
    }
}

/// <summary>Says which series of a snapshot history keeps. Register as many as there are kinds of figures.</summary>
/// <typeparam name="TSnapshot">What the sampler makes.</typeparam>
public interface ISeriesSource<in TSnapshot>
{
    /// <summary>Adds the figures of <paramref name="snapshot"/>. It runs on the sampler's thread: no waiting, no system call that may block.</summary>
    void Collect(TSnapshot snapshot, SeriesSet into);
}
