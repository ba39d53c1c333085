using System.Collections.Immutable;
using System.Globalization;
using Microsoft.EntityFrameworkCore;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>What an editor starts from.</summary>
/// <param name="Document">The saved configuration, completed with paths that the kernel shows and it does not have yet.</param>
/// <param name="BaseVersion">Version of the saved one, to be given back when saving; 0 when nothing is saved.</param>
public sealed record NetworkProposal(NetworkDocument Document, int BaseVersion);

/// <summary>What brings a gateway back to its saved configuration.</summary>
/// <param name="Saved">The configuration.</param>
/// <param name="Plan">The operations; none when everything stands.</param>
/// <param name="LeftOut">What cannot be done now, one sentence each: an interface that is not there, an address that another program sets.</param>
/// <param name="Waits">Some of it may be done later: when the interface or the address is there.</param>
public sealed record NetworkRestorePlan(SavedNetwork Saved, ChangePlan Plan, ImmutableArray<string> LeftOut, bool Waits);

/// <summary>
/// Keeps, per gateway, the confirmed network configuration as versions of a readable document; plans edits, reverts and restorations of it; knows the names
/// of the paths.
/// </summary>
public sealed partial class NetworkConfigurationService : IDisposable
{
    private readonly IDbContextFactory<MPSecDbContext> _contexts;
    private readonly ConfigurationRecorder _recorder;
    private readonly ChangeService _changes;
    private readonly AuditLog _audit;
    private readonly InterfaceOwnerReader _owners;
    private readonly ILogger<NetworkConfigurationService> _logger;

    /// <summary>Puts it together.</summary>
    public NetworkConfigurationService(
        IDbContextFactory<MPSecDbContext> contexts, ConfigurationRecorder recorder, ChangeService changes, AuditLog audit, InterfaceOwnerReader owners, ILogger<NetworkConfigurationService> logger)
    {
        ArgumentNullException.ThrowIfNull(changes);
        (_contexts, _recorder, _changes, _audit, _owners, _logger) = (contexts, recorder, changes, audit, owners, logger);
        _changes.Completed += OnCompleted;
    }

    /// <summary>Raised on any thread when another version of a gateway's configuration counts, or none does any more.</summary>
    public event Action<GatewayName>? Changed;

    /// <inheritdoc/>
    public void Dispose() => _changes.Completed -= OnCompleted;

