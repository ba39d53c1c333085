using System.Globalization;
using System.Text;
using Microsoft.Data.Sqlite;

namespace MPSec.Data.History;

/// <summary>Reads series and events over a connection of its own. One caller at a time.</summary>
internal sealed class HistoryReader(HistoryDatabase database)
{
    // Readings of one second are up to this far apart when nobody looks; a longer silence is a gap.
    private const int LongestPace = 15;

    /// <summary>The series of a scope by name.</summary>
    public List<HistorySeries> Series(string scope)
    {
        var series = new List<HistorySeries>();
        using var reader = database.Command("SELECT name FROM series WHERE scope = $1 ORDER BY name", scope).ExecuteReader();
        while (reader.Read())
        {
            series.Add(new(scope, reader.GetString(0)));
        }

        return series;
    }

    /// <summary>A series from one second to another in so many buckets; null when it is not known.</summary>
    public HistoryRange? Range(string scope, string name, long from, long to, int buckets)
    {
        // One transaction: between two statements the writer may turn the journal into pieces.
        database.Run("BEGIN");
        try
        {
            if (database.Scalar("SELECT id FROM series WHERE scope = $1 AND name = $2", scope, name) is not long series)
            {
                return null;
            }

            var width = Math.Max(1, (to - from + buckets - 1) / buckets);
            var (tier, oldest) = Tier(series, from, width);
            var points = Points(tier, series, scope, from, to);
            return Bucketed(name, points, from, to, Math.Max(width, tier.Number == 0 ? Pace(points) : tier.Step), tier, oldest);
        }
        finally
        {
            database.Run("COMMIT");
        }
    }

    /// <summary>Events, newest first.</summary>
    public List<HistoryEvent> Events(HistoryEventQuery query)
    {
        var sql = new StringBuilder("SELECT id, at, kind, token, interface, local, remote, address, backup, error, reason, count, sent, received, lasted FROM event WHERE scope = $1");
        var values = new List<object?> { query.Scope };
        if (query.Kinds.Count > 0)
        {
            sql.Append(" AND kind IN (").AppendJoin(", ", query.Kinds.Select(Next)).Append(')');
        }

        Add(query.Token, " AND token = ", v => (long)v);
        Add(query.From, " AND at >= ", v => v.ToUnixTimeMilliseconds());
        Add(query.To, " AND at < ", v => v.ToUnixTimeMilliseconds());
        Add(query.Before, " AND id < ", v => v);
        Add(query.After, " AND id > ", v => v);
        if (query.Interface is not null)
        {
            sql.Append(" AND interface = ").Append(Next(query.Interface));
        }

        if (!string.IsNullOrEmpty(query.Text))
        {
            var text = Next(query.Text);
            sql.Append(CultureInfo.InvariantCulture, $" AND (instr(lower(kind || ' ' || coalesce(interface, '') || ' ' || coalesce(local, '') || ' ' || coalesce(remote, '') || ' ' || printf('%08x', coalesce(token, 0))), lower({text})) > 0)");
        }

        sql.Append(" ORDER BY id DESC LIMIT ").Append(Next(query.Limit));
        var events = new List<HistoryEvent>();
        using var reader = database.Command(sql.ToString(), [.. values]).ExecuteReader();
        while (reader.Read())
        {
            events.Add(new()
            {
                Id = reader.GetInt64(0),
                Scope = query.Scope,
                At = DateTimeOffset.FromUnixTimeMilliseconds(reader.GetInt64(1)),
                Kind = reader.GetString(2),
                Token = reader.IsDBNull(3) ? null : (uint)reader.GetInt64(3),
                Interface = Text(reader, 4),
                Local = Text(reader, 5),
                Remote = Text(reader, 6),
                AddressId = Number(reader, 7),
                Backup = Number(reader, 8) is { } backup ? backup != 0 : null,
                Error = Number(reader, 9),
                ResetReason = Number(reader, 10),
                Count = Long(reader, 11),
                BytesSent = Long(reader, 12),
                BytesReceived = Long(reader, 13),
                Lasted = Long(reader, 14) is { } lasted ? TimeSpan.FromMilliseconds(lasted) : null,
            });
        }

        return events;

        string Next(object? value)
        {
            values.Add(value);
            return "$" + values.Count.ToString(CultureInfo.InvariantCulture);
        }

        void Add<T>(T? value, string term, Func<T, object> convert)
            where T : struct
        {
            if (value is { } v)
            {
                sql.Append(term).Append(Next(convert(v)));
            }
        }
    }

