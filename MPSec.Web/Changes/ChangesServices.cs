using Microsoft.Extensions.DependencyInjection.Extensions;
using MPSec.Changes.Kernel;
using MPSec.Linux.Processes;

namespace MPSec.Changes;

/// <summary>Registers the Changes room.</summary>
public static class ChangesServices
{
    /// <summary>Adds <see cref="ChangeService"/> and what it stands on; needs the Data room.</summary>
    public static IServiceCollection AddMPSecChanges(this IServiceCollection services)
    {
        services.TryAddSingleton<ICommandRunner, CommandRunner>();
        services.TryAddSingleton<DetachedProgram>();
        services.TryAddSingleton(ConfirmationTime.Standard);
        return services
            .AddSingleton<IHostKernel, NetlinkHostKernel>()
            .AddSingleton<AuditLog>()
            .AddSingleton<GatewayModes>()
            .AddSingleton<ChangeJournal>()
            .AddSingleton<IBootClock, UptimeClock>()
            .AddSingleton<IDeadManStart, DetachedDeadMan>()
            .AddSingleton<ChangeService>()
            .AddSingleton<DeadMan>()
            .AddSingleton<LinkPlans>();
    }
}
