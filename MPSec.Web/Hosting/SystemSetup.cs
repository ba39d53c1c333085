using MPSec.Components.Layout;
using MPSec.Features.SystemStatus;
using MPSec.Live;

namespace MPSec.Hosting;

/// <summary>Puts the System page together.</summary>
public static class SystemSetup
{
    /// <summary>Registers it; needs the gateways and history.</summary>
    public static IServiceCollection AddSystemStatus(this IServiceCollection services, MPSecOptions options) => services
        .AddSingleton(provider => ActivatorUtilities.CreateInstance<MachineFeeds>(provider, options))
        .AddSingleton<ILiveFeeds<MachineSnapshot, MachinePoint>>(provider => provider.GetRequiredService<MachineFeeds>())
        .AddHostedService(provider => provider.GetRequiredService<MachineFeeds>())
        .AddSingleton<SystemService>()
        .AddSingleton(new MenuEntry(MenuOrder.SystemStatus, "system", "system", typeof(SystemTexts), "Menu"));
}
