using System.Collections.Immutable;
using MPSec.Linux.Values;

namespace MPSec.Changes;

/// <summary>How much a change can hurt; decides how a page asks before it.</summary>
public enum ChangeDanger
{
    /// <summary>Harmless or undone by one click.</summary>
    Low = 1,

    /// <summary>Interrupts traffic of a path; say so first.</summary>
    Medium = 2,

    /// <summary>Destroys something; the name must be typed.</summary>
    High = 3,
}

/// <summary>An ordered list of operations with what a person must know before it runs.</summary>
public sealed record ChangePlan
{
    /// <summary>Names the change in journal and audit log; sortable by time.</summary>
    public Guid Id { get; init; } = Guid.CreateVersion7();

    /// <summary>Stable code of the title, key of its texts: <c>link.down</c>, <c>mptcp.off</c>, <c>lab.up</c>, …</summary>
    public required string TitleCode { get; init; }

    /// <summary>Arguments of the title, in the order of its placeholders.</summary>
    public ImmutableArray<string> TitleArguments { get; init; } = [];

    /// <summary>What is done, in this order.</summary>
    public required ImmutableArray<HostOperation> Operations { get; init; }

    /// <summary>Codes of remarks that belong to the preview, for example <c>new-connections-only</c>.</summary>
    public ImmutableArray<string> Remarks { get; init; } = [];

    /// <summary>Danger.</summary>
    public ChangeDanger Danger { get; init; } = ChangeDanger.Medium;

    /// <summary>Role that may run it.</summary>
    public ChangeRole RequiredRole { get; init; } = ChangeRole.Administrator;

    /// <summary>
    /// An interrupted run is finished instead of undone: for plans that take things away, whose way back does not exist.
    /// </summary>
    public bool RollsForward { get; init; }

    /// <summary>What becomes of the saved configuration; null when a restart of the machine may forget the change, as with IP Down.</summary>
    public ConfigurationEdit? Configuration { get; init; }

    /// <summary>Every gateway that the plan touches, in the order of first use.</summary>
    public ImmutableArray<GatewayName> Gateways => [.. Operations.SelectMany(o => o.Gateways).Distinct()];

    /// <summary>The equivalent commands, one line each.</summary>
    public ImmutableArray<string> Commands => [.. Operations.SelectMany(o => o.ToShellLines())];
}

/// <summary>How a change alters the configuration that is restored when the machine starts.</summary>
/// <param name="Document">The whole new configuration of the plan's only gateway; null when it is the saved one with the plan's operations added.</param>
/// <param name="BaseVersion">Version that the person saw; the change is refused when there is a newer one. Null when nothing was seen that could be outdated.</param>
public sealed record ConfigurationEdit(string? Document = null, int? BaseVersion = null);

/// <summary>What a plan would do now and how it would be undone, as commands.</summary>
/// <param name="Commands">The way there; operations whose result is there already are left out.</param>
/// <param name="Inverse">The way back; empty when there is none.</param>
/// <param name="Remarks">Codes of remarks.</param>
public sealed record ChangePreview(ImmutableArray<string> Commands, ImmutableArray<string> Inverse, ImmutableArray<string> Remarks);

/// <summary>How a change ended.</summary>
public enum ChangeOutcome
{
    /// <summary>Every operation's result stands.</summary>
    Applied,

    /// <summary>It failed or was interrupted, and everything it had done was undone.</summary>
    RolledBack,

    /// <summary>It failed and could not be undone entirely; the sentence says what is left.</summary>
    Incomplete,
}

/// <summary>What became of a change.</summary>
/// <param name="Id">The plan's id.</param>
/// <param name="TitleCode">Code of the title.</param>
/// <param name="TitleArguments">Arguments of the title.</param>
/// <param name="Gateways">Gateways touched.</param>
/// <param name="Actor">Who asked.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Sentence">The reason when it did not apply, in English; null when it did.</param>
/// <param name="At">When it ended.</param>
public sealed record ChangeReport(
    Guid Id, string TitleCode, ImmutableArray<string> TitleArguments, ImmutableArray<GatewayName> Gateways, string Actor, ChangeOutcome Outcome, string? Sentence, DateTimeOffset At);
