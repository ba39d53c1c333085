using System.Diagnostics;
using System.Globalization;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using MPSec.Data;
using MPSec.Data.History;
using MPSec.Live;

namespace MPSec.Hosting.Bench;

/// <summary>Measures history against plain rows in SQLite: the same samples, written and read in alternating rounds on the same disk.</summary>
public sealed class HistoryBench(TimeProvider time)
{
    /// <summary>Samples a second, as a share of a bare batched loop.</summary>
    public const double IngestBar = 0.7;

    /// <summary>Bytes of the file for each sample, all tiers and indexes included.</summary>
    public const double BytesBar = 4;

    /// <summary>Longest median of a query of 30 days.</summary>
    public const double QueryBarMs = 5;

    /// <summary>How much faster than a GROUP BY over plain rows.</summary>
    public const double QueryRatioBar = 5;

    private const int Series = 50;
    private const int Seconds = 3600;
    private const int LongSeries = 8;
    private const int Days = 30;
    private const int RowsPerCommit = 2000;
    private const int QueriesPerRound = 5;
    private const int Buckets = 1000;
    private static readonly long s_begin = HistoryTier.Coarsest.ChunkOf(1_760_000_000);

    /// <summary>Runs the bench in a folder of its own, which is removed.</summary>
    /// <param name="rounds">Alternating rounds.</param>
    /// <param name="progress">One sentence per step.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<HistoryReport> RunAsync(int rounds, Action<string> progress, CancellationToken cancellationToken)
    {
        var root = Directory.CreateTempSubdirectory("mpsec-bench-history-").FullName;
        try
        {
            progress($"writing {Days} days of {LongSeries} series in points of one minute, twice");
            var minutes = Make(LongSeries, Days * 1440, 1);
            await using var store = await OpenAsync(Path.Combine(root, "long"));
            await WriteAsync(store, minutes, 60, cancellationToken);
            var plain = Path.Combine(root, "long.db");
            WritePlain(plain, minutes, 60);
            var (loads, own, plainIngest, ownBytes, plainBytes, ownQuery, plainQuery) = (new List<double>(), new List<double>(), new List<double>(), new List<double>(), new List<double>(), new List<double>(), new List<double>());
            for (var round = 1; round <= rounds; round++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                loads.Add(double.Parse((await File.ReadAllTextAsync("/proc/loadavg", cancellationToken)).Split(' ')[0], CultureInfo.InvariantCulture));
                var samples = Make(Series, Seconds, round);
                var folder = Path.Combine(root, "round" + round.ToString(CultureInfo.InvariantCulture));
                var watch = Stopwatch.StartNew();
                await using (var fresh = await OpenAsync(folder))
                {
                    watch.Restart();
                    await WriteAsync(fresh, samples, 1, cancellationToken);
                    own.Add(Series * Seconds / watch.Elapsed.TotalSeconds);
                }

                ownBytes.Add((double)Checkpointed(new StateFolder(folder).HistoryDatabase) / (Series * Seconds));
                var rows = Path.Combine(root, "rows.db");
                watch.Restart();
                WritePlain(rows, samples, 1);
                plainIngest.Add(Series * Seconds / watch.Elapsed.TotalSeconds);
                plainBytes.Add((double)Checkpointed(rows) / (Series * Seconds));
                File.Delete(rows);
                Directory.Delete(folder, recursive: true);
                for (var query = 0; query < QueriesPerRound; query++)
                {
                    var series = ((round * QueriesPerRound) + query) % LongSeries;
                    watch.Restart();
                    var range = store.Range("bench", "s" + series.ToString(CultureInfo.InvariantCulture), DateTimeOffset.FromUnixTimeSeconds(s_begin), DateTimeOffset.FromUnixTimeSeconds(s_begin + (Days * 86400)), Buckets);
                    ownQuery.Add(watch.Elapsed.TotalMilliseconds);
                    if (range is not { IsEmpty: false })
                    {
                        throw new IOException("the query found nothing");
                    }

                    plainQuery.Add(QueryPlain(plain, series));
                }

                progress(string.Create(CultureInfo.InvariantCulture, $"round {round}: load {loads[^1]:0.0}, ingest {own[^1] / plainIngest[^1]:0.00}, {ownBytes[^1]:0.00} bytes, query {ownQuery[^1]:0.00} ms against {plainQuery[^1]:0.0}"));
            }

            var sorted = ownQuery.Order().ToArray();
            return new()
            {
                Samples = Series * Seconds,
                Series = Series,
                Days = Days,
                Loads = loads,
                OwnPerSecond = Median(own),
                PlainPerSecond = Median(plainIngest),
                IngestRatio = Median(own.Zip(plainIngest, (a, b) => a / b)),
                OwnBytes = Median(ownBytes),
                PlainBytes = Median(plainBytes),
                OwnQueryMs = Median(ownQuery),
                OwnQueryP95Ms = sorted[(int)(sorted.Length * 0.95)],
                PlainQueryMs = Median(plainQuery),
            };
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    private static double Median(IEnumerable<double> values) => values.Order().ToArray() is var sorted ? sorted[sorted.Length / 2] : 0;

    /// <summary>Figures as a gateway has them: a third idle, a third rates that wander by a few percent, a sixth round-trip times, a sixth rare counts.</summary>
    private static double[][] Make(int series, int points, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, series).Select(s =>
        {
            var level = 1e6 * (1 + random.Next(90));
            return Enumerable.Range(0, points).Select(_ => (s % 6) switch
            {
                0 or 1 => 0,
                2 or 3 => level = Math.Max(1000, level * (1 + ((random.NextDouble() - 0.5) * 0.1))),
                4 => 20 + (random.NextDouble() * 3),
                _ => random.Next(20) == 0 ? random.Next(10) : 0,
            }).ToArray();
        })];
    }

