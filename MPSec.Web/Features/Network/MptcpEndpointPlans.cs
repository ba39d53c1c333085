using System.Collections.Immutable;
using System.Net;
using MPSec.Changes;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>An endpoint to add, as typed.</summary>
/// <param name="Address">One of the gateway's own addresses.</param>
/// <param name="Flags">What it is for.</param>
/// <param name="Id">1 to 255; null takes the lowest free one.</param>
/// <param name="Interface">Interface to bind to; null or empty for none.</param>
/// <param name="Port">Port to announce; null for none.</param>
public sealed record MptcpEndpointWish(string? Address, MptcpEndpointFlags Flags, int? Id = null, string? Interface = null, int? Port = null);

/// <summary>Plans of endpoints and limits, checked by the rules of the kernel (net/mptcp/pm_kernel.c) before it is asked.</summary>
public static class MptcpEndpointPlans
{
    /// <summary>Most endpoints with the flag subflow, and highest limit.</summary>
    public const int Most = 8;

    private const MptcpEndpointFlags Roles = MptcpEndpointFlags.Signal | MptcpEndpointFlags.Subflow | MptcpEndpointFlags.Laminar;

    /// <summary>Adds an endpoint. The door reads it back, so that a flag that this kernel ignores is told and nothing stays.</summary>
    /// <param name="snapshot">The gateway as it is.</param>
    /// <param name="wish">What to add.</param>
    /// <param name="ownersAccepted">The user knows that another program manages endpoints here.</param>
    /// <exception cref="ChangeException">A field is wrong, or another program owns the endpoints (<see cref="ChangeFault.Foreign"/>).</exception>
    public static ChangePlan Add(MptcpSettingsSnapshot snapshot, MptcpEndpointWish wish, bool ownersAccepted)
    {
        RequireEndpoints(snapshot);
        ArgumentNullException.ThrowIfNull(wish);
        var address = IPAddress.TryParse(wish.Address, out var parsed) ? parsed : throw Invalid("endpoint address: is no IP address");
        Require(snapshot.Addresses.Any(a => a.Address.Equals(address)), $"endpoint address: {address} is no address of gateway {snapshot.Gateway}; choose one of {List(snapshot)}");
        Require(!snapshot.Endpoints.Any(e => e.Address.Equals(address) && e.Port == (wish.Port ?? 0)), $"endpoint address: {address} is an endpoint already; change or remove that one");
        Require(wish.Id is null or (>= 1 and <= 255), "endpoint id: must be 1 to 255, or empty for the lowest free one");
        Require(wish.Id is null || snapshot.Endpoints.All(e => e.Id != wish.Id), $"endpoint id: {wish.Id} is in use; leave it empty for the lowest free one");
        Require(wish.Port is null or (>= 1 and <= 65535), "endpoint port: must be 1 to 65535, or empty for none");
        Require(wish.Port is null || wish.Flags.HasFlag(MptcpEndpointFlags.Signal), "endpoint port: needs the flag signal, because only an announced address has a port");
        Require(!wish.Flags.HasFlag(MptcpEndpointFlags.Signal | MptcpEndpointFlags.Fullmesh), "endpoint flags: signal and fullmesh exclude each other");
        Require((wish.Flags & Roles) != 0, "endpoint flags: choose signal, subflow or laminar, because without one the endpoint does nothing");
        Require(!wish.Flags.HasFlag(MptcpEndpointFlags.Subflow) || snapshot.Endpoints.Count(e => e.Flags.HasFlag(MptcpEndpointFlags.Subflow)) < Most,
            $"endpoint flags: the kernel takes at most {Most} endpoints with subflow; remove one first");
        if (wish.Flags.HasFlag(MptcpEndpointFlags.Laminar) && !snapshot.HasKernel(6, 18))
        {
            throw new ChangeException(ChangeFault.NotAvailable, $"endpoint flags: laminar came with Linux 6.18, this kernel is {snapshot.KernelRelease}");
        }

        var link = LinkOf(snapshot, address, wish.Interface);
        RequireOwnersAccepted(snapshot, ownersAccepted);
        var used = snapshot.Endpoints.Select(e => (int)e.Id).ToHashSet();
        var id = (byte)(wish.Id ?? Enumerable.Range(1, 255).First(n => !used.Contains(n)));
        return Plan("mptcp.endpoint.add", snapshot, $"{address}", new AddEndpoint(snapshot.Gateway, id, address, wish.Flags, link, (ushort)(wish.Port ?? 0)), ChangeDanger.Low);
    }

