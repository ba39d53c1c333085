using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using MPSec.Changes;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;
using MPSec.Live;

namespace MPSec.Features.Network;

/// <summary>The keeper has given up on a path: what it set, somebody else takes away again.</summary>
/// <param name="Gateway">The gateway.</param>
/// <param name="Path">Interface of the path.</param>
/// <param name="At">When.</param>
/// <param name="Missing">What is missing, as commands that would set it.</param>
public sealed record NetworkKeeperNote(GatewayName Gateway, string Path, DateTimeOffset At, ImmutableArray<string> Missing);

/// <summary>
/// Puts back what the kernel drops when a link goes down and does not bring back when it comes up: the routes of a path, its IPv6 addresses, and everything
/// when the interface itself was gone. It acts only in the minute after a link became ready, only on what the saved configuration names, and gives up
/// where somebody else takes it away again: it repairs, it does not fight.
/// </summary>
public sealed partial class NetworkKeeper(
    ILiveFeeds<GatewaySnapshot, RatePoint> feeds, NetworkConfigurationService configurations, ChangeService changes, GatewayModes modes, InterfaceOwnerReader owners, TimeProvider time,
    ILogger<NetworkKeeper> logger) : BackgroundService
{
    // Gateways, modes and versions of other processes; links are heard of at once.
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(5);

    private readonly ILogger _logger = logger;
    private readonly ConcurrentDictionary<GatewayName, Watch> _watches = new();
    private readonly ConcurrentDictionary<(GatewayName Gateway, string Path), NetworkKeeperNote> _notes = new();
    private TaskCompletionSource _woken = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Raised on any thread when <see cref="Notes"/> changed.</summary>
    public event Action<GatewayName>? NotesChanged;

    /// <summary>Paths of a gateway that the keeper has given up on, until their link comes up again.</summary>
    public ImmutableArray<NetworkKeeperNote> Notes(GatewayName gateway) => [.. _notes.Where(n => n.Key.Gateway == gateway).Select(n => n.Value).OrderBy(n => n.Path, StringComparer.Ordinal)];

    /// <summary>Whether it knows the paths of a gateway, so that what happens to them from now on is noticed.</summary>
    internal bool HasSeen(GatewayName gateway) => _watches.TryGetValue(gateway, out var watch) && watch.Paths.Any;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        configurations.Changed += OnConfiguration;
        modes.ModeChanged += OnMode;
        changes.Completed += OnChange;
        try
        {
            while (true)
            {
                Interlocked.Exchange(ref _woken, new(TaskCreationOptions.RunContinuationsAsynchronously));
                try
                {
                    await configurations.RefreshAsync(stoppingToken);
                    await AttendAsync(stoppingToken);
                }
                catch (Exception e) when (e is DbException or ChangeException or IOException)
                {
                    LogFailed(_logger, e.Message);
                }

                using var timer = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
                await Task.WhenAny(Task.Delay(s_look, time, timer.Token), _woken.Task);
                await timer.CancelAsync();
                stoppingToken.ThrowIfCancellationRequested();
            }
        }
        finally
        {
            configurations.Changed -= OnConfiguration;
            modes.ModeChanged -= OnMode;
            changes.Completed -= OnChange;
            foreach (var watch in _watches.Values)
            {
                watch.Subscription?.Dispose();
            }
        }
    }

    [LoggerMessage(EventId = 3410, Level = LogLevel.Information, Message = "Path {Path} of gateway {Gateway} is ready again; {Count} missing settings were put back")]
    private static partial void LogKept(ILogger logger, string path, GatewayName gateway, int count);

    [LoggerMessage(EventId = 3411, Level = LogLevel.Warning, Message = "Path {Path} of gateway {Gateway}: what was put back three times is missing again, another program takes it away; left as it is: {Missing}")]
    private static partial void LogGaveUp(ILogger logger, string path, GatewayName gateway, string missing);

    [LoggerMessage(EventId = 3412, Level = LogLevel.Warning, Message = "The saved network configuration could not be kept up: {Reason}")]
    private static partial void LogFailed(ILogger logger, string reason);

    private void OnConfiguration(GatewayName gateway) => Volatile.Read(ref _woken).TrySetResult();

    private void OnMode(GatewayName gateway, GatewayMode mode) => Volatile.Read(ref _woken).TrySetResult();

    // What had to wait for the change goes on with the next reading.
    private void OnChange(ChangeReport report)
    {
        foreach (var watch in report.Gateways.Select(g => _watches.GetValueOrDefault(g)).OfType<Watch>())
        {
            watch.Feed?.Wake();
        }
    }

    /// <summary>Listens to every managed gateway that has a saved configuration, and to no other.</summary>
    private async Task AttendAsync(CancellationToken cancellationToken)
    {
        var wanted = new HashSet<GatewayName>();
        foreach (var gateway in await configurations.GatewaysAsync(cancellationToken))
        {
            var exists = gateway.IsHost || NamespaceThread.Exists(gateway);
            if (!exists && _watches.TryGetValue(gateway, out var gone))
            {
                wanted.Add(gateway); // its paths are remembered as absent
                gone.Paths.Absent();
            }
            else if (exists && await modes.GetAsync(gateway, cancellationToken) == GatewayMode.Managed && await configurations.CurrentAsync(gateway, cancellationToken) is { } saved)
            {
                wanted.Add(gateway);
                var watch = _watches.GetOrAdd(gateway, g => new(g, new KeptPaths(time)));
                watch.Document = saved.Document;
                var feed = feeds.Get(gateway.Value);
                if (watch.Feed != feed)
                {
                    watch.Subscription?.Dispose();
                    watch.Feed = feed;
                    watch.Subscription = feed.Store.Subscribe(sample => LookAsync(watch, sample, cancellationToken), watches: false);
                }
            }
        }

        foreach (var (gateway, watch) in _watches.Where(w => !wanted.Contains(w.Key)))
        {
            watch.Subscription?.Dispose();
            _watches.TryRemove(gateway, out _);
            foreach (var note in _notes.Keys.Where(n => n.Gateway == gateway))
            {
                Forget(note);
            }
        }
    }

    private async Task LookAsync(Watch watch, Sample<GatewaySnapshot> sample, CancellationToken cancellationToken)
    {
        if (sample is not { Failure: null, Value.Reading: { } reading })
        {
            if (sample.Failure?.Code == "gone")
            {
                watch.Paths.Absent();
            }

            return;
        }

        var document = watch.Document;
        foreach (var path in watch.Paths.Observe(document, reading))
        {
            Forget((watch.Gateway, path.Name)); // it became ready anew
        }

        foreach (var path in watch.Paths.Open(document))
        {
            try
            {
                await KeepAsync(watch, document, path, reading, cancellationToken);
            }
            catch (Exception e) when (e is DbException or DbUpdateException or ChangeException or IOException)
            {
                LogFailed(_logger, e.Message);
            }
        }
    }

    private async Task KeepAsync(Watch watch, NetworkDocument document, KeptPath path, GatewayReading reading, CancellationToken cancellationToken)
    {
        // The sample tells cheaply whether there is anything to do; what is done is for the state of this moment.
        if (!path.Reappeared && NetworkKept.Missing(document, path.Name, false, new(reading, ImmutableDictionary<SysctlKey, string?>.Empty, ImmutableDictionary<string, InterfaceOwner>.Empty)).IsEmpty)
        {
            return;
        }

        if (await configurations.IsChangingAsync(watch.Gateway, cancellationToken))
        {
            path.Extend(time);
            return;
        }

        // A change that has just ended may have saved another document.
        if ((await configurations.CurrentAsync(watch.Gateway, cancellationToken))?.Document is not { } now)
        {
            return;
        }

        document = now;
        var keys = document.Settings.Keys.Where(k => NetworkKept.IsOf(k, path.Name)).Select(SysctlKey.Parse);
        var missing = await Task.Run(() => NetworkKept.Missing(document, path.Name, path.Reappeared, NetworkKernelState.Read(watch.Gateway, keys, owners)), cancellationToken);
        if (missing.IsEmpty)
        {
            path.Reappeared = false;
            return;
        }

        if (path.Tries == KeptPath.MostTries)
        {
            path.Close();
            var note = new NetworkKeeperNote(watch.Gateway, path.Name, time.GetUtcNow(), [.. missing.Select(o => o.ToShellText())]);
            LogGaveUp(_logger, path.Name, watch.Gateway, string.Join("; ", note.Missing));
            _notes[(watch.Gateway, path.Name)] = note;
            NotesChanged?.Invoke(watch.Gateway);
            return;
        }

        path.Tries++;
        try
        {
            await changes.RunAsync(
                new() { TitleCode = "network.keep", TitleArguments = [watch.Gateway.Value, path.Name], Operations = missing, Danger = ChangeDanger.Low }, ChangeActor.System, cancellationToken);
            path.Reappeared = false;
            LogKept(_logger, path.Name, watch.Gateway, missing.Length);
        }
        catch (ChangeException e) when (e.Fault == ChangeFault.Busy)
        {
            path.Tries--;
        }
    }

    private void Forget((GatewayName Gateway, string Path) note)
    {
        if (_notes.TryRemove(note, out _))
        {
            NotesChanged?.Invoke(note.Gateway);
        }
    }

    private sealed class Watch(GatewayName gateway, KeptPaths paths)
    {
        public GatewayName Gateway { get; } = gateway;

        public KeptPaths Paths { get; } = paths;

        public NetworkDocument Document { get; set; } = NetworkDocument.Empty;

        public LiveFeed<GatewaySnapshot, RatePoint>? Feed { get; set; }

        public IDisposable? Subscription { get; set; }
    }
}
