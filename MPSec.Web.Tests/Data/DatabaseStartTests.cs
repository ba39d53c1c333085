using Microsoft.AspNetCore.Identity;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Data;

namespace MPSec.Tests.Data;

public sealed class DatabaseStartTests : IDisposable
{
    private readonly TempState _state = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _state.Dispose();

    [Fact]
    public async Task Prepare_EmptyFolder_AppliesAllMigrationsPrivately()
    {
        await using var provider = await _state.StartAsync();
        await using var context = TempState.Context(provider);
        Assert.Empty(await context.Database.GetPendingMigrationsAsync(Token));
        Assert.False(context.Database.HasPendingModelChanges(), "the model changed: delete Data/Migrations and make Initial anew");
        Assert.Equal("wal", await ScalarAsync<string>(context, "SELECT journal_mode AS Value FROM pragma_journal_mode"));
        Assert.Equal(2, await ScalarAsync<int>(context, "SELECT synchronous AS Value FROM pragma_synchronous"));
        Assert.Equal(5000, await ScalarAsync<int>(context, "SELECT timeout AS Value FROM pragma_busy_timeout"));
        Assert.Equal(1, await ScalarAsync<int>(context, "SELECT foreign_keys AS Value FROM pragma_foreign_keys"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_state.Root));
    }

    [Fact]
    public async Task Prepare_ExistingDatabaseWithStaleMigrationLock_KeepsRowsAndStarts()
    {
        await using (var first = await _state.StartAsync())
        {
            await using var context = TempState.Context(first);
            context.Users.Add(new IdentityUser("mina"));
            await context.SaveChangesAsync(Token);
            await context.Database.ExecuteSqlRawAsync("CREATE TABLE IF NOT EXISTS \"__EFMigrationsLock\" (\"Id\" INTEGER PRIMARY KEY, \"Timestamp\" TEXT NOT NULL)", Token);
            await context.Database.ExecuteSqlRawAsync("INSERT INTO \"__EFMigrationsLock\" VALUES (1, '2026-01-01')", Token);
        }

        await using var second = await _state.StartAsync();
        await using var again = TempState.Context(second);
        Assert.Equal("mina", (await again.Users.SingleAsync(Token)).UserName);
    }

    [Fact]
    public async Task Prepare_SecondInstance_NamesTheProcess()
    {
        await using var first = await _state.StartAsync();
        var fault = await FaultAsync();
        Assert.Equal(StateFolderFault.InUse, fault.Fault);
        Assert.Contains($"process {Environment.ProcessId}", fault.Message, StringComparison.Ordinal);
        await first.DisposeAsync();
        await using var third = await _state.StartAsync();
    }

    [Theory]
    [InlineData("/proc/mpsec-state")]
    [InlineData("/etc/hostname")]
    public async Task Prepare_FolderNotWritable_SaysSo(string root)
    {
        await using var provider = new ServiceCollection().AddLogging().AddMPSecData(root).BuildServiceProvider();
        var fault = await Assert.ThrowsAsync<StateFolderException>(() => provider.GetRequiredService<DatabaseStart>().PrepareAsync(Token));
        Assert.Equal(StateFolderFault.NotWritable, fault.Fault);
        Assert.Contains(root, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Prepare_DatabaseLockedByAnother_SaysSo()
    {
        await using (await _state.StartAsync())
        {
        }

        SqliteConnection.ClearAllPools();
        await using var other = new SqliteConnection($"Data Source={_state.Folder.ConfigurationDatabase};Pooling=False");
        await other.OpenAsync(Token);
        await using var command = other.CreateCommand();
        command.CommandText = "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE Taken (Id INTEGER);";
        await command.ExecuteNonQueryAsync(Token);
        Assert.Equal(StateFolderFault.Locked, (await FaultAsync()).Fault);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4096)]
    public async Task Prepare_DamagedDatabase_SaysSo(int damagedFrom)
    {
        await using (await _state.StartAsync())
        {
        }

        SqliteConnection.ClearAllPools();
        var bytes = await File.ReadAllBytesAsync(_state.Folder.ConfigurationDatabase, Token);
        bytes.AsSpan(damagedFrom).Fill(0xA5);
        await File.WriteAllBytesAsync(_state.Folder.ConfigurationDatabase, bytes, Token);
        Assert.Equal(StateFolderFault.Corrupt, (await FaultAsync()).Fault);
    }

    [Fact]
    public async Task Prepare_DatabaseOfNewerVersion_IsLeftAlone()
    {
        await using (var first = await _state.StartAsync())
        {
            await using var context = TempState.Context(first);
            await context.Database.ExecuteSqlRawAsync("INSERT INTO \"__EFMigrationsHistory\" VALUES ('29990101000000_Later', '99.0')", Token);
        }

        Assert.Equal(StateFolderFault.Newer, (await FaultAsync()).Fault);
    }

    private async Task<StateFolderException> FaultAsync()
    {
        await using var provider = _state.Build();
        return await Assert.ThrowsAsync<StateFolderException>(() => provider.GetRequiredService<DatabaseStart>().PrepareAsync(Token));
    }

    private static Task<T> ScalarAsync<T>(MPSecDbContext context, string sql) => context.Database.SqlQueryRaw<T>(sql).SingleAsync(Token);
}
