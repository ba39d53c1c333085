using System.Globalization;
using Microsoft.Data.Sqlite;

namespace MPSec.Data.History;

/// <summary>What happens when the database cannot be used.</summary>
public sealed partial class HistoryStore
{
    [LoggerMessage(EventId = 2101, Level = LogLevel.Warning, Message = "{Sentence}")]
    private static partial void LogTrouble(ILogger logger, string sentence);

    [LoggerMessage(EventId = 2102, Level = LogLevel.Information, Message = "History is being written to {File}")]
    private static partial void LogWriting(ILogger logger, string file);

    [LoggerMessage(EventId = 2103, Level = LogLevel.Error, Message = "The history database is damaged ({Reason}); it was put aside as {Aside} and a new one begins. The configuration is not touched")]
    private static partial void LogQuarantined(ILogger logger, string reason, string aside);

    private void Tell(HistoryState state, string? sentence)
    {
        var before = _status;
        Volatile.Write(ref _status, before with
        {
            State = state,
            Reason = sentence,
            Since = before.State == state ? before.Since : time.GetUtcNow(),
            Series = _ingest?.SeriesCount ?? before.Series,
            Bytes = new[] { "", "-wal" }.Select(e => new FileInfo(folder.HistoryDatabase + e)).Sum(f => f.Exists ? f.Length : 0),
        });
        if (before.State == state)
        {
            return;
        }

        if (sentence is null)
        {
            LogWriting(_logger, folder.HistoryDatabase);
        }
        else
        {
            LogTrouble(_logger, sentence);
        }
    }

    // What was done in memory for the transaction is not true any more: it is read again.
    private void Rollback()
    {
        _ingest = null;
        try
        {
            _database?.Run("ROLLBACK");
        }
        catch (SqliteException)
        {
            // SQLite has done so itself.
        }
    }

    private void Close()
    {
        _ingest = null;
        _database?.Dispose();
        _database = null;
        lock (_readLock)
        {
            _readerDatabase?.Dispose();
            _readerDatabase = null;
        }
    }

    private void Quarantine(string reason)
    {
        Close();
        var stamp = time.GetUtcNow().UtcDateTime.ToString("yyyyMMdd'T'HHmmss", CultureInfo.InvariantCulture);
        var aside = $"{folder.HistoryDatabase}.damaged-{stamp}";
        for (var i = 2; File.Exists(aside); i++)
        {
            aside = string.Create(CultureInfo.InvariantCulture, $"{folder.HistoryDatabase}.damaged-{stamp}-{i}");
        }

        try
        {
            foreach (var part in new[] { "-shm", "-wal", "" })
            {
                if (File.Exists(folder.HistoryDatabase + part))
                {
                    File.Move(folder.HistoryDatabase + part, aside + part);
                }
            }
        }
        catch (IOException e)
        {
            Tell(HistoryState.Failed, $"history: {folder.HistoryDatabase} is damaged and cannot be put aside: {e.Message}");
            return;
        }

        _damage = null;
        LogQuarantined(_logger, reason, aside);
        Volatile.Write(ref _status, _status with { Quarantined = [.. _status.Quarantined, aside] });
        Tell(HistoryState.Failed, $"history: the damaged database was put aside as {aside}; a new one begins");
        _wake.TrySetResult();
    }

    // The reserve gives the room that deleting itself needs: even a deletion is first written to the journal.
    private void MakeRoom()
    {
        try
        {
            File.Delete(folder.HistoryReserve);
            if (_database is null)
            {
                return; // it could not even be opened; now it can
            }

            _database.Run("BEGIN IMMEDIATE");
            var made = HistoryIngest.MakeRoom(_database);
            _database.Run("COMMIT");
            _database.Run("PRAGMA wal_checkpoint(TRUNCATE)");
            if (made)
            {
                _wake.TrySetResult();
            }
        }
        catch (Exception e) when (e is SqliteException or IOException)
        {
            Rollback();
        }
    }

    // The index of the write-ahead log is a file too: SQLite tells its missing room as an input/output error.
    private bool IsDiskFull() => new DriveInfo(folder.Root).AvailableFreeSpace < 64 * 1024;

    private void RestoreReserve()
    {
        if (!File.Exists(folder.HistoryReserve))
        {
            try
            {
                // Not at once when room was just made: it would be taken away again.
                if (new DriveInfo(folder.Root).AvailableFreeSpace < 4 * ReserveBytes)
                {
                    return;
                }

                using var file = new FileStream(folder.HistoryReserve, FileMode.Create, FileAccess.Write, FileShare.None, 1);
                file.Write(new byte[ReserveBytes]);
            }
            catch (IOException)
            {
                File.Delete(folder.HistoryReserve);
                return;
            }
        }

        if (_status.State == HistoryState.DiskFull && _database is not null && _database.UsedBytes() < Settings.MostMiB * 1024L * 1024)
        {
            Tell(HistoryState.Writing, null);
        }
    }
}
