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
            var made = new Made(plan);
            var forward = new List<HostOperation>();
            var back = new List<HostOperation>();
            using var session = kernel.Open();
            foreach (var operation in plan.Operations)
            {
                operation.Validate();
                var inside = made.Holds(operation);
                IReadOnlyList<HostOperation> inverse = inside ? [] : session.InverseOf(operation);
                if (inverse.Count > 0 || operation is DeleteNamespace || inside)
                {
                    forward.Add(operation);
                    back.InsertRange(0, inverse);
                }

                if (inverse.Count > 0)
                {
                    made.Add(operation);
                }
            }

            return new ChangePreview([.. forward.SelectMany(o => o.ToShellLines())], [.. WithoutImplied(back).SelectMany(o => o.ToShellLines())], plan.Remarks);
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

    // What the kernel does by itself is not worth a line: routes of an address, and the setting of each interface where that of all sets the same.
    private static IEnumerable<HostOperation> WithoutImplied(IEnumerable<HostOperation> operations)
    {
        var implied = new Dictionary<(GatewayName, string, string), string>();
        foreach (var operation in operations)
        {
            if (operation is ReplaceRoute { Route.Options.IsImplied: true })
            {
                continue;
            }

            if (operation is WriteSysctl write)
            {
                if (KernelLosses.FarReach(write.Key) is { Device: "all" } reach)
                {
                    implied[(write.Gateway, reach.Family, reach.Name)] = write.Value;
                }
                else if (write.Key.Value.Split('.') is ["net", var family, "conf", _, var name] && implied.TryGetValue((write.Gateway, family, name), out var value) && value == write.Value)
                {
                    continue;
                }
            }

            yield return operation;
        }
    }

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
}
