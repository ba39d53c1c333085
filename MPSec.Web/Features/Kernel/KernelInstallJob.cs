using MPSec.Changes;
using MPSec.Jobs;

namespace MPSec.Features.Kernel;

/// <summary>The job that installs a kernel from a package, with the running kernel as the default before and after.</summary>
public sealed class KernelInstallJob : IJobKind
{
    private readonly KernelInstaller _installer;

    /// <summary>The kind.</summary>
    public KernelInstallJob(KernelInstaller installer)
    {
        _installer = installer;
        Steps =
        [
            new("check", "StepCheck", CheckAsync),
            new("guard", "StepGuard", GuardAsync) { MayCancel = false },
            new("install", "StepInstall", InstallAsync) { MayCancel = false },
            new("entry", "StepEntry", EntryAsync) { MayCancel = false },
        ];
    }

    /// <inheritdoc/>
    public string Key => "kernel-install";

    /// <inheritdoc/>
    public Type Texts => typeof(KernelBootTexts);

    /// <inheritdoc/>
    public string TitleKey => "InstallTitle";

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
    public Type ParameterType => typeof(KernelInstallParameters);

    /// <inheritdoc/>
    public JobOffer? Offer(JobRun failed) => SetUpPackages.RepairOf(failed, []);

    /// <inheritdoc/>
    public string? Check(object parameters) => parameters is not KernelInstallParameters wanted ? "parameters: name the package"
        : !Path.IsPathFullyQualified(wanted.Package ?? "") || wanted.Package!.Any(char.IsControl) ? "package: must be an absolute path such as /root/linux-image-6.12.1_amd64.deb"
        : wanted.Proof is { } proof && (!Path.IsPathFullyQualified(proof) || proof.Any(char.IsControl)) ? "proof: must be an absolute path, or be left out"
        : wanted.Minutes is < 1 or > 60 ? "minutes: must be 1 to 60"
        : null;

    /// <summary>Work of a job: programs outlive the web program, lines go to the log.</summary>
    internal static KernelWork Work(JobContext context) => new(context.RequestedBy, context.Log, (key, call) => context.RunProgramAsync(key, call), context.CancellationToken);

    /// <summary>Does a step; what is refused becomes its result.</summary>
    internal static async Task TryAsync(Func<Task> act)
    {
        try
        {
            await act();
        }
        catch (Exception e) when (e is ChangeException or IOException or UnauthorizedAccessException)
        {
            throw new JobFailedException(e.Message, e);
        }
    }

    private Task CheckAsync(JobContext context) => TryAsync(async () =>
    {
        var plan = await _installer.CheckAsync(context.Parameters<KernelInstallParameters>(), Work(context));
        await context.RememberAsync(plan);
        context.Outcome = $"{plan.Package.Release}, {plan.Package.Version}";
    });

    private Task GuardAsync(JobContext context) => TryAsync(async () =>
    {
        var plan = await PlanAsync(context);
        await _installer.GuardAsync(plan, context.Parameters<KernelInstallParameters>(), Work(context));
        context.Outcome = plan.Running;
    });

    private Task InstallAsync(JobContext context) => TryAsync(async () =>
    {
        var plan = await PlanAsync(context);
        await _installer.InstallAsync(plan, Work(context));
        context.Outcome = $"{plan.Package.Name} {plan.Package.Version}";
    });

    private Task EntryAsync(JobContext context) => TryAsync(async () =>
    {
        var record = await _installer.EntryAsync(await PlanAsync(context), Work(context));
        context.Outcome = record.Entry;
    });

    // Each step remembers for itself: the plan is made anew where an earlier step made it, without asking again whether it may be done.
    private async Task<KernelInstallPlan> PlanAsync(JobContext context)
    {
        if (context.Recall<KernelInstallPlan>() is { } known)
        {
            return known;
        }

        var plan = await _installer.PlanAsync(context.Parameters<KernelInstallParameters>(), context.CancellationToken);
        await context.RememberAsync(plan);
        return plan;
    }
}
