using System.Text;
using MPSec.Changes;
using MPSec.Linux.Boot;
using MPSec.Linux.Processes;

namespace MPSec.Features.Kernel;

/// <summary>
/// GRUB, told by a drop-in of MPSec's own and by GRUB's own programs; <c>/etc/default/grub</c> belongs to the user and is never written. A new menu is made beside
/// the one in use, looked through, and put in its place by one rename: there is no moment at which the machine could not start.
/// </summary>
internal sealed class GrubBootLoader(string root, string folder, string prefix, ICommandRunner commands) : IKernelBootLoader
{
    /// <summary>What a kernel on trial does on a panic, a stuck processor and a stuck task: it resets, and GRUB starts the default. initramfs-tools takes panic= too.</summary>
    public const string TrialOptions = "panic=30 softlockup_panic=1 hung_task_panic=1 nmi_watchdog=panic";

    private const string DropInName = "mpsec.cfg";
    private const string Mark = "# Written by MPSec while it looks after the kernel that starts; mpsec kernel forget takes it away.\n";

    // 00_header of grub-mkconfig has the same list: here GRUB cannot write its environment, so a choice for once would be a choice for ever.
    private static readonly string[] s_readOnly = ["btrfs", "cpiofs", "newc", "odc", "romfs", "squash4", "tarfs", "zfs"];

    private string Menu => Path.Combine(root, folder.TrimStart('/'), "grub.cfg");

    private string Environment => Path.Combine(root, folder.TrimStart('/'), "grubenv");

    private string LastGood => Menu + ".mpsec";

    private string DropIn => Path.Combine(root, "etc/default/grub.d", DropInName);

    /// <inheritdoc/>
    public string OwnFile => "/etc/default/grub.d/" + DropInName;

    /// <inheritdoc/>
    public bool IsGuarded => File.Exists(DropIn);

    /// <inheritdoc/>
    public bool HasTrialSettings => IsGuarded && File.ReadAllText(DropIn).Contains(TrialOptions, StringComparison.Ordinal);

    /// <inheritdoc/>
    public string? Saved => GrubEnvironment.Read(Environment)["saved_entry"] is { Length: > 0 } saved ? saved : null;

    /// <summary>Text of the drop-in.</summary>
    public static string DropInText(bool trial) =>
        Mark + "GRUB_DEFAULT=saved\n" + (trial ? $"# A kernel is on trial: a panic or a hang resets the machine.\nGRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX {TrialOptions}\"\n" : "");

    /// <inheritdoc/>
    public BootMenu Read() => GrubMenu.Parse(File.ReadAllText(Menu)).With(GrubEnvironment.Read(Environment));

    /// <inheritdoc/>
    public async Task<string?> FaultAsync(CancellationToken cancellationToken)
    {
        var maker = Path.Combine(root, commands.Find(prefix + "-mkconfig")!.TrimStart('/'));
        if (!(await File.ReadAllTextAsync(maker, cancellationToken)).Contains("/default/grub.d/", StringComparison.Ordinal))
        {
            return $"{prefix}-mkconfig of this distribution does not read /etc/default/grub.d, and MPSec does not write /etc/default/grub";
        }

        if (IsGuarded && !(await File.ReadAllTextAsync(DropIn, cancellationToken)).StartsWith(Mark, StringComparison.Ordinal))
        {
            return $"{OwnFile} is there and was not written by MPSec; rename it";
        }

        var abstraction = (await KernelBootLoaders.RunAsync(commands, prefix + "-probe", ["--target=abstraction", folder], cancellationToken)).Trim();
        var fileSystem = (await KernelBootLoaders.RunAsync(commands, prefix + "-probe", ["--target=fs", folder], cancellationToken)).Trim();
        return abstraction.Length > 0 ? $"{folder} is on {abstraction.ReplaceLineEndings(" ")}, where GRUB cannot write: the new kernel would not start once but for ever. Put /boot on a partition of its own"
            : s_readOnly.Contains(fileSystem) ? $"{folder} is on {fileSystem}, where GRUB cannot write: the new kernel would not start once but for ever. Put /boot on an ext4 partition of its own"
            : null;
    }

    /// <inheritdoc/>
    public async Task PointAsync(string release, bool trial, CancellationToken cancellationToken)
    {
        var wanted = DropInText(trial);
        var before = IsGuarded ? await File.ReadAllBytesAsync(DropIn, cancellationToken) : null;
        Directory.CreateDirectory(Path.GetDirectoryName(DropIn)!);
        DurableFile.Write(DropIn, Encoding.UTF8.GetBytes(wanted));
        try
        {
            // Set before the menu asks for it: a menu that asks finds it.
            await SaveAsync(Entry(Read(), release).Id, cancellationToken);
            await RenewAsync(
                menu => !menu.DefaultIsSaved ? $"another file sets GRUB_DEFAULT={menu.WrittenDefault} after {OwnFile}"
                    : menu.With(GrubEnvironment.Read(Environment)).For(release) is not { } entry ? $"it has no entry for {release}"
                    : trial && !TrialOptions.Split(' ').All(entry.Options.Split(' ').Contains) ? $"another file sets GRUB_CMDLINE_LINUX after {OwnFile}"
                    : null,
                cancellationToken);
        }
        catch (Exception e) when (e is ChangeException or IOException)
        {
            // The menu is the old one: its settings must be too, or the next update-grub would do what failed here.
            if (before is null)
            {
                DurableFile.Delete(DropIn);
            }
            else
            {
                DurableFile.Write(DropIn, before);
            }

            throw;
        }

        // An entry's id may be another in the new menu than it was in the old one.
        var now = Read();
        if (now.Default?.Id != Entry(now, release).Id)
        {
            await SaveAsync(Entry(now, release).Id, cancellationToken);
            now = Read();
        }

        if (now.Default?.Release != release || now.Default.IsRecovery)
        {
            throw new ChangeException(ChangeFault.Refused, $"GRUB would start {now.Default?.Title ?? "nothing"} by default and not {release}");
        }

        DurableFile.Write(LastGood, await File.ReadAllBytesAsync(Menu, cancellationToken));
    }

