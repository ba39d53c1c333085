using MPSec.Components.Layout;
using MPSec.Features.Multipath;
using MPSec.Features.Network;

namespace MPSec.Hosting;

/// <summary>Puts the Network page together.</summary>
public static class NetworkSetup
{
    /// <summary>Registers it; needs the gateways and Changes.</summary>
    public static IServiceCollection AddNetwork(this IServiceCollection services) => services
        .AddNetworkConfigurations()
        .AddSingleton<IPathNumbering, PathNumbering>()
        .AddSingleton<IPathTitles, PathTitles>()
        .AddSingleton<NetworkService>()
        .AddSingleton<NetworkKeeper>()
        .AddHostedService(provider => provider.GetRequiredService<NetworkKeeper>())
        .AddSingleton(new MenuEntry(MenuOrder.Network, "network", "network", typeof(NetworkTexts), "Menu"));
}
