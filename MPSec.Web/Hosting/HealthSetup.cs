using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using MPSec.Data;

namespace MPSec.Hosting;

/// <summary>
/// <c>/healthz/live</c>: the process answers. <c>/healthz/ready</c>: the database has its newest form and answers, and every sampler comes round. Both are open to
/// anybody and tell one word; the reason is in the log.
/// </summary>
public static class HealthSetup
{
    /// <summary>Registers the checks.</summary>
    public static IServiceCollection AddHealth(this IServiceCollection services)
    {
        services.AddHealthChecks().AddCheck<DatabaseHealth>("database").AddCheck<SamplerHealth>("samplers");
        return services;
    }

    /// <summary>Maps both addresses.</summary>
    public static WebApplication MapHealth(this WebApplication app)
    {
        app.MapHealthChecks("/healthz/live", new() { Predicate = _ => false }).AllowAnonymous();
        app.MapHealthChecks("/healthz/ready").AllowAnonymous();
        return app;
    }
}

/// <summary>Whether the database is there and answers.</summary>
internal sealed class DatabaseHealth(DatabaseStart start, IDbContextFactory<MPSecDbContext> contexts) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (!start.IsPrepared)
        {
            return HealthCheckResult.Unhealthy("The database is not migrated yet");
        }

        try
        {
            var database = await contexts.CreateDbContextAsync(cancellationToken);
            await using (database)
            {
                await database.Roles.AnyAsync(cancellationToken);
                return HealthCheckResult.Healthy();
            }
        }
        catch (DbException e)
        {
            return HealthCheckResult.Unhealthy("The database does not answer", e);
        }
    }
}

/// <summary>Whether readings come: at least one gateway is read, and no sampler hangs. A gateway that is gone is no fault of the program.</summary>
internal sealed class SamplerHealth(GatewayFeeds feeds, IOptions<MPSecOptions> options) : IHealthCheck
{
    // A sampler that nobody watches reads every 5 s; a loaded machine may take its time.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var longest = s_patience + (3 * TimeSpan.FromMilliseconds(options.Value.SampleIntervalMs));
        var all = feeds.Figures;
        var stuck = all.FirstOrDefault(f => f.SinceTurn > longest);
        return Task.FromResult(all.All(f => f.Current is null) ? HealthCheckResult.Unhealthy("No gateway has been read yet")
            : stuck is not null ? HealthCheckResult.Unhealthy($"Gateway {stuck.Gateway} has not been read for {stuck.SinceTurn.TotalSeconds:0} s")
            : HealthCheckResult.Healthy());
    }
}
