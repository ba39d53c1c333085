using System.CommandLine;
using Microsoft.EntityFrameworkCore;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Features.Network;

namespace MPSec.Hosting.Cli;

/// <summary>What a verb needs that changes gateways: the state folder and the one door, with or without a running server beside it.</summary>
internal static class CliServices
{
    /// <summary>Runs <paramref name="work"/> and turns what the door refuses into an exit code.</summary>
    /// <param name="parse">The command line, for <c>--state</c>.</param>
    /// <param name="add">Further services.</param>
    /// <param name="work">The verb.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <param name="recover">Whether a checked change that nobody looks after any more is ended first.</param>
    public static async Task<int> RunAsync(
        ParseResult parse, Action<IServiceCollection> add, Func<IServiceProvider, Task<int>> work, CancellationToken cancellationToken, bool recover = true)
    {
        var collection = new ServiceCollection()
            .AddLogging()
            .AddSingleton(TimeProvider.System)
            .AddMPSecData(parse.GetValue(MPSecCommandLine.State)!)
            .AddMPSecChanges()
            .AddNetworkConfigurations();
        add(collection);
        var services = collection.BuildServiceProvider();
        await using (services)
        {
            await PrepareAsync(services, cancellationToken);
            try
            {
                foreach (var report in recover && Environment.IsPrivilegedProcess ? await services.GetRequiredService<ChangeService>().RecoverChecksAsync(cancellationToken) : [])
                {
                    await Console.Error.WriteLineAsync($"mpsec: the change {report.TitleCode} of {report.Actor}: {report.Sentence}");
                }

                return await work(services);
            }
            catch (ChangeException e)
            {
                throw new CliException(e.Fault switch
                {
                    ChangeFault.Invalid => CliExitCode.Usage,
                    ChangeFault.NotPermitted => CliExitCode.NotPermitted,
                    ChangeFault.NotAvailable => CliExitCode.NotAvailable,
                    _ => CliExitCode.Failed,
                }, e.Message);
            }
            catch (IOException e)
            {
                throw new CliException(CliExitCode.Failed, e.Message);
            }
        }
    }

    /// <summary>A running server holds the folder and has its database ready; a verb then works beside it. Otherwise the verb makes it ready and lets go of it.</summary>
    private static async Task PrepareAsync(ServiceProvider services, CancellationToken cancellationToken)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                var start = services.GetRequiredService<DatabaseStart>();
                await start.PrepareAsync(cancellationToken);
                start.Dispose();
                return;
            }
            catch (StateFolderException e) when (e.Fault == StateFolderFault.InUse)
            {
                var context = await services.GetRequiredService<IDbContextFactory<MPSecDbContext>>().CreateDbContextAsync(cancellationToken);
                await using (context)
                {
                    if (!(await context.Database.GetPendingMigrationsAsync(cancellationToken)).Any())
                    {
                        return;
                    }
                }

                // Somebody else is making it ready at this moment.
                if (attempt == 50)
                {
                    throw;
                }

                await Task.Delay(100, cancellationToken);
            }
        }
    }
}
