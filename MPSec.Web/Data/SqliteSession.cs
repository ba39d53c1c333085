using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace MPSec.Data;

/// <summary>
/// What SQLite keeps per connection and not in the file (sqlite.org/pragma.html): <c>synchronous=FULL</c> loses no acknowledged commit at a power cut,
/// <c>busy_timeout</c> waits in milliseconds for another writer, <c>foreign_keys</c> is off unless asked for.
/// </summary>
internal sealed class SqliteSession : DbConnectionInterceptor
{
    public const int BusySeconds = 5;

    private const string Pragmas = "PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000; PRAGMA foreign_keys=ON;";

    public override void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData)
    {
        using var command = connection.CreateCommand();
        command.CommandText = Pragmas;
        command.ExecuteNonQuery();
    }

    public override async Task ConnectionOpenedAsync(DbConnection connection, ConnectionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        var command = connection.CreateCommand();
        await using (command)
        {
            command.CommandText = Pragmas;
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }
}
