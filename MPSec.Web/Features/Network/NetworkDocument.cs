using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Serialization;
using MPSec.Changes;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>
/// The multipath set-up of one gateway as a readable file: paths with their names, roles, addresses and routing, the MPTCP settings, kernel settings, and
/// further rules and routes. What it does not name it leaves alone; applying it twice changes nothing the second time.
/// </summary>
public sealed partial record NetworkDocument
{
    /// <summary>Version of the format that this program writes and reads.</summary>
    public const int CurrentVersion = 1;

    /// <summary>Most paths of a gateway.</summary>
    public const int MostPaths = 64;

    private readonly ImmutableSortedDictionary<string, string> _settings = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    /// <summary>A document that names nothing.</summary>
    public static NetworkDocument Empty { get; } = new() { Version = CurrentVersion };

    /// <summary>Version of the format.</summary>
    public required int Version { get; init; }

    /// <summary>Paths in any order.</summary>
    public ImmutableArray<NetworkDocumentPath> Paths { get; init; } = [];

    /// <summary>MPTCP settings; null leaves them alone.</summary>
    public NetworkDocumentMptcp? Mptcp { get; init; }

    /// <summary>Kernel settings by name (<see cref="SysctlKey"/>), but for <c>net.mptcp.enabled</c>, which is <see cref="NetworkDocumentMptcp.Enabled"/>.</summary>
    public ImmutableSortedDictionary<string, string> Settings
    {
        get => _settings;
        init => _settings = value is null ? ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal) : value.WithComparers(StringComparer.Ordinal);
    }

    /// <summary>
    /// What cannot be said otherwise: further rules, routes and shapers as <see cref="AddRule"/>, <see cref="ReplaceRoute"/> and <see cref="SetShaper"/>. Their
    /// gateway does not count: the document is for the gateway that it is applied to.
    /// </summary>
    public ImmutableArray<HostOperation> More { get; init; } = [];

    /// <summary>The path of this interface; null when the document names none.</summary>
    public NetworkDocumentPath? FindPath(string name) => Paths.FirstOrDefault(p => p.Interface.Value == name);

    /// <summary>The path that has this address; null when none has.</summary>
    public NetworkDocumentPath? FindPath(IPAddress address) => Paths.FirstOrDefault(p => p.Addresses.Any(a => a.Address.Equals(address)));

    /// <summary>The document of what <paramref name="reading"/> shows. Roles and names are not in the kernel, so it has none.</summary>
    public static NetworkDocument Of(GatewayReading reading)
    {
        ArgumentNullException.ThrowIfNull(reading);
        var paths = reading.Links.Where(l => !l.IsLoopback).Select(l => NetworkDocumentPath.Of(reading, l)).OfType<NetworkDocumentPath>();
        return new()
        {
            Version = CurrentVersion,
            Paths = [.. paths.Where(p => !p.Addresses.IsEmpty)],
            Mptcp = reading.MptcpEnabled is { } enabled
                ? new()
                {
                    Enabled = enabled,
                    Subflows = reading.Limits?.Subflows,
                    AddAddrAccepted = reading.Limits?.AddAddrAccepted,
                    Endpoints = [.. reading.Endpoints.Where(e => !e.Flags.HasFlag(MptcpEndpointFlags.Implicit)).Select(e => NetworkDocumentEndpoint.Of(reading, e))],
                }
                : null,
        };
    }
}

/// <summary>One path of a <see cref="NetworkDocument"/>.</summary>
public sealed record NetworkDocumentPath
{
    private const uint UsualMtu = 1500;

    /// <summary>Its interface.</summary>
    public required InterfaceName Interface { get; init; }

    /// <summary>A person's name for it, 1 to 32 printable characters; null shows the interface's.</summary>
    public string? Name { get; init; }

    /// <summary>What it is for; null leaves endpoint flags and the default route of table main alone.</summary>
    public NetworkPathRole? Role { get; init; }

    /// <summary>Whether the link is set up. A path that is down keeps its rules, which then lead nowhere, and gets its routes when it comes up.</summary>
    public bool Up { get; init; } = true;

    /// <summary>MTU in bytes, 68 to 65535, at least 1280 with IPv6; null leaves it alone.</summary>
    public uint? Mtu { get; init; }

    /// <summary>Own addresses with prefix length, both families.</summary>
    public ImmutableArray<IpPrefix> Addresses { get; init; } = [];

    /// <summary>Next hop of the default route of the path's table, at most one per family.</summary>
    public ImmutableArray<IPAddress> NextHops { get; init; } = [];

    /// <summary>Routing table of the path, 1 to 252 or 256 and up; null means no routing of its own.</summary>
    public uint? Table { get; init; }

