using System.Collections.Immutable;
using MPSec.Changes.Kernel;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Values;

namespace MPSec.Changes;

// The way forward, in segments, and the way back.
public sealed partial class ChangeService
{
    private const int MostDifferences = 12;

    private async Task<(ChangeReport Report, ChangeException? Failure)> ApplyAsync(ChangePlan plan)
    {
        var done = new Done();
        IReadOnlyList<string>? before = null;
        try
        {
            using var session = kernel.Open();
            before = plan.RollsForward ? null : session.Facts(plan.Operations);
            await ForwardAsync(plan, session, done, () => { });
            return (await journal.CloseAsync(plan.Id, ChangePhase.Applied, null, null, CancellationToken.None), null);
        }
        catch (Exception e)
        {
            // Whatever the reason is, what was done must not stay half done.
            var failure = e as ChangeException ?? new ChangeException(ChangeFault.Refused, e.Message, e);
            var left = plan.RollsForward ? [] : await UndoAsync(done.WayBack, [.. plan.Operations], before is null ? null : [.. before]);
            var sentence = (plan.RollsForward, left.Count) switch
            {
                (true, _) => failure.Message,
                (_, 0) when done.Begun == 0 => $"{failure.Message}; nothing was changed",
                (_, 0) => $"{failure.Message}; everything done before was undone",
                _ => $"{failure.Message}; undoing it failed too: {Shortened(left)}",
            };
            var phase = left.Count == 0 && !plan.RollsForward ? ChangePhase.RolledBack : ChangePhase.Incomplete;
            return (await journal.CloseAsync(plan.Id, phase, sentence, null, CancellationToken.None), failure);
        }
    }

    /// <summary>
    /// Applies the plan in segments. The inverses of a segment are told from the state before it and are on disk, in one commit, before its first operation;
    /// it ends where an operation reads what one before it alters, or needs what one before it makes.
    /// </summary>
    private async Task ForwardAsync(ChangePlan plan, IHostSession session, Done done, Action beforeEach)
    {
        var created = Created(plan);
        for (var i = 0; i < plan.Operations.Length;)
        {
            var end = i;
            while (end < plan.Operations.Length && InsideCreated(plan.Operations[end], created) == InsideCreated(plan.Operations[i], created))
            {
                end++;
            }

            IReadOnlyList<IReadOnlyList<HostOperation>>? inverses = null;
            var first = i;
            if (!InsideCreated(plan.Operations[i], created))
            {
                inverses = session.InversesOf([.. plan.Operations[i..end]]);
                end = i + inverses.Count;
                await journal.IntendAsync(plan.Id, i, inverses, [.. plan.Operations[i..end].OfType<CreateNamespace>()], CancellationToken.None);
                done.Inverses.AddRange(inverses);
            }

            for (; i < end; i++)
            {
                // What stands already is left as it is, with what else it may have.
                if (inverses?[i - first].Count == 0 && plan.Operations[i] is not DeleteNamespace)
                {
                    continue;
                }

                beforeEach();
                done.Begun++;
                session.Apply(plan.Operations[i]);
            }
        }
    }

    private async Task<ChangeReport> RecoverAsync(ChangeIntent intent)
    {
        List<HostOperation> operations;
        List<HostOperation> undo;
        try
        {
            operations = [.. intent.Steps.Select(s => OperationJson.Read(s.Operation))];
            undo = [.. intent.Steps.Where(s => s.Inverse is not null).Reverse().SelectMany(s => OperationJson.ReadMany(s.Inverse!))];
        }
        catch (ChangeException e)
        {
            return await journal.CloseAsync(intent.Id, ChangePhase.Incomplete, $"its process ended in the middle, and its record cannot be read: {e.Message}", ChangeActor.Recovery.Name, CancellationToken.None);
        }

        var faults = new List<string>();
        if (intent.RollsForward)
        {
            using var session = kernel.Open();
            faults.AddRange(ApplyMissing(session, operations));
            return faults.Count == 0 ? await Close(ChangePhase.Applied, null) : await Close(ChangePhase.Incomplete, "its process ended in the middle, and it could not be finished: " + string.Join("; ", faults));
        }

        if (AllStand(operations))
        {
            return await Close(ChangePhase.Applied, null);
        }

        faults.AddRange(Undo(undo));
        return faults.Count == 0
            ? await Close(ChangePhase.RolledBack, "its process ended in the middle; everything it had done was undone")
            : await Close(ChangePhase.Incomplete, "its process ended in the middle, and undoing it failed: " + string.Join("; ", faults));

        Task<ChangeReport> Close(ChangePhase phase, string? sentence) => journal.CloseAsync(intent.Id, phase, sentence, ChangeActor.Recovery.Name, CancellationToken.None);
    }

    /// <summary>Undoes and compares with the state before, where that is known; returns what is wrong in the end.</summary>
    private async Task<List<string>> UndoAsync(List<HostOperation> undo, List<HostOperation> operations, ImmutableArray<string>? before)
    {
        var faults = Undo(undo);
        if (before is not { } facts)
        {
            return faults;
        }

        var differences = await CompareAsync(facts, operations, TimeSpan.Zero);
        if (differences.Count > 0)
        {
            faults = Undo(undo);
            differences = await CompareAsync(facts, operations, s_settling);
        }

        // The facts decide: an inverse may fail that was not needed any more, and what it says explains why something is missing.
        return differences.Count == 0 ? [] : [.. faults, .. differences];
    }

