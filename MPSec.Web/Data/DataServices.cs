using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;

namespace MPSec.Data;

/// <summary>Registers the Data room.</summary>
public static class DataServices
{
    /// <summary>
    /// Adds <see cref="StateFolder"/>, <see cref="DatabaseStart"/> and the context with its factory. Nothing is opened before
    /// <see cref="DatabaseStart.PrepareAsync"/>. Call it first: hosted services registered later may rely on the database.
    /// </summary>
    public static IServiceCollection AddMPSecData(this IServiceCollection services, string stateFolder)
    {
        var folder = new StateFolder(stateFolder);
        services.AddSingleton(folder);
        services.AddSingleton<DatabaseStart>();
        services.AddHostedService(provider => provider.GetRequiredService<DatabaseStart>());
        services.AddDbContextFactory<MPSecDbContext>(options => Configure(options, folder));
        return services;
    }

    internal static void Configure(DbContextOptionsBuilder options, StateFolder folder) =>
        options.UseSqlite(new SqliteConnectionStringBuilder
        {
            DataSource = folder.ConfigurationDatabase,
            DefaultTimeout = SqliteSession.BusySeconds,
        }.ConnectionString).AddInterceptors(new SqliteSession());
}