    /// <summary>Priority of the rules that send the path's sources to its table, 1 to 32765; the table's number when null.</summary>
    public uint? RulePriority { get; init; }

    /// <summary>The priority that its rules have; null without a table.</summary>
    [JsonIgnore]
    public uint? EffectivePriority => Table is null ? null : RulePriority ?? Table;

    /// <summary>The next hop of a family; null when it has none.</summary>
    public IPAddress? NextHop(bool isIPv6) => NextHops.FirstOrDefault(n => n.IsIPv6() == isIPv6);

    /// <summary>Says nothing but which interface it is.</summary>
    [JsonIgnore]
    internal bool IsBlank => this is { Name: null, Role: null, Up: true, Mtu: null, Addresses.IsEmpty: true, NextHops.IsEmpty: true, Table: null, RulePriority: null };

    /// <summary>The path of an interface as the kernel shows it; null when its name cannot be written.</summary>
    internal static NetworkDocumentPath? Of(GatewayReading reading, LinkReading link)
    {
        if (!InterfaceName.TryParse(link.Name, out var name, out _))
        {
            return null;
        }

        // An address with a lifetime belongs to whoever prolongs it.
        var addresses = reading.Addresses.Where(a => a.InterfaceIndex == link.Index && a.Scope == 0 && (a.Flags & 0x80) != 0).Select(a => a.Prefix).ToImmutableArray();
        var rule = reading.Rules.FirstOrDefault(r => r.Action == "lookup" && r.Source is { } s && addresses.Any(a => a.Address.Equals(s.Address)) && r.Table is not (253 or 254 or 255));
        return new()
        {
            Interface = name,
            Up = link.IsUp,
            Mtu = link.Mtu == UsualMtu ? null : link.Mtu,
            Addresses = addresses,
            Table = rule?.Table,
            RulePriority = rule?.Priority,
            NextHops = rule is null
                ? []
                : [.. reading.Routes.Where(r => r.Table == rule.Table && r.InterfaceIndex == link.Index && r.Destination.Length == 0).Select(r => r.Gateway).OfType<IPAddress>().DistinctBy(g => g.AddressFamily)],
        };
    }
}

/// <summary>MPTCP settings of a <see cref="NetworkDocument"/>.</summary>
public sealed record NetworkDocumentMptcp
{
    /// <summary>Whether new sockets may speak MPTCP; null leaves it alone.</summary>
    public bool? Enabled { get; init; }

    /// <summary>Additional subflows per connection, 0 to 8; null leaves the limits alone.</summary>
    public uint? Subflows { get; init; }

    /// <summary>Announced addresses taken per connection, 0 to 8; null leaves the limits alone.</summary>
    public uint? AddAddrAccepted { get; init; }

    /// <summary>Endpoints that must be there. The role of the path that has an endpoint's address decides about its backup flag, and whether it is there.</summary>
    public ImmutableArray<NetworkDocumentEndpoint> Endpoints { get; init; } = [];
}

/// <summary>One endpoint of a <see cref="NetworkDocumentMptcp"/>.</summary>
public sealed record NetworkDocumentEndpoint
{
    /// <summary>1 to 255.</summary>
    public required byte Id { get; init; }

    /// <summary>Its address.</summary>
    public required IPAddress Address { get; init; }

    /// <summary>Flags: signal, subflow, backup, fullmesh, laminar.</summary>
    public required ImmutableArray<MptcpEndpointFlags> Flags { get; init; }

    /// <summary>Interface that it is bound to; null when none.</summary>
    public InterfaceName? Interface { get; init; }

    /// <summary>Port; null when none.</summary>
    public ushort? Port { get; init; }

    internal MptcpEndpointFlags AllFlags => Flags.Aggregate(MptcpEndpointFlags.None, (all, one) => all | one);

    internal static ImmutableArray<MptcpEndpointFlags> Words(MptcpEndpointFlags flags) =>
        [.. Enum.GetValues<MptcpEndpointFlags>().Where(f => f is not (MptcpEndpointFlags.None or MptcpEndpointFlags.Implicit) && flags.HasFlag(f))];

    internal static NetworkDocumentEndpoint Of(GatewayReading reading, MptcpEndpoint endpoint) => new()
    {
        Id = endpoint.Id,
        Address = endpoint.Address,
        Port = endpoint.Port == 0 ? null : endpoint.Port,
        Interface = reading.Links.FirstOrDefault(l => l.Index == endpoint.InterfaceIndex) is { } link && InterfaceName.TryParse(link.Name, out var name, out _) ? name : null,
        Flags = Words(endpoint.Flags),
    };
}
