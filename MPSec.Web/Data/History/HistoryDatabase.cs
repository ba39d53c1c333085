using Microsoft.Data.Sqlite;

namespace MPSec.Data.History;

/// <summary>
/// One connection to <c>history.db</c> with its prepared commands. WAL and <c>synchronous=NORMAL</c>: a killed process loses nothing committed, a power cut at
/// most the last commits (sqlite.org/pragma.html).
/// </summary>
internal sealed class HistoryDatabase : IDisposable
{
    public const int Version = 2;
    public const int Full = 13;
    public const int InputOutput = 10;
    private const int PageBytes = 4096;

    private const string Schema = """
        CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, scope TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (scope, name));
        CREATE TABLE IF NOT EXISTS pending (id INTEGER PRIMARY KEY, scope TEXT NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL);
        CREATE TABLE IF NOT EXISTS raw (id INTEGER PRIMARY KEY, tier INTEGER NOT NULL, series INTEGER NOT NULL, start INTEGER NOT NULL, seq INTEGER NOT NULL, data BLOB NOT NULL, UNIQUE (tier, series, start));
        CREATE INDEX IF NOT EXISTS raw_seq ON raw (tier, seq);
        CREATE TABLE IF NOT EXISTS roll (id INTEGER PRIMARY KEY, tier INTEGER NOT NULL, series INTEGER NOT NULL, start INTEGER NOT NULL, seq INTEGER NOT NULL, data BLOB NOT NULL, UNIQUE (tier, series, start));
        CREATE INDEX IF NOT EXISTS roll_seq ON roll (tier, seq);
        CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY AUTOINCREMENT, seq INTEGER NOT NULL, scope TEXT NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, token INTEGER, interface TEXT, local TEXT, remote TEXT,
            address INTEGER, backup INTEGER, error INTEGER, reason INTEGER, count INTEGER, sent INTEGER, received INTEGER, lasted INTEGER);
        CREATE INDEX IF NOT EXISTS event_scope ON event (scope, id);
        CREATE INDEX IF NOT EXISTS event_token ON event (token, id) WHERE token IS NOT NULL;
        CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        """;

    // Version 2: what a connection had carried when it ended.
    private const string FromVersion1 = "ALTER TABLE event ADD COLUMN sent INTEGER; ALTER TABLE event ADD COLUMN received INTEGER; ALTER TABLE event ADD COLUMN lasted INTEGER";

    private readonly SqliteConnection _connection;
    private readonly Dictionary<string, SqliteCommand> _commands = new(StringComparer.Ordinal);

    private HistoryDatabase(SqliteConnection connection) => _connection = connection;

    /// <summary>Opens the file, checks every page and makes what is missing.</summary>
    /// <exception cref="HistoryDamageException">The file is damaged.</exception>
    /// <exception cref="HistoryUnavailableException">The file was written by a newer version.</exception>
    /// <exception cref="SqliteException">It cannot be opened now.</exception>
    public static HistoryDatabase OpenWriter(string file, int mostMiB)
    {
        var database = Open(file);
        try
        {
            var version = database.Number("PRAGMA user_version");
            if (version > Version)
            {
                throw new HistoryUnavailableException($"{file} was written by a newer version of MPSec; start that version, or move the file away");
            }

            if (database.Text("PRAGMA quick_check(1)") is var check and not "ok")
            {
                throw new HistoryDamageException($"the check of its pages found: {check}");
            }

            database.Run("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=256; PRAGMA journal_size_limit=4194304");
            database.Limit(mostMiB);
            if (version < Version)
            {
                database.Run("BEGIN IMMEDIATE");
                database.Run(version == 0 ? Schema : FromVersion1);
                database.Run($"PRAGMA user_version={Version}");
                database.Run("COMMIT");
            }

            return database;
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>The file may grow to this size; one that is larger already does not shrink by it.</summary>
    public void Limit(int mostMiB) => Run($"PRAGMA max_page_count={mostMiB * 256L}");

    /// <summary>Opens the file for reading only; the writer made it.</summary>
    public static HistoryDatabase OpenReader(string file)
    {
        var database = Open(file);
        database.Run("PRAGMA query_only=1; PRAGMA mmap_size=0");
        return database;
    }

    /// <summary>Whether this says that the file does not hold what was written. All statements are ours, so one that SQLite does not understand means a damaged schema.</summary>
    public static bool IsDamage(Exception e) => e is HistoryDamageException or InvalidCastException
        or SqliteException { SqliteErrorCode: 1 or 11 or 17 or 18 or 19 or 20 or 24 or 26 } or SqliteException { SqliteExtendedErrorCode: 522 };

    /// <summary>A prepared command; its parameters are $1, $2 ….</summary>
    public SqliteCommand Command(string sql, params ReadOnlySpan<object?> values)
    {
        if (!_commands.TryGetValue(sql, out var command))
        {
            command = _connection.CreateCommand();
            command.CommandText = sql;
            for (var i = 0; i < values.Length; i++)
            {
                command.Parameters.Add(new SqliteParameter { ParameterName = "$" + (i + 1).ToString(System.Globalization.CultureInfo.InvariantCulture) });
            }

            command.Prepare();
            _commands[sql] = command;
        }

        for (var i = 0; i < values.Length; i++)
        {
            command.Parameters[i].Value = values[i] ?? DBNull.Value;
        }

        return command;
    }

    public int Execute(string sql, params ReadOnlySpan<object?> values) => Command(sql, values).ExecuteNonQuery();

    public object? Scalar(string sql, params ReadOnlySpan<object?> values) => Command(sql, values).ExecuteScalar() is var value and not DBNull ? value : null;

    /// <summary>Runs a statement that is not kept.</summary>
    public void Run(string sql)
    {
        using var command = _connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    public long Number(string sql) => (long)Once(sql)!;

    /// <summary>Bytes of the pages that hold something.</summary>
    public long UsedBytes() => (Number("PRAGMA page_count") - Number("PRAGMA freelist_count")) * PageBytes;

    public void Dispose()
    {
        foreach (var command in _commands.Values)
        {
            command.Dispose();
        }

        _connection.Dispose();
    }

    private static HistoryDatabase Open(string file)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Pooling = false, DefaultTimeout = 1 }.ConnectionString);
        try
        {
            connection.Open();
            return new(connection);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private string Text(string sql) => (string)Once(sql)!;

    private object? Once(string sql)
    {
        using var command = _connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }
}
