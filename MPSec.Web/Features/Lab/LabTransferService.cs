using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Live;

namespace MPSec.Features.Lab;

/// <summary>The transfers of this process, and the wish for one that outlives it.</summary>
public sealed class LabTransferService(
    IDbContextFactory<MPSecDbContext> contexts, AuditLog audit, TimeProvider time, ILoggerFactory loggers) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, LiveStore<LabTransferSnapshot>> _stores = new(StringComparer.Ordinal);
    private readonly Dictionary<string, LabTransfer> _running = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _gate = new(1, 1);

    /// <summary>Live state of a lab's transfer; <see cref="LiveStore{T}.Current"/> is null while none was ever started here.</summary>
    public LiveStore<LabTransferSnapshot> Store(string lab) => _stores.GetOrAdd(lab, _ => new(loggers.CreateLogger<LiveStore<LabTransferSnapshot>>()));

    /// <summary>As <see cref="Store"/>, without making one: names that come from outside must not fill the memory.</summary>
    public LiveStore<LabTransferSnapshot>? FindStore(string lab) => _stores.GetValueOrDefault(lab);

    /// <summary>Labs whose transfer runs in this process.</summary>
    internal IReadOnlyList<LabSpec> RunningLabs()
    {
        lock (_running)
        {
            return [.. _running.Values.Where(t => !t.Ended.IsCompleted).Select(t => t.Spec)];
        }
    }

    /// <summary>Makes the connections of a lab's transfer again.</summary>
    internal void Renew(string lab)
    {
        lock (_running)
        {
            if (_running.TryGetValue(lab, out var transfer))
            {
                transfer.Renew();
            }
        }
    }

    /// <summary>Bytes per 50 ms of the last minute, oldest first; empty while nothing runs.</summary>
    public IReadOnlyList<LabTransferBin> Bins(string lab)
    {
        lock (_running)
        {
            return _running.TryGetValue(lab, out var transfer) ? transfer.Bins.ToArray() : [];
        }
    }

    /// <summary>Starts the transfer, in place of a running one, and remembers that it is wanted: it goes on by itself after a restart.</summary>
    /// <exception cref="ChangeException">No such lab, wrong settings, or the role does not suffice.</exception>
    public async Task StartAsync(string lab, LabTransferSettings settings, ChangeActor actor, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(actor);
        actor.Require(ChangeRole.Operator);
        if ((settings.Faults() is [var first, ..] ? first : LabTransfer.CongestionFault(settings.Congestion)) is { } fault)
        {
            throw new ChangeException(ChangeFault.Invalid, fault);
        }

        var spec = await RememberAsync(lab, settings, cancellationToken);
        await audit.AppendAsync(actor.Name, "lab.transfer.start", $"{spec.A} {spec.B}", JsonSerializer.Serialize(settings, LabTransferSettings.Json), "Applied", cancellationToken);
        await RunAsync(spec, settings, cancellationToken);
    }

    /// <summary>Stops the transfer and forgets the wish.</summary>
    /// <exception cref="ChangeException">No such lab, or the role does not suffice.</exception>
    public async Task StopAsync(string lab, ChangeActor actor, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(actor);
        actor.Require(ChangeRole.Operator);
        var spec = await RememberAsync(lab, null, cancellationToken);
        await audit.AppendAsync(actor.Name, "lab.transfer.stop", $"{spec.A} {spec.B}", "{}", "Applied", cancellationToken);
        await EndAsync(lab);
    }

    /// <summary>Ends this process's part in the transfer; a remembered wish stays.</summary>
    internal async Task EndAsync(string lab)
    {
        await _gate.WaitAsync();
        try
        {
            await TakeAsync(lab);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Runs what is remembered for a lab that stands.</summary>
    internal async Task ResumeAsync(LabRecord record, CancellationToken cancellationToken)
    {
        if (record.ReadTransfer() is { } settings && record.Stage == LabStage.Standing)
        {
            await RunAsync(LabSpec.FromJson(record.Spec), settings, cancellationToken);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        string[] labs;
        lock (_running)
        {
            labs = [.. _running.Keys];
        }

        foreach (var lab in labs)
        {
            await EndAsync(lab);
        }

        _gate.Dispose();
    }

    private async Task RunAsync(LabSpec spec, LabTransferSettings settings, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            await TakeAsync(spec.Name);
            var store = Store(spec.Name);
            lock (_running)
            {
                _running[spec.Name] = LabTransfer.Start(spec, settings, time, store.Publish);
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    private async Task TakeAsync(string lab)
    {
        LabTransfer? transfer;
        lock (_running)
        {
            _running.Remove(lab, out transfer);
        }

        if (transfer is not null)
        {
            await transfer.DisposeAsync();
        }
    }

    private async Task<LabSpec> RememberAsync(string lab, LabTransferSettings? settings, CancellationToken cancellationToken)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var record = await context.Set<LabRecord>().FirstOrDefaultAsync(r => r.Name == lab, cancellationToken);
            if (record is not { Stage: LabStage.Standing })
            {
                throw new ChangeException(ChangeFault.NotFound, $"lab {lab}: there is no such lab; make it with: mpsec lab up --name {ShellText.Quote(lab)}");
            }

            record.Transfer = settings is null ? null : JsonSerializer.Serialize(settings, LabTransferSettings.Json);
            await context.SaveChangesAsync(cancellationToken);
            return LabSpec.FromJson(record.Spec);
        }
    }
}
