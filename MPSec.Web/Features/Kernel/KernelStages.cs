using System.Collections.Immutable;
using MPSec.Jobs;

namespace MPSec.Features.Kernel;

/// <summary>Where a stage of the way to a new kernel stands.</summary>
public enum KernelStageState
{
    /// <summary>Its turn has not come.</summary>
    Waiting,

    /// <summary>It is being done.</summary>
    Now,

    /// <summary>Done.</summary>
    Done,

    /// <summary>It failed.</summary>
    Failed,

    /// <summary>Ended on request.</summary>
    Cancelled,

    /// <summary>Left out on request.</summary>
    LeftOut,
}

/// <summary>A stage of the way from a source to a kernel that this machine starts by itself.</summary>
/// <param name="Key">download, configure, compile, package, prove, install, boot, verify or default.</param>
/// <param name="State">Where it stands.</param>
/// <param name="Detail">What came out of it, in a few words.</param>
/// <param name="Took">How long it took, or has taken so far.</param>
public sealed record KernelStage(string Key, KernelStageState State, string? Detail = null, TimeSpan? Took = null)
{
    /// <summary>Asks an administrator before it begins.</summary>
    public bool Asks => Key is "install" or "boot" or "default";
}

/// <summary>The way, drawn from the job that builds and from what became of the kernel after that.</summary>
public static class KernelStages
{
    private static readonly (string Stage, string[] Steps)[] s_build =
        [("download", ["preflight", "source"]), ("configure", ["configure"]), ("compile", ["compile"]), ("package", ["package"]), ("prove", ["prove", "keep"])];

    private static readonly string[] s_boot = ["install", "boot", "verify", "default"];

    /// <summary>All nine stages, in order.</summary>
    /// <param name="run">The job that builds; null when nothing was built yet.</param>
    /// <param name="reached">How many of install, boot, verify and default are done.</param>
    /// <param name="failed">The next of them failed.</param>
    /// <param name="now">The time.</param>
    public static ImmutableArray<KernelStage> Of(JobRun? run, int reached, bool failed, DateTimeOffset now)
    {
        var stages = ImmutableArray.CreateBuilder<KernelStage>();
        foreach (var (stage, keys) in s_build)
        {
            var steps = run?.Steps.Where(s => keys.Contains(s.Key)).ToArray() ?? [];
            var last = steps.LastOrDefault(s => s.Outcome is not null && s.Key is not ("preflight" or "keep"));
            var (from, to) = (steps.FirstOrDefault(s => s.StartedAt is not null)?.StartedAt, steps.LastOrDefault(s => s.FinishedAt is not null)?.FinishedAt);
            var state = State(steps);
            stages.Add(new(stage, state == KernelStageState.Done && last is { Key: "prove", Outcome: "left out" } ? KernelStageState.LeftOut : state, last?.Outcome, from is { } begin ? ((state == KernelStageState.Now ? null : to) ?? now) - begin : null));
        }

        foreach (var (i, key) in s_boot.Index())
        {
            stages.Add(new(key, i < reached ? KernelStageState.Done : i == reached && failed ? KernelStageState.Failed : KernelStageState.Waiting));
        }

        return stages.ToImmutable();
    }

    private static KernelStageState State(JobRunStep[] steps) =>
        steps.Any(s => s.State == JobStepState.Failed) ? KernelStageState.Failed
        : steps.Any(s => s.State == JobStepState.Cancelled) ? KernelStageState.Cancelled
        : steps.Length > 0 && steps.All(s => s.State == JobStepState.Done) ? KernelStageState.Done
        : steps.Any(s => s.State is JobStepState.Running or JobStepState.Done) ? KernelStageState.Now
        : KernelStageState.Waiting;
}
