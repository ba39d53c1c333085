using System.Collections;
using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;

namespace MPSec.Linux.Gateways;

/// <summary>
/// Counters by name, in the kernel's order. Readings share one table of names, so that a reading of several hundred counters costs one
/// array of numbers.
/// </summary>
#pragma warning disable CA1710 // the domain says "counter set"
public sealed class CounterSet : IReadOnlyDictionary<string, long>
{
    private readonly string[] _names;
    private readonly FrozenDictionary<string, int> _index;
    private readonly long[] _values;

    internal CounterSet(string[] names, FrozenDictionary<string, int> index, long[] values)
    {
        _names = names;
        _index = index;
        _values = values;
    }

    /// <summary>No counters.</summary>
    public static CounterSet Empty { get; } = From([]);

    /// <inheritdoc/>
    public int Count => _names.Length;

    /// <inheritdoc/>
    public IEnumerable<string> Keys => _names;

    /// <inheritdoc/>
    public IEnumerable<long> Values => _values;

    /// <inheritdoc/>
    public long this[string key] => _values[_index[key]];

    /// <summary>Makes a set of its own.</summary>
    /// <exception cref="ArgumentException">A name occurs twice.</exception>
    public static CounterSet From(IEnumerable<KeyValuePair<string, long>> counters)
    {
        var pairs = counters.ToArray();
        var names = Array.ConvertAll(pairs, p => p.Key);
        return new(names, IndexOf(names), Array.ConvertAll(pairs, p => p.Value));
    }

    /// <inheritdoc/>
    public bool ContainsKey(string key) => _index.ContainsKey(key);

    /// <inheritdoc/>
    public bool TryGetValue(string key, [MaybeNullWhen(false)] out long value)
    {
        var found = _index.TryGetValue(key, out var at);
        value = found ? _values[at] : 0;
        return found;
    }

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, long>> GetEnumerator()
    {
        for (var i = 0; i < _names.Length; i++)
        {
            yield return new(_names[i], _values[i]);
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal static FrozenDictionary<string, int> IndexOf(string[] names) =>
        names.Select((name, at) => KeyValuePair.Create(name, at)).ToDictionary(StringComparer.Ordinal).ToFrozenDictionary(StringComparer.Ordinal);
}
