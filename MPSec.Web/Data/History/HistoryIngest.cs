using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace MPSec.Data.History;

/// <summary>
/// Turns what comes in into rows. The open five minutes are a journal of small rows; when a figure of another five minutes comes, they become one piece
/// per series and tier, and the journal is emptied in the same transaction.
/// </summary>
/// <remarks>One thread. After a transaction that failed the object is thrown away and made anew from the database.</remarks>
internal sealed class HistoryIngest
{
    // Two sources are never read at the very same time: what comes just after the border still belongs to the period before it.
    private const int BorderSeconds = 2;

    private readonly HistoryDatabase _database;
    private readonly Dictionary<string, Dictionary<string, int>> _series = new(StringComparer.Ordinal);
    private readonly Dictionary<int, List<HistoryPoint>> _open = [];
    private long? _period;
    private long _sequence;

    /// <summary>How much is kept.</summary>
    public HistorySettings Settings { get; set; }

    public HistoryIngest(HistoryDatabase database, HistorySettings settings)
    {
        (_database, Settings) = (database, settings);
        using (var reader = database.Command("SELECT id, scope, name FROM series").ExecuteReader())
        {
            while (reader.Read())
            {
                OfScope(reader.GetString(1))[reader.GetString(2)] = reader.GetInt32(0);
                SeriesCount++;
            }
        }

        _sequence = database.Scalar("SELECT value FROM state WHERE name = 'periods'") as long? ?? 0;
        using var pending = database.Command("SELECT at, data FROM pending ORDER BY id").ExecuteReader();
        while (pending.Read())
        {
            var second = HistoryTier.Floor(pending.GetInt64(0), 1000);
            _period ??= PeriodOf(second);
            var (ids, codes) = HistoryJournal.Split(pending.GetFieldValue<byte[]>(1));
            for (var i = 0; i < ids.Length; i++)
            {
                Add(ids[i], second, codes[i]);
            }
        }
    }

    /// <summary>Series known.</summary>
    public int SeriesCount { get; private set; }

    /// <summary>Stores the figures of one source at one time.</summary>
    /// <param name="scope">The source.</param>
    /// <param name="at">Unix milliseconds.</param>
    /// <param name="values">Figures by series.</param>
    public void Take(string scope, long at, IReadOnlyList<KeyValuePair<string, double>> values)
    {
        var second = HistoryTier.Floor(at, 1000);
        var period = PeriodOf(second);
        if (_period is { } open && period != open)
        {
            if (second < open && open - second <= BorderSeconds)
            {
                (period, second, at) = (open, open, open * 1000);
            }
            else
            {
                Close();
            }
        }

        _period = period;
        var names = OfScope(scope);
        var ids = new int[values.Count];
        var codes = new int[values.Count];
        for (var i = 0; i < ids.Length; i++)
        {
            ids[i] = names.TryGetValue(values[i].Key, out var id) ? id : NewSeries(names, scope, values[i].Key);
            codes[i] = HistoryValue.Encode(values[i].Value);
        }

        HistoryJournal.Sort(ids, codes);
        for (var i = 0; i < ids.Length; i++)
        {
            Add(ids[i], second, codes[i]);
        }

        _database.Execute("INSERT INTO pending (scope, at, data) VALUES ($1, $2, $3)", scope, at, HistoryJournal.Join(ids, codes));
    }

    /// <summary>Stores an event.</summary>
    public void Take(HistoryEvent e) => _database.Execute(
        "INSERT INTO event (seq, scope, at, kind, token, interface, local, remote, address, backup, error, reason, count, sent, received, lasted) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        _sequence, e.Scope, e.At.ToUnixTimeMilliseconds(), e.Kind, (long?)e.Token, e.Interface, e.Local, e.Remote, e.AddressId, e.Backup, e.Error, e.ResetReason, e.Count,
        e.BytesSent, e.BytesReceived, (long?)e.Lasted?.TotalMilliseconds);

    /// <summary>Writes the open period as pieces of all tiers, and removes what is too old or too much.</summary>
    public void Close()
    {
        _sequence++;
        foreach (var (series, points) in _open)
        {
            var raw = HistoryPoint.Merge(points);
            foreach (var tier in HistoryTier.All)
            {
                foreach (var piece in raw.GroupBy(p => tier.ChunkOf(p.Slot)))
                {
                    Write(tier, series, piece.Key, piece.Select(p => p with { Slot = (p.Slot - piece.Key) / tier.Step }));
                }
            }
        }

        _open.Clear();
        _period = null;
        _database.Execute("DELETE FROM pending");
        _database.Execute("INSERT INTO state (name, value) VALUES ('periods', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value", _sequence);
        Prune();
    }

    /// <summary>Gives up the older half of the finest points that are left. False when only events are left.</summary>
    public static bool MakeRoom(HistoryDatabase database)
    {
        foreach (var tier in HistoryTier.All)
        {
            if (database.Scalar($"SELECT (MIN(seq) + MAX(seq)) / 2 FROM {TableOf(tier)} WHERE tier = $1", tier.Number) is long middle)
            {
                return database.Execute($"DELETE FROM {TableOf(tier)} WHERE tier = $1 AND seq <= $2", tier.Number, middle) > 0;
            }
        }

        return false;
    }

