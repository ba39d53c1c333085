using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;

namespace MPSec.Changes;

/// <summary>Why a checked change was undone and what came of it, in parts that a page can say in the language of its reader.</summary>
/// <param name="Why">Code of the reason: <c>NotConfirmed</c>, <c>Asked</c>, <c>TookTooLong</c>, <c>Restarted</c>, <c>ProcessEnded</c> or <c>Told</c>.</param>
/// <param name="WhyArguments">Seconds of <c>NotConfirmed</c>, name of <c>Asked</c>.</param>
/// <param name="Facts">Number of facts of the state before that were compared; 0 when nothing had been changed yet.</param>
public sealed partial record UndoSentence(string Why, ImmutableArray<string> WhyArguments, int Facts)
{
    internal const string TookTooLong = "applying it took longer than the time to confirm it";
    internal const string Restarted = "the machine was restarted before anybody confirmed it";
    internal const string ProcessEnded = "its process ended in the middle";
    internal const string Told = "its dead-man was told to end";

    /// <summary>Takes a sentence of the journal apart.</summary>
    /// <returns>Null when it tells something else, such as what could not be undone: that is for people and logs alike as it stands.</returns>
    public static UndoSentence? Of(string? sentence)
    {
        if (sentence is null || Whole().Match(sentence) is not { Success: true } match)
        {
            return null;
        }

        var facts = match.Groups["facts"] is { Success: true } count ? int.Parse(count.ValueSpan, CultureInfo.InvariantCulture) : 0;
        return match.Groups["seconds"] is { Success: true } seconds ? new("NotConfirmed", [seconds.Value], facts)
            : match.Groups["name"] is { Success: true } name ? new("Asked", [name.Value], facts)
            : new(match.Groups["why"].Value switch { TookTooLong => nameof(TookTooLong), Restarted => nameof(Restarted), ProcessEnded => nameof(ProcessEnded), _ => nameof(Told) }, [], facts);
    }

    internal static string NotConfirmed(long timeoutMs) => string.Create(CultureInfo.InvariantCulture, $"nobody confirmed it within {timeoutMs / 1000.0:0.#} s");

    internal static string Asked(string name) => $"{name} asked for it";

    internal static string Back(string why, int facts) => string.Create(CultureInfo.InvariantCulture, $"{why}; the state before is back, compared in {facts} facts");

    internal static string Nothing(string why) => $"{why}; nothing was changed";

    [GeneratedRegex($@"^(nobody confirmed it within (?<seconds>[0-9.]+) s|(?<name>[^;]{{1,64}}) asked for it|(?<why>{TookTooLong}|{Restarted}|{ProcessEnded}|{Told})); (the state before is back, compared in (?<facts>[0-9]{{1,6}}) facts|nothing was changed)$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Whole();
}
