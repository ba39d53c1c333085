using MPSec.Features.Multipath;
using MPSec.Features.Network;
using MPSec.Linux.Values;

namespace MPSec.Hosting;

/// <summary>Every page shows the path names of the saved network configuration.</summary>
internal sealed class PathTitles(NetworkConfigurationService configurations) : IPathTitles
{
    /// <inheritdoc/>
    public string? TitleOf(GatewayName gateway, string interfaceName) => configurations.NameOf(gateway, interfaceName);
}
