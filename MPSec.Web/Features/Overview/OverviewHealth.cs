using System.Collections.Immutable;
using MPSec.Features.Multipath;
using MPSec.Linux.Gateways;
using MPSec.Live;

namespace MPSec.Features.Overview;

/// <summary>How grave a finding is.</summary>
public enum HealthSeverity
{
    /// <summary>Checked and fine.</summary>
    Passed,

    /// <summary>Could not be checked.</summary>
    Unknown,

    /// <summary>Works, but not as it should.</summary>
    Warning,

    /// <summary>Does not work.</summary>
    Serious,
}

/// <summary>One check with its result. The sentence is made when shown, from the code and the arguments.</summary>
/// <param name="Code">Stable code; the text keys are <c>Check_CODE</c> and <c>Check_CODE_Detail</c>, with <c>_Passed</c> where it passed.</param>
/// <param name="Severity">Result.</param>
/// <param name="Arguments">Values for the text.</param>
/// <param name="Page">Page that helps, relative; null when none.</param>
public sealed record HealthFinding(string Code, HealthSeverity Severity, ImmutableArray<object> Arguments, string? Page = null);

/// <summary>Health of a gateway from what one sample tells; nothing is probed.</summary>
public static class OverviewHealth
{
    /// <summary>All checks, gravest first.</summary>
    public static ImmutableArray<HealthFinding> Of(Sample<GatewaySnapshot> sample, PathsSnapshot? paths)
    {
        ArgumentNullException.ThrowIfNull(sample);
        var checks = new List<HealthFinding>();
        if (sample.Failure is { } failure)
        {
            checks.Add(new("Reading", HealthSeverity.Serious, [failure.Reason]));
        }

        if (sample.Value is { Reading: var reading } && paths is not null)
        {
            checks.Add(Mptcp(paths));
            checks.AddRange(paths.Lanes.Select(PathHealth));
            if (paths.Lanes.Length < 2)
            {
                checks.Add(new("Paths", HealthSeverity.Warning, [paths.Lanes.Length]));
            }

            checks.Add(Fallback(paths));
            checks.AddRange(reading.Faults.Select(f => new HealthFinding("Part", HealthSeverity.Unknown, [f.Part, f.Reason])));
        }

        return [.. checks.OrderByDescending(c => c.Severity)];
    }

    /// <summary>The gravest severity; unknown when nothing could be checked.</summary>
    public static HealthSeverity Verdict(ImmutableArray<HealthFinding> checks) =>
        checks.Length == 0 ? HealthSeverity.Unknown : checks.Max(c => c.Severity);

    private static HealthFinding Mptcp(PathsSnapshot paths) => paths.MptcpEnabled switch
    {
        true => new("Mptcp", HealthSeverity.Passed, [], "multipath"),
        false => new("MptcpOff", HealthSeverity.Warning, [], "multipath"),
        null => new("MptcpMissing", HealthSeverity.Serious, []),
    };

    private static HealthFinding PathHealth(PathLane lane) => (lane.State, lane.Cause) switch
    {
        (PathState.Down, PathCause.NoCarrier) => new("PathNoCarrier", HealthSeverity.Serious, [lane.Name], "multipath"),
        (PathState.Down, _) => new("PathDown", HealthSeverity.Serious, [lane.Name], "multipath"),
        (PathState.Degraded, _) => new("PathUnanswered", HealthSeverity.Warning, [lane.Name], "multipath"),
        (PathState.Up, PathCause.NoSubflow) => new("PathNoSubflow", HealthSeverity.Warning, [lane.Name], "multipath"),
        (PathState.Unknown, _) => new("PathUnknown", HealthSeverity.Unknown, [lane.Name], "multipath"),
        _ => new("Path", HealthSeverity.Passed, [lane.Name], "multipath"),
    };

    private static HealthFinding Fallback(PathsSnapshot paths) => paths.Fallbacks > 0
        ? new("Fallback", HealthSeverity.Warning, [paths.Fallbacks, paths.Connections], "multipath")
        : new("NoFallback", HealthSeverity.Passed, []);
}
