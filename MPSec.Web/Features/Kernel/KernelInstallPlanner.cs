using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text.Json;
using MPSec.Changes;
using MPSec.Linux.Boot;

namespace MPSec.Features.Kernel;

/// <summary>Finds out what the installation of a package would change and why it must not be done; changes nothing.</summary>
internal sealed class KernelInstallPlanner(KernelBootMachinery machinery)
{
    private const long UsualInitrd = 80L << 20;
    private const long Spare = 4L << 20;
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web);
    private static readonly Dictionary<string, string> s_quiet = new() { ["DEBIAN_FRONTEND"] = "noninteractive" };

    /// <summary>The plan, with every reason why it would be refused.</summary>
    /// <exception cref="ChangeException">The package is none, or this machine has no boot loader that could be told anything.</exception>
    public async Task<KernelInstallPlan> PlanAsync(KernelInstallParameters wanted, CancellationToken cancellationToken)
    {
        var loader = machinery.Loader();
        var package = await KernelPackageFile.ReadAsync(wanted.Package, machinery.Commands, cancellationToken);
        var running = machinery.Running;
        var menu = loader.Read();
        var firmware = BootFirmware.Read(machinery.Root);
        var kernels = InstalledKernel.ReadAll(machinery.Root);
        var initrd = kernels.Select(k => k.InitrdBytes ?? 0).Append(0).Max() is > 0 and var largest ? largest : UsualInitrd;
        var free = machinery.Machine.FreeBytes(machinery.Machine.At("/boot"));
        var needed = package.BootBytes + initrd + Spare;
        var (proof, proofFault) = Proof(wanted, package);

        var refusals = ImmutableArray.CreateBuilder<string>();
        await RefuseAsync(refusals, wanted, package, running, menu, cancellationToken);
        if (await loader.FaultAsync(cancellationToken) is { } fault)
        {
            refusals.Add("boot loader: " + fault);
        }

        if (free < needed)
        {
            refusals.Add($"/boot: {Mega(free)} MB are free and {Mega(needed)} MB are needed; remove a kernel that is neither running nor the default (mpsec kernel remove RELEASE)");
        }

        if (proof is null && !wanted.OverrideProof)
        {
            refusals.Add(proofFault ?? "proof: none was given; make one with mpsec kernel prove --package FILE --json, or say that it shall be installed without");
        }

        if (firmware.SecureBoot == true && !await IsSignedAsync(package, cancellationToken))
        {
            refusals.Add("Secure Boot is on and the kernel is not signed: the boot loader would refuse it. Sign it with a key of this machine, or turn Secure Boot off in the firmware; MPSec switches nothing off");
        }

        return new(
            package, running, machinery.Found.Sentence, firmware.IsEfi, firmware.SecureBoot, free, needed, proof,
            Files(loader, package), Settings(loader, menu, package, running), Commands(loader, package, running), Warnings(wanted, loader, package, firmware, proof, kernels, running), refusals.ToImmutable());
    }

    private async Task RefuseAsync(ImmutableArray<string>.Builder refusals, KernelInstallParameters wanted, KernelPackageFile package, string running, BootMenu menu, CancellationToken cancellationToken)
    {
        if (wanted.Minutes is < 1 or > 60)
        {
            refusals.Add("minutes: must be 1 to 60");
        }

        if (package.Architecture != Here())
        {
            refusals.Add($"package: is for {package.Architecture}, this machine is {Here()}");
        }

        if (package.Release == running)
        {
            refusals.Add($"package: {running} runs now; a running kernel is never replaced, because there would be none to go back to");
        }
        else if (package.Release == menu.Default?.Release)
        {
            refusals.Add($"package: {package.Release} is the default now; start it before it is replaced by another build, or give the build a release of its own");
        }

        // Fully there, but for an installation that was cut off before it was looked through: that one is begun again.
        var newest = machinery.Store.Read();
        if (newest is not { State: KernelBootState.Preparing } && await machinery.PackageAsync(package.Name, cancellationToken) is (['i', 'i', ..], var version) && version == package.Version)
        {
            refusals.Add($"package: {package.Name} {version} is installed already");
        }

        if (KernelBootMachine.RefuseInstall(newest, package.Release) is { } pending)
        {
            refusals.Add(pending);
        }

        if (menu.For(running) is null)
        {
            refusals.Add($"boot loader: its menu has no entry of its own for {running}, the kernel to go back to; run update-grub as root and see whether it finds it");
        }

        // What a package of ours left half done may be finished by installing it again.
        var audit = await machinery.Commands.RunAsync(new("dpkg", "--audit"), cancellationToken);
        if (audit.Output.Length > 0 && !audit.Output.Contains(" " + package.Name + " ", StringComparison.Ordinal))
        {
            refusals.Add(AptOutput.Repair);
        }

        if (machinery.Commands.Find("apt-get") is not null && audit.Output.Length == 0)
        {
            var check = await machinery.Commands.RunAsync(new("apt-get", "check", "-q", "-o", "DPkg::Lock::Timeout=20") { Timeout = TimeSpan.FromMinutes(2), Environment = s_quiet }, cancellationToken);
            if (!check.Succeeded)
            {
                refusals.Add(AptOutput.Explain("apt-get check", check.ExitCode, [.. check.Error.Split('\n').Select(AptOutput.Error).OfType<string>()]));
            }
        }
    }

    private static (KernelProofSummary? Proof, string? Fault) Proof(KernelInstallParameters wanted, KernelPackageFile package)
    {
        if (wanted.Proof is not { } path)
        {
            return (null, null);
        }

        try
        {
            var proof = new FileInfo(path).Length < 1 << 20 ? JsonSerializer.Deserialize<KernelProof>(File.ReadAllBytes(path), s_json) : null;
            return proof is not { Expected: not null, Accelerator: not null, Checks.IsDefault: false } || proof.Checks.Any(c => c is not { Name: not null, Detail: not null }) ? (null, $"proof: {path} is not what mpsec kernel prove --json writes")
                : proof.Expected != package.Release ? (null, $"proof: is of {proof.Expected} and not of {package.Release}")
                : proof.Sha256 is null ? (null, "proof: says nothing of a package; make it with mpsec kernel prove --package FILE --json")
                : proof.Sha256 != package.Sha256 ? (null, $"proof: is of another package that calls itself {package.Release}; prove this one")
                : proof.Faults is [var first, ..] ? (null, $"proof: {package.Release} did not pass: {first}")
                : (KernelProofSummary.Of(proof), null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return (null, $"proof: {path} cannot be read: {e.Message}");
        }
    }

    private static ImmutableArray<KernelBootFile> Files(IKernelBootLoader loader, KernelPackageFile package)
    {
        var files = ImmutableArray.CreateBuilder<KernelBootFile>();
        if (loader.OwnFile is { } own)
        {
            files.Add(new(own, loader.IsGuarded ? "written anew" : "written", GrubBootLoader.DropInText(trial: false).Length));
        }

        files.Add(new($"/boot/vmlinuz-{package.Release} and what goes with it", "by the package", package.BootBytes));
        files.Add(new($"/lib/modules/{package.Release}", $"by the package, {package.ModuleFiles} modules", package.TotalBytes - package.BootBytes));
        files.Add(new($"/boot/initrd.img-{package.Release}", "made by the installation where initramfs-tools is installed", null));
        return files.ToImmutable();
    }

    private ImmutableArray<KernelBootSetting> Settings(IKernelBootLoader loader, BootMenu menu, KernelPackageFile package, string running)
    {
        var settings = ImmutableArray.CreateBuilder<KernelBootSetting>();
        settings.Add(new("default", menu.Default?.Release, running, null));
        settings.Add(new("next start", menu.Once?.Release ?? menu.Default?.Release, running, package.Release));
        if (loader.OwnFile is not null)
        {
            var defaults = GrubDefaults.Read(machinery.Root);
            var line = GrubDefaults.Read(machinery.Root, without: "mpsec.cfg")["GRUB_CMDLINE_LINUX"] ?? "";
            settings.Add(new("GRUB_DEFAULT", defaults["GRUB_DEFAULT"], "saved", null));
            settings.Add(new("saved_entry", loader.Saved, menu.For(running)?.Id, null));
            settings.Add(new("GRUB_CMDLINE_LINUX", defaults["GRUB_CMDLINE_LINUX"], line, $"{line} {GrubBootLoader.TrialOptions}".TrimStart()));
        }

        return settings.ToImmutable();
    }

    private static ImmutableArray<string> Commands(IKernelBootLoader loader, KernelPackageFile package, string running) => [.. loader.Preview(running), $"dpkg --install -- {package.Path}"];

    private static ImmutableArray<string> Warnings(
        KernelInstallParameters wanted, IKernelBootLoader loader, KernelPackageFile package, BootFirmware firmware, KernelProofSummary? proof, IReadOnlyList<InstalledKernel> kernels, string running)
    {
        var warnings = ImmutableArray.CreateBuilder<string>();
        if (proof is null && wanted.OverrideProof)
        {
            warnings.Add("it is installed without a passed proof");
        }

        if (package.ModuleFiles == 0)
        {
            warnings.Add("the package brings no modules; Debian's own kernels that are not signed have them in a package of their own");
        }

        if (firmware.SecureBoot == true)
        {
            warnings.Add("Secure Boot is on: the kernel is signed, and only the firmware knows whether it trusts the key");
        }

        if (firmware is { IsEfi: true, SecureBoot: null })
        {
            warnings.Add("the firmware does not tell whether Secure Boot is on");
        }

        if (loader.OwnFile is null)
        {
            warnings.Add("systemd-boot has no settings that MPSec could add: a hang of the new kernel ends only by switching the machine off and on. Put panic=30 on its command line");
        }

        if (kernels.FirstOrDefault(k => k.Release == running)?.InitrdBytes is null)
        {
            warnings.Add($"{running} has no initial file system; where the new kernel needs one, the installation is taken back");
        }

        warnings.Add("while MPSec looks after the default, a kernel that the distribution brings is installed and not started by itself; mpsec kernel forget gives that back");
        return warnings.ToImmutable();
    }

    private async Task<bool> IsSignedAsync(KernelPackageFile package, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("mpsec-kernel-").FullName;
        try
        {
            return KernelSignature.IsThere((await KernelProofKernel.OfPackageAsync(package.Path, folder, machinery.Commands, cancellationToken)).Image);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Here() => RuntimeInformation.OSArchitecture switch { Architecture.X64 => "amd64", Architecture.Arm64 => "arm64", Architecture.X86 => "i386", Architecture.Arm => "armhf", var other => other.ToString() };

    private static long Mega(long bytes) => bytes / 1_000_000;
}