    private static string Shortened(List<string> wrong) =>
        string.Join("; ", wrong.Take(MostDifferences)) + (wrong.Count > MostDifferences ? $"; and {wrong.Count - MostDifferences} more" : "");

    private bool AllStand(List<HostOperation> operations)
    {
        using var session = kernel.Open();
        return operations.TrueForAll(o => Stands(session, o));
    }

    /// <summary>
    /// Applies the inverses whose result does not stand; once more if need be, then only the last of each object, which is the one to be left: what one restored
    /// another may have taken with it again, and one may need what only a later one brings back. Returns what failed.
    /// </summary>
    private List<string> Undo(IReadOnlyList<HostOperation> inverses)
    {
        List<HostOperation> last = [.. inverses.Reverse().DistinctBy(o => o.Subject).Reverse()];
        for (var pass = 0; ; pass++)
        {
            using var session = kernel.Open();
            var faults = ApplyMissing(session, pass == 0 ? inverses : last);
            if (faults.Count == 0)
            {
                // Of other things another inverse may have altered the state again, and rightly.
                faults.AddRange(last.Where(o => o is WriteSysctl or SetLinkState or SetMtu or BlockInterface or DeleteNamespace && !Stands(session, o)).Select(o => $"'{o.ToShellText()}' had no effect"));
            }

            if (faults.Count == 0 || pass > 0)
            {
                return faults;
            }
        }
    }

    /// <summary>Applies, in order, the operations whose result does not stand; returns what failed, and goes on after it.</summary>
    private static List<string> ApplyMissing(IHostSession session, IReadOnlyList<HostOperation> operations)
    {
        var faults = new List<string>();
        for (var i = 0; i < operations.Count;)
        {
            int count;
            List<HostOperation> missing;
            try
            {
                var inverses = session.InversesOf(operations is List<HostOperation> list ? list.GetRange(i, list.Count - i) : [.. operations.Skip(i)]);
                count = inverses.Count;
                missing = [.. inverses.Select((inverse, k) => (inverse, operation: operations[i + k])).Where(x => x.operation is DeleteNamespace ? NamespaceThread.Exists(x.operation.Gateway) : x.inverse.Count > 0).Select(x => x.operation)];
            }
            catch (ChangeException)
            {
                (count, missing) = (1, [operations[i]]);
            }

            foreach (var operation in missing)
            {
                try
                {
                    session.Apply(operation);
                }
                catch (ChangeException e) when (e.Fault == ChangeFault.NotFound && TakesAway(operation))
                {
                    // Its gateway or interface is gone, and the thing with it.
                }
                catch (ChangeException e)
                {
                    faults.Add(e.Message);
                }
            }

            i += count;
        }

        return [.. faults.Distinct()];
    }

    private static bool TakesAway(HostOperation operation) =>
        operation is RemoveAddress or RemoveRoute or RemoveRule or RemoveShaper or RemoveEndpoint or DeleteVethPair or DeleteNamespace or BlockInterface { Blocked: false };

    // An operation whose inverse is empty would change nothing: its result is there. Deleting has no inverse, so look for the thing itself.
    private static bool Stands(IHostSession session, HostOperation operation)
    {
        try
        {
            return operation is DeleteNamespace ? !NamespaceThread.Exists(operation.Gateway) : session.InverseOf(operation).Count == 0;
        }
        catch (ChangeException e)
        {
            return e.Fault == ChangeFault.NotFound && TakesAway(operation);
        }
    }

    /// <summary>How far a plan came.</summary>
    private sealed class Done
    {
        /// <summary>Inverse of each operation that was intended, in the plan's order.</summary>
        public List<IReadOnlyList<HostOperation>> Inverses { get; } = [];

        /// <summary>Operations that the kernel was asked for.</summary>
        public int Begun { get; set; }

        /// <summary>Everything that undoes it, newest first.</summary>
        public List<HostOperation> WayBack => [.. Enumerable.Reverse(Inverses).SelectMany(inverse => inverse)];
    }

    /// <summary>Namespaces and interfaces that a plan makes: what happens to them goes with them and needs no inverse of its own, nor can it be told before.</summary>
    private sealed class Made(ChangePlan plan)
    {
        private readonly ImmutableHashSet<GatewayName> _namespaces = Created(plan);
        private readonly HashSet<(GatewayName, InterfaceName)> _interfaces = [];

        public void Add(HostOperation operation)
        {
            if (operation is AddVethPair pair)
            {
                _interfaces.UnionWith([(pair.Gateway, pair.Interface), (pair.PeerGateway, pair.PeerInterface)]);
            }
        }

        public bool Holds(HostOperation operation) => InsideCreated(operation, _namespaces) || (InterfaceOf(operation) is { } name && _interfaces.Contains((operation.Gateway, name)));

        private static InterfaceName? InterfaceOf(HostOperation operation) => operation switch
        {
            SetLinkState o => o.Interface,
            SetMtu o => o.Interface,
            AddAddress o => o.Interface,
            RemoveAddress o => o.Interface,
            ReplaceRoute o => o.Route.Interface,
            RemoveRoute o => o.Route.Interface,
            SetShaper o => o.Interface,
            RemoveShaper o => o.Interface,
            AddEndpoint o => o.Interface,
            _ => null,
        };
    }
}
