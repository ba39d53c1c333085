using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Data;

namespace MPSec.Tests.Data;

/// <summary>A state folder of one test, removed afterwards.</summary>
internal sealed class TempState : IDisposable
{
    public StateFolder Folder { get; } = new(Path.Combine(Path.GetTempPath(), "mpsec-test-" + Guid.NewGuid().ToString("N")));

    public string Root => Folder.Root;

    /// <summary>A provider with the Data room (and what else the test adds) on this folder, prepared.</summary>
    public async Task<ServiceProvider> StartAsync(Action<IServiceCollection>? add = null)
    {
        var provider = Build(add);
        await provider.GetRequiredService<DatabaseStart>().PrepareAsync(TestContext.Current.CancellationToken);
        return provider;
    }

    public ServiceProvider Build(Action<IServiceCollection>? add = null)
    {
        var services = new ServiceCollection().AddLogging().AddMPSecData(Root);
        add?.Invoke(services);
        return services.BuildServiceProvider();
    }

    public static MPSecDbContext Context(IServiceProvider provider) => provider.GetRequiredService<IDbContextFactory<MPSecDbContext>>().CreateDbContext();

    public void Dispose()
    {
        DeadManPost.EndAllAsync(Folder, TimeProvider.System).GetAwaiter().GetResult(); // it would stay for another ten minutes
        SqliteConnection.ClearAllPools();
        if (Directory.Exists(Root))
        {
            Directory.Delete(Root, recursive: true);
        }
    }
}
