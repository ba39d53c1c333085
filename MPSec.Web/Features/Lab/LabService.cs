using System.Collections.Immutable;
using System.Globalization;
using Microsoft.EntityFrameworkCore;
using MPSec.Changes;
using MPSec.Changes.Kernel;
using MPSec.Data;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Values;

namespace MPSec.Features.Lab;

/// <summary>One path of a lab that stands.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Interface">Interface name on both sides.</param>
/// <param name="RateMbit">Rate that was asked for, Mbit/s.</param>
/// <param name="RttMs">Round-trip time that was asked for, milliseconds.</param>
/// <param name="StateA">Operational state on a; null when the interface is missing.</param>
/// <param name="StateB">Operational state on b; null when the interface is missing.</param>
public sealed record LabPathStatus(int Number, string Interface, double RateMbit, double RttMs, string? StateA, string? StateB);

/// <summary>A lab as it is.</summary>
/// <param name="Name">Name.</param>
/// <param name="Stage">creating, standing, dropping; leftover when the process that made or dropped it has ended, or a part of it is missing.</param>
/// <param name="GatewayA">The connecting side.</param>
/// <param name="GatewayB">The listening side.</param>
/// <param name="BufferMs">Queue of each path, milliseconds.</param>
/// <param name="HeaderLimitedMbit">Most that TCP can carry over all paths, Mbit/s.</param>
/// <param name="Paths">Paths.</param>
/// <param name="Transfer">The transfer that is wanted; null when none.</param>
/// <param name="Problem">What is wrong, one English sentence; null when it stands whole.</param>
public sealed record LabStatus(
    string Name, string Stage, string GatewayA, string GatewayB, double BufferMs, double HeaderLimitedMbit, ImmutableArray<LabPathStatus> Paths, LabTransferSettings? Transfer, string? Problem);

/// <summary>Makes, drops and shows labs; every change goes through the one door.</summary>
public sealed class LabService(IDbContextFactory<MPSecDbContext> contexts, ChangeService changes, ChangeJournal journal, LabTransferService transfers, TimeProvider time)
{
    /// <summary>Makes a lab.</summary>
    /// <exception cref="ChangeException">The spec is wrong, the lab exists, or this host cannot; nothing is left half made.</exception>
    public async Task<LabStatus> UpAsync(LabSpec spec, ChangeActor actor, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(actor);
        if (spec.Faults() is [var fault, ..])
        {
            throw new ChangeException(ChangeFault.Invalid, fault);
        }

        actor.Require(ChangeRole.Administrator);
        RequireAbilities(spec, await Task.Run(TestbedProbe.Run, cancellationToken));
        await changes.RecoverAsync(cancellationToken);
        await ClearLeftoverAsync(spec.Name, actor, cancellationToken);
        await RequireNothingForeignAsync(spec, cancellationToken);
        await ReserveAsync(spec, cancellationToken);
        try
        {
            await changes.RunAsync(LabLayout.Up(spec, File.Exists("/proc/sys/net/ipv4/tcp_rto_max_ms")), actor, CancellationToken.None);
            await SetStageAsync(spec.Name, LabStage.Standing, CancellationToken.None);
        }
        catch
        {
            await RemoveAsync(spec.Name, CancellationToken.None);
            throw;
        }

        return (await StatusAsync(cancellationToken)).First(s => s.Name == spec.Name);
    }

    /// <summary>Drops a lab and everything in it, also one that a crash left half made.</summary>
    /// <exception cref="ChangeException">There is no such lab, or it could not be dropped.</exception>
    public async Task DownAsync(string name, ChangeActor actor, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(actor);
        if (LabSpec.NameFault(name) is { } fault)
        {
            throw new ChangeException(ChangeFault.Invalid, fault);
        }

        actor.Require(ChangeRole.Administrator);
        await changes.RecoverAsync(cancellationToken);
        var record = await FindAsync(name, cancellationToken);
        if (record is null && (await OwnedAsync(name, cancellationToken)).IsEmpty)
        {
            throw new ChangeException(ChangeFault.NotFound, $"lab {name}: there is no such lab");
        }

        if (record is { Stage: LabStage.Creating } && ProcessMark.Parse(record.Process) is { IsAlive: true })
        {
            throw new ChangeException(ChangeFault.Busy, $"lab {name}: is being made right now; try again when it stands");
        }

        await DropAsync(name, actor, CancellationToken.None);
    }

    /// <summary>Every lab of this state folder by name.</summary>
    public async Task<IReadOnlyList<LabStatus>> StatusAsync(CancellationToken cancellationToken = default)
    {
        var records = await ReadAsync(cancellationToken);
        return await Task.Run(() => records.Select(Describe).ToList(), cancellationToken);
    }

