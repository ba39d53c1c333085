using System.Collections.Immutable;
using System.Net;
using MPSec.Changes;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>What became of a restoration.</summary>
/// <param name="Gateway">The gateway.</param>
/// <param name="Version">Version that was restored; null when none is saved.</param>
/// <param name="Operations">Operations done; 0 when everything stood.</param>
/// <param name="Faults">What could not be done, one sentence each.</param>
public sealed record NetworkRestored(GatewayName Gateway, int? Version, int Operations, ImmutableArray<string> Faults);

/// <summary>
/// Brings gateways back to their saved configuration, after a boot above all. What is there is restored at once; for interfaces that come later it waits, woken by
/// the kernel. One thing that cannot be done does not keep the others from being done.
/// </summary>
public sealed class NetworkRestoration(NetworkConfigurationService configurations, ChangeService changes, TimeProvider time)
{
    /// <summary>Restores one gateway.</summary>
    /// <param name="gateway">The gateway.</param>
    /// <param name="wait">How long to wait for interfaces and addresses that are not there yet.</param>
    /// <param name="actor">Who asks.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="ChangeException">The gateway is observed, or the role does not suffice.</exception>
    public async Task<NetworkRestored> RestoreAsync(GatewayName gateway, TimeSpan wait, ChangeActor actor, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(actor);
        // What a killed process left half done would be undone by the door later, and the plan would be for a state that is no more.
        await changes.RecoverAsync(cancellationToken);
        try
        {
            // Opened before the first look: an interface that comes meanwhile is not missed.
            var monitor = NetlinkMonitor.Open(gateway);
            await using (monitor)
            {
                return await RestoreAsync(gateway, wait, monitor, actor, cancellationToken);
            }
        }
        catch (NamespaceException e)
        {
            return new(gateway, (await configurations.CurrentAsync(gateway, cancellationToken))?.Version, 0, [e.Message]);
        }
    }

    private async Task<NetworkRestored> RestoreAsync(GatewayName gateway, TimeSpan wait, NetlinkMonitor monitor, ChangeActor actor, CancellationToken cancellationToken)
    {
        var begun = time.GetTimestamp();
        var events = monitor.ReadAllAsync(cancellationToken).GetAsyncEnumerator(cancellationToken);
        await using (events)
        {
            Task<bool>? next = null;
            var done = 0;
            while (true)
            {
                if (await configurations.RestorePlanAsync(gateway, cancellationToken) is not { } restore)
                {
                    return new(gateway, null, 0, [$"gateway {gateway}: no configuration is saved; save one on the page Network or with: mpsec network apply FILE"]);
                }

                var faults = restore.LeftOut.ToList();
                if (restore.Plan.Operations.Length > 0)
                {
                    done += restore.Plan.Operations.Length - await RunAsync(restore, actor, faults);
                }

                var left = wait - time.GetElapsedTime(begun);
                if (!restore.Waits || left <= TimeSpan.Zero)
                {
                    return new(gateway, restore.Saved.Version, done, [.. faults]);
                }

                next = await WokenAsync(events, next, left, cancellationToken);
            }
        }
    }

    /// <summary>Waits for something that may bring what is missing, or for the end of the time; returns the question that is still open.</summary>
    private async Task<Task<bool>?> WokenAsync(IAsyncEnumerator<GatewayEvent> events, Task<bool>? next, TimeSpan left, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var over = Task.Delay(left, time, stop.Token);
        while (!over.IsCompleted)
        {
            next ??= events.MoveNextAsync().AsTask();
            if (await Task.WhenAny(next, over) != next)
            {
                break;
            }

            var more = await next;
            next = null;
            if (!more)
            {
                await over; // the namespace is gone; nothing will come
            }
            else if (events.Current is LinkChanged or AddressAdded or EventsLost)
            {
                break;
            }
        }

        await stop.CancelAsync();
        cancellationToken.ThrowIfCancellationRequested();
        return next;
    }

    /// <summary>
    /// All in one piece; where the kernel refuses that, each path and setting by itself, and of those that it refuses too each operation. Returns how many were not done.
    /// </summary>
    private async Task<int> RunAsync(NetworkRestorePlan restore, ChangeActor actor, List<string> faults)
    {
        var open = new Queue<ImmutableArray<HostOperation>>([restore.Plan.Operations]);
        var failed = 0;
        while (open.TryDequeue(out var piece))
        {
            try
            {
                await changes.RunAsync(restore.Plan with { Id = Guid.CreateVersion7(), Operations = piece }, actor, CancellationToken.None);
            }
            catch (ChangeException e) when (e.Fault is ChangeFault.Refused or ChangeFault.NotFound or ChangeFault.NotAvailable or ChangeFault.Foreign)
            {
                var parts = piece.GroupBy(o => Part(restore.Saved.Document, o)).Select(p => p.ToImmutableArray()).ToList();
                if (piece.Length == 1)
                {
                    faults.Add(e.Message);
                    failed++;
                }

                foreach (var part in parts.Count > 1 ? parts : piece.Length > 1 ? piece.Select(o => ImmutableArray.Create(o)) : [])
                {
                    open.Enqueue(part);
                }
            }
        }

        return failed;
    }

    /// <summary>What an operation belongs to: a path, or itself alone.</summary>
    private static string Part(NetworkDocument document, HostOperation operation)
    {
        var path = operation switch
        {
            SetLinkState o => o.Interface.Value,
            SetMtu o => o.Interface.Value,
            AddAddress o => o.Interface.Value,
            RemoveAddress o => o.Interface.Value,
            ReplaceRoute { Route.Interface: { } device } => device.Value,
            ReplaceRoute o => document.Paths.FirstOrDefault(p => p.Table == o.Route.Table)?.Interface.Value,
            AddRule o => document.Paths.FirstOrDefault(p => p.Table == o.Table)?.Interface.Value,
            AddEndpoint o => Owner(o.Address),
            SetEndpointFlags o => Owner(o.Address),
            RemoveEndpoint o => Owner(o.Address),
            _ => null,
        };
        return path ?? operation.ToShellText();

        string? Owner(IPAddress address) => document.FindPath(address)?.Interface.Value;
    }
}
