using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using MPSec.Changes;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>
/// The multipath set-up of one gateway as a readable file: paths with their addresses and routing, and the MPTCP settings. Applying it adds and changes
/// what it names and leaves everything else alone; applying it twice changes nothing the second time.
/// </summary>
public sealed record NetworkDocument
{
    /// <summary>Version of the format that this program writes and reads.</summary>
    public const int CurrentVersion = 1;

    /// <summary>Metric of the last-resort route of a path's table: behind every real one.</summary>
    private const uint LastResort = 4278198272;

    private const int MostPaths = 64;

    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new AddressJsonConverter(), new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    /// <summary>Version of the format.</summary>
    public required int Version { get; init; }

    /// <summary>Paths in any order.</summary>
    public ImmutableArray<NetworkDocumentPath> Paths { get; init; } = [];

    /// <summary>MPTCP settings; null leaves them alone.</summary>
    public NetworkDocumentMptcp? Mptcp { get; init; }

    /// <summary>Reads a document.</summary>
    /// <exception cref="FormatException">It is none; the message names the field and the fix.</exception>
    public static NetworkDocument Parse(string json)
    {
        NetworkDocument? document;
        try
        {
            document = JsonSerializer.Deserialize<NetworkDocument>(json, s_json);
        }
        catch (JsonException e)
        {
            throw new FormatException($"file: {(e.Path is null or "$" ? "" : e.Path + ": ")}{e.InnerException?.Message ?? e.Message}");
        }

        if (document is null)
        {
            throw new FormatException("file: is empty; 'mpsec network export' writes one to start from");
        }

        return document.Fault() is { } fault ? throw new FormatException(fault) : document;
    }

    /// <summary>The document as text; <see cref="Parse"/> reads it back.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, s_json) + "\n";

    /// <summary>The document of what <paramref name="reading"/> shows.</summary>
    public static NetworkDocument Of(GatewayReading reading)
    {
        ArgumentNullException.ThrowIfNull(reading);
        var paths = reading.Links.Where(l => !l.IsLoopback).Select(l => PathOf(reading, l)).OfType<NetworkDocumentPath>();
        return new()
        {
            Version = CurrentVersion,
            Paths = [.. paths],
            Mptcp = reading.MptcpEnabled is { } enabled
                ? new()
                {
                    Enabled = enabled,
                    Subflows = reading.Limits?.Subflows,
                    AddAddrAccepted = reading.Limits?.AddAddrAccepted,
                    Endpoints = [.. reading.Endpoints.Where(e => !e.Flags.HasFlag(MptcpEndpointFlags.Implicit)).Select(e => EndpointOf(reading, e))],
                }
                : null,
        };
    }

    /// <summary>The plan that brings <paramref name="gateway"/> to this document.</summary>
    public ChangePlan ToPlan(GatewayName gateway)
    {
        var operations = ImmutableArray.CreateBuilder<HostOperation>();
        foreach (var path in Paths)
        {
            operations.AddRange(path.Addresses.Select(a => new AddAddress(gateway, path.Interface, a)));
            operations.Add(new SetLinkState(gateway, path.Interface, true));
        }

        // Routes come when every link is up: a next hop must be reachable.
        operations.AddRange(Paths.SelectMany(p => Routing(gateway, p)));
        if (Mptcp is { } mptcp)
        {
            operations.Add(new WriteSysctl(gateway, SysctlKey.Parse("net.mptcp.enabled"), mptcp.Enabled ? "1" : "0"));
            if (mptcp is { Subflows: { } subflows, AddAddrAccepted: { } accepted })
            {
                operations.Add(new SetMptcpLimits(gateway, subflows, accepted));
            }

            operations.AddRange(mptcp.Endpoints.Select(e => new AddEndpoint(gateway, e.Id, e.Address, Flags(e), e.Interface, e.Port ?? 0)));
        }

        return new() { TitleCode = "network.apply", TitleArguments = [gateway.Value], Operations = operations.ToImmutable(), Danger = ChangeDanger.Medium };
    }

