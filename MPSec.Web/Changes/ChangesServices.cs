using MPSec.Changes.Kernel;

namespace MPSec.Changes;

/// <summary>Registers the Changes room.</summary>
public static class ChangesServices
{
    /// <summary>Adds <see cref="ChangeService"/> and what it stands on; needs the Data room.</summary>
    public static IServiceCollection AddMPSecChanges(this IServiceCollection services) => services
        .AddSingleton<IHostKernel, NetlinkHostKernel>()
        .AddSingleton<AuditLog>()
        .AddSingleton<GatewayModes>()
        .AddSingleton<ChangeJournal>()
        .AddSingleton<ChangeService>()
        .AddSingleton<LinkPlans>();
}
