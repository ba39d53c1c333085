using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using MPSec.Data;
using MPSec.Data.History;
using MPSec.Live;

namespace MPSec.Tests.Data.History;

/// <summary>A history store on a state folder of its own.</summary>
internal sealed class HistoryScope : IAsyncDisposable
{
    /// <summary>A time on the border of a piece of every tier.</summary>
    public static readonly DateTimeOffset Start = DateTimeOffset.FromUnixTimeSeconds(HistoryTier.Coarsest.ChunkOf(1_760_000_000));

    private readonly TempState? _own;

    public HistoryScope(string? root = null, HistorySettings? settings = null)
    {
        _own = root is null ? new TempState() : null;
        Folder = root is null ? _own!.Folder : new StateFolder(root);
        Settings = settings ?? new();
        Directory.CreateDirectory(Folder.Root);
        Store = Make();
    }

    public StateFolder Folder { get; }

    public HistorySettings Settings { get; set; }

    public HistoryStore Store { get; private set; }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<HistoryScope> StartAsync(string? root = null, HistorySettings? settings = null)
    {
        var scope = new HistoryScope(root, settings);
        await scope.Store.StartAsync(Token);
        await scope.WaitAsync(s => s.State == HistoryState.Writing);
        return scope;
    }

    public async Task RestartAsync(Action? between = null)
    {
        await Store.DisposeAsync();
        between?.Invoke();
        Store = Make();
        await Store.StartAsync(Token);
        await WaitAsync(s => s.State == HistoryState.Writing);
    }

    /// <summary>Waits for a status and returns it: the next one may come at once.</summary>
    public async Task<HistoryStatus> WaitAsync(Func<HistoryStatus, bool> holds)
    {
        while (true)
        {
            if (Store.Status is var status && holds(status))
            {
                return status;
            }

            await Task.Delay(20, Token);
        }
    }

    /// <summary>Records one figure.</summary>
    public void Add(DateTimeOffset at, double value, string name = "x", string scope = "g")
    {
        var set = new SeriesSet();
        set.Add(name, value);
        Store.Record(scope, at, set);
    }

    /// <summary>Opens the database beside the store.</summary>
    public async Task<SqliteConnection> OpenAsync()
    {
        var connection = new SqliteConnection($"Data Source={Folder.HistoryDatabase};Pooling=False");
        await connection.OpenAsync(Token);
        return connection;
    }

    public static async Task<object?> RunAsync(SqliteConnection connection, string sql)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        return await command.ExecuteScalarAsync(Token);
    }

    public async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync();
        _own?.Dispose();
    }

    private HistoryStore Make() => new(Folder, Settings, TimeProvider.System, NullLogger<HistoryStore>.Instance);
}
