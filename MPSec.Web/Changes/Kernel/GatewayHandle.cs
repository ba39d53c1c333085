using System.Collections.Immutable;
using MPSec.Linux.Gateways;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;

namespace MPSec.Changes.Kernel;

/// <summary>Parts of a gateway's state that are read by one dump each.</summary>
[Flags]
internal enum Held
{
    None = 0,
    Links = 1,
    Addresses = 2,
    Routes = 4,
    Rules = 8,
    Queues = 16,
    Endpoints = 32,
    Limits = 64,
    Blocks = 128,

    /// <summary>What may change with an interface.</summary>
    OfLinks = Links | Addresses | Routes | Queues | Endpoints,

    All = OfLinks | Rules | Limits | Blocks,
}

/// <summary>One gateway, opened: its netlink sockets, and what was read with them until it is forgotten. Not thread-safe.</summary>
internal sealed class GatewayHandle(GatewayName gateway) : IDisposable
{
    private const byte FamilyIPv4 = 2;
    private const byte FamilyIPv6 = 10;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    private readonly KernelTextCache _texts = new();
    private readonly Dictionary<int, int> _parents = [];
    private NetlinkConversation? _route;
    private NetlinkConversation? _generic;
    private NetlinkConversation? _filter;
    private ushort? _pathManager;
    private Held _held;
    private ImmutableArray<LinkReading> _links;
    private ImmutableArray<HeldAddress> _addresses;
    private ImmutableArray<HeldRoute> _routes;
    private ILookup<(IpPrefix, uint, uint), HeldRoute> _routesByKey = null!;
    private ImmutableArray<RuleReading> _rules;
    private ImmutableArray<RootQdisc> _queues;
    private ImmutableArray<MptcpEndpoint> _endpoints;
    private MptcpLimits? _limits;
    private IReadOnlyList<BlockRule> _blocks = [];

    public GatewayName Name => gateway;

    public NetlinkConversation Route => _route ??= new(NetlinkSocket.Open(gateway, NetlinkSocket.Route, s_patience));

    public NetlinkConversation Generic => _generic ??= new(NetlinkSocket.Open(gateway, NetlinkSocket.Generic, s_patience));

    public NetlinkConversation Filter => _filter ??= new(NetlinkSocket.Open(gateway, NetlinkSocket.Netfilter, s_patience));

    public ushort PathManager => _pathManager ??= GenericNetlinkFamily.Find(Generic, MptcpPmReader.FamilyName)?.Id
        ?? throw new ChangeException(ChangeFault.NotAvailable, $"gateway {gateway}: this kernel has no MPTCP (CONFIG_MPTCP, Linux 5.6 or newer)");

    public ImmutableArray<LinkReading> Links => Get(Held.Links, ref _links, ReadLinks);

    public ImmutableArray<HeldAddress> HeldAddresses => Get(Held.Addresses, ref _addresses, () => Dump(RouteMessages.GetAddress, 8, 0, HeldAddress.Decode));

    public IEnumerable<AddressReading> Addresses => HeldAddresses.Select(a => a.Reading);

    /// <summary>Whether this kernel tells who made an address (5.18).</summary>
    public bool TellsOrigins => HeldAddresses.Any(a => a.Origin != 0);

    public ImmutableArray<HeldRoute> Routes => Get(Held.Routes, ref _routes, ReadRoutes);

    public ImmutableArray<RuleReading> Rules => Get(Held.Rules, ref _rules, new RtnetlinkReader(Route).ReadRules);

    public ImmutableArray<MptcpEndpoint> Endpoints => Get(Held.Endpoints, ref _endpoints, () => PathManager == 0 ? [] : new MptcpPmReader(Generic).ReadEndpoints());

    public MptcpLimits? Limits => Get(Held.Limits, ref _limits, () => PathManager == 0 ? null : new MptcpPmReader(Generic).ReadLimits());

    /// <summary>MPSec's rules that drop what passes an interface.</summary>
    public IReadOnlyList<BlockRule> Blocks => Get(Held.Blocks, ref _blocks, () => InterfaceFilter.Read(this));

    /// <summary>Routes of one destination, table and metric.</summary>
    public IEnumerable<HeldRoute> RoutesOf(IpPrefix destination, uint table, uint metric)
    {
        _ = Routes;
        return _routesByKey[(destination, table, metric)];
    }