    /// <summary>Refuses to add endpoints beside another program, unless the user accepted that.</summary>
    /// <exception cref="ChangeException">Another program owns the endpoints (<see cref="ChangeFault.Foreign"/>).</exception>
    public static void RequireOwnersAccepted(MptcpSettingsSnapshot snapshot, bool accepted)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        if (!accepted && snapshot.Owners.Length > 0)
        {
            throw new ChangeException(ChangeFault.Foreign, $"endpoints: {string.Join(" and ", snapshot.Owners)} manages the endpoints of gateway {snapshot.Gateway} and may remove or repeat what is added; confirm (ownersAccepted) to add all the same");
        }
    }

    /// <summary>Changes backup and fullmesh of an endpoint; connections that exist follow at once.</summary>
    /// <exception cref="ChangeException">There is no such endpoint, or the flags exclude each other.</exception>
    public static ChangePlan Change(MptcpSettingsSnapshot snapshot, int id, bool backup, bool fullmesh)
    {
        var endpoint = Find(snapshot, id);
        Require(!fullmesh || !endpoint.Flags.HasFlag(MptcpEndpointFlags.Signal), "endpoint flags: signal and fullmesh exclude each other");
        return Plan("mptcp.endpoint.change", snapshot, $"{endpoint.Address}", new SetEndpointFlags(snapshot.Gateway, endpoint.Id, endpoint.Address, backup, fullmesh), ChangeDanger.Low);
    }

    /// <summary>Removes an endpoint; its subflows close, connections with another one go on.</summary>
    /// <exception cref="ChangeException">There is no such endpoint.</exception>
    public static ChangePlan Remove(MptcpSettingsSnapshot snapshot, int id)
    {
        var endpoint = Find(snapshot, id);
        return Plan("mptcp.endpoint.remove", snapshot, $"{endpoint.Address}", new RemoveEndpoint(snapshot.Gateway, endpoint.Id, endpoint.Address), ChangeDanger.Medium);
    }

    /// <summary>Sets the limits.</summary>
    /// <exception cref="ChangeException">A limit is out of range, or this kernel has none.</exception>
    public static ChangePlan Limits(MptcpSettingsSnapshot snapshot, int subflows, int accepted)
    {
        RequireEndpoints(snapshot);
        Require(subflows is >= 0 and <= Most, $"limit of subflows: must be 0 to {Most}");
        Require(accepted is >= 0 and <= Most, $"limit of accepted addresses: must be 0 to {Most}");
        return Plan("mptcp.limits", snapshot, $"{subflows}, {accepted}", new SetMptcpLimits(snapshot.Gateway, (uint)subflows, (uint)accepted), ChangeDanger.Low);
    }

    /// <summary>Codes of what often goes wrong with such an endpoint; keys of texts with <c>Pitfall_</c>.</summary>
    public static ImmutableArray<string> Pitfalls(MptcpSettingsSnapshot snapshot, MptcpEndpointWish wish)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        ArgumentNullException.ThrowIfNull(wish);
        var found = ImmutableArray.CreateBuilder<string>();
        if (wish.Flags.HasFlag(MptcpEndpointFlags.Signal) && !snapshot.IsListening)
        {
            found.Add("client-signal");
        }

        if (wish.Flags.HasFlag(MptcpEndpointFlags.Subflow) && !string.IsNullOrWhiteSpace(wish.Interface))
        {
            found.Add("bound-subflow");
        }

        if (snapshot.IsUserspace)
        {
            found.Add("userspace");
        }

        return found.ToImmutable();
    }

    private static InterfaceName? LinkOf(MptcpSettingsSnapshot snapshot, IPAddress address, string? name)
    {
        if (string.IsNullOrWhiteSpace(name))
        {
            return null;
        }

        var link = InterfaceName.TryParse(name.Trim(), out var parsed, out var error) ? parsed : throw Invalid($"endpoint {error}");
        Require(snapshot.Links.Any(l => l.Name == link.Value), $"endpoint interface: gateway {snapshot.Gateway} has no interface {link}");
        Require(snapshot.Addresses.Any(a => a.Address.Equals(address) && a.Link == link.Value), $"endpoint interface: {link} does not have the address {address}");
        return link;
    }

    private static MptcpEndpoint Find(MptcpSettingsSnapshot snapshot, int id)
    {
        RequireEndpoints(snapshot);
        return snapshot.Endpoints.FirstOrDefault(e => e.Id == id) ?? throw new ChangeException(ChangeFault.NotFound, $"endpoint id: gateway {snapshot.Gateway} has no MPTCP endpoint {id}");
    }

    private static void RequireEndpoints(MptcpSettingsSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        if (snapshot.Kind != MptcpKernelKind.InTree)
        {
            throw new ChangeException(ChangeFault.NotAvailable, $"endpoints: the kernel of gateway {snapshot.Gateway} has none; they came with Linux 5.6");
        }
    }

    private static ChangePlan Plan(string title, MptcpSettingsSnapshot snapshot, string what, HostOperation operation, ChangeDanger danger) =>
        new() { TitleCode = title, TitleArguments = [snapshot.Gateway.Value, what], Operations = [operation], Danger = danger, Configuration = new() };

    private static string List(MptcpSettingsSnapshot snapshot) => snapshot.Addresses.Length == 0 ? "(none)" : string.Join(", ", snapshot.Addresses.Select(a => a.Address));

    private static ChangeException Invalid(string sentence) => new(ChangeFault.Invalid, sentence);

    private static void Require(bool condition, string sentence)
    {
        if (!condition)
        {
            throw Invalid(sentence);
        }
    }
}
