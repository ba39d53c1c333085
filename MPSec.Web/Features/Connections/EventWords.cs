using System.Globalization;
using Microsoft.Extensions.Localization;
using MPSec.Components.Controls;
using MPSec.Data.History;

namespace MPSec.Features.Connections;

/// <summary>Events in the reader's language.</summary>
/// <param name="texts">The texts.</param>
public sealed class EventWords(IStringLocalizer<ConnectionsTexts> texts)
{
    // asm-generic/errno.h: what the kernel gives for the end of a subflow; others show as a number.
    private static readonly int[] s_errors = [32, 101, 103, 104, 110, 111, 113];

    /// <summary>The token as on every page.</summary>
    public static string TokenOf(uint token) => token.ToString("x8", CultureInfo.InvariantCulture);

    /// <summary>Name of its icon.</summary>
    public static string IconOf(HistoryEvent e)
    {
        ArgumentNullException.ThrowIfNull(e);
        return e.Kind switch
        {
            HistoryEventKind.ConnectionCreated or HistoryEventKind.SubflowEstablished or HistoryEventKind.AddressAnnounced or HistoryEventKind.ListenerCreated or HistoryEventKind.IpAdded or HistoryEventKind.LinkAdded => "add",
            HistoryEventKind.ConnectionEstablished or HistoryEventKind.LinkUp => "ok",
            HistoryEventKind.PriorityChanged => "standby",
            HistoryEventKind.Lost or HistoryEventKind.Skipped or HistoryEventKind.NotHeard => "warn",
            HistoryEventKind.LinkDown or HistoryEventKind.SubflowFailed => "bad",
            _ => "close",
        };
    }

    /// <summary>Colour class: bad where a path was lost, warning where something is not known, else none.</summary>
    public static string? CssOf(HistoryEvent e)
    {
        ArgumentNullException.ThrowIfNull(e);
        return e switch
        {
            { Kind: HistoryEventKind.LinkDown or HistoryEventKind.LinkRemoved or HistoryEventKind.SubflowFailed } or { Kind: HistoryEventKind.SubflowClosed, Error: > 0 } => "bad",
            { Kind: HistoryEventKind.Lost or HistoryEventKind.Skipped or HistoryEventKind.NotHeard } => "warn",
            _ => null,
        };
    }

    /// <summary>Time of day with milliseconds; the date before it when it was another day.</summary>
    public string Time(HistoryEvent e)
    {
        ArgumentNullException.ThrowIfNull(e);
        return e.At.ToLocalTime().ToString(texts["EventTimeFormat"], CultureInfo.InvariantCulture);
    }

    /// <summary>What is known of it beside kind, path and connection.</summary>
    public string Detail(HistoryEvent e)
    {
        ArgumentNullException.ThrowIfNull(e);
        switch (e.Kind)
        {
            case HistoryEventKind.Lost:
                return texts["EventLostWhy"];
            case HistoryEventKind.Skipped:
                return texts["EventSkippedWhy", Figures.Count(e.Count)];
            case HistoryEventKind.NotHeard:
                return texts[e.Error == 1 ? "EventNotPermitted" : "EventNotInKernel"];
        }

        var parts = new List<string>();
        if (e.Local is not null && e.Remote is not null)
        {
            parts.Add($"{e.Local} → {e.Remote}");
        }
        else if ((e.Local ?? e.Remote) is { } address)
        {
            parts.Add(address);
        }

        if (e.Kind is HistoryEventKind.AddressAnnounced or HistoryEventKind.AddressWithdrawn && e.AddressId is { } id)
        {
            parts.Add(texts["EventAddressId", id]);
        }

        if (e.Backup == true)
        {
            parts.Add(texts["EventBackup"]);
        }
        else if (e.Kind == HistoryEventKind.PriorityChanged)
        {
            parts.Add(texts["EventNoBackup"]);
        }

        if (e.Error is > 0 and var error)
        {
            parts.Add(s_errors.Contains(error) ? texts[$"EventError_{error}"] : texts["EventErrorOther", error]);
        }

        if (e.Lasted is { } lasted)
        {
            parts.Add(texts["EventLasted", Figures.Duration(lasted)]);
        }

        if (e is { BytesSent: { } sent, BytesReceived: { } received })
        {
            parts.Add(texts["EventCarried", Figures.Bytes(sent), Figures.Bytes(received)]);
        }

        if (e.ResetReason is { } reason)
        {
            parts.Add(reason is >= 0 and <= 6 ? texts[$"EventReset_{reason}"] : texts["EventResetOther", reason]);
        }

        return parts.Count > 0 ? string.Join(", ", parts) : Figures.Missing;
    }
}
