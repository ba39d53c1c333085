using Microsoft.Extensions.Localization;

namespace MPSec.Features.Connections;

/// <summary>Says in the reader's language what is wrong with a filter.</summary>
public static class ConnectionFilterWords
{
    /// <summary>One sentence with the position (from 1) and the way out.</summary>
    public static string Sentence(ConnectionFilterProblem problem, IStringLocalizer<ConnectionsTexts> texts)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(texts);
        return texts[$"Filter_{problem.Code}", problem.Position + 1, problem.Subject, string.Join(", ", problem.Choices)];
    }
}
