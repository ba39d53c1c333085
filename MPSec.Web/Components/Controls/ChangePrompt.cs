namespace MPSec.Components.Controls;

/// <summary>How much harm an action can do; the service computes it from the plan, never the page.</summary>
public enum DangerLevel
{
    /// <summary>Harmless: done at once, with Undo.</summary>
    Harmless,

    /// <summary>Disturbs others.</summary>
    Disturbs,

    /// <summary>Can cut this browser off.</summary>
    MayCutOff,

    /// <summary>Cannot be undone: the name must be typed.</summary>
    Irreversible,
}

/// <summary>What <see cref="ChangeDialog"/> asks.</summary>
/// <param name="Title">The question.</param>
/// <param name="Summary">One or two sentences: object and effect.</param>
/// <param name="Confirm">Verb and noun of the button.</param>
/// <param name="Danger">How much harm it can do.</param>
public sealed record ChangePrompt(string Title, string Summary, string Confirm, DangerLevel Danger)
{
    /// <summary>What will be done, in order.</summary>
    public IReadOnlyList<string> Operations { get; init; } = [];

    /// <summary>What takes it back, in order.</summary>
    public IReadOnlyList<string> Inverse { get; init; } = [];

    /// <summary>The same as shell commands.</summary>
    public IReadOnlyList<string> Commands { get; init; } = [];

    /// <summary>Who is affected, one sentence each.</summary>
    public IReadOnlyList<string> Affected { get; init; } = [];

    /// <summary>Name to type at <see cref="DangerLevel.Irreversible"/>.</summary>
    public string? TypedName { get; init; }
}
