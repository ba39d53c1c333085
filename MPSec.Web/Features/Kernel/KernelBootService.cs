using System.Collections.Immutable;
using MPSec.Changes;
using MPSec.Linux.Boot;

namespace MPSec.Features.Kernel;

/// <summary>A kernel in <c>/boot</c>, with what it is here.</summary>
/// <param name="Release">As <c>uname -r</c> says it.</param>
/// <param name="ImageBytes">Size of its image.</param>
/// <param name="InitrdBytes">Size of its initial file system; null when it has none.</param>
/// <param name="HasEntry">The boot menu has an entry of its own for it.</param>
/// <param name="Protection">Why it must not be removed; null when it may be.</param>
public sealed record KernelBootKernel(string Release, long ImageBytes, long? InitrdBytes, bool HasEntry, string? Protection);

/// <summary>How the machine was started, how it will be, and what became of the kernels that MPSec installed.</summary>
/// <param name="Running">Release that runs.</param>
/// <param name="Default">Release that starts when nobody chooses; null when unknown.</param>
/// <param name="Once">Release that starts at the next start only; null when none is set.</param>
/// <param name="BootLoader">What starts this machine, or why nothing can be told to it.</param>
/// <param name="IsAvailable">A boot loader can be told what to start.</param>
/// <param name="Guarded">MPSec looks after the default.</param>
/// <param name="Efi">Started by UEFI.</param>
/// <param name="SecureBoot">Whether only signed kernels start; null when the firmware does not tell.</param>
/// <param name="BootFreeBytes">Free below <c>/boot</c>; null when it cannot be told.</param>
/// <param name="MillisecondsLeft">Until the verdict on the kernel on trial; null when none is.</param>
/// <param name="Kernels">Kernels that are installed.</param>
/// <param name="Record">Newest kernel that MPSec installed; null when there is none.</param>
/// <param name="Earlier">The ones before it, newest first.</param>
public sealed record KernelBootSnapshot(
    string Running, string? Default, string? Once, string BootLoader, bool IsAvailable, bool Guarded, bool Efi, bool? SecureBoot, long? BootFreeBytes, long? MillisecondsLeft,
    ImmutableArray<KernelBootKernel> Kernels, KernelBootRecord? Record, ImmutableArray<KernelBootRecord> Earlier);

/// <summary>Tries an installed kernel once and makes it the default when it has passed. Every change is audited, and the record is on disk before it is made.</summary>
public sealed class KernelBootService(KernelBootMachinery machinery, KernelInstaller installer, KernelTrialChecks checks, IKernelRestart restart, AuditLog audit, IBootClock clock)
{
    private static readonly string[] s_rules = ["panic", "softlockup_panic", "hung_task_panic"];

    /// <summary>What an installation would change; nothing is changed.</summary>
    /// <exception cref="ChangeException">The package is none, or this machine has no boot loader that could be told anything.</exception>
    public Task<KernelInstallPlan> PlanAsync(KernelInstallParameters wanted, CancellationToken cancellationToken = default) => installer.PlanAsync(wanted, cancellationToken);

    /// <summary>How it stands. Changes nothing, also not the record.</summary>
    /// <exception cref="ChangeException"><c>/proc</c> cannot be read.</exception>
    /// <exception cref="IOException">The record is damaged.</exception>
    public KernelBootSnapshot Read()
    {
        var all = machinery.Store.ReadAll();
        var record = all.FirstOrDefault();
        var found = machinery.Found;
        var loader = found.Kind == BootLoaderKind.None ? null : machinery.Loader();
        var menu = loader?.Read();
        var firmware = BootFirmware.Read(machinery.Root);
        long? left = record is { State: KernelBootState.Trial, DeadlineMilliseconds: { } deadline } && record.TrialBoot == clock.Boot ? Math.Max(0, deadline - clock.Milliseconds) : null;
        return new(
            machinery.Running, menu?.Default?.Release, menu?.Once?.Release, found.Sentence, loader is not null, loader?.IsGuarded ?? false, firmware.IsEfi, firmware.SecureBoot,
            Directory.Exists(machinery.Machine.At("/boot")) ? machinery.Machine.FreeBytes(machinery.Machine.At("/boot")) : null, left,
            [.. InstalledKernel.ReadAll(machinery.Root).Select(k => new KernelBootKernel(k.Release, k.ImageBytes, k.InitrdBytes, menu?.For(k.Release) is not null, installer.Protection(k.Release, record, menu)))],
            record, [.. all.Skip(1)]);
    }

