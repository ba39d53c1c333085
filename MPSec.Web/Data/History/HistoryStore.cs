using Microsoft.Data.Sqlite;
using MPSec.Live;

namespace MPSec.Data.History;

/// <summary>
/// History of measured series and of events in a database of its own. One writer commits once a second; whoever records never waits. What was committed
/// outlives a killed process; a full, locked or damaged database ends neither the live view nor the program.
/// </summary>
public sealed partial class HistoryStore(StateFolder folder, HistorySettings settings, TimeProvider time, ILogger<HistoryStore> logger) : IHostedService, IAsyncDisposable
{
    private const int MostPerCommit = 200_000;
    private const int ReserveBytes = 512 * 1024;
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    private readonly ILogger _logger = logger;
    private HistorySettings _settings = HistorySettingsFile.Read(folder) ?? settings;
    private readonly Lock _queueLock = new();
    private readonly Lock _readLock = new();
    private readonly CancellationTokenSource _stop = new();
    private Queue<Item> _queue = new();
    private List<Item> _taken = [];
    private readonly List<(long Upto, TaskCompletionSource Done)> _waiters = [];
    private TaskCompletionSource _wake = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _run = Task.CompletedTask;
    private HistoryDatabase? _database;
    private HistoryIngest? _ingest;
    private HistoryDatabase? _readerDatabase;
    private HistoryStatus _status = new(HistoryState.Starting, time.GetUtcNow(), null);
    private volatile string? _damage;
    private long _queued;
    private long _waiting;
    private long _dropped;
    private long _stored;
    private int _disposed;

    /// <summary>Raised on the writer's thread after events of these scopes were stored.</summary>
    public event Action<IReadOnlySet<string>>? EventsStored;

    /// <summary>How it stands.</summary>
    public HistoryStatus Status
    {
        get
        {
            lock (_queueLock)
            {
                return Volatile.Read(ref _status) with { Waiting = _waiting, Dropped = _dropped, Stored = _stored };
            }
        }
    }

    /// <summary>How much is kept: what was set last, else what the configuration says.</summary>
    public HistorySettings Settings => Volatile.Read(ref _settings);

    /// <summary>Keeps so much from now on, also after a restart. What is too much goes with the next period of five minutes.</summary>
    /// <exception cref="ArgumentException">A value is out of its range; the message names it.</exception>
    /// <exception cref="IOException">The settings cannot be written; nothing changes.</exception>
    public async Task ApplyAsync(HistorySettings wanted, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(wanted);
        if (wanted.Faults().FirstOrDefault() is { } fault)
        {
            throw new ArgumentException(fault, nameof(wanted));
        }

        await HistorySettingsFile.WriteAsync(folder, wanted, cancellationToken);
        Volatile.Write(ref _settings, wanted);
        _wake.TrySetResult();
    }

    /// <summary>Keeps figures. Returns at once; they are stored within a second or so.</summary>
    /// <param name="scope">The gateway.</param>
    /// <param name="at">Wall-clock time of the figures.</param>
    /// <param name="set">The figures; not changed afterwards.</param>
    public void Record(string scope, DateTimeOffset at, SeriesSet set)
    {
        ArgumentNullException.ThrowIfNull(set);
        if (set.Values.Count > 0)
        {
            Enqueue(new(scope, at.ToUnixTimeMilliseconds(), set.Values, null));
        }
    }

    /// <summary>Keeps an event. Returns at once.</summary>
    public void Record(HistoryEvent happened)
    {
        ArgumentNullException.ThrowIfNull(happened);
        Enqueue(new(happened.Scope, happened.At.ToUnixTimeMilliseconds(), [], happened));
    }

