using System.Text;
using MPSec.Changes;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>What is wrong with a document.</summary>
/// <param name="Path">Interface of the path; null when it is about the gateway.</param>
/// <param name="Field">Name of the field in the file, for example <c>nextHops</c>.</param>
/// <param name="Sentence">One English sentence that names path, field and fix.</param>
public sealed record NetworkDocumentFault(string? Path, string Field, string Sentence);

// What a document must hold beyond its types, so that it can be applied and means one thing only.
public sealed partial record NetworkDocument
{
    private const int MostSettings = 200;
    private const int MostOperations = 500;

    /// <summary>Everything that is wrong; nothing when the document can be applied.</summary>
    public IEnumerable<NetworkDocumentFault> Faults()
    {
        if (Version != CurrentVersion)
        {
            return [Fault("version", $"version: this program reads version {CurrentVersion}, the file has {Version}")];
        }

        if (Paths.IsDefault || Paths.Length > MostPaths || Paths.Any(p => p is null))
        {
            return [Fault("paths", $"paths: must be a list of at most {MostPaths} paths, none of them null")];
        }

        if (Paths.Select(NetworkPathFaults.Shape).FirstOrDefault(f => f is not null) is { } shape)
        {
            return [shape];
        }

        // What compares paths needs paths that are right.
        var own = Paths.SelectMany(NetworkPathFaults.Of).Concat(NetworkMptcpFaults.Of(this)).Concat(SettingFaults()).Concat(MoreFaults()).ToList();
        return own.Count > 0 ? own : [.. BetweenPaths(), .. Doubled()];
    }

    private static NetworkDocumentFault Fault(string field, string sentence) => new(null, field, sentence);

    private static IEnumerable<NetworkDocumentFault> Twice<T>(IEnumerable<NetworkDocumentPath> paths, Func<NetworkDocumentPath, T?> key, string field, string hint) =>
        paths.Where(p => key(p) is not null).GroupBy(key).Where(g => g.Count() > 1)
            .Select(g => new NetworkDocumentFault(g.Last().Interface.Value, field, $"path {g.Last().Interface}: {field} {g.Key} is used by path {g.First().Interface} too; {hint}"));

    private IEnumerable<NetworkDocumentFault> BetweenPaths()
    {
        if (Paths.GroupBy(p => p.Interface).FirstOrDefault(g => g.Count() > 1) is { } interfaces)
        {
            yield return new(interfaces.Key.Value, "interface", $"paths: interface {interfaces.Key} occurs more than once; put everything about it into one path");
            yield break;
        }

        foreach (var fault in Twice(Paths, p => p.Name?.Normalize(NormalizationForm.FormC).ToLowerInvariant(), "name", "give each path its own")
            .Concat(Twice(Paths, p => p.Table, "table", "each path needs its own"))
            .Concat(Twice(Paths, p => p.EffectivePriority, "rulePriority", "each path needs its own, or the order of their rules is chance")))
        {
            yield return fault;
        }

        if (Paths.FirstOrDefault(p => p.Name is not null && Paths.Any(o => o != p && o.Interface.Value == p.Name)) is { } borrowed)
        {
            yield return new(borrowed.Interface.Value, "name", $"path {borrowed.Interface}: name {borrowed.Name} is the interface of another path; choose another");
        }

        if (Paths.Where(p => p.Role == NetworkPathRole.Primary).Skip(1).FirstOrDefault() is { } second)
        {
            yield return new(second.Interface.Value, "role", $"path {second.Interface}: role primary belongs to path {Paths.First(p => p.Role == NetworkPathRole.Primary).Interface} already; only one path can have the default route of table main");
        }

        foreach (var (a, one, b, other) in from i in Enumerable.Range(0, Paths.Length)
                                           from j in Enumerable.Range(i + 1, Paths.Length - i - 1)
                                           from one in Paths[i].Addresses
                                           from other in Paths[j].Addresses
                                           select (Paths[i], one, Paths[j], other))
        {
            if (one.Address.Equals(other.Address))
            {
                yield return new(b.Interface.Value, "addresses", $"path {b.Interface}: address {other.Address} belongs to path {a.Interface} already; each address can be in one place only");
            }
            else if (!one.IsAlone() && !other.IsAlone() && (one.Contains(other.Network.Address) || other.Contains(one.Network.Address)))
            {
                yield return new(b.Interface.Value, "addresses", $"path {b.Interface}: network {other.Network} overlaps {one.Network} of path {a.Interface}; the kernel could not tell by which of the two a neighbour is reached, so give each path a network of its own");
            }
        }

        foreach (var (path, hop) in Paths.SelectMany(p => p.NextHops.Select(n => (p, n))).Where(x => FindPath(x.n) is { } owner && owner != x.p))
        {
            yield return new(path.Interface.Value, "nextHops", $"path {path.Interface}: next hop {hop} is an address of path {FindPath(hop)!.Interface}, so of this gateway itself; name the router there");
        }
    }

