using MPSec.Components.Layout;
using MPSec.Features.Lab;
using MPSec.Features.Multipath;
using MPSec.Features.Network;
using MPSec.Features.Overview;
using MPSec.Hosting.History;
using MPSec.Linux.Gateways;
using MPSec.Live;

namespace MPSec.Hosting;

/// <summary>Puts together what shows a gateway live: samplers, the roster of gateways, Overview and Multipath.</summary>
public static class GatewaySetup
{
    /// <summary>Registers it; needs Data, Changes and the shell.</summary>
    public static IServiceCollection AddGateways(this IServiceCollection services, MPSecOptions options) => services
        .AddSingleton(provider => new GatewayFeeds(options, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILoggerFactory>(), provider.GetRequiredService<GatewayRecorder>()))
        .AddSingleton<ILiveFeeds<GatewaySnapshot, RatePoint>>(provider => provider.GetRequiredService<GatewayFeeds>())
        .AddSingleton<GatewayRoster>()
        .AddHostedService(provider => provider.GetRequiredService<GatewayRoster>())
        .AddSingleton<IPeerDirectory>(provider => provider.GetRequiredService<GatewayRoster>())
        .AddSingleton<PathNumbers>()
        .AddSingleton<MultipathService>()
        .AddSingleton<PathControl>()
        .AddSingleton<IMptcpSettingsSource, KernelMptcpSettings>()
        .AddSingleton<MptcpSettingsService>()
        .AddSingleton(new PageSlotEntry(MultipathSlots.BelowPaths, 10, typeof(LabTransferPanel)))
        .AddSingleton(new MenuEntry(MenuOrder.Overview, "", "overview", typeof(OverviewTexts), "Menu"))
        .AddSingleton(new MenuEntry(MenuOrder.Multipath, "multipath", "multipath", typeof(MultipathTexts), "Menu"))
        .AddSingleton(new MenuEntry(MenuOrder.Lab, "lab", "lab", typeof(LabTexts), "Menu"));
}
