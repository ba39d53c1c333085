using System.Collections.Immutable;
using MPSec.Changes.Kernel;
using MPSec.Linux.Values;

namespace MPSec.Changes;

/// <summary>
/// The one door through which a gateway is altered: checks role and mode, writes the intent, applies, verifies, and undoes what was done when something
/// fails. One change at a time per gateway, over all processes of this state folder.
/// </summary>
public sealed partial class ChangeService(
    IHostKernel kernel, ChangeJournal journal, GatewayModes modes, AuditLog audit, IDeadManStart deadMan, ConfirmationTime confirmation, IBootClock clock, TimeProvider time,
    ILogger<ChangeService> logger) : IDisposable
{
    private readonly ILogger _logger = logger;

    /// <summary>Raised after every change that touched a gateway, on the thread that ran it.</summary>
    public event Action<ChangeReport>? Completed;

    /// <summary>What the plan would do now.</summary>
    /// <exception cref="ChangeException">An operation could not work in the present state.</exception>
    public Task<ChangePreview> PreviewAsync(ChangePlan plan, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return Task.Run(() =>
        {
            var created = Created(plan);
            var forward = new List<HostOperation>();
            var back = new List<HostOperation>();
            foreach (var operation in plan.Operations)
            {
                operation.Validate();
                IReadOnlyList<HostOperation> inverse = InsideCreated(operation, created) ? [] : kernel.InverseOf(operation);
                if (inverse.Count > 0 || operation is DeleteNamespace || InsideCreated(operation, created))
                {
                    forward.Add(operation);
                    back.InsertRange(0, inverse);
                }
            }

            return new ChangePreview([.. forward.SelectMany(ChangePlan.Lines)], [.. back.SelectMany(ChangePlan.Lines)], plan.Remarks);
        }, cancellationToken);
    }

    /// <summary>Runs the plan. Once it has begun it is finished or undone, whatever happens to the caller.</summary>
    /// <exception cref="ChangeException">It was refused, or it failed and was undone; the sentence says which and why.</exception>
    public async Task<ChangeReport> RunAsync(ChangePlan plan, ChangeActor actor, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(actor);
        await AdmitAsync(plan, actor, () => journal.OpenAsync(plan, actor, cancellationToken), cancellationToken);
        var (report, failure) = await Task.Run(() => ApplyAsync(plan), CancellationToken.None);
        LogChange(_logger, plan.TitleCode, string.Join(' ', plan.Gateways), actor.Name, report.Outcome, report.Sentence ?? "-");
        Completed?.Invoke(report);
        return failure is null ? report : throw new ChangeException(failure.Fault, report.Sentence!, failure);
    }

    /// <summary>
    /// Ends what a killed process left open: a change whose operations all stand is finished, one that takes things away is carried on, any other is undone.
    /// Called at start and before every change.
    /// </summary>
    /// <returns>What was done, oldest first.</returns>
    public async Task<IReadOnlyList<ChangeReport>> RecoverAsync(CancellationToken cancellationToken = default)
    {
        var reports = new List<ChangeReport>();
        foreach (var intent in await journal.AdoptAsync(cancellationToken))
        {
            var report = await Task.Run(() => RecoverAsync(intent), CancellationToken.None);
            LogRecovered(_logger, intent.TitleCode, intent.Gateways.Trim(), report.Outcome, report.Sentence ?? "-");
            reports.Add(report);
            Completed?.Invoke(report);
        }

        reports.AddRange(await RecoverChecksAsync(cancellationToken));
        return reports;
    }

    /// <inheritdoc/>
    public void Dispose() => _attending.Dispose();

    [LoggerMessage(EventId = 2001, Level = LogLevel.Information, Message = "Change {Title} of {Gateways} by {Actor}: {Outcome} {Sentence}")]
    private static partial void LogChange(ILogger logger, string title, string gateways, string actor, ChangeOutcome outcome, string sentence);

    [LoggerMessage(EventId = 2002, Level = LogLevel.Warning, Message = "Change {Title} of {Gateways} was interrupted: {Outcome} {Sentence}")]
    private static partial void LogRecovered(ILogger logger, string title, string gateways, ChangeOutcome outcome, string sentence);

    private static ImmutableHashSet<GatewayName> Created(ChangePlan plan) => [.. plan.Operations.OfType<CreateNamespace>().Select(o => o.Gateway)];

    // What happens inside a namespace of the same plan goes with the namespace: it needs no inverse of its own.
    private static bool InsideCreated(HostOperation operation, ImmutableHashSet<GatewayName> created) =>
        operation is not CreateNamespace && operation.Gateways.All(created.Contains);

    /// <summary>Refuses what may not be done, in the audit log too; else writes the intent.</summary>
    private async Task AdmitAsync(ChangePlan plan, ChangeActor actor, Func<Task> open, CancellationToken cancellationToken)
    {
        try
        {
            actor.Require(plan.RequiredRole);
            foreach (var operation in plan.Operations)
            {
                operation.Validate();
            }

            await RequireManagedAsync(plan, cancellationToken);
            await RecoverAsync(cancellationToken);
            await open();
        }
        catch (ChangeException e)
        {
            await audit.AppendAsync(actor.Name, plan.TitleCode, string.Join(' ', plan.Gateways), OperationJson.WriteMany(plan.Operations), $"Refused: {e.Message}", CancellationToken.None);
            throw;
        }
    }

    private async Task RequireManagedAsync(ChangePlan plan, CancellationToken cancellationToken)
    {
        var created = Created(plan);
        foreach (var gateway in plan.Gateways.Where(g => !created.Contains(g)))
        {
            if (plan.Operations.Where(o => o.Gateways.Contains(gateway)).All(o => o is DeleteNamespace))
            {
                // Its marker says whose it is.
                continue;
            }

            if (await modes.GetAsync(gateway, cancellationToken) == GatewayMode.Observe)
            {
                throw new ChangeException(ChangeFault.Observed, $"gateway {gateway}: is in observe mode, MPSec only reads it; an administrator may switch it to managed");
            }
        }
    }

    private async Task<(ChangeReport Report, ChangeException? Failure)> ApplyAsync(ChangePlan plan)
    {
        var undo = new Stack<HostOperation>();
        try
        {
            await ForwardAsync(plan, undo);
            return (await journal.CloseAsync(plan.Id, ChangePhase.Applied, null, null, CancellationToken.None), null);
        }
        catch (Exception e)
        {
            // Whatever the reason is, what was done must not stay half done.
            var failure = e as ChangeException ?? new ChangeException(ChangeFault.Refused, e.Message, e);
            var left = plan.RollsForward ? [] : Undo(undo);
            var sentence = (plan.RollsForward, left.Count) switch
            {
                (true, _) => failure.Message,
                (_, 0) when undo.Count == 0 => $"{failure.Message}; nothing was changed",
                (_, 0) => $"{failure.Message}; everything done before was undone",
                _ => $"{failure.Message}; undoing it failed too: {string.Join("; ", left)}",
            };
            var phase = left.Count == 0 && !plan.RollsForward ? ChangePhase.RolledBack : ChangePhase.Incomplete;
            return (await journal.CloseAsync(plan.Id, phase, sentence, null, CancellationToken.None), failure);
        }
    }

    private async Task ForwardAsync(ChangePlan plan, Stack<HostOperation> undo)
    {
        var created = Created(plan);
        for (var i = 0; i < plan.Operations.Length; i++)
        {
            var operation = plan.Operations[i];
            if (!InsideCreated(operation, created))
            {
                var inverse = kernel.InverseOf(operation);
                await journal.IntendAsync(plan.Id, i, inverse, operation as CreateNamespace, CancellationToken.None);
                foreach (var one in inverse.Reverse())
                {
                    undo.Push(one);
                }
            }

            kernel.Apply(operation);
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
            faults.AddRange(operations.Select(Try).OfType<string>());
            return faults.Count == 0 ? await Close(ChangePhase.Applied, null) : await Close(ChangePhase.Incomplete, "its process ended in the middle, and it could not be finished: " + string.Join("; ", faults));
        }

        if (operations.TrueForAll(Stands))
        {
            return await Close(ChangePhase.Applied, null);
        }

        faults.AddRange(Undo(undo));
        return faults.Count == 0
            ? await Close(ChangePhase.RolledBack, "its process ended in the middle; everything it had done was undone")
            : await Close(ChangePhase.Incomplete, "its process ended in the middle, and undoing it failed: " + string.Join("; ", faults));

        Task<ChangeReport> Close(ChangePhase phase, string? sentence) => journal.CloseAsync(intent.Id, phase, sentence, ChangeActor.Recovery.Name, CancellationToken.None);
    }

    /// <summary>Applies the inverses and looks whether each result stands; returns what failed.</summary>
    private List<string> Undo(IEnumerable<HostOperation> inverses)
    {
        var operations = inverses.ToList();
        var faults = operations.Select(Try).OfType<string>().ToList();
        if (faults.Count == 0)
        {
            // Only states that a later inverse did not replace can be looked at again; the last one of each object is such.
            faults.AddRange(operations.Where(o => o is WriteSysctl or SetLinkState or DeleteNamespace).Reverse().DistinctBy(Subject).Where(o => !Stands(o)).Select(o => $"'{o.ToShellText()}' had no effect"));
        }

        return faults;

        static (GatewayName, string) Subject(HostOperation operation) => (operation.Gateway, operation switch
        {
            WriteSysctl o => o.Key.Value,
            SetLinkState o => o.Interface.Value,
            _ => operation.Gateway.Value,
        });
    }

    private string? Try(HostOperation operation)
    {
        try
        {
            if (!Stands(operation))
            {
                kernel.Apply(operation);
            }

            return null;
        }
        catch (ChangeException e) when (e.Fault == ChangeFault.NotFound && operation is RemoveAddress or RemoveRoute or RemoveRule or RemoveShaper or RemoveEndpoint or DeleteVethPair or DeleteNamespace)
        {
            return null; // Its gateway or interface is gone, and the thing with it.
        }
        catch (ChangeException e)
        {
            return e.Message;
        }
    }

    // An operation whose inverse is empty would change nothing: its result is there. Deleting has no inverse, so look for the thing itself.
    private bool Stands(HostOperation operation)
    {
        try
        {
            return operation is DeleteNamespace ? !Linux.Namespaces.NamespaceThread.Exists(operation.Gateway) : kernel.InverseOf(operation).Count == 0;
        }
        catch (ChangeException)
        {
            return false;
        }
    }
}
