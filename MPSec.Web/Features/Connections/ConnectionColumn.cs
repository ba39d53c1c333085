using System.Collections.Immutable;

namespace MPSec.Features.Connections;

/// <summary>A column of the list.</summary>
/// <param name="Key">In the address and in the texts (<c>Col_…</c>).</param>
/// <param name="Value">What it sorts by; null when it is not known: such rows stand last.</param>
/// <param name="IsNumber">Right aligned, and sorted from the largest first.</param>
/// <param name="IsUsual">Shown unless somebody chose otherwise.</param>
public sealed record ConnectionColumn(string Key, Func<ConnectionRow, IComparable?> Value, bool IsNumber = true, bool IsUsual = false)
{
    /// <summary>The column that is always there.</summary>
    public static ConnectionColumn First { get; } = new("remote", r => r.Remote.ToString(), IsNumber: false, IsUsual: true);

    /// <summary>The columns that can be chosen, left to right.</summary>
    public static ImmutableArray<ConnectionColumn> Chosen { get; } =
    [
        new("paths", r => r.Subflows.Length, IsUsual: true),
        new("state", r => r.State, IsNumber: false, IsUsual: true),
        new("rate", r => r.Bits, IsUsual: true),
        new("tx", r => r.SendBits),
        new("rx", r => r.ReceiveBits),
        new("share", r => r.Subflows.Max(s => s.Share), IsUsual: true),
        new("rtt", r => r.RttMs, IsUsual: true),
        new("rttvar", r => r.Subflows.Max(s => s.RttVariationMs)),
        new("minrtt", r => r.Subflows.Min(s => s.MinRttMs)),
        new("cwnd", r => ConnectionRow.Sum(r.Subflows, s => s.Kernel.CongestionWindow), IsUsual: true),
        new("flight", r => r.FlightBytes, IsUsual: true),
        new("sent", r => (double?)r.Kernel.BytesSent),
        new("received", r => (double?)r.Kernel.BytesReceived),
        new("retrans", r => r.Retransmissions, IsUsual: true),
        new("ooo", r => r.OutOfOrder),
        new("cc", r => r.Subflows.FirstOrDefault()?.Kernel.CongestionControl, IsNumber: false),
        new("idle", r => r.LastDataMs),
    ];

    /// <summary>The column called <paramref name="key"/>; null when there is none.</summary>
    public static ConnectionColumn? Find(string? key) => key == First.Key ? First : Chosen.FirstOrDefault(c => c.Key == key);

    /// <summary>The columns that <paramref name="list"/> of the address names; the usual ones when it is null. Unknown names are passed over.</summary>
    public static ImmutableArray<ConnectionColumn> Parse(string? list)
    {
        if (list is null)
        {
            return [.. Chosen.Where(c => c.IsUsual)];
        }

        var names = list.Split(',', StringSplitOptions.TrimEntries);
        return [.. Chosen.Where(c => names.Contains(c.Key))];
    }
}

/// <summary>By what a person sorted.</summary>
/// <param name="Column">The column.</param>
/// <param name="Descending">Largest first.</param>
public sealed record ConnectionSort(ConnectionColumn Column, bool Descending)
{
    /// <summary>The busiest first.</summary>
    public static ConnectionSort Usual { get; } = new(ConnectionColumn.Find("rate")!, true);

    /// <summary>For the address: <c>rtt</c> or <c>-rtt</c>.</summary>
    public override string ToString() => (Descending ? "-" : "") + Column.Key;

    /// <summary>What the address says; the usual one when it names no column.</summary>
    public static ConnectionSort Parse(string? text) =>
        text is not null && ConnectionColumn.Find(text.TrimStart('-')) is { } column ? new(column, text.StartsWith('-')) : Usual;

    /// <summary>Sorts; equal ones stay as they are, unknown ones go last.</summary>
    public IEnumerable<ConnectionRow> Apply(IEnumerable<ConnectionRow> rows)
    {
        var known = rows.OrderBy(r => Column.Value(r) is null ? 1 : 0);
        return Descending ? known.ThenByDescending(Column.Value) : known.ThenBy(Column.Value);
    }
}

/// <summary>Keeps every row in its place while its figures change, until a person sorts. New rows come last.</summary>
public sealed class ConnectionOrder
{
    private List<ConnectionKey>? _places;

    /// <summary>Forgets the places: the next rows are sorted.</summary>
    public void Reset() => _places = null;

    /// <summary>The rows in their places.</summary>
    public List<ConnectionRow> Arrange(ImmutableArray<ConnectionRow> rows, ConnectionSort sort)
    {
        ArgumentNullException.ThrowIfNull(sort);
        List<ConnectionRow> arranged;
        if (_places is null)
        {
            arranged = [.. sort.Apply(rows)];
        }
        else
        {
            var byKey = new Dictionary<ConnectionKey, ConnectionRow>(rows.Length);
            foreach (var row in rows)
            {
                byKey[row.Key] = row;
            }

            arranged = new(rows.Length);
            foreach (var key in _places)
            {
                if (byKey.Remove(key, out var row))
                {
                    arranged.Add(row);
                }
            }

            if (byKey.Count > 0)
            {
                arranged.AddRange(sort.Apply(rows.Where(r => byKey.Remove(r.Key))));
            }
        }

        // Rates come with the second reading: until then there is no order to keep.
        _places = _places is null && arranged.TrueForAll(r => sort.Column.Value(r) is null) ? null : arranged.ConvertAll(r => r.Key);
        return arranged;
    }
}
