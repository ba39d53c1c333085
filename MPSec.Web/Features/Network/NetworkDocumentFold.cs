using System.Collections.Immutable;
using System.Net;
using MPSec.Changes;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

public sealed partial record NetworkDocument
{
    /// <summary>
    /// This document with what <paramref name="operations"/> do, in their order: applied to a bare gateway it gives the state that this document and then the
    /// operations give. What a path with a table implies becomes part of the path, what it does not goes to <see cref="More"/>.
    /// </summary>
    /// <exception cref="ChangeException">An operation cannot be kept, such as making a namespace.</exception>
    public NetworkDocument With(IEnumerable<HostOperation> operations)
    {
        ArgumentNullException.ThrowIfNull(operations);
        var fold = new NetworkDocumentFold(this);
        foreach (var operation in operations)
        {
            fold.Apply(operation with { Gateway = GatewayName.Host });
        }

        return fold.Document();
    }
}

/// <summary>
/// The state that a document stands for, while operations alter it. In the end it is written as a document again: the shortest one that stands for exactly
/// this state, with the names and roles of the one before as far as they still hold.
/// </summary>
internal sealed class NetworkDocumentFold
{
    private static readonly SysctlKey s_enabled = SysctlKey.Parse("net.mptcp.enabled");

    private readonly NetworkDocument _before;
    private readonly List<NetworkDocumentPath> _paths;
    private readonly List<RouteSpec> _routes;
    private readonly List<AddRule> _rules;
    private readonly List<AddEndpoint> _endpoints;
    private readonly List<NetworkDocumentEndpoint> _parked;
    private readonly List<SetShaper> _shapers;
    private readonly SortedDictionary<string, string> _settings;
    private bool? _enabled;
    private SetMptcpLimits? _limits;

    public NetworkDocumentFold(NetworkDocument document)
    {
        var wants = NetworkWants.Of(document, GatewayName.Host, suspend: false);
        _before = document;
        _paths = [.. document.Paths];
        _routes = [.. wants.Routes];
        _rules = [.. wants.Rules];
        _endpoints = [.. wants.Endpoints];
        _parked = [.. (document.Mptcp?.Endpoints ?? []).Where(e => NetworkWants.Endpoint(document, GatewayName.Host, e) is null)];
        _shapers = [.. wants.Shapers];
        _settings = new(document.Settings, StringComparer.Ordinal);
        _enabled = document.Mptcp?.Enabled;
        _limits = wants.Limits;
    }

    public void Apply(HostOperation operation)
    {
        switch (operation)
        {
            case AddAddress o:
                Change(o.Interface, p => p.Addresses.Contains(o.Address) ? p : p with { Addresses = p.Addresses.Add(o.Address) });
                break;
            case RemoveAddress o:
                if (_paths.Exists(p => p.Interface == o.Interface && p.Addresses.Contains(o.Address)))
                {
                    Change(o.Interface, p => p with { Addresses = p.Addresses.Remove(o.Address) });
                    Forget(o);
                }

                break;
            case SetMtu o:
                Change(o.Interface, p => p with { Mtu = o.Mtu });
                break;
            case SetLinkState o:
                Change(o.Interface, p => p with { Up = o.Up });
                break;
            case ReplaceRoute { Route.Options: null } o:
                RemoveRoute(NetworkWants.Key(o.Route));
                _routes.Add(o.Route);
                break;
            case RemoveRoute o:
                Remove(o.Route);
                break;
            case AddRule o:
                _rules.Remove(o);
                _rules.Add(o);
                break;
            case RemoveRule o:
                _rules.Remove(new(o.Gateway, o.Priority, o.Source, o.Table));
                break;
            case SetShaper o:
                _shapers.RemoveAll(s => s.Interface == o.Interface);
                _shapers.Add(o);
                break;
            case RemoveShaper o:
                _shapers.RemoveAll(s => s.Interface == o.Interface);
                break;
            case AddEndpoint o:
                _endpoints.RemoveAll(e => e.Id == o.Id || e.Address.Equals(o.Address));
                _parked.RemoveAll(e => e.Id == o.Id || e.Address.Equals(o.Address));
                _endpoints.Add(o);
                break;
            case RemoveEndpoint o:
                _endpoints.RemoveAll(e => e.Id == o.Id && e.Address.Equals(o.Address));
                break;
            case SetEndpointFlags o:
                // One that the document does not name was made elsewhere and is gone with the next boot: there is nothing to keep.
                var index = _endpoints.FindIndex(e => e.Id == o.Id && e.Address.Equals(o.Address));
                if (index >= 0)
                {
                    _endpoints[index] = _endpoints[index] with { Flags = With(With(_endpoints[index].Flags, MptcpEndpointFlags.Backup, o.Backup), MptcpEndpointFlags.Fullmesh, o.Fullmesh) };
                }

                break;
            case SetMptcpLimits o:
                _limits = o;
                break;
            case WriteSysctl o when o.Key == s_enabled:
                _enabled = o.Value.Trim() != "0";
                break;
            case WriteSysctl o:
                _settings[o.Key.Value] = o.Value;
                break;
            default:
                throw new ChangeException(ChangeFault.Invalid, $"configuration: '{operation.ToShellText()}' cannot be kept in the configuration of a gateway");
        }
    }

