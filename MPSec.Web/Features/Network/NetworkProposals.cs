using MPSec.Linux.Gateways;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>Completes a document with paths that the kernel shows. Pure.</summary>
internal static class NetworkProposals
{
    /// <summary>The document with every path of <paramref name="snapshot"/>; those that it has stay as they are.</summary>
    public static NetworkDocument Complete(NetworkDocument saved, NetworkSnapshot snapshot, GatewayReading reading)
    {
        var proposed = saved.Paths;
        foreach (var path in snapshot.Paths.Where(p => saved.FindPath(p.Name) is null))
        {
            if (reading.Links.FirstOrDefault(l => l.Name == path.Name) is not { } link || NetworkDocumentPath.Of(reading, link) is not { } shown)
            {
                continue;
            }

            var candidate = path.FromDhcp || path.Owner.Kind != InterfaceOwnerKind.Nobody
                ? shown with { Addresses = [], NextHops = [], Table = null, RulePriority = null, Mtu = null, Up = true }
                : Sound(saved with { Paths = proposed }, shown);
            proposed = proposed.Add(candidate);
        }

        // Rules and routes that were kept before their path was known are the path's now.
        return (saved with { Paths = proposed }).With([]);
    }

    // What the kernel bears need not make a sound document: an editor must be able to begin with it.
    private static NetworkDocumentPath Sound(NetworkDocument document, NetworkDocumentPath path)
    {
        NetworkDocumentPath[] weaker =
        [
            path,
            path with { NextHops = [] },
            path with { NextHops = [], Table = null, RulePriority = null },
            path with { NextHops = [], Table = null, RulePriority = null, Addresses = [.. path.Addresses.Where(a => NetworkPathFaults.AddressFault(a) is null)] },
        ];
        return weaker.FirstOrDefault(p => !(document with { Paths = document.Paths.Add(p), More = [] }).Faults().Any())
            ?? path with { NextHops = [], Table = null, RulePriority = null, Addresses = [] };
    }
}
