using System.Buffers.Binary;

namespace MPSec.Components.Charts;

/// <summary>
/// The newest rows of a streaming chart: one time and one value per series. One writer; any number of charts listen. NaN is a gap.
/// </summary>
public sealed class ChartRing
{
    private readonly Lock _lock = new();
    private readonly double[] _cells;
    private readonly int _width;
    private readonly int _capacity;
    private int _next;
    private int _count;

    /// <summary>Makes an empty ring.</summary>
    /// <param name="series">Values per row, 1 to 64.</param>
    /// <param name="capacity">Rows kept, 2 to 100,000; a minute at 10 Hz has 600.</param>
    public ChartRing(int series, int capacity = 600)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(series, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(series, 64);
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(capacity, 100_000);
        Series = series;
        _width = series + 1;
        _capacity = capacity;
        _cells = new double[_width * capacity];
    }

    /// <summary>Raised on the writer's thread after a row was added.</summary>
    public event Action? Changed;

    /// <summary>Values per row.</summary>
    public int Series { get; }

    /// <summary>Time of the newest row; null when there is none.</summary>
    public DateTimeOffset? NewestAt
    {
        get
        {
            lock (_lock)
            {
                return _count == 0 ? null : DateTimeOffset.UnixEpoch.AddSeconds(_cells[((_next - 1 + _capacity) % _capacity) * _width]);
            }
        }
    }

    /// <summary>Adds a row; one that is not newer than the newest is left out, so that history and live rows may overlap.</summary>
    /// <param name="at">Wall-clock time.</param>
    /// <param name="values">One value per series; NaN for a gap.</param>
    public void Add(DateTimeOffset at, params ReadOnlySpan<double> values)
    {
        if (values.Length != Series)
        {
            throw new ArgumentException($"The row has {values.Length} values, the ring has {Series} series", nameof(values));
        }

        var seconds = (at - DateTimeOffset.UnixEpoch).TotalSeconds;
        lock (_lock)
        {
            if (_count > 0 && seconds <= _cells[((_next - 1 + _capacity) % _capacity) * _width])
            {
                return;
            }

            var row = _cells.AsSpan(_next * _width, _width);
            row[0] = seconds;
            values.CopyTo(row[1..]);
            _next = (_next + 1) % _capacity;
            _count = Math.Min(_count + 1, _capacity);
        }

        Changed?.Invoke();
    }

    /// <summary>The rows newer than <paramref name="after"/> (Unix seconds), oldest first, packed as little-endian doubles: time, values, time, values …</summary>
    public byte[] Pack(double after, out double newest)
    {
        lock (_lock)
        {
            var first = _count;
            while (first > 0 && Cell(first - 1, 0) > after)
            {
                first--;
            }

            newest = _count == 0 ? after : Math.Max(after, Cell(_count - 1, 0));
            var bytes = new byte[(_count - first) * _width * sizeof(double)];
            var position = 0;
            for (var row = first; row < _count; row++)
            {
                for (var column = 0; column < _width; column++, position += sizeof(double))
                {
                    BinaryPrimitives.WriteDoubleLittleEndian(bytes.AsSpan(position), Cell(row, column));
                }
            }

            return bytes;
        }
    }

    /// <summary>The rows of the last <paramref name="window"/>, newest first: what the table beside a chart shows.</summary>
    public IReadOnlyList<ChartRow> Newest(TimeSpan window)
    {
        lock (_lock)
        {
            var rows = new List<ChartRow>();
            for (var row = _count - 1; row >= 0 && Cell(row, 0) >= Cell(_count - 1, 0) - window.TotalSeconds; row--)
            {
                var values = new double[Series];
                _cells.AsSpan(Index(row) + 1, Series).CopyTo(values);
                rows.Add(new(DateTimeOffset.UnixEpoch.AddSeconds(Cell(row, 0)), values));
            }

            return rows;
        }
    }

    private int Index(int row) => (_next - _count + row + _capacity) % _capacity * _width;

    private double Cell(int row, int column) => _cells[Index(row) + column];
}

/// <summary>A row of a chart as a table shows it.</summary>
/// <param name="At">Wall-clock time.</param>
/// <param name="Values">One value per series; NaN for a gap.</param>
public sealed record ChartRow(DateTimeOffset At, IReadOnlyList<double> Values);