    /// <summary>The configuration that counts; null when none is saved.</summary>
    public async Task<SavedNetwork?> CurrentAsync(GatewayName gateway, CancellationToken cancellationToken = default)
    {
        var context = await _contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            return await ConfigurationRecorder.NewestAsync(context, gateway, cancellationToken) is { } row ? SavedNetwork.Of(row) : null;
        }
    }

    /// <summary>The newest versions that counted, newest first.</summary>
    public async Task<IReadOnlyList<NetworkVersion>> HistoryAsync(GatewayName gateway, int count, CancellationToken cancellationToken = default)
    {
        var context = await _contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var rows = await ConfigurationRecorder.Effective(context).Where(c => c.Gateway == gateway.Value).OrderByDescending(c => c.Version).Take(count).ToListAsync(cancellationToken);
            return [.. rows.Select(NetworkVersion.Of)];
        }
    }

    /// <summary>A version; null when there is none of this number.</summary>
    public async Task<SavedNetwork?> FindAsync(GatewayName gateway, int version, CancellationToken cancellationToken = default)
    {
        var context = await _contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var row = await ConfigurationRecorder.Effective(context).FirstOrDefaultAsync(c => c.Gateway == gateway.Value && c.Version == version, cancellationToken);
            return row is null ? null : SavedNetwork.Of(row);
        }
    }

    /// <summary>Gateways that have a saved configuration.</summary>
    public async Task<IReadOnlyList<GatewayName>> GatewaysAsync(CancellationToken cancellationToken = default)
    {
        var context = await _contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var names = await ConfigurationRecorder.Effective(context).Select(c => c.Gateway).Distinct().ToListAsync(cancellationToken);
            return [.. names.Select(GatewayName.Parse).Order()];
        }
    }

    /// <summary>
    /// The plan that brings a gateway from its saved configuration and the kernel's state to an edited document. One without operations needs no change of the
    /// gateway: <see cref="SaveWithoutChangeAsync"/> keeps it.
    /// </summary>
    /// <param name="gateway">The gateway.</param>
    /// <param name="edited">The document to come.</param>
    /// <param name="baseVersion">Version that the edit began with, 0 for none; null when nothing was seen that could be outdated, as with a file.</param>
    /// <param name="shown">
    /// What the editor began with (<see cref="ProposedAsync"/>): addresses and next hops that a person saw there and took away go, although no version named them yet. Null for a file, which
    /// leaves alone what it does not name.
    /// </param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ChangeException">The document has a fault, cannot be applied here, or somebody else saved another version (<see cref="ChangeFault.Outdated"/>).</exception>
    /// <exception cref="NamespaceException">The gateway is gone or may not be entered.</exception>
    public Task<ChangePlan> PlanAsync(GatewayName gateway, NetworkDocument edited, int? baseVersion, NetworkDocument? shown = null, CancellationToken cancellationToken = default) =>
        PlanAsync(gateway, edited, baseVersion, shown, "network.apply", [gateway.Value], cancellationToken);

    /// <summary>The plan that goes back to a version; it becomes a new version itself.</summary>
    /// <exception cref="ChangeException">There is no such version, or it cannot be applied here.</exception>
    /// <exception cref="NamespaceException">The gateway is gone or may not be entered.</exception>
    public async Task<ChangePlan> RevertPlanAsync(GatewayName gateway, int version, CancellationToken cancellationToken = default)
    {
        var wanted = await RequireAsync(gateway, version, cancellationToken);
        var current = await CurrentAsync(gateway, cancellationToken);
        return await PlanAsync(gateway, wanted.Document, current?.Version ?? 0, null, "network.revert", [gateway.Value, version.ToString(CultureInfo.InvariantCulture)], cancellationToken);
    }

    /// <summary>The plan that brings a gateway back to what is saved, after a boot for example. It changes nothing of what is saved.</summary>
    /// <returns>Null when nothing is saved.</returns>
    /// <exception cref="NamespaceException">The gateway is gone or may not be entered.</exception>
    public async Task<NetworkRestorePlan?> RestorePlanAsync(GatewayName gateway, CancellationToken cancellationToken = default)
    {
        if (await CurrentAsync(gateway, cancellationToken) is not { } saved)
        {
            return null;
        }

        var state = await ReadAsync(gateway, saved.Document, cancellationToken);
        var plan = NetworkPlanner.Compute(gateway, saved.Document, saved.Document, state, NetworkPlanAim.Restore);
        return new(saved, new() { TitleCode = "network.restore", TitleArguments = [gateway.Value], Operations = plan.Operations, Danger = ChangeDanger.Medium }, plan.LeftOut, plan.Waits);
    }

    /// <summary>Keeps an edit that changes nothing of the gateway itself, such as a name.</summary>
    /// <param name="gateway">The gateway.</param>
    /// <param name="edited">The document.</param>
    /// <param name="baseVersion">Version that the edit began with, 0 for none.</param>
    /// <param name="actor">Who saves; an administrator.</param>
    /// <param name="titleCode">Code of the title in the history.</param>
    /// <param name="titleArguments">Arguments of the title; the gateway when null.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ChangeException">The edit needs a change of the gateway, is outdated, has a fault, or the role does not suffice.</exception>
    public async Task<NetworkVersion> SaveWithoutChangeAsync(
        GatewayName gateway, NetworkDocument edited, int baseVersion, ChangeActor actor, string titleCode = "network.save", IReadOnlyList<string>? titleArguments = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(edited);
        ArgumentNullException.ThrowIfNull(actor);
        actor.Require(ChangeRole.Administrator);
        RequireSound(edited);
        var current = await SavedAsync(gateway, baseVersion, cancellationToken);
        if (!NetworkWants.AreSame(current ?? NetworkDocument.Empty, edited)
            && NetworkPlanner.Compute(gateway, current, edited, await ReadAsync(gateway, edited, cancellationToken), NetworkPlanAim.Edit).Operations.Length > 0)
        {
            throw new ChangeException(ChangeFault.Invalid, $"configuration of gateway {gateway}: this edit changes the gateway itself; apply it");
        }

        NetworkVersion saved;
        var context = await _contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
            await using (transaction)
            {
                saved = await _recorder.SaveAsync(context, gateway, edited.ToJson(), baseVersion, actor, titleCode, titleArguments ?? [gateway.Value], cancellationToken);
                await _audit.AppendAsync(context, actor.Name, titleCode, gateway.Value, $"[{saved.Version}]", "done", cancellationToken);
                await context.SaveChangesAsync(cancellationToken);
                await transaction.CommitAsync(cancellationToken);
            }
        }

        await RefreshAsync(gateway, cancellationToken);
        return saved;
    }

    /// <summary>What differs between two versions.</summary>
    /// <exception cref="ChangeException">There is no such version.</exception>
    public async Task<NetworkDiff> DiffAsync(GatewayName gateway, int before, int after, CancellationToken cancellationToken = default) => NetworkDiff.Between(
        (await RequireAsync(gateway, before, cancellationToken)).Document, (await RequireAsync(gateway, after, cancellationToken)).Document,
        string.Create(CultureInfo.InvariantCulture, $"version {before}"), string.Create(CultureInfo.InvariantCulture, $"version {after}"));

    /// <summary>
    /// The document that an editor starts from: the saved one, completed with paths of <paramref name="snapshot"/> that it does not have. Addresses that another
    /// program or a DHCP client sets are left to it: they are not in the document unless somebody writes them there.
    /// </summary>
    /// <exception cref="NamespaceException">The gateway is gone or may not be entered.</exception>
    public async Task<NetworkProposal> ProposedAsync(NetworkSnapshot snapshot, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        var gateway = GatewayName.Parse(snapshot.Gateway);
        var saved = await CurrentAsync(gateway, cancellationToken);
        var state = await ReadAsync(gateway, saved?.Document ?? NetworkDocument.Empty, cancellationToken);
        return new(NetworkProposals.Complete(saved?.Document ?? NetworkDocument.Empty, snapshot, state.Reading), saved?.Version ?? 0);
    }

    /// <summary>Whether a change of the gateway is running, waits to be confirmed or is being undone, in whichever process.</summary>
    internal async Task<bool> IsChangingAsync(GatewayName gateway, CancellationToken cancellationToken)
    {
        var context = await _contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            return await context.Set<ChangeIntent>().AnyAsync(i => (i.Phase == ChangePhase.Open || i.Phase == ChangePhase.Pending || i.Phase == ChangePhase.Reverting)
                && i.Gateways.Contains($" {gateway.Value} "), cancellationToken);
        }
    }

    internal Task<NetworkKernelState> ReadAsync(GatewayName gateway, NetworkDocument document, CancellationToken cancellationToken) =>
        Task.Run(() => NetworkKernelState.Read(gateway, NetworkWants.Of(document, gateway).Settings.Select(s => s.Key), _owners), cancellationToken);

    private static void RequireSound(NetworkDocument document)
    {
        if (document.Faults().FirstOrDefault() is { } fault)
        {
            throw new ChangeException(ChangeFault.Invalid, fault.Sentence);
        }
    }

    private async Task<SavedNetwork> RequireAsync(GatewayName gateway, int version, CancellationToken cancellationToken) =>
        await FindAsync(gateway, version, cancellationToken)
            ?? throw new ChangeException(ChangeFault.NotFound, $"configuration of gateway {gateway}: there is no version {version}; the last {NetworkConfiguration.MostVersions} are kept");

    private async Task<ChangePlan> PlanAsync(GatewayName gateway, NetworkDocument edited, int? baseVersion, NetworkDocument? shown, string title, ImmutableArray<string> arguments, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(edited);
        RequireSound(edited);
        var saved = await SavedAsync(gateway, baseVersion, cancellationToken);
        var plan = NetworkPlanner.Compute(gateway, shown is null ? saved : Completed(saved ?? NetworkDocument.Empty, shown), edited, await ReadAsync(gateway, edited, cancellationToken), NetworkPlanAim.Edit);
        return new()
        {
            TitleCode = title,
            TitleArguments = arguments,
            Operations = plan.Operations,
            Danger = ChangeDanger.Medium,
            Configuration = new(edited.ToJson(), baseVersion),
        };
    }

    private static NetworkDocument Completed(NetworkDocument saved, NetworkDocument shown) => saved with { Paths = [.. saved.Paths, .. shown.Paths.Where(p => saved.FindPath(p.Interface.Value) is null)] };

    /// <summary>The document that counts; null when none is saved.</summary>
    /// <exception cref="ChangeException">It is not the version that was seen.</exception>
    private async Task<NetworkDocument?> SavedAsync(GatewayName gateway, int? seen, CancellationToken cancellationToken)
    {
        var context = await _contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var row = await ConfigurationRecorder.NewestAsync(context, gateway, cancellationToken);
            if (seen is { } version)
            {
                ConfigurationRecorder.RequireNewest(gateway, row, version);
            }

            return row is null ? null : SavedNetwork.Of(row).Document;
        }
    }
}