    /// <summary>Arms the trial: the next start, and only that one, is with the new kernel. Does not start the machine anew.</summary>
    /// <exception cref="ChangeException">There is no kernel to try, or the boot loader does not do it; then the old kernel stays the default.</exception>
    public async Task<KernelBootRecord> ArmAsync(string who, CancellationToken cancellationToken = default)
    {
        KernelBootMachinery.RequireRoot();
        using var held = await machinery.Store.LockAsync(cancellationToken);
        var (record, loader) = Now();
        if (await loader.FaultAsync(cancellationToken) is { } fault)
        {
            throw new ChangeException(ChangeFault.Refused, "boot loader: " + fault);
        }

        var armed = KernelBootMachine.Arm(record, machinery.Facts(record, loader.Read()), who, KernelTrialChecks.Up(machinery.Root), PanicRules());
        if (InstalledKernel.Read(machinery.Root, record.OldRelease) is null || loader.Read().For(record.OldRelease) is null)
        {
            throw new ChangeException(ChangeFault.Refused, $"{record.OldRelease}, the kernel to go back to, is not installed any more; install it again first");
        }

        machinery.Store.Write(armed);
        try
        {
            await loader.PointAsync(record.OldRelease, trial: true, cancellationToken);
            await loader.OnceAsync(record.Release, cancellationToken);
        }
        catch (Exception e) when (e is ChangeException or IOException or OperationCanceledException)
        {
            await DoAsync(KernelBootMachine.Disarm(armed, machinery.Facts(armed, null), who, $"could not be armed: {e.Message}"), loader, armed);
            throw;
        }

        await audit.AppendAsync(who, "kernel.try", "host", record.Release, $"armed for the next start only; default is {record.OldRelease}", CancellationToken.None);
        return armed;
    }

    /// <summary>Takes the trial back before the machine is started anew.</summary>
    /// <exception cref="ChangeException">None is armed, or the boot loader does not do it.</exception>
    public async Task<KernelBootRecord> DisarmAsync(string who, CancellationToken cancellationToken = default)
    {
        KernelBootMachinery.RequireRoot();
        using var held = await machinery.Store.LockAsync(cancellationToken);
        var (record, loader) = Now();
        var done = await DoAsync(KernelBootMachine.Disarm(record, machinery.Facts(record, loader.Read()), who), loader, record);
        await audit.AppendAsync(who, "kernel.cancel-try", "host", record.Release, $"the next start is with {record.OldRelease}", CancellationToken.None);
        return done;
    }

    /// <summary>Starts the machine anew for an armed trial.</summary>
    /// <param name="release">The release, typed by the person who wants it.</param>
    /// <param name="who">That person.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ChangeException">That one is not armed, or the system refused.</exception>
    public async Task RebootAsync(string release, string who, CancellationToken cancellationToken = default)
    {
        KernelBootMachinery.RequireRoot();
        var (record, loader) = Now();
        if (record is not { State: KernelBootState.Armed } || record.Release != release || loader.Read().Once?.Release != release)
        {
            throw new ChangeException(ChangeFault.Refused, $"confirm: the release that is armed for the next start must be typed as it is{(record.State == KernelBootState.Armed ? $", {record.Release}" : "; none is armed")}");
        }

        await audit.AppendAsync(who, "kernel.reboot", "host", release, "the machine is started anew", cancellationToken);
        await restart.RestartAsync(cancellationToken);
    }

