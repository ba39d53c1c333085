using Microsoft.Extensions.DependencyInjection.Extensions;
using MPSec.Changes;
using MPSec.Linux.Procfs;

namespace MPSec.Features.Network;

/// <summary>Registers what keeps the confirmed configuration of gateways.</summary>
public static class NetworkServices
{
    /// <summary>Adds the versions and who records them; needs the Data and Changes rooms. Every process that changes gateways needs it.</summary>
    public static IServiceCollection AddNetworkConfigurations(this IServiceCollection services)
    {
        services.TryAddSingleton(new InterfaceOwnerReader());
        return services
            .AddSingleton<ConfigurationRecorder>()
            .AddSingleton<IChangeWitness>(provider => provider.GetRequiredService<ConfigurationRecorder>())
            .AddSingleton<NetworkConfigurationService>()
            .AddSingleton<NetworkRestoration>();
    }
}
