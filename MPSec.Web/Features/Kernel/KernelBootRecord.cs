using System.Collections.Immutable;

namespace MPSec.Features.Kernel;

/// <summary>How far a kernel is on its way from a package to the default.</summary>
public enum KernelBootState
{
    /// <summary>The old kernel is being made the default, then the package is installed. Until that is done nothing else has changed.</summary>
    Preparing,

    /// <summary>Installed; the old kernel is the default.</summary>
    Installed,

    /// <summary>The next start, and only that one, is with the new kernel.</summary>
    Armed,

    /// <summary>The new kernel runs and is being checked.</summary>
    Trial,

    /// <summary>The new kernel runs and did not pass; the next start is with the old one.</summary>
    Returning,

    /// <summary>The machine is back on the old kernel.</summary>
    Returned,

    /// <summary>The new kernel passed and is the default.</summary>
    Kept,

    /// <summary>The package is gone.</summary>
    Removed,
}

/// <summary>Something that was looked at while a new kernel ran.</summary>
/// <param name="Name">What: release, mptcp, network, modules, page.</param>
/// <param name="Passed">How it went; null when it could not be looked at, which does not count against the kernel.</param>
/// <param name="Detail">What was seen.</param>
public sealed record KernelTrialCheck(string Name, bool? Passed, string Detail);

/// <summary>One event on a kernel's way.</summary>
/// <param name="State">State after it.</param>
/// <param name="At">When, UTC.</param>
/// <param name="Who">Who did it; MPSec itself when nobody.</param>
/// <param name="Note">What happened.</param>
public sealed record KernelBootMark(KernelBootState State, DateTimeOffset At, string Who, string Note);

/// <summary>What a kernel showed in a virtual machine before it was installed.</summary>
/// <param name="Accelerator">kvm or tcg.</param>
/// <param name="Checks">How many things were tried.</param>
/// <param name="OnePathMbit">Mbit/s that TCP carried over one path; null when not measured.</param>
/// <param name="TwoPathsMbit">Mbit/s that Multipath TCP carried over two; null when not measured.</param>
public sealed record KernelProofSummary(string Accelerator, int Checks, double? OnePathMbit, double? TwoPathsMbit)
{
    internal static KernelProofSummary Of(KernelProof proof) => new(proof.Accelerator, proof.Checks.Length, proof.OnePathMbit, proof.TwoPathsMbit);
}

/// <summary>A kernel on its way from a package to the default, as it is kept on disk.</summary>
public sealed record KernelBootRecord
{
    /// <summary>How far it is.</summary>
    public required KernelBootState State { get; init; }

    /// <summary>Release of the new kernel.</summary>
    public required string Release { get; init; }

    /// <summary>Name of its package.</summary>
    public required string Package { get; init; }

    /// <summary>Version of its package.</summary>
    public required string Version { get; init; }

    /// <summary>SHA-256 of the package that was checked, in hexadecimal digits.</summary>
    public required string Sha256 { get; init; }

    /// <summary>The kernel that ran when it was installed: the one to go back to.</summary>
    public required string OldRelease { get; init; }

    /// <summary>Who installed it.</summary>
    public required string Actor { get; init; }

    /// <summary>When that began, UTC.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>Name of the new kernel's entry in the boot menu; null before it is known.</summary>
    public string? Entry { get; init; }

    /// <summary>Minutes from the start of the new kernel to the verdict: 1 to 60.</summary>
    public int Minutes { get; init; } = 10;

    /// <summary>A kernel that passes every check becomes the default by itself; otherwise an administrator must confirm it in time.</summary>
    public bool KeepByItself { get; init; } = true;

    /// <summary>When it does not pass in time, MPSec starts the machine anew at once, with the old kernel.</summary>
    public bool GoBack { get; init; }

    /// <summary>What it showed in a virtual machine; null when it was installed without.</summary>
    public KernelProofSummary? Proof { get; init; }

    /// <summary>MPSec's settings of the boot loader were there already, for a kernel before this one.</summary>
    public bool HadGuard { get; init; }

    /// <summary>The boot loader's remembered default before MPSec set it; null when it had none.</summary>
    public string? SavedBefore { get; init; }

    /// <summary>Interfaces that were up when the trial was armed.</summary>
    public ImmutableArray<string> Interfaces { get; init; } = [];

    /// <summary>What the kernel did on a panic or a hang before the trial (<c>/proc/sys/kernel</c>): put back when the trial ends.</summary>
    public ImmutableDictionary<string, string> PanicRules { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>Boot in which the trial was armed.</summary>
    public string? ArmedBoot { get; init; }

    /// <summary>Boot in which the new kernel is tried.</summary>
    public string? TrialBoot { get; init; }

    /// <summary>End of the trial in milliseconds since the start of <see cref="TrialBoot"/>: a clock that nobody can set.</summary>
    public long? DeadlineMilliseconds { get; init; }

    /// <summary>What was seen in the trial.</summary>
    public ImmutableArray<KernelTrialCheck> Checks { get; init; } = [];

    /// <summary>Administrator who said that the new kernel is good; null when nobody has.</summary>
    public string? ConfirmedBy { get; init; }

    /// <summary>It shall become the default: written before that is done, so that it is finished after a power cut.</summary>
    public bool KeepWanted { get; init; }

    /// <summary>Why it came so; null while all goes well.</summary>
    public string? Reason { get; init; }

    /// <summary>What happened, oldest first.</summary>
    public ImmutableArray<KernelBootMark> Marks { get; init; } = [];

    /// <summary>It is under way: no other kernel may be installed before it has come to an end.</summary>
    public bool IsPending => State is KernelBootState.Preparing or KernelBootState.Installed or KernelBootState.Armed or KernelBootState.Trial or KernelBootState.Returning;

    /// <summary>It is to be started, or runs, on trial.</summary>
    public bool IsOnTrial => State is KernelBootState.Armed or KernelBootState.Trial or KernelBootState.Returning;

    internal KernelBootRecord To(KernelBootState state, DateTimeOffset at, string who, string note) =>
        this with { State = state, Marks = [.. Marks.TakeLast(99), new(state, at, who, note)] };
}
