using System.Buffers.Binary;

namespace MPSec.Data.History;

/// <summary>
/// A piece of a series as bytes: check sum (4, FNV-1a), number of points, then the columns slot, count, mean, mean - min and max - mean. Columns are
/// differences as zigzag varints, where a zero is followed by how often it repeats: what does not change costs nothing.
/// </summary>
internal static class ChunkCodec
{
    private const int MostPoints = 100_000;

    public static byte[] Encode(IReadOnlyList<HistoryPoint> points)
    {
        var writer = new ColumnWriter((points.Count * 4) + 32);
        writer.Raw((ulong)points.Count);
        long before = 0, step = 0;
        foreach (var p in points)
        {
            // Steps are nearly always the same: the difference of differences is zero.
            writer.Add(p.Slot - before - step);
            (step, before) = (p.Slot - before, p.Slot);
        }

        writer.EndColumn();
        Differences(writer, points, static p => p.Count);
        Differences(writer, points, static p => HistoryValue.Encode(p.Mean));
        foreach (var p in points)
        {
            writer.Add(HistoryValue.Encode(p.Mean) - HistoryValue.Encode(p.Min));
        }

        writer.EndColumn();
        foreach (var p in points)
        {
            writer.Add(HistoryValue.Encode(p.Max) - HistoryValue.Encode(p.Mean));
        }

        writer.EndColumn();
        return writer.Finish();
    }

    /// <exception cref="HistoryDamageException">The bytes are not what was written.</exception>
    public static HistoryPoint[] Decode(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 5 || BinaryPrimitives.ReadUInt32LittleEndian(bytes) != Sum(bytes[4..]))
        {
            throw new HistoryDamageException("the check sum of a stored piece is wrong");
        }

        var reader = new ColumnReader(bytes[4..]);
        var count = reader.Raw();
        if (count > MostPoints)
        {
            throw new HistoryDamageException("a stored piece claims too many points");
        }

        var points = new HistoryPoint[count];
        var slots = new long[count];
        long before = 0, step = 0;
        for (var i = 0; i < slots.Length; i++)
        {
            step += reader.Next();
            before += step;
            slots[i] = before;
        }

        reader.EndColumn();
        var counts = new long[count];
        before = 0;
        for (var i = 0; i < counts.Length; i++)
        {
            before += reader.Next();
            counts[i] = before;
        }

        reader.EndColumn();
        var means = new int[count];
        before = 0;
        for (var i = 0; i < means.Length; i++)
        {
            before += reader.Next();
            means[i] = (int)before;
        }

        reader.EndColumn();
        for (var i = 0; i < points.Length; i++)
        {
            var mean = HistoryValue.Decode(means[i]);
            var low = reader.Next();
            points[i] = new(slots[i], low == 0 ? mean : HistoryValue.Decode((int)(means[i] - low)), mean, mean, counts[i]);
        }

        reader.EndColumn();
        for (var i = 0; i < points.Length; i++)
        {
            if (reader.Next() is var high and not 0)
            {
                points[i] = points[i] with { Max = HistoryValue.Decode((int)(means[i] + high)) };
            }
        }

        return points;
    }

    internal static uint Sum(ReadOnlySpan<byte> bytes)
    {
        var sum = 2166136261u;
        foreach (var b in bytes)
        {
            sum = (sum ^ b) * 16777619u;
        }

        return sum;
    }

    private static void Differences(ColumnWriter writer, IReadOnlyList<HistoryPoint> points, Func<HistoryPoint, long> column)
    {
        var before = 0L;
        foreach (var p in points)
        {
            var now = column(p);
            writer.Add(now - before);
            before = now;
        }

        writer.EndColumn();
    }

    private sealed class ColumnWriter(int capacity)
    {
        private byte[] _bytes = new byte[capacity];
        private int _length = 4;
        private ulong _zeros;

        public void Raw(ulong value)
        {
            if (_length + 10 > _bytes.Length)
            {
                Array.Resize(ref _bytes, _bytes.Length * 2);
            }

            while (value > 0x7F)
            {
                _bytes[_length++] = (byte)(value | 0x80);
                value >>= 7;
            }

            _bytes[_length++] = (byte)value;
        }

        public void Add(long difference)
        {
            if (difference == 0)
            {
                _zeros++;
                return;
            }

            EndColumn();
            Raw((ulong)((difference << 1) ^ (difference >> 63)));
        }

        public void EndColumn()
        {
            if (_zeros > 0)
            {
                Raw(0);
                Raw(_zeros);
                _zeros = 0;
            }
        }

        public byte[] Finish()
        {
            var bytes = _bytes.AsSpan(0, _length).ToArray();
            BinaryPrimitives.WriteUInt32LittleEndian(bytes, Sum(bytes.AsSpan(4)));
            return bytes;
        }
    }

    private ref struct ColumnReader(ReadOnlySpan<byte> bytes)
    {
        private readonly ReadOnlySpan<byte> _bytes = bytes;
        private int _at;
        private ulong _zeros;

        public ulong Raw()
        {
            ulong value = 0;
            for (var shift = 0; shift < 64; shift += 7)
            {
                if (_at >= _bytes.Length)
                {
                    break;
                }

                var b = _bytes[_at++];
                value |= (ulong)(b & 0x7F) << shift;
                if ((b & 0x80) == 0)
                {
                    return value;
                }
            }

            throw new HistoryDamageException("a stored piece ends too early");
        }

        public long Next()
        {
            if (_zeros > 0)
            {
                _zeros--;
                return 0;
            }

            var value = Raw();
            if (value != 0)
            {
                return (long)(value >> 1) ^ -(long)(value & 1);
            }

            _zeros = Raw();
            if (_zeros == 0)
            {
                throw new HistoryDamageException("a stored piece holds an empty run");
            }

            _zeros--;
            return 0;
        }

        public readonly void EndColumn()
        {
            if (_zeros != 0)
            {
                throw new HistoryDamageException("a run of a stored piece is too long");
            }
        }
    }
}
