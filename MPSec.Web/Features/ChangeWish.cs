using MPSec.Changes;
using MPSec.Components.Controls;

namespace MPSec.Features;

/// <summary>A change that a page wants, with the words to ask and to tell.</summary>
/// <param name="Title">The question.</param>
/// <param name="Summary">One or two sentences: object and effect.</param>
/// <param name="Confirm">Verb and noun of the button.</param>
/// <param name="Done">What is said when it stands.</param>
public sealed record ChangeWish(string Title, string Summary, string Confirm, string Done)
{
    /// <summary>Makes the plan from the newest facts; may refuse with one sentence (<see cref="ChangeException"/>).</summary>
    public required Func<Task<ChangePlan>> Plan { get; init; }

    /// <summary>Who is affected and what to know, one sentence each.</summary>
    public IReadOnlyList<string> Affected { get; init; } = [];

    /// <summary>Whether a harmless change is asked about too. One that disturbs or may cut the browser off always is.</summary>
    public bool AlwaysAsk { get; init; } = true;

    /// <summary>Whether a refusal is shown by the page itself, beside the field; else the desk tells it.</summary>
    public bool TellsRefusal { get; init; }

    /// <summary>Name to type before a change without a way back (<see cref="DangerLevel.Irreversible"/>).</summary>
    public string? TypedName { get; init; }
}

/// <summary>What became of a <see cref="ChangeWish"/>.</summary>
/// <param name="Report">How the change ended; null when it never began.</param>
/// <param name="Refusal">Why it was refused or failed; null when it was not, or the person gave it up.</param>
public sealed record ChangeAnswer(ChangeReport? Report, string? Refusal)
{
    /// <summary>The change stands and is kept.</summary>
    public bool IsDone => Report is { Outcome: ChangeOutcome.Applied };

    internal static ChangeAnswer GivenUp { get; } = new(null, null);
}
