using System.Collections.Immutable;
using System.Net;
using MPSec.Features.Network;
using MPSec.Linux.Gateways;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;

namespace MPSec.Tests.Features.Network;

/// <summary>States of a gateway <c>g</c> as a kernel would tell them, put together by hand.</summary>
internal sealed class NetworkStates
{
    private readonly List<LinkReading> _links = [new() { Index = 1, Name = "lo", Flags = 0x9, OperationalState = "unknown", Mtu = 65536 }];
    private readonly List<AddressReading> _addresses = [];
    private readonly List<RouteReading> _routes = [];
    private readonly List<RuleReading> _rules = [];
    private readonly List<MptcpEndpoint> _endpoints = [];
    private readonly Dictionary<SysctlKey, string?> _settings = [];
    private readonly Dictionary<string, InterfaceOwner> _owners = [];
    private MptcpLimits? _limits = new(2, 0);

    public static GatewayName Gateway { get; } = GatewayName.Parse("g");

    public NetworkStates Link(string name, bool up = true, uint mtu = 1500)
    {
        _links.Add(new() { Index = _links.Count + 1, Name = name, Flags = up ? 0x10001u : 0, OperationalState = up ? "up" : "down", Mtu = mtu });
        return this;
    }

    /// <param name="link">Interface.</param>
    /// <param name="prefix">Address with length.</param>
    /// <param name="flags">IFA_F_*: permanent unless told otherwise.</param>
    public NetworkStates Address(string link, string prefix, uint flags = 0x80)
    {
        _addresses.Add(new(Index(link), IpPrefix.Parse(prefix), flags, 0, null));
        return this;
    }

    public NetworkStates Route(string destination, string? link, string? via = null, uint table = 254, string? source = null, uint metric = 0, string kind = "unicast", byte protocol = 3)
    {
        _routes.Add(new(IpPrefix.Parse(destination), table, kind, via is null ? null : IPAddress.Parse(via), link is null ? null : Index(link), source is null ? null : IPAddress.Parse(source), metric, protocol, 0));
        return this;
    }

    public NetworkStates Rule(uint priority, string source, uint table)
    {
        var prefix = IpPrefix.Parse(source);
        _rules.Add(new(priority, prefix, null, table, "lookup", prefix.Address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6, null, null, null));
        return this;
    }

    public NetworkStates Endpoint(byte id, string address, MptcpEndpointFlags flags, string? link = null, ushort port = 0)
    {
        _endpoints.Add(new(id, IPAddress.Parse(address), port, flags, link is null ? null : Index(link)));
        return this;
    }

    public NetworkStates Limits(uint subflows, uint accepted)
    {
        _limits = new(subflows, accepted);
        return this;
    }

    public NetworkStates Setting(string name, string? value)
    {
        _settings[SysctlKey.Parse(name)] = value;
        return this;
    }

    public NetworkStates Owner(string link, InterfaceOwnerKind kind, string evidence)
    {
        _owners[link] = new(kind, evidence);
        return this;
    }

    /// <summary>What a path of a document has when it was applied, IPv4: address .1 of 10.99.N.0/24, next hop .2, table 100 + N, rule 1000 + N.</summary>
    public NetworkStates Path(int number) => Link($"path{number}").Address($"path{number}", $"10.99.{number}.1/24")
        .Route($"10.99.{number}.0/24", $"path{number}", source: $"10.99.{number}.1", protocol: 2)
        .Route($"10.99.{number}.0/24", $"path{number}", table: 100 + (uint)number, source: $"10.99.{number}.1")
        .Route("0.0.0.0/0", $"path{number}", $"10.99.{number}.2", 100 + (uint)number)
        .Route("0.0.0.0/0", null, table: 100 + (uint)number, metric: 4278198272, kind: "unreachable")
        .Rule(1000 + (uint)number, $"10.99.{number}.1/32", 100 + (uint)number);

    public NetworkKernelState State() => new(
        new GatewayReading
        {
            Gateway = Gateway,
            Links = [.. _links],
            Addresses = [.. _addresses],
            Routes = [.. _routes],
            Rules = [.. _rules],
            Endpoints = [.. _endpoints],
            Limits = _limits,
        },
        _settings.ToImmutableDictionary(), _owners.ToImmutableDictionary());

    /// <summary>The document of such a path.</summary>
    public static NetworkDocumentPath Document(int number) => new()
    {
        Interface = InterfaceName.Parse($"path{number}"),
        Addresses = [IpPrefix.Parse($"10.99.{number}.1/24")],
        NextHops = [IPAddress.Parse($"10.99.{number}.2")],
        Table = 100 + (uint)number,
        RulePriority = 1000 + (uint)number,
    };

    public static NetworkDocument Documents(params NetworkDocumentPath[] paths) => NetworkDocument.Empty with { Paths = [.. paths] };

    private int Index(string link) => _links.First(l => l.Name == link).Index;
}