    /// <summary>The spec of a lab that stands; null when there is none of this name.</summary>
    public async Task<LabSpec?> FindSpecAsync(string name, CancellationToken cancellationToken = default) =>
        await FindAsync(name, cancellationToken) is { Stage: LabStage.Standing } record ? LabSpec.FromJson(record.Spec) : null;

    /// <summary>
    /// Cleans up after a process that was killed: ends its open change, removes labs that were not finished or are gone, resumes wanted transfers when
    /// <paramref name="resume"/> is set. Returns one sentence for each thing done.
    /// </summary>
    public async Task<IReadOnlyList<string>> RecoverAsync(bool resume, CancellationToken cancellationToken = default)
    {
        var said = new List<string>();
        foreach (var report in await changes.RecoverAsync(cancellationToken))
        {
            said.Add($"{report.TitleCode} {string.Join(' ', report.TitleArguments)}: {report.Sentence ?? "was complete"}");
        }

        foreach (var record in await ReadAsync(cancellationToken))
        {
            if (await ClearLeftoverAsync(record.Name, ChangeActor.Recovery, cancellationToken) is { } sentence)
            {
                said.Add(sentence);
            }
            else if (resume)
            {
                await transfers.ResumeAsync(record, cancellationToken);
            }
        }

        return said;
    }

    private static void RequireAbilities(LabSpec spec, TestbedProbe host)
    {
        if (!host.Permitted)
        {
            throw new ChangeException(ChangeFault.NotPermitted, $"lab: needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN) to make network namespaces: {host.Reason}");
        }

        var missing = (host.Multipath, host.Veth, host.TokenBucket) switch
        {
            (false, _, _) => "MPTCP (CONFIG_MPTCP, Linux 5.6 or newer)",
            (_, false, _) => "veth interfaces (CONFIG_VETH)",
            (_, _, false) => "the shaper tbf (CONFIG_NET_SCH_TBF)",
            _ => null,
        };
        if (missing is not null)
        {
            throw new ChangeException(ChangeFault.NotAvailable, $"lab: this kernel lacks {missing}: {host.Reason}");
        }

        if (!host.Netem && spec.Paths.Any(p => p.RttMs > 0))
        {
            throw new ChangeException(
                ChangeFault.NotAvailable, "rtt-ms: this kernel lacks the delay emulator netem (CONFIG_NET_SCH_NETEM); rates and buffers work without it, so leave round-trip times out");
        }
    }

    private async Task RequireNothingForeignAsync(LabSpec spec, CancellationToken cancellationToken)
    {
        var owned = await OwnedAsync(spec.Name, cancellationToken);
        if (((GatewayName[])[spec.A, spec.B]).FirstOrDefault(g => NamespaceThread.Exists(g) && !owned.Any(o => o.Gateway == g)) is { IsHost: false } foreign)
        {
            throw new ChangeException(ChangeFault.Foreign, $"name: a network namespace {foreign} exists that MPSec did not make; it is left alone. Choose another --name, or remove it with: ip netns del {foreign}");
        }
    }

    private async Task<string?> ClearLeftoverAsync(string name, ChangeActor actor, CancellationToken cancellationToken)
    {
        var record = await FindAsync(name, cancellationToken);
        var problem = record is null ? null : await Task.Run(() => Problem(record), cancellationToken);
        if (record is { Stage: LabStage.Standing } && problem is null)
        {
            return null;
        }

        if (record is { Stage: not LabStage.Standing } && ProcessMark.Parse(record.Process) is { IsAlive: true } mark && mark != ProcessMark.Current)
        {
            throw new ChangeException(ChangeFault.Busy, $"lab {name}: another process is {(record.Stage == LabStage.Creating ? "making" : "dropping")} it; try again when it has ended");
        }

        if (record is null && (await OwnedAsync(name, cancellationToken)).IsEmpty)
        {
            return null;
        }

        await DropAsync(name, actor, cancellationToken);
        return $"lab {name}: removed what was left of it ({problem ?? "its record was lost"})";
    }

    private async Task DropAsync(string name, ChangeActor actor, CancellationToken cancellationToken)
    {
        await SetStageAsync(name, LabStage.Dropping, cancellationToken);
        await transfers.EndAsync(name);
        var owned = await OwnedAsync(name, cancellationToken);
        if (!owned.IsEmpty)
        {
            await changes.RunAsync(
                new() { TitleCode = "lab.down", TitleArguments = [name], Operations = [.. owned], Danger = ChangeDanger.High, RollsForward = true }, actor, cancellationToken);
        }

        await RemoveAsync(name, cancellationToken);
    }

