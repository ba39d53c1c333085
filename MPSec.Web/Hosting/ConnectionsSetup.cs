using MPSec.Components.Layout;
using MPSec.Features.Connections;
using MPSec.Features.Multipath;
using MPSec.Linux.Gateways;
using MPSec.Linux.Procfs;

namespace MPSec.Hosting;

/// <summary>Puts the Connections page together.</summary>
public static class ConnectionsSetup
{
    /// <summary>Registers it; needs the gateways.</summary>
    public static IServiceCollection AddConnections(this IServiceCollection services) => services
        .AddSingleton(new SocketOwners())
        .AddSingleton<IConnectionPaths, Paths>()
        .AddSingleton<ConnectionsService>()
        .AddSingleton(new MenuEntry(MenuOrder.Connections, "connections", "connections", typeof(ConnectionsTexts), "Menu"));

    private sealed class Paths(PathNumbers numbers) : IConnectionPaths
    {
        public IReadOnlyDictionary<string, int> NumbersOf(GatewayReading reading) => numbers.Of(reading);
    }
}
