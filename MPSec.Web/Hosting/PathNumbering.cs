using MPSec.Features.Multipath;
using MPSec.Features.Network;
using MPSec.Linux.Gateways;

namespace MPSec.Hosting;

/// <summary>The Network page shows the numbers and colours of the Multipath page.</summary>
internal sealed class PathNumbering(PathNumbers numbers) : IPathNumbering
{
    /// <inheritdoc/>
    public IReadOnlyDictionary<string, int> NumbersOf(GatewayReading reading) => numbers.Of(reading);
}

/// <summary>Numbers without a database, for the command line: as the page would give them to a gateway that it sees for the first time.</summary>
internal sealed class FirstSightNumbering : IPathNumbering
{
    /// <inheritdoc/>
    public IReadOnlyDictionary<string, int> NumbersOf(GatewayReading reading)
    {
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var name in PathNumbers.Candidates(reading))
        {
            numbers.TryAdd(name, PathNumbers.FreeNumber(numbers, name));
        }

        return numbers;
    }
}