    public NetworkDocument Document()
    {
        Roles();
        for (var i = 0; i < _paths.Count; i++)
        {
            // A path that is off keeps its table for the day when it is switched on; nothing of it is in the state.
            _paths[i] = _paths[i].Role != NetworkPathRole.Off ? Absorb(_paths[i])
                : NetworkPathFaults.Of(_paths[i]).Any(f => f.Field is "table" or "nextHops") ? _paths[i] with { Table = null, RulePriority = null, NextHops = [] }
                : _paths[i];
        }

        var endpoints = _endpoints.Select(Endpoint).Concat(_parked).OrderBy(Place).ToImmutableArray();
        var mptcp = new NetworkDocumentMptcp { Enabled = _enabled, Subflows = _limits?.Subflows, AddAddrAccepted = _limits?.AddAddrAccepted, Endpoints = endpoints };
        return _before with
        {
            Paths = [.. _paths.Where(p => !p.IsBlank || _before.FindPath(p.Interface.Value) is { IsBlank: true })],
            Mptcp = _before.Mptcp is null && mptcp is { Enabled: null, Subflows: null } && endpoints.IsEmpty ? null : mptcp,
            Settings = _settings.ToImmutableSortedDictionary(StringComparer.Ordinal),
            More = [.. _shapers, .. _rules, .. _routes.Select(r => new ReplaceRoute(GatewayName.Host, r))],
        };
    }

    private static MptcpEndpointFlags With(MptcpEndpointFlags flags, MptcpEndpointFlags one, bool on) => on ? flags | one : flags & ~one;

    private void Change(InterfaceName name, Func<NetworkDocumentPath, NetworkDocumentPath> change)
    {
        var index = _paths.FindIndex(p => p.Interface == name);
        if (index < 0)
        {
            index = _paths.Count;
            _paths.Add(new() { Interface = name });
        }

        _paths[index] = change(_paths[index]);
    }

    private void RemoveRoute(RouteKey key) => _routes.RemoveAll(r => NetworkWants.Key(r) == key);

    // As the kernel does (fib_table_delete): without a metric the first route that fits.
    private void Remove(RouteSpec route)
    {
        var found = _routes.Where(r => r.Destination == route.Destination && r.Table == route.Table && (route.Metric == 0 || NetworkWants.Key(r).Metric == route.Metric)
                && r.Kind == route.Kind && (route.Interface is null || r.Interface == route.Interface) && (route.NextHop is null || Equals(r.NextHop, route.NextHop)))
            .MinBy(r => NetworkWants.Key(r).Metric);
        if (found is not null)
        {
            _routes.Remove(found);
        }
    }

    // The kernel drops IPv4 routes that prefer an address with it, and with an interface's last IPv4 address all of its IPv4 routes.
    private void Forget(RemoveAddress o)
    {
        if (o.Address.Address.IsIPv6() || _paths.Exists(p => p.Addresses.Any(a => a.Address.Equals(o.Address.Address))))
        {
            return;
        }

        var last = !_paths.Exists(p => p.Interface == o.Interface && p.Addresses.Any(a => !a.Address.IsIPv6()));
        _routes.RemoveAll(r => !r.IsIPv6 && (o.Address.Address.Equals(r.Source) || (last && r.Interface == o.Interface)));
    }

    /// <summary>Roles that the endpoints contradict give way: a document must not say both.</summary>
    private void Roles()
    {
        foreach (var (path, i) in _paths.Select((p, i) => (p, i)).ToList())
        {
            var own = _endpoints.Where(e => path.Addresses.Any(a => a.Address.Equals(e.Address))).ToList();
            var backups = own.Count(e => e.Flags.HasFlag(MptcpEndpointFlags.Backup));
            _paths[i] = path.Role switch
            {
                NetworkPathRole.Off when own.Count > 0 => path with { Role = null, Table = null, RulePriority = null, NextHops = [] },
                NetworkPathRole.Bonded or NetworkPathRole.Backup when own.Count > 0 => path with
                {
                    Role = backups == own.Count ? NetworkPathRole.Backup : backups == 0 ? NetworkPathRole.Bonded : null,
                },
                _ => path,
            };
        }
    }

