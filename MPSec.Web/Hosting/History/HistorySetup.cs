using Microsoft.Extensions.Diagnostics.HealthChecks;
using MPSec.Data;
using MPSec.Data.History;
using MPSec.Features.SystemStatus;
using MPSec.Linux.Gateways;
using MPSec.Live;

namespace MPSec.Hosting.History;

/// <summary>Puts history together: the store, what is kept of a gateway, and its health.</summary>
public static class HistorySetup
{
    /// <summary>Registers it; needs Data. A feature adds series by registering an <see cref="ISeriesSource{TSnapshot}"/> of its own.</summary>
    public static IServiceCollection AddHistory(this IServiceCollection services, HistorySettings settings)
    {
        services.AddHealthChecks().AddCheck<HistoryHealth>("history");
        return services
            .AddSingleton(provider => new HistoryStore(
                provider.GetRequiredService<StateFolder>(), settings, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<HistoryStore>>()))
            .AddHostedService(provider => provider.GetRequiredService<HistoryStore>())
            .AddSingleton<ISeriesSource<GatewaySnapshot>, GatewaySeries>()
            .AddSingleton<ISeriesSource<MachineSnapshot>, MachineSeries>()
            .AddSingleton(typeof(SeriesRecorder<>))
            .AddSingleton<GatewayRecorder>();
    }
}

/// <summary>History that cannot be written makes MPSec degraded, never unready: what is live goes on.</summary>
public sealed class HistoryHealth(HistoryStore store) : IHealthCheck
{
    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var status = store.Status;
        return Task.FromResult(status switch
        {
            { State: HistoryState.Writing or HistoryState.Starting, Quarantined.Count: 0, Dropped: 0 } => HealthCheckResult.Healthy(),
            { Reason: { } reason } => HealthCheckResult.Degraded(reason),
            { Quarantined: [.., var aside] } => HealthCheckResult.Degraded($"history: a damaged database was put aside as {aside}"),
            _ => HealthCheckResult.Degraded($"history: {status.Dropped} figures were dropped because too many waited"),
        });
    }
}