    /// <summary>Ends when everything recorded before this call is committed (or was dropped because too much waited).</summary>
    public Task FlushAsync(CancellationToken cancellationToken = default)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_queueLock)
        {
            if (_queue.Count + _taken.Count == 0)
            {
                return Task.CompletedTask;
            }

            _waiters.Add((_queued, done));
        }

        _wake.TrySetResult();
        return done.Task.WaitAsync(cancellationToken);
    }

    /// <summary>The series of a gateway.</summary>
    /// <exception cref="HistoryUnavailableException">It cannot be read now.</exception>
    public IReadOnlyList<HistorySeries> Series(string scope) => Read(r => r.Series(scope));

    /// <summary>
    /// A series between two times in buckets with smallest, mean and largest value. Takes the coarsest stored step that is fine enough; what was not measured is a
    /// gap. Null when the series is not known.
    /// </summary>
    /// <param name="scope">The gateway.</param>
    /// <param name="name">The series.</param>
    /// <param name="from">Begin.</param>
    /// <param name="to">End, after the begin.</param>
    /// <param name="buckets">Buckets wanted, 1 to 5,000; fewer come when the points are further apart.</param>
    /// <exception cref="HistoryUnavailableException">It cannot be read now.</exception>
    public HistoryRange? Range(string scope, string name, DateTimeOffset from, DateTimeOffset to, int buckets)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(to, from);
        ArgumentOutOfRangeException.ThrowIfLessThan(buckets, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(buckets, 5000);
        var (first, last) = (from.ToUnixTimeSeconds(), to.AddMilliseconds(999).ToUnixTimeSeconds());
        return Read(r => r.Range(scope, name, first, Math.Max(last, first + 1), buckets));
    }

    /// <summary>Events, newest first.</summary>
    /// <exception cref="HistoryUnavailableException">It cannot be read now.</exception>
    public IReadOnlyList<HistoryEvent> Events(HistoryEventQuery query) => Read(r => r.Events(query));

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _run = Task.Run(RunAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        await _run;
        Close();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            await StopAsync(CancellationToken.None);
            _stop.Dispose();
        }
    }

    private void Enqueue(Item item)
    {
        lock (_queueLock)
        {
            _queue.Enqueue(item);
            _queued++;
            _waiting += item.Weight;
            while (_waiting > Settings.MostWaiting && _queue.Count > 1)
            {
                var lost = _queue.Dequeue();
                _waiting -= lost.Weight;
                _dropped += lost.Weight;
            }
        }
    }

    private async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            Work();
            Release();
            await Task.WhenAny(Task.Delay(s_interval, time, _stop.Token), _wake.Task);
            Interlocked.Exchange(ref _wake, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        Work(); // what was recorded until now
        Release();
    }

    /// <summary>One turn of the writer: opens what is not open, commits what waits.</summary>
    private void Work()
    {
        try
        {
            if (_damage is { } reason)
            {
                throw new HistoryDamageException(reason);
            }

            Open();
            while (Commit())
            {
            }

            RestoreReserve();
        }
        catch (Exception e) when (HistoryDatabase.IsDamage(e))
        {
            Quarantine(e.Message);
        }
        catch (SqliteException e) when (e.SqliteErrorCode == HistoryDatabase.Full || (e.SqliteErrorCode == HistoryDatabase.InputOutput && IsDiskFull()))
        {
            Rollback();
            Tell(HistoryState.DiskFull, $"history: no room in {folder.HistoryDatabase} (disk full or size cap reached); the finest points are given up first, live figures go on");
            MakeRoom();
        }
        catch (SqliteException e) when (e.SqliteErrorCode is 5 or 6)
        {
            Rollback();
            Tell(HistoryState.Locked, $"history: another process holds {folder.HistoryDatabase} locked; {Status.Waiting} figures wait, end that process (for example an open sqlite3 shell)");
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException or HistoryUnavailableException)
        {
            Close();
            Tell(HistoryState.Failed, $"history: {folder.HistoryDatabase} cannot be written: {e.Message}");
        }
    }

    private void Open()
    {
        if (_database is null)
        {
            _database = HistoryDatabase.OpenWriter(folder.HistoryDatabase, Settings.MostMiB);
            RestoreReserve();
        }

        _ingest ??= new(_database, Settings);
        Adopt();
    }

    private void Adopt()
    {
        if (_ingest!.Settings != Settings)
        {
            _database!.Limit(Settings.MostMiB);
            _ingest.Settings = Settings;
        }
    }

    /// <summary>Commits what waits, up to a limit; true when more waits.</summary>
    private bool Commit()
    {
        bool more;
        lock (_queueLock)
        {
            for (var weight = _taken.Sum(i => i.Weight); weight < MostPerCommit && _queue.TryDequeue(out var item); weight += item.Weight)
            {
                _taken.Add(item);
            }

            more = _queue.Count > 0;
        }

        Adopt(); // settings that were made before what is stored now

        if (_taken.Count > 0)
        {
            _database!.Run("BEGIN IMMEDIATE");
            foreach (var item in _taken)
            {
                if (item.Happened is { } happened)
                {
                    _ingest!.Take(happened);
                }
                else
                {
                    _ingest!.Take(item.Scope, item.At, item.Values);
                }
            }

            _database.Run("COMMIT");
            TellWriting(); // before those who wait are told, or find that nothing waits: they may read at once
            var scopes = _taken.Where(i => i.Happened is not null).Select(i => i.Scope).ToHashSet(StringComparer.Ordinal);
            lock (_queueLock)
            {
                var weight = _taken.Sum(i => i.Weight);
                _waiting -= weight;
                _stored += weight;
                _taken = [];
            }

            Release();
            if (scopes.Count > 0)
            {
                EventsStored?.Invoke(scopes);
            }
        }
        else
        {
            TellWriting();
        }

        return more;
    }

    // A full disk stays told until the reserve is back.
    private void TellWriting()
    {
        if (_status.State is not HistoryState.DiskFull)
        {
            Tell(HistoryState.Writing, null);
        }
    }

    // Tells those who wait for what is no longer waiting.
    private void Release()
    {
        List<TaskCompletionSource> done;
        lock (_queueLock)
        {
            var settled = _queued - _queue.Count - _taken.Count;
            done = [.. _waiters.Where(w => w.Upto <= settled).Select(w => w.Done)];
            _waiters.RemoveAll(w => w.Upto <= settled);
        }

        done.ForEach(d => d.TrySetResult());
    }

    private T Read<T>(Func<HistoryReader, T> read)
    {
        lock (_readLock)
        {
            try
            {
                if (Volatile.Read(ref _status) is { State: HistoryState.Starting or HistoryState.Failed } status)
                {
                    throw new HistoryUnavailableException(status.Reason ?? "history: the database is being opened; ask again");
                }

                _readerDatabase ??= HistoryDatabase.OpenReader(folder.HistoryDatabase);
                return read(new(_readerDatabase));
            }
            catch (Exception e) when (HistoryDatabase.IsDamage(e))
            {
                _damage = e.Message;
                _wake.TrySetResult();
                throw new HistoryUnavailableException($"history: {folder.HistoryDatabase} is damaged and is being put aside: {e.Message}", e);
            }
            catch (SqliteException e)
            {
                _readerDatabase?.Dispose();
                _readerDatabase = null;
                throw new HistoryUnavailableException($"history: {folder.HistoryDatabase} cannot be read now: {e.Message}", e);
            }
        }
    }

    /// <param name="Scope">The gateway.</param>
    /// <param name="At">Unix milliseconds.</param>
    /// <param name="Values">Figures, or nothing.</param>
    /// <param name="Happened">An event, or null.</param>
    private sealed record Item(string Scope, long At, IReadOnlyList<KeyValuePair<string, double>> Values, HistoryEvent? Happened)
    {
        public int Weight => Math.Max(1, Values.Count);
    }
}
