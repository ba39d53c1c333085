using MPSec.Linux.Netlink;
using MPSec.Linux.Values;

namespace MPSec.Changes.Kernel;

/// <summary>
/// Reads and alters MPSec's own rules of nf_tables. Every change is one batch that the kernel takes whole or not at all, and only if nobody has altered any
/// rule since it was read; so no rule, chain or table of somebody else can be hit.
/// </summary>
internal static class InterfaceFilter
{
    private const int MostAttempts = 20;
    private const int Erestart = 85;
    private const int Enoent = 2;

    /// <summary>MPSec's rules; empty when there is no table, or this kernel has no nf_tables.</summary>
    public static IReadOnlyList<BlockRule> Read(GatewayHandle gateway)
    {
        var rules = new List<BlockRule>();
        try
        {
            var filter = gateway.Filter;
            FilterMessages.Rule(filter.Begin(FilterMessages.GetRule, NetlinkWriter.Dump));
            filter.Dump((_, payload) =>
            {
                if (FilterMessages.DecodeRule(payload) is { } rule)
                {
                    rules.Add(rule);
                }
            }, rules.Clear);
        }
        catch (NetlinkException e) when (IsMissing(e.Errno))
        {
            rules.Clear();
        }

        return rules;
    }

    /// <summary>Makes the rules of an interface that are not there, or takes away those that are.</summary>
    /// <exception cref="ChangeException">This kernel has no nf_tables.</exception>
    /// <exception cref="NetlinkException">The kernel refused.</exception>
    public static void Apply(BlockInterface operation, GatewayHandle gateway)
    {
        for (var attempt = 1; ; attempt++)
        {
            var generation = Generation(gateway, operation);
            try
            {
                Write(operation, gateway.Filter, generation, Read(gateway));
                return;
            }
            catch (NetlinkException e) when (e.Errno == Erestart && attempt < MostAttempts)
            {
                // Somebody altered a rule in between; look again.
            }
        }
    }

    private static void Write(BlockInterface operation, NetlinkConversation filter, uint? generation, IReadOnlyList<BlockRule> ours)
    {
        var (own, others) = (ours.Where(r => r.Interface == operation.Interface.Value).ToList(), ours.Where(r => r.Interface != operation.Interface.Value).ToList());
        var requests = new List<Action>();
        if (operation.Blocked)
        {
            Add(FilterMessages.NewTable, NetlinkWriter.Create, FilterMessages.Table);
            foreach (var (chain, hook, isInput) in BlockInterface.Chains.Where(c => own.TrueForAll(r => r.Chain != c.Chain)))
            {
                Add(FilterMessages.NewChain, NetlinkWriter.Create, w => FilterMessages.Chain(w, chain, hook));
                Add(FilterMessages.NewRule, NetlinkWriter.Create | NetlinkWriter.Append, w => FilterMessages.Drop(w, chain, isInput, operation.Interface));
            }
        }
        else
        {
            foreach (var rule in own)
            {
                Add(FilterMessages.DeleteRule, 0, w => FilterMessages.Rule(w, rule.Chain, rule.Handle));
            }

            RemoveEmpty(filter, own, Add);
        }

        if (requests.Count == 0 || (!operation.Blocked && own.Count == 0))
        {
            return;
        }

        FilterMessages.Batch(filter.Begin(FilterMessages.BatchBegin, 0), generation);
        filter.Queue();
        requests.ForEach(request => request());
        FilterMessages.Batch(filter.Begin(FilterMessages.BatchEnd, 0));
        filter.Queue();
        filter.ExecuteQueued($"interface {operation.Interface} cannot be {(operation.Blocked ? "blocked" : "opened")}");

        void Add(ushort type, int flags, Func<NetlinkWriter, NetlinkWriter> encode) => requests.Add(() =>
        {
            encode(filter.Begin(type, (ushort)(NetlinkWriter.Ack | flags)));
            filter.Queue();
        });
    }

    // A chain goes when its only rules are those that go now, the table when nothing else is in it: somebody else may have put a rule or a set there.
    private static void RemoveEmpty(NetlinkConversation filter, List<BlockRule> going, Action<ushort, int, Func<NetlinkWriter, NetlinkWriter>> add)
    {
        var chains = new List<(string Name, uint Rules)>();
        FilterMessages.Any(filter.Begin(FilterMessages.GetChain, NetlinkWriter.Dump));
        filter.Dump((_, payload) =>
        {
            if (FilterMessages.DecodeChain(payload) is { } chain)
            {
                chains.Add(chain);
            }
        }, chains.Clear);
        var empty = chains.Where(c => BlockInterface.Chains.Any(ours => ours.Chain == c.Name) && c.Rules == going.Count(r => r.Chain == c.Name)).ToList();
        foreach (var (name, _) in empty)
        {
            add(FilterMessages.DeleteChain, 0, w => FilterMessages.Chain(w, name));
        }

        if (Users(filter) == empty.Count)
        {
            add(FilterMessages.DeleteTable, 0, FilterMessages.Table);
        }
    }

    private static uint? Users(NetlinkConversation filter)
    {
        uint? users = null;
        try
        {
            FilterMessages.Table(filter.Begin(FilterMessages.GetTable, NetlinkWriter.Ack));
            filter.Execute("the table cannot be read", (_, payload) => users = FilterMessages.DecodeNumber(payload, 3));
        }
        catch (NetlinkException e) when (e.Errno == Enoent)
        {
            // Gone meanwhile; the batch will be refused.
        }

        return users;
    }

    private static uint? Generation(GatewayHandle gateway, BlockInterface operation)
    {
        uint? generation = null;
        try
        {
            FilterMessages.Any(gateway.Filter.Begin(FilterMessages.GetGeneration, NetlinkWriter.Ack));
            gateway.Filter.Execute("the rules cannot be read", (_, payload) => generation = FilterMessages.DecodeNumber(payload, 1));
            return generation;
        }
        catch (NetlinkException e) when (IsMissing(e.Errno))
        {
            throw new ChangeException(ChangeFault.NotAvailable, $"gateway {operation.Gateway}: {operation.Interface} cannot be blocked, this kernel has no nf_tables (CONFIG_NF_TABLES, CONFIG_NF_TABLES_INET)", e);
        }
    }

    // EPROTONOSUPPORT: no nfnetlink; EINVAL: no nf_tables in it; EOPNOTSUPP and EAFNOSUPPORT: no family inet.
    private static bool IsMissing(int errno) => errno is 93 or 22 or 95 or 97;
}