    private async Task<HistoryStore> OpenAsync(string folder)
    {
        Directory.CreateDirectory(folder);
        var store = new HistoryStore(new(folder), new() { SecondsForHours = 168, TenSecondsForHours = 168, MostWaiting = 100_000_000 }, time, NullLogger<HistoryStore>.Instance);
        await store.StartAsync(CancellationToken.None);
        store.Record("bench", DateTimeOffset.FromUnixTimeSeconds(s_begin - HistoryTier.Period), One("warm", 1));
        await store.FlushAsync();
        return store;
    }

    private static SeriesSet One(string name, double value)
    {
        var set = new SeriesSet();
        set.Add(name, value);
        return set;
    }

    private static async Task WriteAsync(HistoryStore store, double[][] samples, int step, CancellationToken cancellationToken)
    {
        var names = Enumerable.Range(0, samples.Length).Select(i => "s" + i.ToString(CultureInfo.InvariantCulture)).ToArray();
        for (var point = 0; point < samples[0].Length; point++)
        {
            var set = new SeriesSet();
            for (var series = 0; series < samples.Length; series++)
            {
                set.Add(names[series], samples[series][point]);
            }

            store.Record("bench", DateTimeOffset.FromUnixTimeSeconds(s_begin + ((long)point * step)), set);
        }

        await store.FlushAsync(cancellationToken);
    }

