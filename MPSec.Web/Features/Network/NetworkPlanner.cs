using System.Collections.Immutable;
using System.Net;
using MPSec.Changes;
using MPSec.Changes.Kernel;
using MPSec.Linux.Gateways;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>What a plan is for.</summary>
internal enum NetworkPlanAim
{
    /// <summary>Somebody edited the document: what cannot be done is refused.</summary>
    Edit,

    /// <summary>What was confirmed before is brought back: what cannot be done now is left out and told.</summary>
    Restore,
}

/// <summary>The operations of a plan, what was left out, one sentence each, and whether some of it waits for an interface or an address that may come by itself.</summary>
internal sealed record NetworkPlan(ImmutableArray<HostOperation> Operations, ImmutableArray<string> LeftOut, bool Waits);

/// <summary>
/// Computes what brings a gateway from the saved document and the kernel's state to the wanted document: what the kernel lacks is added, what the saved document
/// named and the wanted one does not is taken away, everything else stays. New before old, routes before the rules that lead to them, rules before the tables
/// that they lead to, so that nothing is cut longer than it must be. Pure.
/// </summary>
internal sealed class NetworkPlanner
{
    private const uint Secondary = 0x01;
    private const int MostSubflows = 8;
    private const byte ProtocolKernel = 2;
    private const byte ProtocolRouterAdvertisement = 9;

    private readonly GatewayName _gateway;
    private readonly NetworkDocument? _saved;
    private readonly NetworkDocument _wanted;
    private readonly NetworkKernelState _state;
    private readonly NetworkPlanAim _aim;
    private readonly NetworkWants _old;
    private readonly NetworkWants _new;
    private readonly List<string> _leftOut = [];
    private readonly HashSet<string> _absent = new(StringComparer.Ordinal);
    private readonly HashSet<string> _shaken = new(StringComparer.Ordinal);
    private bool _waits;

    private NetworkPlanner(GatewayName gateway, NetworkDocument? saved, NetworkDocument wanted, NetworkKernelState state, NetworkPlanAim aim)
    {
        (_gateway, _saved, _wanted, _state, _aim) = (gateway, saved, wanted, state, aim);
        _old = NetworkWants.Of(saved ?? NetworkDocument.Empty, gateway);
        _new = NetworkWants.Of(wanted, gateway);
    }

    /// <summary>Computes the plan.</summary>
    /// <param name="gateway">The gateway.</param>
    /// <param name="saved">The document that is in force; null when there is none.</param>
    /// <param name="wanted">The document to come, without faults.</param>
    /// <param name="state">The kernel's state.</param>
    /// <param name="aim">Whether to refuse or to leave out.</param>
    /// <exception cref="ChangeException">An edit cannot be done; the sentence names path, field and way out.</exception>
    public static NetworkPlan Compute(GatewayName gateway, NetworkDocument? saved, NetworkDocument wanted, NetworkKernelState state, NetworkPlanAim aim) =>
        new NetworkPlanner(gateway, saved, wanted, state, aim).Compute();

    private NetworkPlan Compute()
    {
        Interfaces();
        var operations = new List<HostOperation>();
        operations.AddRange(_new.Settings.Where(NeedsSetting));
        operations.AddRange(Mtus());
        var (first, swaps, last) = Addresses();
        operations.AddRange(first);
        operations.AddRange(Links(up: true));
        operations.AddRange(swaps);
        var routes = Routes().ToList();
        operations.AddRange(routes);
        operations.AddRange(Rules());
        if (_new.Limits is { } limits && _state.Reading.Limits is { } now && (now.Subflows, now.AddAddrAccepted) != (limits.Subflows, limits.AddAddrAccepted))
        {
            operations.Add(limits);
        }

        operations.AddRange(Endpoints());
        operations.AddRange(_new.Shapers.Where(s => !_absent.Contains(s.Interface.Value) && NeedsShaper(s)));
        operations.AddRange(_old.Shapers.Where(s => !_new.Shapers.Any(n => n.Interface == s.Interface) && QdiscOf(s.Interface) is not null).Select(s => new RemoveShaper(_gateway, s.Interface)));
        operations.AddRange(_old.Rules.Where(r => !_new.Rules.Contains(r) && HasRule(r)).Select(r => new RemoveRule(_gateway, r.Priority, r.Source, r.Table)));
        operations.AddRange(OldRoutes());
        operations.AddRange(last);
        operations.AddRange(Links(up: false));
        return new([.. operations.Distinct()], [.. _leftOut.Distinct()], _waits);
    }

