using System.Collections.Immutable;

namespace MPSec.Features.Kernel;

/// <summary>What to install, and under which conditions it may become the default.</summary>
/// <param name="Package">Absolute path of a Debian package of a kernel image.</param>
/// <param name="Proof">Absolute path of a file that <c>mpsec kernel prove --json</c> wrote; null for none.</param>
/// <param name="OverrideProof">Install without a passed proof; this is audited.</param>
/// <param name="Minutes">Minutes from the start of the new kernel to the verdict: 1 to 60.</param>
/// <param name="KeepByItself">A kernel that passes every check becomes the default by itself; otherwise an administrator must confirm it in time.</param>
/// <param name="GoBack">A kernel that did not pass in time is left at once: MPSec starts the machine anew. For machines that nobody can reach when their network fails.</param>
public sealed record KernelInstallParameters(string Package, string? Proof = null, bool OverrideProof = false, int Minutes = 10, bool KeepByItself = true, bool GoBack = false);

/// <summary>A setting before and after.</summary>
/// <param name="Name">What: GRUB_DEFAULT, saved_entry, next_entry, GRUB_CMDLINE_LINUX, default.</param>
/// <param name="Before">Value now; null when it has none.</param>
/// <param name="Installed">Value once the kernel is installed.</param>
/// <param name="Armed">Value while a trial is armed; null where it does not differ.</param>
public sealed record KernelBootSetting(string Name, string? Before, string? Installed, string? Armed);

/// <summary>A file that comes, goes or changes.</summary>
/// <param name="Path">As seen from the root.</param>
/// <param name="What">written, by the package, made by the installation.</param>
/// <param name="Bytes">Size; null when it cannot be told before.</param>
public sealed record KernelBootFile(string Path, string What, long? Bytes);

/// <summary>Everything that an installation would do, without having done any of it.</summary>
/// <param name="Package">The package.</param>
/// <param name="Running">Release that runs, stays and stays the default.</param>
/// <param name="BootLoader">What starts this machine.</param>
/// <param name="Efi">Started by UEFI.</param>
/// <param name="SecureBoot">Whether only signed kernels start; null when the firmware does not tell.</param>
/// <param name="BootFreeBytes">Free below <c>/boot</c>.</param>
/// <param name="BootNeededBytes">Needed there: what the package brings, and the largest initial file system that is there (80 MB without one).</param>
/// <param name="Proof">What it showed in a virtual machine; null without a passed proof.</param>
/// <param name="Files">Files that come or change.</param>
/// <param name="Settings">Settings of the boot loader before and after.</param>
/// <param name="Commands">The commands, for people to read.</param>
/// <param name="Warnings">What to know.</param>
/// <param name="Refusals">Why it will not be done, one sentence each; empty when it can.</param>
public sealed record KernelInstallPlan(
    KernelPackageFile Package,
    string Running,
    string BootLoader,
    bool Efi,
    bool? SecureBoot,
    long BootFreeBytes,
    long BootNeededBytes,
    KernelProofSummary? Proof,
    ImmutableArray<KernelBootFile> Files,
    ImmutableArray<KernelBootSetting> Settings,
    ImmutableArray<string> Commands,
    ImmutableArray<string> Warnings,
    ImmutableArray<string> Refusals);
