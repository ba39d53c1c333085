using System.Globalization;
using MPSec.Changes;
using MPSec.Data.History;
using MPSec.Linux.Values;

namespace MPSec.Features.Settings;

/// <summary>Changes how much history is kept: administrators only, written to the audit log.</summary>
public sealed class HistorySettingsService(HistoryStore store, AuditLog audit)
{
    /// <summary>How much is kept.</summary>
    public HistorySettings Settings => store.Settings;

    /// <summary>Saves it.</summary>
    /// <exception cref="ChangeException">Not permitted, or a value is out of its range.</exception>
    /// <exception cref="IOException">It cannot be written; nothing changes.</exception>
    public async Task SetAsync(HistorySettings settings, ChangeActor actor, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(actor);
        actor.Require(ChangeRole.Administrator);
        if (settings.Faults().FirstOrDefault() is { } fault)
        {
            throw new ChangeException(ChangeFault.Invalid, fault);
        }

        await store.ApplyAsync(settings, cancellationToken);
        await audit.AppendAsync(
            actor.Name, "history settings", GatewayName.Host.Value,
            string.Create(
                CultureInfo.InvariantCulture,
                $"1 s {settings.SecondsForHours} h, 10 s {settings.TenSecondsForHours} h, 1 min {settings.MinutesForDays} d, 15 min {settings.QuarterHoursForDays} d, events {settings.EventsForDays} d, {settings.MostEvents} at most, {settings.MostMiB} MiB"),
            "done", cancellationToken);
    }
}
