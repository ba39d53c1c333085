using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;

namespace MPSec.Data;

/// <summary>
/// Makes the state folder and its database ready before anything else starts, or says in one sentence why that cannot be. Holds the
/// <see cref="InstanceLock"/> until it is disposed.
/// </summary>
/// <remarks>A host runs it before any other hosted service starts; a verb without a host calls <see cref="PrepareAsync"/>.</remarks>
public sealed class DatabaseStart(StateFolder folder, IDbContextFactory<MPSecDbContext> contexts) : IHostedLifecycleService, IDisposable
{
    private InstanceLock? _lock;
    private bool _prepared;

    /// <summary>Whether the database has its newest form.</summary>
    public bool IsPrepared => Volatile.Read(ref _prepared);

    /// <summary>Creates the folder (mode 0700), takes the instance lock, checks that the folder is writable and brings the database to the newest form. A second call does nothing.</summary>
    /// <exception cref="StateFolderException">The folder or the database cannot be used.</exception>
    public async Task PrepareAsync(CancellationToken cancellationToken = default)
    {
        if (_prepared)
        {
            return;
        }

        try
        {
            Directory.CreateDirectory(folder.Root, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            _lock ??= InstanceLock.Take(folder);
            Probe();
            await MigrateAsync(cancellationToken);
            Volatile.Write(ref _prepared, true);
        }
        catch (Exception e) when (Translate(e) is { } fault)
        {
            throw fault;
        }
    }

    /// <inheritdoc/>
    public Task StartingAsync(CancellationToken cancellationToken) => PrepareAsync(cancellationToken);

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public void Dispose() => _lock?.Dispose();

    // A folder can be writable for names and yet have no block left: only written bytes tell.
    private void Probe()
    {
        var probe = Path.Combine(folder.Root, ".probe");
        using (var file = new FileStream(probe, FileMode.Create, FileAccess.Write, FileShare.None, 1, FileOptions.WriteThrough))
        {
            file.Write(new byte[64 * 1024]);
            file.Flush(flushToDisk: true);
        }

        File.Delete(probe);
    }

    private async Task MigrateAsync(CancellationToken cancellationToken)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            // Stays in the file: readers never wait for the writer, and a commit is one append.
            await context.Database.ExecuteSqlRawAsync("PRAGMA journal_mode=WAL;", cancellationToken);

            // A process killed while it migrated leaves its row in EF's lock table, and the next one would wait for ever.
            // Nobody else can be migrating now: the instance lock is ours.
            if (await HasTableAsync(context, "__EFMigrationsLock", cancellationToken))
            {
                await context.Database.ExecuteSqlRawAsync("DELETE FROM \"__EFMigrationsLock\";", cancellationToken);
            }

            var known = context.Database.GetMigrations().ToHashSet(StringComparer.Ordinal);
            if ((await context.Database.GetAppliedMigrationsAsync(cancellationToken)).FirstOrDefault(applied => !known.Contains(applied)) is { } newer)
            {
                throw new StateFolderException(
                    StateFolderFault.Newer, $"state folder {folder}: its database was written by another version of MPSec (it holds {newer}); start that version, or give a new --state folder");
            }

            await context.Database.MigrateAsync(cancellationToken);
        }
    }

    private static async Task<bool> HasTableAsync(MPSecDbContext context, string table, CancellationToken cancellationToken) =>
        await context.Database.SqlQuery<int>($"SELECT COUNT(*) AS Value FROM sqlite_master WHERE type = 'table' AND name = {table}").SingleAsync(cancellationToken) > 0;

    // Result codes of sqlite.org/rescode.html and errnos as .NET passes them on in HResult.
    private StateFolderException? Translate(Exception e) => e switch
    {
        StateFolderException => null,
        SqliteException { SqliteErrorCode: 5 or 6 } => Fault(
            StateFolderFault.Locked, e, $"database {folder.ConfigurationDatabase} is locked by another process; end that process (for example an open sqlite3 shell) and start again"),
        SqliteException { SqliteErrorCode: 11 or 26 } => Fault(
            StateFolderFault.Corrupt, e, $"database {folder.ConfigurationDatabase} is damaged or no database; restore a backup, or move the file away to begin with an empty one"),
        SqliteException { SqliteErrorCode: 13 } or IOException { HResult: 28 or 122 } => Fault(
            StateFolderFault.DiskFull, e, $"state folder {folder}: the disk is full; make room (16 MiB or more) and start again"),
        SqliteException { SqliteErrorCode: 8 or 10 or 14 } or UnauthorizedAccessException or IOException => Fault(
            StateFolderFault.NotWritable, e, $"state folder {folder}: cannot write there ({e.Message.TrimEnd('.')}); run as a user who may, or give another --state folder"),
        DbUpdateException { InnerException: { } inner } => Translate(inner),
        _ => null,
    };

    private static StateFolderException Fault(StateFolderFault fault, Exception cause, string sentence) => new(fault, sentence, cause);
}