    private static IEnumerable<HostOperation> Routing(GatewayName gateway, NetworkDocumentPath path)
    {
        if (path.Table is not { } table)
        {
            yield break;
        }

        foreach (var address in path.Addresses)
        {
            var v4 = address.Address.AddressFamily == AddressFamily.InterNetwork;
            var all = new IpPrefix(v4 ? IPAddress.Any : IPAddress.IPv6Any, 0);
            yield return new AddRule(gateway, path.RulePriority ?? table, new IpPrefix(address.Address, v4 ? 32 : 128), table);
            yield return new ReplaceRoute(gateway, new() { Destination = address.Network, Interface = path.Interface, Source = address.Address, Table = table });
            if (path.NextHops.FirstOrDefault(n => n.AddressFamily == address.Address.AddressFamily) is { } nextHop)
            {
                yield return new ReplaceRoute(gateway, new() { Destination = all, Interface = path.Interface, NextHop = nextHop, Table = table });
            }

            yield return new ReplaceRoute(gateway, new() { Destination = all, Kind = RouteKind.Unreachable, Metric = LastResort, Table = table });
        }
    }

    private static NetworkDocumentPath? PathOf(GatewayReading reading, LinkReading link)
    {
        var addresses = reading.Addresses.Where(a => a.InterfaceIndex == link.Index && a.Scope == 0).Select(a => a.Prefix).ToImmutableArray();
        if (addresses.IsEmpty || !InterfaceName.TryParse(link.Name, out var name, out _))
        {
            return null;
        }

        var rule = reading.Rules.FirstOrDefault(r => r.Action == "lookup" && r.Source is { } s && addresses.Any(a => a.Address.Equals(s.Address)) && r.Table is not (253 or 254 or 255));
        return new()
        {
            Interface = name,
            Addresses = addresses,
            Table = rule?.Table,
            RulePriority = rule?.Priority,
            NextHops = rule is null
                ? []
                : [.. reading.Routes.Where(r => r.Table == rule.Table && r.InterfaceIndex == link.Index && r.Destination.Length == 0).Select(r => r.Gateway).OfType<IPAddress>().Distinct()],
        };
    }

    private static NetworkDocumentEndpoint EndpointOf(GatewayReading reading, MptcpEndpoint endpoint) => new()
    {
        Id = endpoint.Id,
        Address = endpoint.Address,
        Port = endpoint.Port == 0 ? null : endpoint.Port,
        Interface = reading.Links.FirstOrDefault(l => l.Index == endpoint.InterfaceIndex) is { } link && InterfaceName.TryParse(link.Name, out var name, out _) ? name : null,
        Flags = [.. Enum.GetValues<MptcpEndpointFlags>().Where(f => f is not (MptcpEndpointFlags.None or MptcpEndpointFlags.Implicit) && endpoint.Flags.HasFlag(f))],
    };

    private static MptcpEndpointFlags Flags(NetworkDocumentEndpoint endpoint) => endpoint.Flags.Aggregate(MptcpEndpointFlags.None, (all, one) => all | one);

    private string? Fault()
    {
        if (Version != CurrentVersion)
        {
            return $"version: this program reads version {CurrentVersion}, the file has {Version}";
        }

        if (Paths.IsDefault || Paths.Length > MostPaths)
        {
            return $"paths: at most {MostPaths} are allowed";
        }

        if (Paths.GroupBy(p => p.Interface).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            return $"paths: interface {twice.Key} occurs more than once";
        }

        if (Paths.Where(p => p.Table is not null).GroupBy(p => p.Table).FirstOrDefault(g => g.Count() > 1) is { } shared)
        {
            return $"paths: table {shared.Key} is used by more than one path; each needs its own";
        }

        return Paths.Select(p => p.Fault()).Concat(Mptcp?.Faults() ?? []).FirstOrDefault(f => f is not null);
    }

    private sealed class AddressJsonConverter : JsonConverter<IPAddress>
    {
        public override IPAddress Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.String && IPAddress.TryParse(reader.GetString(), out var address) ? address : throw new JsonException(null, new FormatException("must be an address such as 192.0.2.1 or 2001:db8::1"));

        public override void Write(Utf8JsonWriter writer, IPAddress value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
    }
}

/// <summary>One path of a <see cref="NetworkDocument"/>.</summary>
public sealed record NetworkDocumentPath
{
    /// <summary>Its interface.</summary>
    public required InterfaceName Interface { get; init; }

