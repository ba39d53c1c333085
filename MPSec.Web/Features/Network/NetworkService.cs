using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using MPSec.Changes;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Netlink;
using MPSec.Linux.Procfs;
using MPSec.Linux.Sysctl;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>Finds the paths of a gateway, asks the kernel about every source and peer, and plans what repairs the routing.</summary>
public sealed class NetworkService(IPathNumbering numbers, InterfaceOwnerReader owners)
{
    /// <summary>Most peers asked about; with 8 paths the matrix stays readable and takes a few milliseconds.</summary>
    public const int MostPeers = 16;

    // The kernel forgets the routes of a link that goes down; what they were is needed to bring them back.
    private readonly ConcurrentDictionary<(GatewayName Gateway, string Name, bool IsIPv6), IPAddress?> _hops = new();

    /// <summary>Paths, matrix and findings for a reading that was just taken.</summary>
    /// <param name="reading">Links, addresses, routes, rules and endpoints of the gateway.</param>
    /// <param name="given">Peers that a person asks about, at most <see cref="MostPeers"/>.</param>
    /// <param name="cancellationToken">Ends between two questions.</param>
    /// <exception cref="NamespaceException">The gateway is gone.</exception>
    /// <exception cref="NetlinkException">The kernel does not answer.</exception>
    public Task<NetworkSnapshot> ReadAsync(GatewayReading reading, IReadOnlyList<IPAddress> given, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(reading);
        return Task.Run(() => Read(reading, given, cancellationToken), cancellationToken);
    }

    /// <summary>One plan of the operations given, to preview and to run.</summary>
    public static ChangePlan Plan(GatewayName gateway, ImmutableArray<HostOperation> operations) => new()
    {
        TitleCode = "network.routing",
        TitleArguments = [gateway.Value],
        Operations = [.. operations.Distinct().OrderBy(RoutingRepair.Order)],
        Danger = ChangeDanger.Medium,
        Configuration = new(),
    };

    /// <summary>Reads peers out of one line, separated by commas or spaces; <paramref name="error"/> names the first that is none.</summary>
    public static ImmutableArray<IPAddress> ParsePeers(string? text, out string? error)
    {
        error = null;
        var peers = ImmutableArray.CreateBuilder<IPAddress>();
        foreach (var word in (text ?? "").Split([',', ' '], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Take(MostPeers))
        {
            // .NET reads "1" and "10.9" as addresses too; a person who writes that has mistyped.
            if (!IPAddress.TryParse(word, out var peer) || (!peer.IsIPv6() && word.Count(c => c == '.') != 3) || (peer.IsIPv6() && peer.ScopeId != 0))
            {
                error = word.Length > 60 ? word[..60] : word;
                continue;
            }

            peers.Add(peer.Plain());
        }

        return peers.ToImmutable();
    }

    private NetworkSnapshot Read(GatewayReading reading, IReadOnlyList<IPAddress> given, CancellationToken cancellationToken)
    {
        var remembered = _hops.Where(h => h.Key.Gateway == reading.Gateway).ToDictionary(h => (h.Key.Name, h.Key.IsIPv6), h => h.Value);
        var evidence = new PathEvidence(
            numbers.NumbersOf(reading),
            owners.Read(reading.Gateway, reading.Links.Select(l => (l.Index, l.Name))),
            NamespaceThread.Run(reading.Gateway, () => ReadFilters(reading)),
            remembered);
        var paths = PathDiscovery.Discover(reading, evidence);
        foreach (var (path, family) in paths.SelectMany(p => p.Families.Select(f => (p, f))))
        {
            if (family.LeadsOut)
            {
                _hops[(reading.Gateway, path.Name, family.IsIPv6)] = family.NextHop;
            }
        }

        var peers = RoutingAnalysis.Peers(reading, paths, given, MostPeers);
        var answers = new Dictionary<(IPAddress, IPAddress), KernelRouteAnswer>();
        using var query = RouteQuery.Open(reading.Gateway);
        foreach (var (_, source, peer) in RoutingAnalysis.Questions(paths, peers))
        {
            cancellationToken.ThrowIfCancellationRequested();
            answers.TryAdd((source, peer), query.Ask(source, peer));
        }

        return RoutingAnalysis.Judge(reading, paths, peers, answers);
    }

    private static Dictionary<string, int> ReadFilters(GatewayReading reading)
    {
        var all = Filter("all") ?? 0;
        var filters = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var link in reading.Links)
        {
            if (Filter(link.Name) is { } own)
            {
                filters.TryAdd(link.Name, Math.Max(all, own));
            }
        }

        return filters;
    }

    private static int? Filter(string name) =>
        SysctlKey.TryParse($"net.ipv4.conf.{name.Replace('.', '/')}.rp_filter", out var key, out _)
        && int.TryParse(SysctlReader.Read("/proc/sys", key), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : null;
}