    /// <summary>Refuses an edit, or leaves it out of a restoration.</summary>
    private void Cannot(string sentence)
    {
        if (_aim == NetworkPlanAim.Edit)
        {
            throw new ChangeException(ChangeFault.Invalid, sentence);
        }

        _leftOut.Add(sentence);
    }

    // An interface that is not plugged in now must not stand in the way of an edit of another path.
    private void Interfaces()
    {
        var named = _wanted.Paths.Select(p => p.Interface).Concat(_new.Routes.Select(r => r.Interface).OfType<InterfaceName>()).Concat(_new.Shapers.Select(s => s.Interface))
            .Concat(_new.Endpoints.Select(e => e.Interface).OfType<InterfaceName>()).Distinct();
        foreach (var name in named.Where(n => _state.FindLink(n.Value) is null))
        {
            _absent.Add(name.Value);
            _waits = true;
            var path = _wanted.FindPath(name.Value);
            if (_aim == NetworkPlanAim.Restore || path is null || _saved?.FindPath(name.Value) is not { } before || !IsSame(before, path))
            {
                Cannot($"path {name}: gateway {_gateway} has no interface {name} now; there are {List(_state.Reading.Links.Where(l => !l.IsLoopback).Select(l => l.Name))}");
            }
        }
    }

    private static bool IsSame(NetworkDocumentPath a, NetworkDocumentPath b) =>
        (NetworkDocument.Empty with { Paths = [a with { Name = null }] }).ToJson() == (NetworkDocument.Empty with { Paths = [b with { Name = null }] }).ToJson();

    private static string List(IEnumerable<string> names) => names.Select(NetworkDocument.Printable).ToList() is { Count: > 0 } list ? string.Join(", ", list) : "none";

