using System.Collections.Frozen;
using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using MPSec.Changes;
using MPSec.Components.Layout;
using MPSec.Data;
using MPSec.Features.Lab;
using MPSec.Features.Multipath;
using MPSec.Hosting.Shell;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Values;
using MPSec.Live;

namespace MPSec.Hosting;

/// <summary>
/// Knows which gateways there are: the host and every named network namespace, which of them are sides of a lab, and whether MPSec manages them. A namespace
/// made in a terminal shows up within two seconds.
/// </summary>
public sealed partial class GatewayRoster(
    IDbContextFactory<MPSecDbContext> database,
    GatewayModes modes,
    ChangeService changes,
    ILiveFeeds<GatewaySnapshot, RatePoint> feeds,
    ShellState shell,
    TimeProvider time,
    ILogger<GatewayRoster> logger)
    : BackgroundService, IPeerDirectory
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(2);
    private volatile FrozenDictionary<GatewayName, GatewayName> _peers = FrozenDictionary<GatewayName, GatewayName>.Empty;
    private volatile bool _stale = true;

    /// <inheritdoc/>
    public GatewayName? PeerOf(GatewayName gateway) => _peers.TryGetValue(gateway, out var peer) ? peer : null;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        modes.ModeChanged += OnMode;
        changes.Completed += OnChange;
        try
        {
            IReadOnlyList<GatewayName> known = [];
            using var timer = new PeriodicTimer(s_interval, time);
            do
            {
                var names = NamespaceThread.List();
                if (_stale || !names.SequenceEqual(known))
                {
                    _stale = false;
                    _stale = !await TryRefreshAsync(names, stoppingToken);
                    known = names;
                }
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        finally
        {
            modes.ModeChanged -= OnMode;
            changes.Completed -= OnChange;
        }
    }

    [LoggerMessage(EventId = 3010, Level = LogLevel.Warning, Message = "The list of gateways could not be renewed; trying again")]
    private static partial void LogNotRefreshed(ILogger logger, Exception exception);

    private async Task<bool> TryRefreshAsync(IReadOnlyList<GatewayName> names, CancellationToken cancellationToken)
    {
        try
        {
            var context = await database.CreateDbContextAsync(cancellationToken);
            await using (context)
            {
                var sides = new Dictionary<GatewayName, GatewayName>();
                foreach (var record in await context.Set<LabRecord>().AsNoTracking().ToListAsync(cancellationToken))
                {
                    var spec = LabSpec.FromJson(record.Spec);
                    sides[spec.A] = spec.B;
                    sides[spec.B] = spec.A;
                }

                _peers = sides.ToFrozenDictionary();
            }

            var gateways = new List<ShellGateway>();
            foreach (var name in names.Prepend(GatewayName.Host))
            {
                var kind = name.IsHost ? ShellGatewayKind.ThisMachine : _peers.ContainsKey(name) ? ShellGatewayKind.Lab : ShellGatewayKind.Namespace;
                gateways.Add(new(name.Value, kind, await modes.GetAsync(name, cancellationToken) == GatewayMode.Managed));
            }

            // The host and what MPSec manages are read from now on, so that a chart has a past when somebody opens it.
            foreach (var gateway in gateways.Where(g => g.Managed || g.Kind != ShellGatewayKind.Namespace))
            {
                feeds.Get(gateway.Name);
            }

            shell.SetGateways([.. gateways.OrderBy(g => g.Kind)]);
            return true;
        }
        catch (Exception e) when (e is DbException or IOException or System.Text.Json.JsonException)
        {
            LogNotRefreshed(logger, e);
            return false;
        }
    }

    private void OnMode(GatewayName gateway, GatewayMode mode) => _stale = true;

    private void OnChange(ChangeReport report) => _stale = true;
}
