using Microsoft.EntityFrameworkCore;
using MPSec.Changes.Kernel;
using MPSec.Data;
using MPSec.Linux.Values;

namespace MPSec.Changes;

/// <summary>Whether MPSec may change a gateway.</summary>
public enum GatewayMode
{
    /// <summary>Reads and shows, changes nothing.</summary>
    Observe,

    /// <summary>Changes what is asked for.</summary>
    Managed,
}

/// <summary>
/// The mode of every gateway. The host and namespaces that MPSec did not make begin in observe mode, namespaces that it made are managed.
/// </summary>
public sealed class GatewayModes(IDbContextFactory<MPSecDbContext> contexts, AuditLog audit)
{
    /// <summary>Raised after a mode changed.</summary>
    public event Action<GatewayName, GatewayMode>? ModeChanged;

    /// <summary>The gateway's mode.</summary>
    public async Task<GatewayMode> GetAsync(GatewayName gateway, CancellationToken cancellationToken = default)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            if (await context.Set<GatewayModeRow>().AsNoTracking().FirstOrDefaultAsync(m => m.Gateway == gateway.Value, cancellationToken) is { } row)
            {
                return row.Mode;
            }

            var owned = await context.Set<OwnedNamespace>().AsNoTracking().FirstOrDefaultAsync(n => n.Gateway == gateway.Value, cancellationToken);
            return owned is not null && NamespaceFiles.StateOf(gateway, owned.Marker) == NamespaceState.Ours ? GatewayMode.Managed : GatewayMode.Observe;
        }
    }

    /// <summary>Switches a gateway.</summary>
    /// <exception cref="ChangeException">The actor is no administrator.</exception>
    public async Task SetAsync(GatewayName gateway, GatewayMode mode, ChangeActor actor, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(actor);
        actor.Require(ChangeRole.Administrator);
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
            await using (transaction)
            {
                if (await context.Set<GatewayModeRow>().FindAsync([gateway.Value], cancellationToken) is { } row)
                {
                    row.Mode = mode;
                }
                else
                {
                    context.Add(new GatewayModeRow { Gateway = gateway.Value, Mode = mode });
                }

                await audit.AppendAsync(context, actor.Name, "gateway.mode", gateway.Value, $"[\"{mode}\"]", "done", cancellationToken);
                await transaction.CommitAsync(cancellationToken);
            }
        }

        ModeChanged?.Invoke(gateway, mode);
    }
}