    private static string? Text(SqliteDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetString(column);

    private static int? Number(SqliteDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetInt32(column);

    private static long? Long(SqliteDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetInt64(column);

    // The coarsest tier that is fine enough; a coarser one when that reaches further back and the range needs it.
    private (HistoryTier Tier, long? Oldest) Tier(long series, long from, long width)
    {
        var tiers = HistoryTier.All;
        var oldest = tiers.Select(t => database.Scalar($"SELECT MIN(start) FROM {HistoryIngest.TableOf(t)} WHERE tier = $1 AND series = $2", t.Number, series) as long?).ToArray();
        var best = 0;
        for (var i = 1; i < tiers.Count; i++)
        {
            if (oldest[i] is { } mine && (tiers[i].Step <= width || (oldest[best] is { } finer && finer > from && First(tiers[i], mine) + tiers[i].Step <= First(tiers[best], finer))))
            {
                best = i;
            }
        }

        return (tiers[best], oldest.Min());

        // A piece begins on its grid, often long before its first point.
        long First(HistoryTier tier, long start) =>
            database.Scalar($"SELECT data FROM {HistoryIngest.TableOf(tier)} WHERE tier = $1 AND series = $2 AND start = $3", tier.Number, series, start) is byte[] data && ChunkCodec.Decode(data) is [var first, ..]
                ? start + (first.Slot * tier.Step)
                : start;
    }

    private List<HistoryPoint> Points(HistoryTier tier, long series, string scope, long from, long to)
    {
        var points = new List<HistoryPoint>();
        using (var pieces = database.Command(
            $"SELECT start, data FROM {HistoryIngest.TableOf(tier)} WHERE tier = $1 AND series = $2 AND start > $3 AND start < $4 ORDER BY start", tier.Number, series, from - tier.Chunk, to).ExecuteReader())
        {
            while (pieces.Read())
            {
                var start = pieces.GetInt64(0);
                foreach (var point in ChunkCodec.Decode(pieces.GetFieldValue<byte[]>(1)))
                {
                    points.Add(point with { Slot = start + (point.Slot * tier.Step) });
                }
            }
        }

        var sorted = points.Count;
        using var open = database.Command("SELECT at, data FROM pending WHERE scope = $1 AND at >= $2 AND at < $3 ORDER BY at", scope, from * 1000, to * 1000).ExecuteReader();
        while (open.Read())
        {
            if (HistoryJournal.Find(open.GetFieldValue<byte[]>(1), (int)series) is { } code)
            {
                var value = HistoryValue.Decode(code);
                points.Add(new(HistoryTier.Floor(open.GetInt64(0), 1000), value, value, value, 1));
            }
        }

        // After the clock was set back the journal may be older than the pieces.
        return sorted > 0 && points.Count > sorted && points[sorted].Slot < points[sorted - 1].Slot ? [.. points.OrderBy(p => p.Slot)] : points;
    }

    private static long Pace(List<HistoryPoint> points)
    {
        var pace = 1L;
        for (var i = 1; i < points.Count; i++)
        {
            if (points[i].Slot - points[i - 1].Slot is var distance and <= LongestPace)
            {
                pace = Math.Max(pace, distance);
            }
        }

        return pace;
    }

    private static HistoryRange Bucketed(string name, List<HistoryPoint> points, long from, long to, long width, HistoryTier tier, long? oldest)
    {
        // On the grid of the points: otherwise every so often a bucket would get none.
        width = (width + tier.Step - 1) / tier.Step * tier.Step;
        var begin = HistoryTier.Floor(from, width) * width;
        var buckets = new HistoryPoint?[Math.Max(1, (to - begin + width - 1) / width)];
        foreach (var point in points)
        {
            if (point.Slot < begin || point.Slot >= to)
            {
                continue;
            }

            var at = (point.Slot - begin) / width;
            buckets[at] = buckets[at] is { } there ? there.With(point) : point with { Slot = begin + (at * width) };
        }

        return new(name, DateTimeOffset.FromUnixTimeSeconds(begin), width, tier.Step, oldest is { } o ? DateTimeOffset.FromUnixTimeSeconds(o) : null, buckets);
    }
}
