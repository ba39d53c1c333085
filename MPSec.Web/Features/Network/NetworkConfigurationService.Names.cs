using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using MPSec.Changes;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

// Names of paths are asked for at every tick by every page, so they come from memory; other processes may save too, so memory is compared now and then.
public sealed partial class NetworkConfigurationService
{
    private readonly ConcurrentDictionary<GatewayName, Known> _known = new();

    /// <summary>The name that a person gave to a path; null when none did.</summary>
    public string? NameOf(GatewayName gateway, string interfaceName)
    {
        if (!_known.TryGetValue(gateway, out var known))
        {
            try
            {
                using var context = _contexts.CreateDbContext();
                known = _known.GetOrAdd(gateway, Known.Of(ConfigurationRecorder.Effective(context).Where(c => c.Gateway == gateway.Value).OrderByDescending(c => c.Version).FirstOrDefault()));
            }
            catch (Exception e) when (e is DbException or ChangeException)
            {
                // A page shows the interface's name then, and asks again.
                LogUnread(_logger, e.Message);
                return null;
            }
        }

        return known.Names.GetValueOrDefault(interfaceName);
    }

    /// <summary>Compares what is known with the database, also for what other processes saved, and tells whoever listens.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken = default)
    {
        var context = await _contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var versions = await ConfigurationRecorder.Effective(context).GroupBy(c => c.Gateway).Select(g => new { Gateway = g.Key, Id = g.Max(c => c.Id) }).ToListAsync(cancellationToken);
            var stale = versions.Where(v => _known.GetValueOrDefault(GatewayName.Parse(v.Gateway))?.Id != v.Id).Select(v => GatewayName.Parse(v.Gateway))
                .Concat(_known.Where(k => k.Value.Id != 0 && versions.TrueForAll(v => v.Gateway != k.Key.Value)).Select(k => k.Key)).ToList();
            foreach (var gateway in stale)
            {
                await RefreshAsync(gateway, cancellationToken);
            }
        }
    }

    [LoggerMessage(EventId = 3401, Level = LogLevel.Warning, Message = "The saved network configuration could not be read: {Reason}")]
    private static partial void LogUnread(ILogger logger, string reason);

    private async Task RefreshAsync(GatewayName gateway, CancellationToken cancellationToken)
    {
        Known now;
        var context = await _contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            now = Known.Of(await ConfigurationRecorder.NewestAsync(context, gateway, cancellationToken));
        }

        var before = 0L;
        _known.AddOrUpdate(gateway, now, (_, known) =>
        {
            before = known.Id;
            return now;
        });
        if (before != now.Id)
        {
            Changed?.Invoke(gateway);
        }
    }

    private void OnCompleted(ChangeReport report)
    {
        if (report.Outcome == ChangeOutcome.Applied)
        {
            _ = RefreshAsync(report.Gateways);
        }
    }

    private async Task RefreshAsync(IEnumerable<GatewayName> gateways)
    {
        try
        {
            foreach (var gateway in gateways)
            {
                await RefreshAsync(gateway, CancellationToken.None);
            }
        }
        catch (Exception e) when (e is DbException or ChangeException)
        {
            LogUnread(_logger, e.Message);
        }
    }

    /// <summary>What is known of the newest version.</summary>
    /// <param name="Id">Row; 0 when nothing is saved.</param>
    /// <param name="Names">Names of paths by interface.</param>
    private sealed record Known(long Id, FrozenDictionary<string, string> Names)
    {
        public static Known Of(NetworkConfiguration? row) => row is null
            ? new(0, FrozenDictionary<string, string>.Empty)
            : new(row.Id, SavedNetwork.Of(row).Document.Paths.Where(p => p.Name is not null).ToFrozenDictionary(p => p.Interface.Value, p => p.Name!, StringComparer.Ordinal));
    }
}
