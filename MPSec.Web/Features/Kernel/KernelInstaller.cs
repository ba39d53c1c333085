using MPSec.Changes;
using MPSec.Jobs;
using MPSec.Linux.Boot;
using MPSec.Linux.Processes;
using MPSec.Linux.Procfs;

namespace MPSec.Features.Kernel;

/// <summary>Where an installation is worked at: in a job or in a terminal.</summary>
/// <param name="Who">Who asked for it.</param>
/// <param name="Log">Takes a line.</param>
/// <param name="Run">Runs a long program by its name within the work, and gives its exit code.</param>
/// <param name="CancellationToken">Ends the work between two steps.</param>
public sealed record KernelWork(string Who, Action<string> Log, Func<string, ProgramCall, Task<int>> Run, CancellationToken CancellationToken);

/// <summary>
/// Installs a kernel from a package in steps, each of which may be begun again: check, guard (the old kernel becomes the default by name, so that the new one does
/// not become it by being newer), install, entry. What fails after the guard is taken back.
/// </summary>
public sealed class KernelInstaller(KernelBootMachinery machinery, AuditLog audit)
{
    private static readonly Dictionary<string, string> s_quiet = new() { ["DEBIAN_FRONTEND"] = "noninteractive" };

    /// <summary>What would be done.</summary>
    /// <exception cref="ChangeException">The package is none, or this machine has no boot loader that could be told anything.</exception>
    public Task<KernelInstallPlan> PlanAsync(KernelInstallParameters wanted, CancellationToken cancellationToken) => new KernelInstallPlanner(machinery).PlanAsync(wanted, cancellationToken);

    /// <summary>First step: looks at everything; writes nothing but the audit log where the proof is overridden.</summary>
    /// <exception cref="ChangeException">It must not be done.</exception>
    public async Task<KernelInstallPlan> CheckAsync(KernelInstallParameters wanted, KernelWork work)
    {
        ArgumentNullException.ThrowIfNull(work);
        KernelBootMachinery.RequireRoot();
        var plan = await PlanAsync(wanted, work.CancellationToken);
        foreach (var sentence in plan.Refusals.Skip(1).Concat(plan.Warnings))
        {
            work.Log(sentence);
        }

        if (plan.Refusals is [var first, ..])
        {
            throw new ChangeException(ChangeFault.Refused, first);
        }

        if (plan.Proof is null)
        {
            await audit.AppendAsync(work.Who, "kernel.override-proof", "host", $"{plan.Package.Release} {plan.Package.Sha256}", "to be installed without a passed proof", work.CancellationToken);
        }

        return plan;
    }

    /// <summary>Second step: the running kernel becomes the default by its name.</summary>
    /// <exception cref="ChangeException">The boot loader does not do it; nothing is changed then.</exception>
    public async Task GuardAsync(KernelInstallPlan plan, KernelInstallParameters wanted, KernelWork work)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(wanted);
        ArgumentNullException.ThrowIfNull(work);
        using var held = await machinery.Store.LockAsync(work.CancellationToken);
        var loader = machinery.Loader();
        var (package, newest) = (plan.Package, machinery.Store.Read());
        if ((KernelBootMachine.RefuseInstall(newest, package.Release) ?? plan.Refusals.FirstOrDefault()) is { } refusal)
        {
            throw new ChangeException(ChangeFault.Refused, refusal);
        }

        // Begun again: what was there before is what the first attempt saw.
        var again = newest is { State: KernelBootState.Preparing } ? newest : null;
        var record = new KernelBootRecord
        {
            State = KernelBootState.Preparing, Release = package.Release, Package = package.Name, Version = package.Version, Sha256 = package.Sha256, OldRelease = plan.Running, Actor = work.Who, At = again?.At ?? machinery.Now,
            Minutes = wanted.Minutes, KeepByItself = wanted.KeepByItself, GoBack = wanted.GoBack, Proof = plan.Proof, HadGuard = again?.HadGuard ?? loader.IsGuarded, SavedBefore = again is null ? loader.Saved : again.SavedBefore,
        };
        machinery.Store.Write(record.To(KernelBootState.Preparing, machinery.Now, work.Who, plan.Proof is null ? "to be installed without a passed proof" : "to be installed"));
        try
        {
            await loader.PointAsync(plan.Running, trial: false, work.CancellationToken);
        }
        catch (Exception e) when (e is ChangeException or IOException)
        {
            await TakeBackAsync(work, loader, machinery.Store.Read()!, "guard: " + e.Message, isInstalled: false);
            throw;
        }

