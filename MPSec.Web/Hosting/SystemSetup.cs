using MPSec.Components.Layout;
using MPSec.Features.SystemStatus;
using MPSec.Live;

namespace MPSec.Hosting;

/// <summary>Puts the System page together.</summary>
public static class SystemSetup
{
    /// <summary>Registers it; needs the gateways.</summary>
    public static IServiceCollection AddSystemStatus(this IServiceCollection services, MPSecOptions options) => services
        .AddSingleton<ILiveFeeds<MachineSnapshot, MachinePoint>>(provider => new MachineFeeds(options, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILoggerFactory>()))
        .AddSingleton<SystemService>()
        .AddSingleton(new MenuEntry(MenuOrder.SystemStatus, "system", "system", typeof(SystemTexts), "Menu"));
}