    private IEnumerable<NetworkDocumentFault> SettingFaults()
    {
        if (Settings.Count > MostSettings)
        {
            yield return Fault("settings", $"settings: at most {MostSettings} are allowed");
        }

        foreach (var (name, value) in Settings)
        {
            if (!SysctlKey.TryParse(name, out var key, out var error))
            {
                yield return Fault("settings", $"settings: '{Printable(name)}': {error}");
            }
            else if (name == "net.mptcp.enabled")
            {
                yield return Fault("settings", "settings: net.mptcp.enabled is written as mptcp.enabled in this file; move it there");
            }
            else if (Refusal(new WriteSysctl(GatewayName.Host, key, value ?? "")) is { } sentence)
            {
                yield return Fault("settings", $"settings: {sentence}");
            }
        }
    }

    private IEnumerable<NetworkDocumentFault> MoreFaults()
    {
        if (More.IsDefault || More.Length > MostOperations || More.Any(o => o is null))
        {
            yield return Fault("more", $"more: must be a list of at most {MostOperations} operations, none of them null");
            yield break;
        }

        for (var i = 0; i < More.Length; i++)
        {
            var sentence = More[i] switch
            {
                not (AddRule or ReplaceRoute or SetShaper) => "only rules, routes and shapers can stand here",
                AddRule { Source: null } => "the rule's source is missing",
                ReplaceRoute { Route: null or { Destination: null } } => "the route's destination is missing",
                ReplaceRoute { Route.Options: not null } => "a route with options cannot stand here",
                var operation => Refusal(operation),
            };
            if (sentence is not null)
            {
                yield return Fault("more", $"more: entry {i + 1}: {sentence}");
            }
        }
    }

    // Two lines that set the same thing differently would undo each other at every apply.
    private IEnumerable<NetworkDocumentFault> Doubled()
    {
        var wants = NetworkWants.Of(this with { More = [] }, GatewayName.Host, suspend: false);
        var routes = More.OfType<ReplaceRoute>().Select(o => o.Route).ToList();
        foreach (var twice in routes.GroupBy(NetworkWants.Key).Where(g => g.Count() > 1))
        {
            yield return Fault("more", $"more: route {twice.Key.Destination} in table {twice.Key.Table} with metric {twice.Key.Metric} is there twice; take one out");
        }

        foreach (var route in routes)
        {
            if (wants.Routes.FirstOrDefault(r => NetworkWants.Key(r) == NetworkWants.Key(route)) is { } said && !NetworkWants.IsSame(said, route))
            {
                yield return Fault("more", $"more: route {route.Destination} in table {route.Table} is what path {said.Interface?.Value ?? "with this table"} sets differently; change the path, or give the route another table or metric");
            }
        }

        if (More.OfType<AddRule>().GroupBy(r => r with { Gateway = GatewayName.Host }).FirstOrDefault(g => g.Count() > 1) is { Key: { } rule })
        {
            yield return Fault("more", $"more: the rule from {rule.Source} to table {rule.Table} is there twice; take one out");
        }

        if (More.OfType<SetShaper>().GroupBy(s => s.Interface).FirstOrDefault(g => g.Count() > 1) is { } shaper)
        {
            yield return Fault("more", $"more: interface {shaper.Key} has two shapers; take one out");
        }
    }

    private static string? Refusal(HostOperation operation)
    {
        try
        {
            operation.Validate();
            return null;
        }
        catch (ChangeException e)
        {
            return e.Message;
        }
    }

    internal static string Printable(string text) => string.Concat((text.Length > 60 ? text[..60] + "…" : text).Select(c => char.IsControl(c) ? '?' : c));
}
