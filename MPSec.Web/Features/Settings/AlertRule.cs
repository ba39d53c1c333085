using System.Collections.Immutable;

namespace MPSec.Features.Settings;

/// <summary>What an alert is about. The subject is a path where there is one, else the gateway or the machine.</summary>
public enum AlertKind
{
    /// <summary>A path cannot carry: 1 when it is so, else 0. One that a person took down is not down.</summary>
    PathDown,

    /// <summary>Subflows of a path retransmit and get no answer: 1 or 0.</summary>
    PathUnanswered,

    /// <summary>Percent of the MPTCP connections begun in the last five minutes that went on as plain TCP.</summary>
    FallbackRatio,

    /// <summary>Percent of the subflows of a path that wait for an answer to their MP_JOIN.</summary>
    JoinFailureRatio,

    /// <summary>Connections of the last five minutes that did not even ask for MPTCP because the kernel took the network for a black hole.</summary>
    Blackhole,

    /// <summary>Percent of the disk that holds the state folder that is in use.</summary>
    Disk,

    /// <summary>The gateway cannot be read: 1 or 0.</summary>
    Unreadable,
}

/// <summary>One observed number.</summary>
/// <param name="Kind">What it is about.</param>
/// <param name="Gateway">The gateway; empty for the machine.</param>
/// <param name="Subject">The path; null for the gateway as a whole.</param>
/// <param name="Value">The number, in the unit of the kind.</param>
public sealed record AlertFact(AlertKind Kind, string Gateway, string? Subject, double Value);

/// <summary>Where the numbers come from.</summary>
public interface IAlertFacts
{
    /// <summary>What can be told now. A number that cannot be measured is missing, not zero.</summary>
    IReadOnlyList<AlertFact> Read();
}

/// <summary>When an alert is raised and when it ends.</summary>
public sealed record AlertRule
{
    /// <summary>Longest <see cref="Seconds"/>.</summary>
    public const int MostSeconds = 3600;

    /// <summary>What it is about.</summary>
    public required AlertKind Kind { get; init; }

    /// <summary>Whether it is watched at all.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>Raised at this value or more. 1 for kinds that are yes or no.</summary>
    public required double Raise { get; init; }

    /// <summary>Ends at this value or less; below <see cref="Raise"/>, so that a value on the edge does not flap.</summary>
    public required double Clear { get; init; }

    /// <summary>How long the value must be there before it is raised, and before it ends, in seconds, 0 to <see cref="MostSeconds"/>.</summary>
    public required int Seconds { get; init; }

    /// <summary>Yes or no: there is no threshold to choose.</summary>
    public bool IsYesOrNo => Kind is AlertKind.PathDown or AlertKind.PathUnanswered or AlertKind.Unreadable;

    /// <summary>The usual rules, one per kind.</summary>
    public static ImmutableArray<AlertRule> Usual { get; } =
    [
        new() { Kind = AlertKind.PathDown, Raise = 1, Clear = 0, Seconds = 10 },
        new() { Kind = AlertKind.PathUnanswered, Raise = 1, Clear = 0, Seconds = 15 },
        new() { Kind = AlertKind.FallbackRatio, Raise = 20, Clear = 10, Seconds = 60 },
        new() { Kind = AlertKind.JoinFailureRatio, Raise = 50, Clear = 20, Seconds = 30 },
        new() { Kind = AlertKind.Blackhole, Raise = 1, Clear = 0, Seconds = 0 },
        new() { Kind = AlertKind.Disk, Raise = 90, Clear = 85, Seconds = 60 },
        new() { Kind = AlertKind.Unreadable, Raise = 1, Clear = 0, Seconds = 30 },
    ];

    /// <summary>What is wrong with the rule, one sentence that names field and way out; null when nothing is.</summary>
    public string? Fault()
    {
        var most = Kind is AlertKind.FallbackRatio or AlertKind.JoinFailureRatio or AlertKind.Disk ? 100 : 1_000_000;
        return !Enum.IsDefined(Kind) ? $"rules: kind {(int)Kind} does not exist"
            : Seconds is < 0 or > MostSeconds ? $"rules: {Kind}: seconds: give 0 to {MostSeconds}"
            : IsYesOrNo && (Raise, Clear) != (1, 0) ? $"rules: {Kind}: raise is 1 and clear is 0; it is yes or no"
            : !(Raise > 0 && Raise <= most) ? $"rules: {Kind}: raise: give a number above 0, {most} at most"
            : !(Clear >= 0 && Clear < Raise) ? $"rules: {Kind}: clear: give a number from 0 to below raise ({Raise})"
            : null;
    }
}