    /// <summary>The path with as much of its routing as it can say; what it says is taken out of the rules and routes that are left.</summary>
    private NetworkDocumentPath Absorb(NetworkDocumentPath path)
    {
        var chosen = Candidates(path).Select(c => WithHops(path with { Table = c.Table, RulePriority = c.Priority })).FirstOrDefault(Holds);
        if (chosen is not null)
        {
            Take(NetworkWants.TableRoutes(chosen), NetworkWants.TableRules(chosen, GatewayName.Host));
        }

        // Next hops of a path without a table of its own serve the default route of table main alone.
        var result = chosen ?? path with { Table = null, RulePriority = null, NextHops = [.. path.NextHops.Where(n => NetworkPathFaults.HopFault(path, n) is null)] };
        if (result.Role == NetworkPathRole.Primary)
        {
            var defaults = NetworkWants.MainDefaults(result).ToList();
            if (defaults.Count > 0 && defaults.TrueForAll(IsThere))
            {
                Take(defaults, []);
                return result;
            }

            result = result with { Role = null };
        }

        return chosen is null && path.Table is not null ? result with { NextHops = [] } : result;
    }

    /// <summary>Table and priority that the path had, then those that its first address has by a rule now, unless another path has them.</summary>
    private IEnumerable<(uint? Table, uint? Priority)> Candidates(NetworkDocumentPath path)
    {
        if (path.Addresses.IsEmpty)
        {
            yield break;
        }

        if (path.Table is not null)
        {
            yield return (path.Table, path.RulePriority);
        }

        foreach (var rule in _rules.Where(r => r.Source == path.Addresses[0].Address.Alone()).ToList())
        {
            if (!_paths.Exists(p => p.Interface != path.Interface && (p.Table == rule.Table || p.EffectivePriority == rule.Priority)))
            {
                yield return (rule.Table, rule.Priority == rule.Table ? null : rule.Priority);
            }
        }
    }

    /// <summary>The path with the next hops of its table's default routes; a primary one only with those that table main has too.</summary>
    private NetworkDocumentPath WithHops(NetworkDocumentPath path)
    {
        var bare = path with { NextHops = [] };
        var hops = _routes.Where(r => r.Table == path.Table && r.Interface == path.Interface && r is { NextHop: not null, Destination.Length: 0 }).Select(r => r.NextHop!)
            .Where(n => NetworkPathFaults.HopFault(path, n) is null && NetworkWants.TableRoutes(bare with { NextHops = [n] }).Where(w => n.Equals(w.NextHop)).All(IsThere))
            .DistinctBy(n => n.AddressFamily).OrderBy(n => n.IsIPv6()).ToImmutableArray();
        var main = hops.Where(n => NetworkWants.MainDefaults(bare with { NextHops = [n] }).All(IsThere)).ToImmutableArray();
        return path with { NextHops = path.Role == NetworkPathRole.Primary && !main.IsEmpty ? main : hops };
    }

    private bool Holds(NetworkDocumentPath path) =>
        !NetworkPathFaults.Of(path).Any(f => f.Field is "table" or "rulePriority" or "nextHops")
        && NetworkWants.TableRules(path, GatewayName.Host).All(_rules.Contains)
        && NetworkWants.TableRoutes(path).All(IsThere);

    private bool IsThere(RouteSpec wanted) => _routes.Exists(r => NetworkWants.IsSame(wanted, r));

    private void Take(IEnumerable<RouteSpec> routes, IEnumerable<AddRule> rules)
    {
        foreach (var route in routes)
        {
            _routes.RemoveAll(r => NetworkWants.IsSame(route, r));
        }

        foreach (var rule in rules)
        {
            _rules.Remove(rule);
        }
    }

    // The list as it was written, where the flags say the same.
    private NetworkDocumentEndpoint Endpoint(AddEndpoint endpoint)
    {
        var role = _paths.Find(p => p.Addresses.Any(a => a.Address.Equals(endpoint.Address)))?.Role;
        var written = _before.Mptcp?.Endpoints.FirstOrDefault(e => e.Id == endpoint.Id && e.Address.Equals(endpoint.Address));
        return new()
        {
            Id = endpoint.Id,
            Address = endpoint.Address,
            Interface = endpoint.Interface,
            Port = endpoint.Port == 0 ? null : endpoint.Port,
            Flags = written is not null && NetworkWants.Flags(role, written.AllFlags) == endpoint.Flags ? written.Flags : NetworkDocumentEndpoint.Words(endpoint.Flags),
        };
    }

    private int Place(NetworkDocumentEndpoint endpoint)
    {
        var before = _before.Mptcp?.Endpoints ?? [];
        var index = before.IndexOf(before.FirstOrDefault(e => e.Id == endpoint.Id)!);
        return index < 0 ? int.MaxValue : index;
    }
}
