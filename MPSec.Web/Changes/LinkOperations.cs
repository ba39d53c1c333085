using System.Net;
using System.Net.Sockets;
using MPSec.Linux.Values;

namespace MPSec.Changes;

/// <summary>
/// Sets an interface up or down. When it goes down the kernel drops its routes from every table and its IPv6 addresses, and brings none of them back;
/// the inverse therefore holds them.
/// </summary>
/// <param name="Gateway">Gateway of the interface.</param>
/// <param name="Interface">The interface.</param>
/// <param name="Up">The state wanted.</param>
public sealed record SetLinkState(GatewayName Gateway, InterfaceName Interface, bool Up) : HostOperation(Gateway)
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Command => Tool("ip", "link", "set", "dev", Interface.Value, Up ? "up" : "down");
}

/// <summary>Gives an interface an address.</summary>
/// <param name="Gateway">Gateway of the interface.</param>
/// <param name="Interface">The interface.</param>
/// <param name="Address">Address with prefix length.</param>
/// <param name="Options">What else belongs to the address; null for a plain one, and for one whose options are as they are.</param>
public sealed record AddAddress(GatewayName Gateway, InterfaceName Interface, IpPrefix Address, AddressOptions? Options = null) : HostOperation(Gateway)
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Command => Tool("ip", ["address", "add", Address.ToString(), "dev", Interface.Value, .. Options?.Words ?? []]);

    /// <inheritdoc/>
    public override void Validate() => Require(Options?.Fault(Address) is null, Options?.Fault(Address) ?? "");
}

/// <summary>Takes an address from an interface; routes and further addresses that the kernel drops with it are in the inverse.</summary>
/// <param name="Gateway">Gateway of the interface.</param>
/// <param name="Interface">The interface.</param>
/// <param name="Address">Address with prefix length.</param>
public sealed record RemoveAddress(GatewayName Gateway, InterfaceName Interface, IpPrefix Address) : HostOperation(Gateway)
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Command => Tool("ip", "address", "del", Address.ToString(), "dev", Interface.Value);
}

/// <summary>What a route does with a packet (RTN_*).</summary>
public enum RouteKind
{
    /// <summary>Sends it on.</summary>
    Unicast = 1,

    /// <summary>Drops it silently.</summary>
    Blackhole = 6,

    /// <summary>Drops it; the sender hears EHOSTUNREACH.</summary>
    Unreachable = 7,

    /// <summary>Drops it; the sender hears EACCES.</summary>
    Prohibit = 8,

    /// <summary>Ends the look-up in this table; the next rule is asked.</summary>
    Throw = 9,
}

/// <summary>One route.</summary>
public sealed record RouteSpec
{
    /// <summary>Destination network; 0.0.0.0/0 or ::/0 is the default route.</summary>
    public required IpPrefix Destination { get; init; }

    /// <summary>Routing table, 1 to 4294967295; 254 is main.</summary>
    public uint Table { get; init; } = 254;

    /// <summary>Kind.</summary>
    public RouteKind Kind { get; init; } = RouteKind.Unicast;

    /// <summary>Outgoing interface; needed for unicast with one next hop, none for the other kinds.</summary>
    public InterfaceName? Interface { get; init; }

    /// <summary>Next hop; null when the destination is on the link.</summary>
    public IPAddress? NextHop { get; init; }

    /// <summary>Source address that the kernel prefers for packets of this route.</summary>
    public IPAddress? Source { get; init; }

    /// <summary>RTA_PRIORITY; lower wins. The kernel makes 1024 of an IPv6 zero.</summary>
    public uint Metric { get; init; }

    /// <summary>RTPROT_*: who made it; 3 boot is what <c>ip route</c> uses, 4 static.</summary>
    public byte Protocol { get; init; } = 3;

    /// <summary>RT_SCOPE_*: 0 global, 253 link. Null lets MPSec choose as iproute2 does.</summary>
    public byte? Scope { get; init; }

    /// <summary>
    /// What else belongs to the route. Null for a plain one: where it stands already it may have any options. A route that is brought back has them all.
    /// </summary>
    public RouteOptions? Options { get; init; }

    /// <summary>AF_INET6.</summary>
    public bool IsIPv6 => Destination.Address.AddressFamily == AddressFamily.InterNetworkV6;

    /// <summary>RT_SCOPE_* as it goes to the kernel: an IPv4 route without next hop has scope link.</summary>
    public byte EffectiveScope => Scope ?? (!IsIPv6 && Kind == RouteKind.Unicast && NextHop is null && Options?.Hops is null ? (byte)253 : (byte)0);

    /// <summary>RTA_PRIORITY as the kernel keeps it.</summary>
    internal uint EffectiveMetric => IsIPv6 && Metric == 0 ? 1024 : Metric;

    // Without it "default" means the IPv4 one.
    internal string[] FamilyWords => IsIPv6 ? ["-6"] : [];

