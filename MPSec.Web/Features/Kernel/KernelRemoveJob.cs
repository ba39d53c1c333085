using MPSec.Jobs;

namespace MPSec.Features.Kernel;

/// <summary>Which kernel to remove.</summary>
/// <param name="Release">As <c>uname -r</c> says it when it runs.</param>
public sealed record KernelRemoveParameters(string Release);

/// <summary>The job that removes an installed kernel: never the running one, the default, or the one to go back to.</summary>
public sealed class KernelRemoveJob : IJobKind
{
    private readonly KernelInstaller _installer;

    /// <summary>The kind.</summary>
    public KernelRemoveJob(KernelInstaller installer)
    {
        _installer = installer;
        Steps = [new("remove", "StepRemove", RemoveAsync) { MayCancel = false }];
    }

    /// <inheritdoc/>
    public string Key => "kernel-remove";

    /// <inheritdoc/>
    public Type Texts => typeof(KernelBootTexts);

    /// <inheritdoc/>
    public string TitleKey => "RemoveTitle";

    /// <inheritdoc/>
    public IReadOnlyList<JobStep> Steps { get; }

    /// <inheritdoc/>
    public bool Resumable => true;

    /// <inheritdoc/>
    public JobLane Lane => JobLane.Long;

    /// <inheritdoc/>
    public int MostAtOnce => 1;

    /// <inheritdoc/>
    public IReadOnlyList<string> Roles => ["Administrator"];

    /// <inheritdoc/>
    public Type ParameterType => typeof(KernelRemoveParameters);

    /// <inheritdoc/>
    public JobOffer? Offer(JobRun failed) => SetUpPackages.RepairOf(failed, []);

    /// <inheritdoc/>
    public string? Check(object parameters) => parameters is KernelRemoveParameters { Release: { } release } && KernelPackageFile.IsRelease(release) ? null : "release: must be a name such as 6.12.1-amd64";

    private Task RemoveAsync(JobContext context) => KernelInstallJob.TryAsync(async () =>
    {
        var release = context.Parameters<KernelRemoveParameters>().Release;
        await _installer.RemoveAsync(release, KernelInstallJob.Work(context));
        context.Outcome = release;
    });
}
