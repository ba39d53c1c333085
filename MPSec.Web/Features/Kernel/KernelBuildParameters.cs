using System.Collections.Immutable;

namespace MPSec.Features.Kernel;

/// <summary>A kernel to build.</summary>
/// <param name="Profile">Key of a <see cref="KernelProfile"/>.</param>
/// <param name="Source">Where its source comes from.</param>
public sealed record KernelBuildParameters(string Profile, KernelSourceRequest Source)
{
    /// <summary>Longest fragment, in characters.</summary>
    public const int LongestFragment = 200_000;

    /// <summary>What most want: the distribution's own source with few drivers.</summary>
    public static KernelBuildParameters Usual { get; } = new("minimal-gateway", new KernelSourceRequest(KernelSourceKind.Distribution));

    /// <summary>Lines of a <c>.config</c> that are laid over the profile; null when there are none.</summary>
    public string? Fragment { get; init; }

    /// <summary>Compilers at once, 1 to 256; null: as many as processors and memory allow.</summary>
    public int? Jobs { get; init; }

    /// <summary>Leaves the proof in a virtual machine out; such a kernel is installed only after somebody takes that on himself.</summary>
    public bool WithoutProof { get; init; }

    /// <summary>Keeps source and objects when it is done (some gigabytes).</summary>
    public bool KeepTree { get; init; }

    /// <summary>Makes an <c>.rpm</c> beside the Debian packages, for machines that take those; needs rpmbuild. It is proved by the same image, and not installed by MPSec.</summary>
    public bool Rpm { get; init; }

    /// <summary>Null when all is well, else one sentence that names the field and the fix.</summary>
    public string? Check() =>
        KernelProfileTable.All.All(p => p.Key != Profile) ? $"profile: there is no profile '{Profile}'; the profiles are {string.Join(", ", KernelProfileTable.All.Select(p => p.Key))}"
        : Jobs is < 1 or > 256 ? "jobs: must be 1 to 256"
        : Fragment is { Length: > LongestFragment } ? $"fragment: must have at most {LongestFragment} characters"
        : Fragment is not null && KernelFragment.TryParse(Fragment, out var error) is null ? $"fragment: {error}"
        : Source is null ? "source: name where the source comes from"
        : Source.Check() is { } fault ? "source." + fault : null;
}

/// <summary>A file that a build made.</summary>
/// <param name="Name">Its name in the folder of the kernel.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Sha256">Hash, hexadecimal.</param>
public sealed record KernelArtefact(string Name, long Bytes, string Sha256);

/// <summary>Time that a step of a build took.</summary>
/// <param name="Step">Its key.</param>
/// <param name="Seconds">From its begin to its end, with interruptions.</param>
public sealed record KernelBuildTime(string Step, double Seconds);

/// <summary>Where a kernel that was built here comes from: kept beside its packages as <c>provenance.json</c>.</summary>
/// <param name="Run">The job that built it.</param>
/// <param name="Release">As <c>uname -r</c> will say it.</param>
/// <param name="Profile">The profile.</param>
/// <param name="Source">Its source, and who vouches for it.</param>
/// <param name="ConfigSha256">Hash of its <c>.config</c>.</param>
/// <param name="Compiler">First line of <c>gcc --version</c>.</param>
/// <param name="Host">The distribution that it was built on.</param>
/// <param name="By">Who asked for it.</param>
/// <param name="At">When it was finished, UTC.</param>
/// <param name="Compilers">Compilers at once.</param>
/// <param name="Objects">Objects that were compiled.</param>
/// <param name="Files">Packages and configuration.</param>
/// <param name="Times">What each step took.</param>
/// <param name="Proof">What it showed in a virtual machine; null when it was not tried.</param>
public sealed record KernelProvenance(
    long Run,
    string Release,
    string Profile,
    KernelSource Source,
    string ConfigSha256,
    string Compiler,
    string? Host,
    string By,
    DateTimeOffset At,
    int Compilers,
    int Objects,
    ImmutableArray<KernelArtefact> Files,
    ImmutableArray<KernelBuildTime> Times,
    KernelProof? Proof)
{
    /// <summary>Name of the package with the image.</summary>
    public string? ImagePackage => Files.FirstOrDefault(f => f.Name.StartsWith("linux-image-", StringComparison.Ordinal) && f.Name.EndsWith(".deb", StringComparison.Ordinal))?.Name;
}