        await audit.AppendAsync(work.Who, "kernel.guard", "host", plan.Running, $"default of the boot loader, for the time that {package.Release} is tried", CancellationToken.None);
        work.Log($"default is {plan.Running}, by name");
    }

    /// <summary>Third step: dpkg.</summary>
    /// <exception cref="ChangeException">It failed and was taken back.</exception>
    public async Task InstallAsync(KernelInstallPlan plan, KernelWork work)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(work);
        using var held = await machinery.Store.LockAsync(work.CancellationToken);
        var loader = machinery.Loader();
        var package = plan.Package;
        var record = machinery.Store.Read();
        if (record is not { State: KernelBootState.Preparing } || record.Release != package.Release)
        {
            throw new ChangeException(ChangeFault.Refused, $"the installation of {package.Release} was taken back meanwhile");
        }

        // What was checked is what is installed; and whatever happened since, the old kernel is the default at this moment.
        string? fault = null;
        var begun = false;
        try
        {
            fault = await KernelPackageFile.HashAsync(package.Path, work.CancellationToken) != record.Sha256 ? $"{package.Path} was replaced since it was checked"
                : loader.Read().Default?.Release != plan.Running ? $"{plan.Running} is not the default any more: another program changed the boot loader"
                : null;
            if (fault is null)
            {
                await audit.AppendAsync(work.Who, "kernel.install", "host", $"{package.Name} {package.Version} {package.Sha256}", "begun", CancellationToken.None);
                begun = true;
                var code = await work.Run("dpkg", new ProgramCall("dpkg", "--install", "--", package.Path) { Environment = s_quiet });
                fault = code == 0 ? null : $"dpkg --install failed with exit code {code}; its lines in the log say why";
            }
        }
        catch (Exception e) when (e is ChangeException or IOException or JobFailedException)
        {
            fault = e.Message;
        }

        if (fault is not null)
        {
            await TakeBackAsync(work, loader, record, fault, begun);
            throw new ChangeException(ChangeFault.Refused, fault);
        }
    }

    /// <summary>Fourth step: the new kernel can be started, the old one too, and the old one is the default.</summary>
    /// <exception cref="ChangeException">It is not so; the installation was taken back.</exception>
    public async Task<KernelBootRecord> EntryAsync(KernelInstallPlan plan, KernelWork work)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(work);
        using var held = await machinery.Store.LockAsync(work.CancellationToken);
        var loader = machinery.Loader();
        var record = machinery.Store.Read()!;
        var release = plan.Package.Release;
        if (record.State != KernelBootState.Preparing)
        {
            return record;
        }

        try
        {
            Whole(release);
            // Where the distribution has no hook that renews the menu, or its hook failed, this does it.
            if (loader.Read().For(release) is null)
            {
                await loader.PointAsync(plan.Running, trial: false, work.CancellationToken);
            }

            await loader.MendAsync(plan.Running, work.CancellationToken);
            var menu = loader.Read();
            var entry = menu.For(release) ?? throw new ChangeException(ChangeFault.Refused, $"the boot menu got no entry for {release}");
            var installed = record.To(KernelBootState.Installed, machinery.Now, work.Who, $"installed; {plan.Running} is the default") with { Entry = entry.Id };
            machinery.Store.Write(installed);
            await audit.AppendAsync(work.Who, "kernel.install", "host", $"{plan.Package.Name} {plan.Package.Version}", $"installed; default is {plan.Running}", CancellationToken.None);
            return installed;
        }
        catch (Exception e) when (e is ChangeException or IOException)
        {
            await TakeBackAsync(work, loader, record, e.Message, isInstalled: true);
            throw;
        }
    }

    /// <summary>Removes an installed kernel, or what is left of an installation that was not finished.</summary>
    /// <exception cref="ChangeException">It runs, is the default, is on trial or is the one to go back to; or dpkg refuses.</exception>
    public async Task RemoveAsync(string release, KernelWork work)
    {
        ArgumentNullException.ThrowIfNull(work);
        KernelBootMachinery.RequireRoot();
        if (!KernelPackageFile.IsRelease(release))
        {
            throw new ChangeException(ChangeFault.Invalid, "release: must be a name such as 6.12.1-amd64");
        }

        using var held = await machinery.Store.LockAsync(work.CancellationToken);
        var loader = machinery.Found.Kind == BootLoaderKind.None ? null : machinery.Loader();
        var newest = machinery.Store.Read();
        if (Protection(release, newest, loader?.Read()) is { } protection)
        {
            throw new ChangeException(ChangeFault.Refused, protection);
        }

        var record = newest?.Release == release ? newest : null;
        var owner = await machinery.OwnerAsync(release, work.CancellationToken) ?? record?.Package;
        if (owner is null || (record is null && InstalledKernel.Read(machinery.Root, release) is null))
        {
            throw new ChangeException(ChangeFault.NotFound, $"no package has installed a kernel {release}");
        }

        await audit.AppendAsync(work.Who, "kernel.remove", "host", $"{release} {owner}", "begun", CancellationToken.None);
        await RemovePackageAsync(work, owner);
        if (loader is not null)
        {
            await AfterRemovalAsync(loader, record, newest, work.CancellationToken);
        }

        if (record is not null)
        {
            machinery.Store.Write(record.To(KernelBootState.Removed, machinery.Now, work.Who, "removed"));
        }

        await audit.AppendAsync(work.Who, "kernel.remove", "host", $"{release} {owner}", "removed", CancellationToken.None);
    }

    /// <summary>Why a kernel must not be removed, in one sentence; null when it may be.</summary>
    internal string? Protection(string release, KernelBootRecord? record, BootMenu? menu) =>
        release == machinery.Running ? $"{release} runs now"
        : menu is { Default: null } ? "the boot loader does not tell which kernel is its default"
        : release == menu?.Default?.Release ? $"{release} is the default"
        : release == menu?.Once?.Release || (record is { IsOnTrial: true } && record.Release == release) ? $"{release} is armed for the next start; take that back with mpsec kernel cancel-try"
        : record is { IsPending: true } && record.OldRelease == release ? $"{release} is the kernel to go back to while {record.Release} is not kept"
        : null;

    private static async Task AfterRemovalAsync(IKernelBootLoader loader, KernelBootRecord? record, KernelBootRecord? newest, CancellationToken cancellationToken)
    {
        if (record is { HadGuard: false, State: not KernelBootState.Kept } && loader.Saved is not null)
        {
            await loader.ReleaseAsync(record.SavedBefore, cancellationToken);
        }
        else if (loader.IsGuarded && loader.Read().Default?.Release is { } stays)
        {
            await loader.PointAsync(stays, newest is { IsOnTrial: true } && loader.HasTrialSettings, cancellationToken);
        }
    }

    private async Task RemovePackageAsync(KernelWork work, string package)
    {
        if (await machinery.PackageAsync(package, work.CancellationToken) is null)
        {
            return;
        }

        // Its own scripts ask whether the running kernel shall be removed; this one does not run.
        var code = await work.Run("dpkg-remove", new ProgramCall("dpkg", "--remove", "--force-remove-reinstreq", "--", package) { Environment = s_quiet });
        if (code != 0)
        {
            throw new ChangeException(ChangeFault.Refused, $"dpkg --remove {package} failed with exit code {code}; its lines in the log say why");
        }
    }

    /// <summary>Makes it as it was before; what cannot be made so is in the record, and the old kernel stays the default.</summary>
    private async Task TakeBackAsync(KernelWork work, IKernelBootLoader loader, KernelBootRecord record, string fault, bool isInstalled)
    {
        var left = new List<string>();
        await TryAsync(() => !isInstalled ? Task.CompletedTask : RemovePackageAsync(work with { CancellationToken = CancellationToken.None }, record.Package));
        await TryAsync(() => loader.MendAsync(record.OldRelease, CancellationToken.None));
        if (!record.HadGuard && left.Count == 0)
        {
            await TryAsync(() => loader.ReleaseAsync(record.SavedBefore, CancellationToken.None));
        }

        var end = left.Count == 0 ? $"{fault}; taken back" : $"{fault}; taking it back did not work wholly: {string.Join("; ", left)}. {record.OldRelease} is the default";
        machinery.Store.Write(record.To(left.Count == 0 ? KernelBootState.Removed : KernelBootState.Preparing, machinery.Now, work.Who, end) with { Reason = end });
        await audit.AppendAsync(work.Who, "kernel.install", "host", $"{record.Package} {record.Version}", end, CancellationToken.None);
        work.Log(end);

        async Task TryAsync(Func<Task> act)
        {
            try
            {
                await act();
            }
            catch (Exception e) when (e is ChangeException or IOException or JobFailedException)
            {
                left.Add(e.Message);
            }
        }
    }

    private void Whole(string release)
    {
        var kernel = InstalledKernel.Read(machinery.Root, release);
        if (kernel is not { ImageBytes: > 0 })
        {
            throw new ChangeException(ChangeFault.Refused, $"the package left no /boot/vmlinuz-{release}");
        }

        var file = machinery.Machine.At($"/boot/config-{release}");
        var config = File.Exists(file) ? KernelConfig.Parse(file, File.ReadAllText(file)) : null;
        if (kernel.InitrdBytes is null or < 4096 && !KernelRootDrivers.AreBuiltIn(config, machinery.Root))
        {
            throw new ChangeException(ChangeFault.Refused, $"no initial file system /boot/initrd.img-{release} was made, and the kernel has the drivers of the root file system as modules: it could not start. Install initramfs-tools, then install it again");
        }
    }
}
