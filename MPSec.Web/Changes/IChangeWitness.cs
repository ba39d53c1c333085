using MPSec.Data;
using MPSec.Linux.Values;

namespace MPSec.Changes;

/// <summary>
/// Keeps a record of its own of every change that begins, in the same transaction as the intent: it is there exactly when the intent is, and counts when
/// the intent is applied.
/// </summary>
public interface IChangeWitness
{
    /// <summary>Adds rows to <paramref name="context"/>; the caller commits.</summary>
    /// <exception cref="ChangeException">The change must not begin, for example <see cref="ChangeFault.Outdated"/>.</exception>
    Task RecordAsync(MPSecDbContext context, ChangePlan plan, ChangeActor actor, CancellationToken cancellationToken);

    /// <summary>Drops what is kept about a gateway whose namespace MPSec has deleted; the caller commits.</summary>
    Task ForgetAsync(MPSecDbContext context, GatewayName gateway, CancellationToken cancellationToken) => Task.CompletedTask;
}
