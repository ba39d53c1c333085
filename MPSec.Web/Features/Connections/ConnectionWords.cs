using System.Globalization;
using Microsoft.Extensions.Localization;
using MPSec.Components.Controls;

namespace MPSec.Features.Connections;

/// <summary>A figure as the page shows it.</summary>
/// <param name="Text">At most three digits, or a dash.</param>
/// <param name="Hint">The exact value, or why there is none.</param>
public readonly record struct ConnectionFigure(string Text, string Hint)
{
    /// <summary>There is a value.</summary>
    public bool IsKnown => Text != Figures.Missing;
}

/// <summary>Figures of connections and subflows in the reader's language.</summary>
/// <param name="texts">The texts.</param>
public sealed class ConnectionWords(IStringLocalizer<ConnectionsTexts> texts)
{
    /// <summary>Mbit/s.</summary>
    public ConnectionFigure Rate(double? bits, bool counted) => bits is { } b
        ? new(Figures.Number(b / 1e6), texts["ExactRate", b.ToString("#,0", CultureInfo.CurrentCulture)])
        : Missing(counted ? texts["WhyNoRate"] : texts["WhyKernel", "6.5"]);

    /// <summary>Milliseconds.</summary>
    public ConnectionFigure Time(double? milliseconds) => milliseconds is { } ms
        ? new(Figures.Number(ms), texts["ExactTime", (ms * 1000).ToString("#,0", CultureInfo.CurrentCulture)])
        : Missing(texts["WhyNotMeasured"]);

    /// <summary>Bytes.</summary>
    public ConnectionFigure Bytes(double? bytes, string since) => bytes is { } b ? new(Figures.Bytes(b), texts["ExactBytes", b.ToString("#,0", CultureInfo.CurrentCulture)]) : Missing(texts["WhyKernel", since]);

    /// <summary>A number of things.</summary>
    public ConnectionFigure Count(double? count, string since) => count is { } c ? new(Figures.Count((long)c), c.ToString("#,0", CultureInfo.CurrentCulture)) : Missing(texts["WhyKernel", since]);

    /// <summary>KiB in flight, the segments in the tooltip.</summary>
    public ConnectionFigure Flight(double? bytes, long? segments) => bytes is { } b
        ? new(Figures.Number(b / 1024), texts["ExactFlight", Figures.Count(segments), b.ToString("#,0", CultureInfo.CurrentCulture)])
        : Missing(texts["WhyNotMeasured"]);

    /// <summary>Age of the last data.</summary>
    public ConnectionFigure Idle(uint? milliseconds) => milliseconds is { } ms
        ? new(Figures.Duration(TimeSpan.FromMilliseconds(ms)), texts["ExactIdle", ms.ToString("#,0", CultureInfo.CurrentCulture)])
        : Missing(texts["WhyKernel", "6.10"]);

    /// <summary>A part of a whole.</summary>
    public ConnectionFigure Share(double? share) => share is { } s
        ? new((100 * s).ToString("0", CultureInfo.CurrentCulture) + " %", (100 * s).ToString("0.###", CultureInfo.CurrentCulture) + " %")
        : Missing(texts["WhyNoBytes"]);

    /// <summary>A word of the kernel.</summary>
    public ConnectionFigure Word(string? word, string why) => word is { Length: > 0 } ? new(word, word) : Missing(why);

    /// <summary>State of a connection.</summary>
    public (StateKind Kind, string Text, string? Hint) State(ConnectionRow row)
    {
        ArgumentNullException.ThrowIfNull(row);
        return row switch
        {
            { IsFallback: true } => (StateKind.Degraded, texts["StateFallback"], texts["StateFallbackWhy", row.State]),
            { Kernel.State: 1 } => (StateKind.Up, texts["StateEstablished"], row.State),
            _ => (StateKind.Changing, row.State, null),
        };
    }

    /// <summary>State of a subflow.</summary>
    public (StateKind Kind, string Text, string? Hint) State(SubflowRow subflow)
    {
        ArgumentNullException.ThrowIfNull(subflow);
        return subflow.State switch
        {
            SubflowState.Active => (StateKind.Up, texts["SubActive"], subflow.StateName),
            SubflowState.Backup => (StateKind.Standby, texts["SubBackup"], texts["SubBackupWhy"]),
            SubflowState.Unanswered => (StateKind.Degraded, texts["SubUnanswered"], texts["SubUnansweredWhy", subflow.Kernel.Backoff ?? 0]),
            _ => (StateKind.Changing, subflow.StateName, null),
        };
    }

    private static ConnectionFigure Missing(string why) => new(Figures.Missing, why);
}
