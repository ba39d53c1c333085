using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Microsoft.Extensions.Localization;
using MPSec.Components;
using MPSec.Components.Controls;
using MPSec.Jobs;

namespace MPSec.Features.Jobs;

/// <summary>Words for runs, in the reader's language: titles come from the feature that owns the kind.</summary>
public sealed class JobTitles(JobEngine engine, IStringLocalizerFactory localizers, IStringLocalizer<JobsTexts> texts, Sentences sentences)
{
    /// <summary>Title of a kind; its key when this version does not know it.</summary>
    public string Kind(string key) => engine.FindKind(key) is { } kind ? Text(kind, kind.TitleKey) : key;

    /// <summary>Title of a step.</summary>
    public string Step(JobRun run, JobRunStep step)
    {
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(step);
        return engine.FindKind(run.Kind) is { } kind && kind.Steps.FirstOrDefault(known => known.Key == step.Key) is { } plan ? Text(kind, plan.TitleKey) : step.Key;
    }

    /// <summary>Title of what may be started next.</summary>
    public string Offer(JobOffer offer)
    {
        ArgumentNullException.ThrowIfNull(offer);
        return localizers.Create(offer.Texts)[offer.TitleKey];
    }

    /// <summary>What a run said of itself: result, activity or outcome; null when it said nothing.</summary>
    [return: NotNullIfNotNull(nameof(sentence))]
    public string? Said(string? sentence) => sentences.Of(sentence);

    /// <summary>Word of a state.</summary>
    public string State(JobState state) => texts[$"State_{state}"];

    /// <summary>Meaning of a state, for its colour and icon.</summary>
    public static StateKind Meaning(JobState state) => state switch
    {
        JobState.Succeeded => StateKind.Up,
        JobState.Failed => StateKind.Down,
        JobState.Interrupted => StateKind.Degraded,
        JobState.Cancelled => StateKind.Off,
        JobState.Queued => StateKind.Standby,
        _ => StateKind.Changing,
    };

    /// <summary>One sentence of a run's history.</summary>
    public string Mark(JobRunMark mark)
    {
        ArgumentNullException.ThrowIfNull(mark);
        return texts[$"Mark_{mark.Kind}", mark.Who ?? Figures.Missing, mark.Step ?? 0];
    }

    /// <summary>Parameters as name and value; lists with commas.</summary>
    public static IReadOnlyList<(string Name, string Value)> Parameters(JobRun run)
    {
        ArgumentNullException.ThrowIfNull(run);
        using var parsed = JsonDocument.Parse(run.Parameters);
        return [.. parsed.RootElement.EnumerateObject().Select(property => (property.Name, Show(property.Value)))];
    }

    /// <summary>How long it took, or has taken so far; null before it begins.</summary>
    public static TimeSpan? Took(DateTimeOffset? started, DateTimeOffset? finished, DateTimeOffset now) => started is { } from ? (finished ?? now) - from : null;

    /// <summary>Percent of the whole run: each step counts the same.</summary>
    public static double Percent(JobRun run, double? step)
    {
        ArgumentNullException.ThrowIfNull(run);
        var done = run.Steps.Count(candidate => candidate.State == JobStepState.Done);
        return run.Steps.Count == 0 ? 0 : 100.0 * Math.Min(run.Steps.Count, done + ((step ?? 0) / 100)) / run.Steps.Count;
    }

    private static string Show(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => string.Join(", ", value.EnumerateArray().Select(Show)),
        JsonValueKind.String => value.GetString()!,
        JsonValueKind.Null => Figures.Missing,
        _ => value.GetRawText(),
    };

    private string Text(IJobKind kind, string key) => localizers.Create(kind.Texts)[key];
}