    /// <inheritdoc/>
    public async Task OnceAsync(string release, CancellationToken cancellationToken)
    {
        await KernelBootLoaders.RunAsync(commands, prefix + "-reboot", [Entry(Read(), release).Id], cancellationToken);
        DurableFile.Sync(Environment);
        var now = Read();
        if (now.Once?.Release != release || now.Once.IsRecovery)
        {
            throw new ChangeException(ChangeFault.Refused, $"GRUB did not take {release} for the next start: it would start {now.Once?.Title ?? "the default"}");
        }
    }

    /// <inheritdoc/>
    public async Task NotOnceAsync(CancellationToken cancellationToken)
    {
        if (GrubEnvironment.Read(Environment)["next_entry"] is { Length: > 0 })
        {
            await EditAsync(["unset", "next_entry"], cancellationToken);
            if (Read().Once is { } still)
            {
                throw new ChangeException(ChangeFault.Refused, $"GRUB still starts {still.Title} next");
            }
        }
    }

    /// <inheritdoc/>
    public async Task MendAsync(string release, CancellationToken cancellationToken)
    {
        if (IsGood())
        {
            return;
        }

        try
        {
            await PointAsync(release, HasTrialSettings, cancellationToken);
        }
        catch (Exception e) when (e is ChangeException or IOException && File.Exists(LastGood))
        {
            DurableFile.Write(Menu, await File.ReadAllBytesAsync(LastGood, cancellationToken));
            await SaveAsync(Entry(Read(), release).Id, cancellationToken);
            if (!IsGood())
            {
                throw;
            }
        }

        bool IsGood() => Read() is { Default: { IsRecovery: false } starts } && starts.Release == release;
    }

    /// <inheritdoc/>
    public async Task ReleaseAsync(string? saved, CancellationToken cancellationToken)
    {
        await NotOnceAsync(cancellationToken);
        if (IsGuarded)
        {
            var before = await File.ReadAllBytesAsync(DropIn, cancellationToken);
            DurableFile.Delete(DropIn);
            try
            {
                await RenewAsync(_ => null, cancellationToken);
            }
            catch (Exception e) when (e is ChangeException or IOException)
            {
                DurableFile.Write(DropIn, before);
                throw;
            }
        }

        await (saved is null ? EditAsync(["unset", "saved_entry"], cancellationToken) : SaveAsync(saved, cancellationToken));
        DurableFile.Delete(LastGood);
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Preview(string release) =>
    [
        $"{prefix}-set-default '{Read().For(release)?.Id}'",
        $"{prefix}-mkconfig -o {folder}/grub.cfg",
    ];

    private static BootEntry Entry(BootMenu menu, string release) =>
        menu.For(release) ?? throw new ChangeException(ChangeFault.Refused, $"GRUB's menu has no entry of its own for {release}; run update-grub as root and see whether it finds it");

    private async Task SaveAsync(string entry, CancellationToken cancellationToken)
    {
        await KernelBootLoaders.RunAsync(commands, prefix + "-set-default", [entry], cancellationToken);
        DurableFile.Sync(Environment);
        if (Saved != entry)
        {
            throw new ChangeException(ChangeFault.Refused, $"GRUB did not remember the default '{entry}'");
        }
    }

    private async Task EditAsync(string[] words, CancellationToken cancellationToken)
    {
        if (File.Exists(Environment))
        {
            await KernelBootLoaders.RunAsync(commands, prefix + "-editenv", [Environment, .. words], cancellationToken);
            DurableFile.Sync(Environment);
        }
    }

    /// <summary>Makes a new menu and puts it in place when it has every installed kernel that the old one has, and <paramref name="fault"/> finds none.</summary>
    private async Task RenewAsync(Func<GrubMenu, string?> fault, CancellationToken cancellationToken)
    {
        var fresh = LastGood + ".new";
        try
        {
            await KernelBootLoaders.RunAsync(commands, prefix + "-mkconfig", ["-o", fresh], cancellationToken);
            var menu = GrubMenu.Parse(File.Exists(fresh) ? await File.ReadAllTextAsync(fresh, cancellationToken) : "");
            var releases = menu.Entries.Select(e => e.Release).ToHashSet();
            var installed = InstalledKernel.ReadAll(root).Select(k => k.Release).ToHashSet();
            var wrong = releases.Count == 0 ? "it has no kernel at all"
                : GrubMenu.Parse(await File.ReadAllTextAsync(Menu, cancellationToken)).Entries.Select(e => e.Release).FirstOrDefault(r => r is not null && installed.Contains(r) && !releases.Contains(r)) is { } lost ? $"it has lost {lost}"
                : fault(menu);
            if (wrong is not null)
            {
                throw new ChangeException(ChangeFault.Refused, $"{prefix}-mkconfig made a menu that is not used: {wrong}; {folder}/grub.cfg is as it was");
            }

            File.SetUnixFileMode(fresh, File.GetUnixFileMode(Menu));
            DurableFile.Replace(fresh, Menu);
        }
        finally
        {
            File.Delete(fresh);
            File.Delete(fresh + ".new"); // grub-mkconfig leaves it when it finds a fault in its own work
        }
    }
}