    internal static string TableOf(HistoryTier tier) => tier.Number == 0 ? "raw" : "roll";

    private static long PeriodOf(long second) => HistoryTier.Floor(second, HistoryTier.Period) * HistoryTier.Period;

    private void Write(HistoryTier tier, int series, long start, IEnumerable<HistoryPoint> points)
    {
        var table = TableOf(tier);
        if (_database.Scalar($"SELECT data FROM {table} WHERE tier = $1 AND series = $2 AND start = $3", tier.Number, series, start) is byte[] before)
        {
            points = ChunkCodec.Decode(before).Concat(points);
        }

        _database.Execute(
            $"INSERT INTO {table} (tier, series, start, seq, data) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tier, series, start) DO UPDATE SET seq = excluded.seq, data = excluded.data",
            tier.Number, series, start, _sequence, ChunkCodec.Encode(HistoryPoint.Merge(points)));
    }

    private void Prune()
    {
        foreach (var tier in HistoryTier.All)
        {
            _database.Execute($"DELETE FROM {TableOf(tier)} WHERE tier = $1 AND seq <= $2", tier.Number, _sequence - Settings.PeriodsOf(tier));
        }

        _database.Execute("DELETE FROM event WHERE id <= (SELECT MAX(id) FROM event) - $1", Settings.MostEvents);
        _database.Execute("DELETE FROM event WHERE seq <= $1", _sequence - (Settings.EventsForDays * 288L));

        // Nine tenths: the next period must find room before it is closed.
        for (var attempt = 0; attempt < 8 && _database.UsedBytes() > Settings.MostMiB * 1024L * 1024 / 10 * 9 && MakeRoom(_database); attempt++)
        {
        }
    }

    private void Add(int series, long second, int code)
    {
        ref var points = ref CollectionsMarshal.GetValueRefOrAddDefault(_open, series, out _);
        points ??= new(HistoryTier.Period);
        var value = HistoryValue.Decode(code);
        var point = new HistoryPoint(second, value, value, value, 1);
        if (points.Count > 0 && points[^1].Slot == second)
        {
            points[^1] = points[^1].With(point);
        }
        else
        {
            points.Add(point);
        }
    }

    private Dictionary<string, int> OfScope(string scope)
    {
        ref var names = ref CollectionsMarshal.GetValueRefOrAddDefault(_series, scope, out _);
        return names ??= new(StringComparer.Ordinal);
    }

    private int NewSeries(Dictionary<string, int> names, string scope, string name)
    {
        var id = (int)(long)_database.Scalar("INSERT INTO series (scope, name) VALUES ($1, $2) RETURNING id", scope, name)!;
        names[name] = id;
        SeriesCount++;
        return id;
    }
}

/// <summary>A row of the journal: numbers of series in order, then their values; both as little-endian whole numbers of four bytes.</summary>
internal static class HistoryJournal
{
    public static void Sort(int[] ids, int[] codes)
    {
        for (var i = 1; i < ids.Length; i++)
        {
            if (ids[i] < ids[i - 1])
            {
                Array.Sort(ids, codes);
                return;
            }
        }
    }

    public static byte[] Join(ReadOnlySpan<int> ids, ReadOnlySpan<int> codes)
    {
        var bytes = new byte[ids.Length * 8];
        for (var i = 0; i < ids.Length; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(i * 4), ids[i]);
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan((ids.Length + i) * 4), codes[i]);
        }

        return bytes;
    }

    public static (int[] Ids, int[] Codes) Split(ReadOnlySpan<byte> bytes)
    {
        Check(bytes);
        var ids = new int[bytes.Length / 8];
        var codes = new int[ids.Length];
        for (var i = 0; i < ids.Length; i++)
        {
            ids[i] = BinaryPrimitives.ReadInt32LittleEndian(bytes[(i * 4)..]);
            codes[i] = BinaryPrimitives.ReadInt32LittleEndian(bytes[((ids.Length + i) * 4)..]);
        }

        return (ids, codes);
    }

    /// <summary>The value of one series, without taking the row apart; null when it is not in it.</summary>
    public static int? Find(ReadOnlySpan<byte> bytes, int id)
    {
        Check(bytes);
        var (low, high) = (0, (bytes.Length / 8) - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var there = BinaryPrimitives.ReadInt32LittleEndian(bytes[(middle * 4)..]);
            if (there == id)
            {
                return BinaryPrimitives.ReadInt32LittleEndian(bytes[((bytes.Length / 2) + (middle * 4))..]);
            }

            (low, high) = there < id ? (middle + 1, high) : (low, middle - 1);
        }

        return null;
    }

    private static void Check(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length % 8 != 0)
        {
            throw new HistoryDamageException("a row of the journal has a wrong length");
        }
    }
}