    private static void WritePlain(string file, double[][] samples, int step)
    {
        using var connection = Open(file);
        Run(connection, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; CREATE TABLE sample (series INTEGER NOT NULL, at INTEGER NOT NULL, value REAL NOT NULL, PRIMARY KEY (series, at)) WITHOUT ROWID");
        using var insert = connection.CreateCommand();
        insert.CommandText = "INSERT INTO sample VALUES ($1, $2, $3)";
        var (series, at, value) = (insert.Parameters.Add("$1", SqliteType.Integer), insert.Parameters.Add("$2", SqliteType.Integer), insert.Parameters.Add("$3", SqliteType.Real));
        insert.Prepare();
        Run(connection, "BEGIN");
        var rows = 0;
        for (var point = 0; point < samples[0].Length; point++)
        {
            for (var s = 0; s < samples.Length; s++)
            {
                (series.Value, at.Value, value.Value) = (s, s_begin + ((long)point * step), samples[s][point]);
                insert.ExecuteNonQuery();
                if (++rows % RowsPerCommit == 0)
                {
                    Run(connection, "COMMIT");
                    Run(connection, "BEGIN");
                }
            }
        }

        Run(connection, "COMMIT");
    }

    private static double QueryPlain(string file, int series)
    {
        using var connection = Open(file);
        using var command = connection.CreateCommand();
        command.CommandText = $"SELECT at / {Days * 86400 / Buckets}, MIN(value), AVG(value), MAX(value), COUNT(*) FROM sample WHERE series = $1 AND at >= $2 AND at < $3 GROUP BY 1";
        command.Parameters.AddWithValue("$1", series);
        command.Parameters.AddWithValue("$2", s_begin);
        command.Parameters.AddWithValue("$3", s_begin + (Days * 86400));
        command.Prepare();
        var watch = Stopwatch.StartNew();
        using var reader = command.ExecuteReader();
        var sum = 0.0;
        while (reader.Read())
        {
            sum += reader.GetDouble(1) + reader.GetDouble(2) + reader.GetDouble(3);
        }

        return double.IsFinite(sum) ? watch.Elapsed.TotalMilliseconds : 0;
    }

    private static long Checkpointed(string file)
    {
        using (var connection = Open(file))
        {
            Run(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
        }

        return new FileInfo(file).Length;
    }

    private static SqliteConnection Open(string file)
    {
        var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        return connection;
    }

    private static void Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}

/// <summary>What the bench of history found; medians over the rounds.</summary>
public sealed record HistoryReport
{
    /// <summary>Samples per round.</summary>
    public required int Samples { get; init; }

    /// <summary>Series per round.</summary>
    public required int Series { get; init; }

    /// <summary>Days that a query covers.</summary>
    public required int Days { get; init; }

    /// <summary>Load average before each round.</summary>
    public required IReadOnlyList<double> Loads { get; init; }

    /// <summary>Samples a second that history stored, from recording to the commit.</summary>
    public required double OwnPerSecond { get; init; }

    /// <summary>Rows a second of the bare loop.</summary>
    public required double PlainPerSecond { get; init; }

    /// <summary>Median of the ratios of the rounds.</summary>
    public required double IngestRatio { get; init; }

    /// <summary>Bytes of the file per sample, after a checkpoint.</summary>
    public required double OwnBytes { get; init; }

    /// <summary>The same of the plain rows.</summary>
    public required double PlainBytes { get; init; }

    /// <summary>Milliseconds of one query.</summary>
    public required double OwnQueryMs { get; init; }

    /// <summary>95th percentile of the same.</summary>
    public required double OwnQueryP95Ms { get; init; }

    /// <summary>Milliseconds of the GROUP BY.</summary>
    public required double PlainQueryMs { get; init; }

    /// <summary>How much faster.</summary>
    public double QueryRatio => PlainQueryMs / OwnQueryMs;

    /// <summary>The bar of ingest.</summary>
    public bool IngestHolds => IngestRatio >= HistoryBench.IngestBar;

    /// <summary>The bar of size.</summary>
    public bool SizeHolds => OwnBytes <= HistoryBench.BytesBar;

    /// <summary>The bars of the query.</summary>
    public bool QueryHolds => OwnQueryMs <= HistoryBench.QueryBarMs && QueryRatio >= HistoryBench.QueryRatioBar;

    /// <summary>All bars.</summary>
    public bool Passed => IngestHolds && SizeHolds && QueryHolds;
}
