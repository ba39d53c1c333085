using MPSec.Linux.Gateways;

namespace MPSec.Features.Connections;

/// <summary>The number, and with it the colour, that a path has on every page.</summary>
public interface IConnectionPaths
{
    /// <summary>Numbers by interface name of all paths that <paramref name="reading"/> shows.</summary>
    IReadOnlyDictionary<string, int> NumbersOf(GatewayReading reading);
}