    /// <summary>Looks at the machine and does what the record asks for now: begins a trial, checks, keeps, goes back. Null when MPSec installed no kernel.</summary>
    /// <exception cref="ChangeException">The boot loader does not do it; the record says what was wanted, and the next call tries again.</exception>
    public Task<KernelBootRecord?> LookAsync(CancellationToken cancellationToken = default) => LookAsync((record, _) => new(record, KernelBootAction.None), cancellationToken);

    /// <summary>An administrator says that the kernel on trial is good: it is kept as soon as it passes every check.</summary>
    /// <exception cref="ChangeException">None is on trial.</exception>
    public Task<KernelBootRecord?> ConfirmAsync(string who, CancellationToken cancellationToken = default) => LookAsync((record, facts) => KernelBootMachine.Confirm(record, facts, who), cancellationToken);

    /// <summary>Checks the kernel on trial now and makes it the default when no check fails.</summary>
    /// <exception cref="ChangeException">None is on trial, a check fails, or the boot loader does not do it.</exception>
    public Task<KernelBootRecord?> KeepAsync(string who, CancellationToken cancellationToken = default) =>
        LookAsync((record, facts) => record.State == KernelBootState.Kept ? new(record, KernelBootAction.None) : KernelBootMachine.Keep(record, facts, who), cancellationToken);

    /// <summary>Takes MPSec's settings away from the boot loader: it chooses its default as it did before.</summary>
    /// <returns>Release that is the default now; null when unknown.</returns>
    /// <exception cref="ChangeException">A kernel is under way, or the boot loader does not do it.</exception>
    public async Task<string?> ForgetAsync(string who, CancellationToken cancellationToken = default)
    {
        KernelBootMachinery.RequireRoot();
        using var held = await machinery.Store.LockAsync(cancellationToken);
        var loader = machinery.Loader();
        var all = machinery.Store.ReadAll();
        if (all.FirstOrDefault() is { IsPending: true } pending)
        {
            throw new ChangeException(ChangeFault.Refused, $"{pending.Release} is {pending.State}: end that first");
        }

        if (loader.IsGuarded || all.Length > 0)
        {
            await loader.ReleaseAsync(all.FirstOrDefault(r => !r.HadGuard)?.SavedBefore, cancellationToken);
            await audit.AppendAsync(who, "kernel.forget", "host", loader.OwnFile ?? "default", "the boot loader chooses its default as it did before MPSec", CancellationToken.None);
        }

        return loader.Read().Default?.Release;
    }

    private async Task<KernelBootRecord?> LookAsync(Func<KernelBootRecord, KernelBootFacts, KernelBootStep> then, CancellationToken cancellationToken)
    {
        KernelBootMachinery.RequireRoot();
        using var held = await machinery.Store.LockAsync(cancellationToken);
        if (machinery.Store.Read() is not { } record)
        {
            return null;
        }

        var loader = machinery.Found.Kind == BootLoaderKind.None ? null : machinery.Loader();
        var facts = machinery.Facts(record, loader?.Read());
        if (facts.Running != record.Release && record.IsOnTrial && facts.Boot != record.ArmedBoot)
        {
            facts = facts with { Evidence = await KernelEvidence.FindAsync(machinery.Root, record.Release, record.Marks.LastOrDefault()?.At ?? record.At, machinery.Commands, cancellationToken) };
        }

        // The state first, then what was seen in it: a trial that begins now has its deadline from now.
        record = await DoAsync(KernelBootMachine.Look(record, facts), loader, record);
        if (record.State is KernelBootState.Trial or KernelBootState.Returning && facts.Running == record.Release)
        {
            facts = facts with { Checks = await checks.RunAsync(record, cancellationToken) };
            var was = record.State;
            record = await DoAsync(KernelBootMachine.Look(record, facts), loader, record);
            if (record is { State: KernelBootState.Returning, GoBack: true } && was == KernelBootState.Trial)
            {
                // The old kernel is the default and was seen to be: this is the way out for a machine that its network does not reach any more.
                await audit.AppendAsync("MPSec", "kernel.reboot", "host", record.OldRelease, $"the machine is started anew: {record.Reason}", CancellationToken.None);
                await restart.RestartAsync(CancellationToken.None);
                return record;
            }
        }

        return await DoAsync(then(record, facts), loader, record);
    }