    /// <summary>Own addresses with prefix length, both families.</summary>
    public ImmutableArray<IpPrefix> Addresses { get; init; } = [];

    /// <summary>Next hop of the default route of the path's table, at most one per family.</summary>
    public ImmutableArray<IPAddress> NextHops { get; init; } = [];

    /// <summary>Routing table of the path, 1 to 252 or 256 and up; null means no routing of its own.</summary>
    public uint? Table { get; init; }

    /// <summary>Priority of the rules that send the path's sources to its table, 1 to 32765; the table's number when null.</summary>
    public uint? RulePriority { get; init; }

    internal string? Fault()
    {
        if (Addresses.IsDefault || NextHops.IsDefault)
        {
            return $"path {Interface}: addresses and nextHops must be lists";
        }

        if (Table is 0 or 253 or 254 or 255)
        {
            return $"path {Interface}: table {Table} belongs to the kernel; choose another such as 101";
        }

        if (RulePriority is 0 or > 32765)
        {
            return $"path {Interface}: rulePriority must be 1 to 32765, before the kernel's own rules";
        }

        if (Table is > 32765 && RulePriority is null)
        {
            return $"path {Interface}: give a rulePriority of 1 to 32765, the table's number is too large to be one";
        }

        if (NextHops.GroupBy(n => n.AddressFamily).Any(g => g.Count() > 1))
        {
            return $"path {Interface}: nextHops may have one address per family";
        }

        if (NextHops.FirstOrDefault(n => !Addresses.Any(a => a.Contains(n)) && !n.IsIPv6LinkLocal) is { } outside)
        {
            return $"path {Interface}: next hop {outside} lies in no prefix of the path's addresses";
        }

        return NextHops.FirstOrDefault(n => Addresses.Any(a => a.Address.Equals(n))) is { } self ? $"path {Interface}: next hop {self} is the path's own address" : null;
    }
}

/// <summary>MPTCP settings of a <see cref="NetworkDocument"/>.</summary>
public sealed record NetworkDocumentMptcp
{
    /// <summary>Whether new sockets may speak MPTCP.</summary>
    public required bool Enabled { get; init; }

    /// <summary>Additional subflows per connection, 0 to 8; null leaves the limits alone.</summary>
    public uint? Subflows { get; init; }

    /// <summary>Announced addresses taken per connection, 0 to 8; null leaves the limits alone.</summary>
    public uint? AddAddrAccepted { get; init; }

    /// <summary>Endpoints that must be there.</summary>
    public ImmutableArray<NetworkDocumentEndpoint> Endpoints { get; init; } = [];

    internal IEnumerable<string?> Faults()
    {
        yield return Subflows is > 8 || AddAddrAccepted is > 8 ? "mptcp: limits must be 0 to 8" : null;
        yield return (Subflows is null) != (AddAddrAccepted is null) ? "mptcp: give both subflows and addAddrAccepted, or neither" : null;
        yield return Endpoints.IsDefault ? "mptcp: endpoints must be a list" : null;
        yield return !Endpoints.IsDefault && Endpoints.GroupBy(e => e.Id).FirstOrDefault(g => g.Count() > 1) is { } twice ? $"mptcp: endpoint id {twice.Key} occurs more than once" : null;
        foreach (var endpoint in Endpoints.IsDefault ? [] : Endpoints)
        {
            yield return endpoint switch
            {
                { Id: 0 } => "mptcp: an endpoint's id must be 1 to 255",
                { Flags.IsDefaultOrEmpty: true } => $"mptcp: endpoint {endpoint.Id} needs flags, such as [\"signal\"]",
                { Port: not null } when !endpoint.Flags.Contains(MptcpEndpointFlags.Signal) => $"mptcp: endpoint {endpoint.Id}: a port needs the flag signal",
                _ when endpoint.Flags.Contains(MptcpEndpointFlags.Signal) && endpoint.Flags.Contains(MptcpEndpointFlags.Fullmesh) => $"mptcp: endpoint {endpoint.Id}: signal and fullmesh exclude each other",
                _ => null,
            };
        }
    }
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
}