    private bool NeedsSetting(WriteSysctl setting)
    {
        if (!_state.Settings.TryGetValue(setting.Key, out var value) || value is null)
        {
            // Settings of an interface come and go with it.
            if (!_absent.Any(name => setting.Key.Value.Contains($".{name.Replace('.', '/')}.", StringComparison.Ordinal)))
            {
                Cannot($"settings: {setting.Key}: the kernel of gateway {_gateway} does not have it; take it out");
            }

            return false;
        }

        return value != string.Join(' ', setting.Value.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }

    private IEnumerable<SetMtu> Mtus()
    {
        foreach (var wanted in _new.Mtus)
        {
            if (_state.FindLink(wanted.Interface.Value) is not { } link || link.Mtu == wanted.Mtu)
            {
                continue;
            }

            if (_state.OwnerOf(link.Name) is not { } owner)
            {
                yield return wanted;
            }
            else if (_saved?.FindPath(link.Name)?.Mtu != wanted.Mtu || _aim == NetworkPlanAim.Restore)
            {
                Cannot($"path {wanted.Interface}: mtu: {NetworkOwners.Sentence(owner, wanted.Interface)}");
            }
        }
    }

    private IEnumerable<SetLinkState> Links(bool up)
    {
        foreach (var wanted in _new.Links.Where(l => l.Up == up))
        {
            if (_state.FindLink(wanted.Interface.Value) is not { } link || link.IsUp == up)
            {
                continue;
            }

            if (_state.OwnerOf(link.Name) is { } owner)
            {
                if (_saved?.FindPath(link.Name) is { } before ? before.Up != up || _aim == NetworkPlanAim.Restore : !up || _aim == NetworkPlanAim.Restore)
                {
                    Cannot($"path {wanted.Interface}: up: {NetworkOwners.Sentence(owner, wanted.Interface)}");
                }

                continue;
            }

            yield return wanted;
        }
    }

    /// <summary>
    /// Addresses that can be added at once; those that must go before another one can come, or that the kernel takes along when it removes another; and those that go
    /// in the end.
    /// </summary>
    private (List<HostOperation> First, List<HostOperation> Swaps, List<HostOperation> Last) Addresses()
    {
        var (first, swaps, last) = (new List<HostOperation>(), new List<HostOperation>(), new List<HostOperation>());
        var missing = new List<AddAddress>();
        foreach (var wanted in _new.Addresses.Where(a => !_absent.Contains(a.Interface.Value) && !_state.Has(a.Interface.Value, a.Address)))
        {
            if (_state.OwnerOf(wanted.Interface.Value) is not { } owner)
            {
                missing.Add(wanted);
            }
            else if (_aim == NetworkPlanAim.Restore || _saved?.FindPath(wanted.Interface.Value)?.Addresses.Contains(wanted.Address) != true)
            {
                _waits = true;
                Cannot($"path {wanted.Interface}: address {wanted.Address}: {NetworkOwners.Sentence(owner, wanted.Interface)}");
            }
        }

        var going = _old.Addresses.Where(o => !_new.Addresses.Contains(o) && _state.OwnerOf(o.Interface.Value) is null && _state.Has(o.Interface.Value, o.Address)).ToList();
        foreach (var name in missing.Select(a => a.Interface).Concat(going.Select(a => a.Interface)).Concat(_wanted.Paths.Select(p => p.Interface).Where(n => _state.OwnerOf(n.Value) is null)).Distinct())
        {
            Swap(name, [.. missing.Where(a => a.Interface == name).Select(a => a.Address)], [.. going.Where(a => a.Interface == name).Select(a => a.Address)], first, swaps, last);
        }

        return (first, swaps, last);
    }

    private void Swap(InterfaceName name, List<IpPrefix> coming, List<IpPrefix> going, List<HostOperation> first, List<HostOperation> swaps, List<HostOperation> last)
    {
        var present = _state.AddressesOf(name.Value).ToList();
        var (out1, back) = (new List<IpPrefix>(), new List<IpPrefix>());
        foreach (var old in present)
        {
            // IPv6 has each address once per interface, whatever its length: the kernel refuses the second.
            if (old.Prefix.Address.IsIPv6() && !going.Contains(old.Prefix) && coming.Exists(c => c.Address.Equals(old.Prefix.Address)))
            {
                out1.Add(old.Prefix);
            }
        }

        // Which address is the first of its network decides what the kernel sends from; the document's order must not wait for the next boot.
        var wanted = _new.Addresses.Where(a => a.Interface == name).Select(a => a.Address).ToList();
        foreach (var network in wanted.Where(a => !a.Address.IsIPv6()).GroupBy(a => a.Network).Where(g => g.Count() > 1))
        {
            var inside = present.Where(a => a.Prefix.Network == network.Key && a.Prefix.Length == network.Key.Length).ToList();
            if (inside.Find(a => (a.Flags & Secondary) == 0)?.Prefix is { } leader && wanted.Contains(leader) && leader != network.First())
            {
                out1.AddRange(inside.Select(a => a.Prefix).Where(a => a != leader));
                out1.Add(leader);
                back.AddRange(inside.Select(a => a.Prefix).Where(a => !going.Contains(a)));
                _shaken.Add(name.Value);
            }
        }

        foreach (var old in present.Where(a => going.Contains(a.Prefix) && !out1.Contains(a.Prefix)))
        {
            if (old.Prefix.Address.IsIPv6())
            {
                (coming.Exists(c => c.Address.Equals(old.Prefix.Address)) ? out1 : []).Add(old.Prefix);
                continue;
            }

            // With the first IPv4 address of a network the kernel removes the others of this network too (unless promote_secondaries is set).
            var others = present.Where(a => a.Prefix != old.Prefix && a.Prefix.Network == old.Prefix.Network && (a.Flags & Secondary) != 0).Select(a => a.Prefix).ToList();
            var isFirst = (old.Flags & Secondary) == 0;
            if (isFirst && (others.Count > 0 || coming.Exists(c => c.Network == old.Prefix.Network)))
            {
                out1.InsertRange(0, others.Except(out1));
                back.AddRange(others.Where(o => !going.Contains(o)));
                out1.Add(old.Prefix);
                _shaken.Add(name.Value);
            }
        }

        var after = coming.Where(c => out1.Exists(o => o.Network == c.Network || o.Address.Equals(c.Address))).ToList();
        first.AddRange(coming.Except(after).Select(a => new AddAddress(_gateway, name, a)));
        swaps.AddRange(out1.Distinct().Select(a => new RemoveAddress(_gateway, name, a)));
        swaps.AddRange(back.Concat(after).Distinct().OrderBy(a => wanted.IndexOf(a) is var index and >= 0 ? index : int.MaxValue).Select(a => new AddAddress(_gateway, name, a)));
        last.AddRange(going.Except(out1).Select(a => new RemoveAddress(_gateway, name, a)));
    }

    private IEnumerable<HostOperation> Routes()
    {
        foreach (var route in _new.Routes.Where(r => r.Interface is not { } device || !_absent.Contains(device.Value)))
        {
            var shaken = route is { IsIPv6: false, Interface: { } device2 } && _shaken.Contains(device2.Value);
            if (!shaken && Present(route) is not null)
            {
                continue;
            }

            if (route.Interface is { } name && _state.OwnerOf(name.Value) is { } owner)
            {
                if (route is { Table: NetworkWants.Main, Destination.Length: 0 })
                {
                    MainOfOwned(route, name, owner);
                    continue;
                }

                if (!OwnerGave(route, name))
                {
                    continue;
                }
            }

            yield return new ReplaceRoute(_gateway, route);
        }

        // What nobody named goes with the address that it depends on, and comes back.
        foreach (var name in _shaken)
        {
            var index = _state.FindLink(name)!.Index;
            foreach (var stray in _state.Reading.Routes.Where(r => r.InterfaceIndex == index && !r.Destination.Address.IsIPv6() && r.Kind == "unicast" && r.Protocol is not (ProtocolKernel or ProtocolRouterAdvertisement)).OrderBy(r => r.Gateway is not null))
            {
                if (NetworkWants.Describe(stray, name) is { } route && !_new.Routes.Any(n => NetworkWants.Key(n) == NetworkWants.Key(route)) && !_old.Routes.Any(o => NetworkWants.IsSame(o, route))
                    && (route.Source is null || _new.Addresses.Any(a => a.Address.Address.Equals(route.Source))))
                {
                    yield return new ReplaceRoute(_gateway, route);
                }
            }
        }
    }

    // A default route of table main by the owner's own hand does as well, when it wins.
    private void MainOfOwned(RouteSpec route, InterfaceName name, InterfaceOwner owner)
    {
        var best = _state.Reading.Routes.Where(r => r.Table == NetworkWants.Main && r.Destination == route.Destination && r.Kind == "unicast").MinBy(r => r.Metric);
        if (best is null || best.InterfaceIndex != _state.FindLink(name.Value)?.Index)
        {
            if (_saved?.FindPath(name.Value)?.Role != NetworkPathRole.Primary || _aim == NetworkPlanAim.Restore)
            {
                Cannot($"path {name}: role primary: the default route of table main leaves by {_state.NameOf(best?.InterfaceIndex) ?? "no interface"}; {NetworkOwners.Sentence(owner, name)}");
            }
        }
    }

    // The owner's addresses come when it likes; until then a route that needs them would be refused.
    private bool OwnerGave(RouteSpec route, InterfaceName name) =>
        (route.Source is null || _state.Has(name.Value, route.Source)) && (route.NextHop is null || route.NextHop.IsIPv6LinkLocal || _state.AddressesOf(name.Value).Any(a => a.Prefix.Contains(route.NextHop)));

    private IEnumerable<AddRule> Rules() => _new.Rules.Where(r => !HasRule(r));

    private IEnumerable<HostOperation> OldRoutes()
    {
        foreach (var route in _old.Routes.Where(o => !_new.Routes.Any(n => NetworkWants.Key(n) == NetworkWants.Key(o))).Reverse())
        {
            if (route is { Table: NetworkWants.Main, Interface: { } name } && _state.OwnerOf(name.Value) is not null)
            {
                continue;
            }

            if (Present(route) is { } present)
            {
                yield return new RemoveRoute(_gateway, present);
            }
        }
    }

    private IEnumerable<HostOperation> Endpoints()
    {
        var present = _state.Reading.Endpoints.Where(e => !e.Flags.HasFlag(MptcpEndpointFlags.Implicit)).ToList();
        var changes = new List<HostOperation>();
        var additions = new List<AddEndpoint>();
        foreach (var wanted in _new.Endpoints.Where(e => e.Interface is not { } device || !_absent.Contains(device.Value)).Select(Settled))
        {
            int? index = wanted.Interface is { } device ? _state.FindLink(device.Value)?.Index : null;
            if (present.Find(e => e.Id == wanted.Id && e.Address.Equals(wanted.Address) && e.Port == wanted.Port && e.InterfaceIndex == index) is not { } now)
            {
                additions.Add(wanted);
            }
            else if (now.Flags != wanted.Flags)
            {
                // Backup and fullmesh change under living connections; the rest needs a new endpoint.
                const MptcpEndpointFlags Live = MptcpEndpointFlags.Backup | MptcpEndpointFlags.Fullmesh;
                changes.Add((now.Flags & ~Live) == (wanted.Flags & ~Live) ? Flags(wanted.Id, wanted.Address, wanted.Flags) : wanted);
            }
        }

        var removals = new List<RemoveEndpoint>();
        foreach (var endpoint in present.Where(e => !_new.Endpoints.Any(n => n.Id == e.Id || n.Address.Equals(e.Address))))
        {
            var role = RoleOf(endpoint.Address);
            var named = (_saved?.Mptcp?.Endpoints ?? []).Concat(_wanted.Mptcp?.Endpoints ?? []).Any(o => o.Id == endpoint.Id && o.Address.Equals(endpoint.Address));
            if (named || role == NetworkPathRole.Off)
            {
                removals.Add(new(_gateway, endpoint.Id, endpoint.Address));
            }
            else if (NetworkWants.Flags(role, endpoint.Flags) is var flags && flags != endpoint.Flags)
            {
                changes.Add(Flags(endpoint.Id, endpoint.Address, flags));
            }
        }

        var crowded = additions.Count + present.Count(e => e.Flags.HasFlag(MptcpEndpointFlags.Subflow)) > MostSubflows;
        return [.. changes, .. crowded ? [.. removals, .. additions] : (HostOperation[])[.. additions, .. removals]];
    }

    private SetEndpointFlags Flags(byte id, IPAddress address, MptcpEndpointFlags flags) => new(_gateway, id, address, flags.HasFlag(MptcpEndpointFlags.Backup), flags.HasFlag(MptcpEndpointFlags.Fullmesh));

    // The document may leave a path's addresses to somebody else; then the kernel knows whose the endpoint's is.
    private AddEndpoint Settled(AddEndpoint endpoint) => endpoint with { Flags = NetworkWants.Flags(RoleOf(endpoint.Address), endpoint.Flags) };

    private NetworkPathRole? RoleOf(IPAddress address) =>
        (_wanted.FindPath(address) ?? (_state.Reading.Addresses.FirstOrDefault(a => a.Prefix.Address.Equals(address)) is { } held && _state.NameOf(held.InterfaceIndex) is { } name ? _wanted.FindPath(name) : null))?.Role;

    private bool HasRule(AddRule rule) => _state.Reading.Rules.Any(r => KernelInverse.Matches(r, rule.Priority, rule.Source, rule.Table));

    /// <summary>The kernel's route that is this one; null when it has none, or another in its place.</summary>
    private RouteSpec? Present(RouteSpec wanted)
    {
        var key = NetworkWants.Key(wanted);
        return _state.Reading.Routes.Where(r => r.Table == key.Table && r.Metric == key.Metric && r.Destination == key.Destination)
            .Select(r => NetworkWants.Describe(r, _state.NameOf(r.InterfaceIndex))).FirstOrDefault(r => r is not null && NetworkWants.IsSame(r, wanted));
    }

    private QdiscReading? QdiscOf(InterfaceName name) =>
        _state.FindLink(name.Value) is { } link ? _state.Reading.Qdiscs.FirstOrDefault(q => q.InterfaceIndex == link.Index && q.Kind == "tbf") : null;

    // The reading tells the rate alone; a bucket or queue that was edited shows in the saved document.
    private bool NeedsShaper(SetShaper wanted) =>
        QdiscOf(wanted.Interface)?.RateBitsPerSecond != (ulong)wanted.RateBitsPerSecond || (_aim == NetworkPlanAim.Edit && _saved is not null && !_old.Shapers.Contains(wanted));
}
