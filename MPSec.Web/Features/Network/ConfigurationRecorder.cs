using System.Globalization;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>
/// Writes the new version of a gateway's configuration into the transaction that opens the change's intent. So there is no moment at which the gateway is
/// changed and its configuration lost, and two editors cannot both build on the same version.
/// </summary>
public sealed class ConfigurationRecorder(TimeProvider time) : IChangeWitness
{
    /// <inheritdoc/>
    public async Task RecordAsync(MPSecDbContext context, ChangePlan plan, ChangeActor actor, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(actor);
        if (plan.Configuration is not { } edit || plan.Operations.IsEmpty)
        {
            return;
        }

        if (plan.Gateways is not [var gateway])
        {
            throw new ChangeException(ChangeFault.Invalid, $"configuration: a change that is to be kept must be of one gateway, this one is of {plan.Gateways.Length}");
        }

        var current = await NewestAsync(context, gateway, cancellationToken);
        if (edit.BaseVersion is { } seen)
        {
            RequireNewest(gateway, current, seen);
        }

        var before = current is null ? null : SavedNetwork.Of(current).Document;
        var document = edit.Document is { } text ? Parse(text) : (before ?? NetworkDocument.Empty).With(plan.Operations);
        if (document.Faults().FirstOrDefault() is { } fault)
        {
            throw new ChangeException(ChangeFault.Invalid, $"configuration of gateway {gateway}: {fault.Sentence}");
        }

        var json = document.ToJson();
        if (json != current?.Document)
        {
            await AddAsync(context, gateway, json, actor, plan.TitleCode, plan.TitleArguments, plan.Id, cancellationToken);
        }
    }

    /// <inheritdoc/>
    public Task ForgetAsync(MPSecDbContext context, GatewayName gateway, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Set<NetworkConfiguration>().Where(c => c.Gateway == gateway.Value).ExecuteDeleteAsync(cancellationToken);
    }

    /// <summary>Versions that count.</summary>
    internal static IQueryable<NetworkConfiguration> Effective(MPSecDbContext context) =>
        context.Set<NetworkConfiguration>().AsNoTracking().Where(c => c.ChangeId == null || context.Set<ChangeIntent>().Any(i => i.Id == c.ChangeId && i.Phase == ChangePhase.Applied));

    /// <summary>The newest version of a gateway that counts; null when there is none.</summary>
    internal static Task<NetworkConfiguration?> NewestAsync(MPSecDbContext context, GatewayName gateway, CancellationToken cancellationToken) =>
        Effective(context).Where(c => c.Gateway == gateway.Value).OrderByDescending(c => c.Version).FirstOrDefaultAsync(cancellationToken);

    /// <summary>Saves a version that needs no change of the gateway.</summary>
    /// <exception cref="ChangeException">It is outdated, or a change waits that brings another version.</exception>
    internal async Task<NetworkVersion> SaveAsync(MPSecDbContext context, GatewayName gateway, string json, int seen, ChangeActor actor, string titleCode, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        var current = await NewestAsync(context, gateway, cancellationToken);
        RequireNewest(gateway, current, seen);
        var waits = await context.Set<NetworkConfiguration>().AsNoTracking().Where(c => c.Gateway == gateway.Value)
            .Join(context.Set<ChangeIntent>(), c => c.ChangeId, i => i.Id, (c, i) => i)
            .FirstOrDefaultAsync(i => i.Phase == ChangePhase.Open || i.Phase == ChangePhase.Pending || i.Phase == ChangePhase.Reverting, cancellationToken);
        if (waits is not null)
        {
            throw new ChangeException(ChangeFault.Busy, $"configuration of gateway {gateway}: a change ({waits.TitleCode} of {waits.Actor}) that brings another version has not ended; try again when it has");
        }

        return current is not null && current.Document == json ? NetworkVersion.Of(current)
            : NetworkVersion.Of(await AddAsync(context, gateway, json, actor, titleCode, arguments, null, cancellationToken));
    }

    internal static void RequireNewest(GatewayName gateway, NetworkConfiguration? current, int seen)
    {
        if (seen != (current?.Version ?? 0))
        {
            throw new ChangeException(ChangeFault.Outdated, current is null
                ? $"configuration of gateway {gateway}: version {seen}, on which this edit is based, is not there (any more); load the gateway again and repeat the edit"
                : string.Create(CultureInfo.InvariantCulture, $"configuration of gateway {gateway}: {current.Actor} saved version {current.Version} at {current.At:yyyy-MM-dd HH:mm:ss} UTC, and this edit is based on version {seen}; nothing was overwritten, compare the two and repeat the edit"));
        }
    }

    private static NetworkDocument Parse(string text)
    {
        try
        {
            return NetworkDocument.Parse(text);
        }
        catch (FormatException e)
        {
            throw new ChangeException(ChangeFault.Invalid, e.Message, e);
        }
    }

    private async Task<NetworkConfiguration> AddAsync(
        MPSecDbContext context, GatewayName gateway, string json, ChangeActor actor, string titleCode, IReadOnlyList<string> arguments, Guid? change, CancellationToken cancellationToken)
    {
        // Rows of changes that were undone have never counted and never will.
        await context.Set<NetworkConfiguration>().Where(c => c.Gateway == gateway.Value && c.ChangeId != null
            && context.Set<ChangeIntent>().Any(i => i.Id == c.ChangeId && (i.Phase == ChangePhase.RolledBack || i.Phase == ChangePhase.Incomplete))).ExecuteDeleteAsync(cancellationToken);
        var oldest = await context.Set<NetworkConfiguration>().Where(c => c.Gateway == gateway.Value).OrderByDescending(c => c.Version).Skip(NetworkConfiguration.MostVersions - 1)
            .Select(c => (int?)c.Version).FirstOrDefaultAsync(cancellationToken);
        if (oldest is not null)
        {
            await context.Set<NetworkConfiguration>().Where(c => c.Gateway == gateway.Value && c.Version <= oldest).ExecuteDeleteAsync(cancellationToken);
        }

        var row = new NetworkConfiguration
        {
            Gateway = gateway.Value,
            Version = (await context.Set<NetworkConfiguration>().Where(c => c.Gateway == gateway.Value).MaxAsync(c => (int?)c.Version, cancellationToken) ?? 0) + 1,
            ChangeId = change,
            Document = json,
            Actor = actor.Name,
            At = time.GetUtcNow(),
            TitleCode = titleCode,
            TitleArguments = JsonSerializer.Serialize(arguments),
        };
        context.Add(row);
        return row;
    }
}