    /// <summary>Operations that delete what MPSec made for this lab; a namespace of the same name that carries another marker stays.</summary>
    private async Task<ImmutableArray<HostOperation>> OwnedAsync(string name, CancellationToken cancellationToken)
    {
        var operations = ImmutableArray.CreateBuilder<HostOperation>();
        foreach (var side in (string[])["a", "b"])
        {
            var gateway = GatewayName.Parse($"{name}-{side}");
            if (await journal.MarkerOfAsync(gateway, cancellationToken) is { } marker && await Task.Run(() => NamespaceFiles.StateOf(gateway, marker), cancellationToken) != NamespaceState.Foreign)
            {
                operations.Add(new DeleteNamespace(gateway, marker));
            }
        }

        return operations.ToImmutable();
    }

    private LabStatus Describe(LabRecord record)
    {
        var spec = LabSpec.FromJson(record.Spec);
        var (a, b) = (States(spec.A), States(spec.B));
        var paths = spec.Paths.Select((p, i) => LabLayout.Interface(i + 1).Value is var name
            ? new LabPathStatus(i + 1, name, p.RateMbit, p.RttMs, a.GetValueOrDefault(name), b.GetValueOrDefault(name))
            : throw new InvalidOperationException());
        var problem = Problem(record);
        var living = record.Stage == LabStage.Standing ? problem is null : ProcessMark.Parse(record.Process) is { IsAlive: true };
        var stage = living ? record.Stage.ToString().ToLower(CultureInfo.InvariantCulture) : "leftover";
        return new(record.Name, stage, spec.A.Value, spec.B.Value, spec.BufferMs, spec.HeaderLimitedMbit, [.. paths], record.ReadTransfer(), problem);
    }

    private static string? Problem(LabRecord record)
    {
        var spec = LabSpec.FromJson(record.Spec);
        if (record.Stage != LabStage.Standing)
        {
            return ProcessMark.Parse(record.Process) is { IsAlive: true } ? null : $"the process that was {(record.Stage == LabStage.Creating ? "making" : "dropping")} it has ended";
        }

        foreach (var gateway in (GatewayName[])[spec.A, spec.B])
        {
            if (!NamespaceThread.Exists(gateway))
            {
                return $"the network namespace {gateway} is gone";
            }

            var states = States(gateway);
            for (var i = 1; i <= spec.Paths.Length; i++)
            {
                if (!states.ContainsKey(LabLayout.Interface(i).Value))
                {
                    return $"the interface {LabLayout.Interface(i)} of {gateway} is gone";
                }
            }
        }

        return null;
    }

    // The kernel renews the operational state up to a second late; the flags tell the truth at once.
    private static string State(LinkReading link) => link switch
    {
        { IsUp: false } => "down",
        { HasCarrier: false } => "lowerlayerdown",
        _ => "up",
    };

    private static Dictionary<string, string> States(GatewayName gateway)
    {
        try
        {
            using var reader = GatewayReader.Open(gateway);
            return reader.Read(ReadingScope.Links).Links.GroupBy(l => l.Name).ToDictionary(g => g.Key, g => State(g.First()), StringComparer.Ordinal);
        }
        catch (IOException)
        {
            return [];
        }
    }

    private async Task<List<LabRecord>> ReadAsync(CancellationToken cancellationToken)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            return await context.Set<LabRecord>().AsNoTracking().OrderBy(r => r.Name).ToListAsync(cancellationToken);
        }
    }

    private async Task<LabRecord?> FindAsync(string name, CancellationToken cancellationToken) => (await ReadAsync(cancellationToken)).Find(r => r.Name == name);

    private async Task ReserveAsync(LabSpec spec, CancellationToken cancellationToken)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
            await using (transaction)
            {
                if (await context.Set<LabRecord>().AnyAsync(r => r.Name == spec.Name, cancellationToken))
                {
                    throw new ChangeException(ChangeFault.Foreign, $"name: the lab {spec.Name} stands already; drop it with: mpsec lab down --name {ShellText.Quote(spec.Name)}, or choose another --name");
                }

                context.Add(new LabRecord { Name = spec.Name, Spec = spec.ToJson(), Stage = LabStage.Creating, Process = ProcessMark.Current.ToString(), CreatedAt = time.GetUtcNow() });
                await context.SaveChangesAsync(cancellationToken);
                await transaction.CommitAsync(cancellationToken);
            }
        }
    }

    private async Task SetStageAsync(string name, LabStage stage, CancellationToken cancellationToken)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var process = ProcessMark.Current.ToString();
            await context.Set<LabRecord>().Where(r => r.Name == name).ExecuteUpdateAsync(r => r.SetProperty(x => x.Stage, stage).SetProperty(x => x.Process, process), cancellationToken);
        }
    }

    private async Task RemoveAsync(string name, CancellationToken cancellationToken)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            await context.Set<LabRecord>().Where(r => r.Name == name).ExecuteDeleteAsync(cancellationToken);
        }
    }
}