    internal IReadOnlyList<string> Words
    {
        get
        {
            var words = new List<string>();
            if (Kind != RouteKind.Unicast)
            {
                words.Add(Kind.ToString().ToLowerInvariant());
            }

            words.Add(Destination.Length == 0 ? "default" : Destination.ToString());
            Add("via", NextHop is { } hop && hop.AddressFamily != Destination.Address.AddressFamily ? $"inet6 {hop}" : NextHop?.ToString());
            Add("dev", Interface?.Value);
            Add("src", Source?.ToString());
            Add("metric", Metric == 0 ? null : Invariant(Metric));
            Add("table", Table == 254 ? null : Invariant(Table));
            words.AddRange(Options?.Words ?? []);
            return words;

            void Add(string key, string? value)
            {
                if (value is not null)
                {
                    words.Add(key);
                    words.Add(value);
                }
            }
        }
    }

    internal string? Fault() => this switch
    {
        { Table: 0 } => "route table: must be 1 to 4294967295",
        { Kind: RouteKind.Unicast, Interface: null } when Options?.Hops is null => "route interface: a unicast route needs one",
        { Kind: not RouteKind.Unicast, Interface: not null } => "route interface: only a unicast route has one",
        { Kind: not RouteKind.Unicast, NextHop: not null } => "route next hop: only a unicast route has one",
        _ when Options?.Fault(this) is { } fault => fault,
        { Options.IsViaIPv6: true } when NextHop is not { AddressFamily: AddressFamily.InterNetworkV6 } || IsIPv6 => "route next hop: an IPv4 route by an IPv6 next hop needs one",
        _ when Options is not { IsViaIPv6: true } && (NextHop ?? Destination.Address).AddressFamily != Destination.Address.AddressFamily => "route next hop: is of another family than the destination",
        _ when (Source ?? Destination.Address).AddressFamily != Destination.Address.AddressFamily => "route source: is of another family than the destination",
        _ when !Destination.Network.Address.Equals(Destination.Address) => $"route destination: {Destination} has host bits; write {Destination.Network}",
        _ => null,
    };

    private static string Invariant(uint value) => value.ToString(System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>Sets a route, in place of one with the same destination, table and metric.</summary>
/// <param name="Gateway">The gateway.</param>
/// <param name="Route">The route.</param>
public sealed record ReplaceRoute(GatewayName Gateway, RouteSpec Route) : HostOperation(Gateway)
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Command => Tool("ip", [.. Route.FamilyWords, "route", "replace", .. Route.Words]);

    /// <inheritdoc/>
    public override void Validate() => Require(Route.Fault() is null, Route.Fault() ?? "");
}

/// <summary>Removes a route.</summary>
/// <param name="Gateway">The gateway.</param>
/// <param name="Route">The route.</param>
public sealed record RemoveRoute(GatewayName Gateway, RouteSpec Route) : HostOperation(Gateway)
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Command => Tool("ip", [.. Route.FamilyWords, "route", "del", .. Route.Words]);

    /// <inheritdoc/>
    public override void Validate() => Require(Route.Fault() is null, Route.Fault() ?? "");
}

/// <summary>Adds a policy rule: packets from <paramref name="Source"/> are looked up in <paramref name="Table"/>.</summary>
/// <param name="Gateway">The gateway.</param>
/// <param name="Priority">1 to 32765; lower is asked first.</param>
/// <param name="Source">Source prefix.</param>
/// <param name="Table">Routing table.</param>
public sealed record AddRule(GatewayName Gateway, uint Priority, IpPrefix Source, uint Table) : HostOperation(Gateway)
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Command => Tool("ip", RuleWords("add", Priority, Source, Table));

    /// <inheritdoc/>
    public override void Validate() => RequireRule(Priority, Table);

    internal static void RequireRule(uint priority, uint table)
    {
        Require(priority is > 0 and < 32766, "rule priority: must be 1 to 32765, before the kernel's own rules");
        Require(table != 0, "rule table: must be 1 to 4294967295");
    }

    internal static string[] RuleWords(string verb, uint priority, IpPrefix source, uint table) =>
        [.. source.Address.AddressFamily == AddressFamily.InterNetworkV6 ? (string[])["-6"] : [], "rule", verb, "pref", $"{priority}", "from", source.Length == (source.Address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128) ? $"{source.Address}" : $"{source}", "table", $"{table}"];
}

/// <summary>Removes a policy rule.</summary>
/// <param name="Gateway">The gateway.</param>
/// <param name="Priority">Its priority.</param>
/// <param name="Source">Its source prefix.</param>
/// <param name="Table">Its table.</param>
public sealed record RemoveRule(GatewayName Gateway, uint Priority, IpPrefix Source, uint Table) : HostOperation(Gateway)
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Command => Tool("ip", AddRule.RuleWords("del", Priority, Source, Table));

    /// <inheritdoc/>
    public override void Validate() => AddRule.RequireRule(Priority, Table);
}