    /// <summary>The interface of this name; null when there is none.</summary>
    public LinkReading? FindLink(InterfaceName name) => Links.FirstOrDefault(l => l.Name == name.Value);

    /// <exception cref="ChangeException">There is no such interface.</exception>
    public LinkReading Link(InterfaceName name) =>
        FindLink(name) ?? throw new ChangeException(ChangeFault.NotFound, $"gateway {gateway}: there is no interface {name}");

    /// <summary>The name of an interface; null when there is none of this index, or MPSec does not take its name.</summary>
    public InterfaceName? NameOf(int? index)
    {
        foreach (var link in index is null ? [] : Links)
        {
            if (link.Index == index)
            {
                return InterfaceName.TryParse(link.Name, out var name, out _) ? name : null;
            }
        }

        return null;
    }

    /// <summary>Interfaces that stand on another one of this gateway and share its fate: VLANs and the like.</summary>
    public IEnumerable<LinkReading> ChildrenOf(LinkReading parent) =>
        Links.Where(l => l.Kind is "vlan" or "macvlan" or "macvtap" or "ipvlan" && _parents.TryGetValue(l.Index, out var index) && index == parent.Index);

    public RootQdisc? ReadRootQdisc(int interfaceIndex) => Get(Held.Queues, ref _queues, () => Dump(LinkMessages.GetQdisc, 20, 0, (payload, _) => LinkMessages.DecodeRoot(payload)))
        .FirstOrDefault(q => q.InterfaceIndex == interfaceIndex);

    /// <summary>What was read of these parts no longer holds.</summary>
    public void Forget(Held parts) => _held &= ~parts;

    public void Dispose()
    {
        _route?.Dispose();
        _generic?.Dispose();
        _filter?.Dispose();
    }

    private delegate T? Decode<T>(ReadOnlySpan<byte> payload, KernelTextCache texts);

    private T Get<T>(Held part, ref T field, Func<T> read)
    {
        if ((_held & part) == 0)
        {
            field = read();
            _held |= part;
        }

        return field;
    }

    private ImmutableArray<LinkReading> ReadLinks()
    {
        _parents.Clear();
        return Dump<LinkReading>(LinkMessages.GetLink, 16, 0, (payload, texts) =>
        {
            var link = RtnetlinkReader.DecodeLink(payload, texts);
            int? parent = null;
            var a = new NetlinkAttributes(payload[16..]);
            while (a.Next())
            {
                parent = a.Type switch
                {
                    5 => a.Int32, // IFLA_LINK
                    37 => null, // IFLA_LINK_NETNSID: in another namespace
                    _ => parent,
                };
            }

            if (parent is { } index)
            {
                _parents[link.Index] = index;
            }

            return link;
        });
    }

    private ImmutableArray<HeldRoute> ReadRoutes()
    {
        ImmutableArray<HeldRoute> routes = [.. Dump(RouteMessages.GetRoute, 12, FamilyIPv4, HeldRoute.Decode), .. DumpIPv6()];
        _routesByKey = routes.ToLookup(r => (r.Reading.Destination, r.Reading.Table, r.Reading.Metric));
        return routes;

        ImmutableArray<HeldRoute> DumpIPv6()
        {
            try
            {
                return Dump(RouteMessages.GetRoute, 12, FamilyIPv6, HeldRoute.Decode);
            }
            catch (NetlinkException e) when (e.Errno is 95 or 97)
            {
                return []; // a kernel without IPv6
            }
        }
    }

    // Without IPv6 the kernel may answer with the objects of all families instead.
    private ImmutableArray<T> Dump<T>(ushort type, int headerBytes, byte family, Decode<T> decode)
    {
        Span<byte> header = stackalloc byte[headerBytes];
        header.Clear();
        header[0] = family;
        Route.Begin(type, NetlinkWriter.Dump).Raw(header);
        var list = ImmutableArray.CreateBuilder<T>();
        Route.Dump((_, payload) =>
        {
            if ((family == 0 || payload[0] == family) && decode(payload, _texts) is { } one)
            {
                list.Add(one);
            }
        }, list.Clear);
        return list.DrainToImmutable();
    }
}