    /// <summary>Writes the record, then does what it says, then writes what came of it.</summary>
    private async Task<KernelBootRecord> DoAsync(KernelBootStep step, IKernelBootLoader? loader, KernelBootRecord known)
    {
        var record = step.Record;
        if (!ReferenceEquals(known, record))
        {
            machinery.Store.Write(record);
        }

        if (known.State != record.State)
        {
            await audit.AppendAsync("MPSec", "kernel.boot", "host", record.Release, record.Marks.LastOrDefault() is { } mark ? $"{record.State}: {mark.Note}" : $"{record.State}", CancellationToken.None);
        }

        switch (step.Action)
        {
            case KernelBootAction.RestoreOld when loader is not null:
                await loader.NotOnceAsync(CancellationToken.None);
                await RestoreAsync(record, loader);
                break;
            case KernelBootAction.KeepNew when loader is not null:
                await loader.PointAsync(record.Release, trial: false, CancellationToken.None);
                record = KernelBootMachine.Made(record, machinery.Facts(record, loader.Read()));
                machinery.Store.Write(record);
                await audit.AppendAsync(record.ConfirmedBy ?? "MPSec", "kernel.keep", "host", record.Release, $"is the default; {record.OldRelease} stays installed", CancellationToken.None);
                break;
            case KernelBootAction.None when loader is { HasTrialSettings: true } && record.State is not (KernelBootState.Armed or KernelBootState.Trial):
                // The power went between the record and the boot loader.
                await loader.NotOnceAsync(CancellationToken.None);
                await (record.State == KernelBootState.Kept ? loader.PointAsync(record.Release, trial: false, CancellationToken.None) : RestoreAsync(record, loader));
                break;
        }

        if (step.Action != KernelBootAction.None && record.State is KernelBootState.Returned or KernelBootState.Kept)
        {
            PutBack(record.PanicRules);
        }

        return record;
    }

    private async Task RestoreAsync(KernelBootRecord record, IKernelBootLoader loader)
    {
        if (record.State == KernelBootState.Removed && !record.HadGuard)
        {
            await loader.ReleaseAsync(record.SavedBefore, CancellationToken.None);
        }
        else if (loader.Read().For(record.OldRelease) is not null)
        {
            await loader.PointAsync(record.OldRelease, trial: false, CancellationToken.None);
        }
        else
        {
            // Removed by hand: what runs is what is known to start.
            await loader.PointAsync(machinery.Running, trial: false, CancellationToken.None);
        }
    }

    private (KernelBootRecord Record, IKernelBootLoader Loader) Now() =>
        (machinery.Store.Read() ?? throw new ChangeException(ChangeFault.NotFound, "no kernel was installed by MPSec; begin with mpsec kernel install --package FILE"), machinery.Loader());

    private ImmutableDictionary<string, string> PanicRules() => s_rules.Select(n => (Name: n, File: machinery.Machine.At("/proc/sys/kernel/" + n))).Where(r => File.Exists(r.File)).ToImmutableDictionary(r => r.Name, r => File.ReadAllText(r.File).Trim());

    // The trial is over: this boot too shall treat a stuck task as it did before. The command line is read at the next start only.
    private void PutBack(ImmutableDictionary<string, string> rules)
    {
        foreach (var (name, value) in rules.Where(r => s_rules.Contains(r.Key) && int.TryParse(r.Value, System.Globalization.CultureInfo.InvariantCulture, out _)))
        {
            try
            {
                File.WriteAllText(machinery.Machine.At("/proc/sys/kernel/" + name), value);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // This kernel has no such rule, or nobody may set it here: the next start has no settings of a trial either way.
            }
        }
    }
}
