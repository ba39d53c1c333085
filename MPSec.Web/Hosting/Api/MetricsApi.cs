using System.Globalization;
using System.Net;
using Microsoft.Extensions.Options;
using MPSec.Components.Layout;
using MPSec.Features.Multipath;
using MPSec.Features.Settings;
using MPSec.Features.SystemStatus;
using MPSec.Hosting.Auth;
using MPSec.Hosting.History;
using MPSec.Linux.Gateways;
using MPSec.Linux.Processes;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;
using MPSec.Live;

namespace MPSec.Hosting.Api;

/// <summary>
/// <c>/metrics</c> for Prometheus: for whoever is signed in or has a token, and for this machine itself when <see cref="MPSecOptions.MetricsForLoopback"/> says so.
/// It shows what the samplers know and reads nothing itself. Labels are what this machine has few of: gateways, paths, interfaces, processors, file systems, rules.
/// </summary>
public static class MetricsApi
{
    private const string Group = "MPTcpExt";

    // The one of the kernel's MPTcpExt values that goes down again.
    private const string Established = "MPCurrEstab";

    /// <summary>Maps the endpoint.</summary>
    public static IEndpointRouteBuilder MapMetrics(this IEndpointRouteBuilder app)
    {
        app.MapGet("/metrics", (GatewayFeeds feeds, GatewayRecorder recorder, IShellState shell, MultipathService service, ILiveFeeds<MachineSnapshot, MachinePoint> machine, AlertService alerts, TimeProvider time) =>
                TypedResults.Text(
                    Render(feeds.Figures, recorder.Joins, shell.Gateways.Select(g => g.Name), service, machine.Get(GatewayName.Host.Value).Store.Current?.Value, alerts.Raised, time), "text/plain; version=0.0.4; charset=utf-8"))
            .RequireAuthorization(policy => policy.RequireAssertion(c => UserRole.May(c.User, UserRole.Viewer)
                || (c.Resource is HttpContext context && context.RequestServices.GetRequiredService<IOptions<MPSecOptions>>().Value.MetricsForLoopback && IsLocal(context))));
        return app;
    }

    /// <summary>The text for <paramref name="feeds"/> of gateways in <paramref name="known"/>: a made-up name, for which a sampler may live for a while, makes no labels.</summary>
    internal static string Render(
        IEnumerable<FeedFigures> feeds, Func<string, IReadOnlyDictionary<string, PathJoins>> joins, IEnumerable<string> known, MultipathService service, MachineSnapshot? machine, IEnumerable<AlertFacts> raised,
        TimeProvider time)
    {
        var text = new MetricsText();
        text.Gauge("mpsec_build_info", "Version of MPSec and of the kernel; always 1.", 1, ("kernel", KernelRelease.Read() ?? ""), ("version", AboutFacts.Version));
        Process(text);
        var names = known.ToHashSet(StringComparer.Ordinal);
        foreach (var feed in feeds.Where(f => names.Contains(f.Gateway)))
        {
            var gateway = ("gateway", feed.Gateway);
            var sample = feed.Current;
            text.Counter("mpsec_samples_total", "Readings of the gateway that were tried.", feed.Readings, gateway);
            text.Counter("mpsec_sample_failures_total", "Readings of the gateway that failed.", feed.Failures, gateway);
            text.Gauge("mpsec_gateway_up", "1 when the newest reading of the gateway succeeded, else 0.", sample is { Failure: null } ? 1 : 0, gateway);
            if (sample?.Value is { } snapshot)
            {
                text.Gauge("mpsec_sample_age_seconds", "Age of the values shown for the gateway.", time.GetElapsedTime(sample.ValueTimestamp).TotalSeconds, gateway);
                Gateway(text, gateway, snapshot, service.Paths(snapshot), joins(feed.Gateway));
            }
        }

        Machine(text, machine);
        Alerts(text, raised);
        return text.ToString();
    }

    private static void Machine(MetricsText text, MachineSnapshot? machine)
    {
        text.Gauge("mpsec_machine_cpu_busy_ratio", "Part of the processor time that was used in the last interval; absent before two readings.", machine?.Cpu?.Busy / 100);
        foreach (var processor in machine?.Processors ?? [])
        {
            text.Gauge("mpsec_machine_processor_busy_ratio", "Part of the time of one processor that was used in the last interval.", processor.Busy / 100, ("processor", processor.Number.ToString(CultureInfo.InvariantCulture)));
        }

        text.Gauge("mpsec_machine_load1", "Load average over one minute.", machine?.Reading.Load?.One);
        text.Gauge("mpsec_machine_memory_bytes", "Memory that the kernel manages.", machine?.Reading.Memory?.Total);
        text.Gauge("mpsec_machine_memory_available_bytes", "Memory that programs could have without swapping.", machine?.Reading.Memory?.Available);
        foreach (var files in machine?.Reading.FileSystems ?? [])
        {
            text.Gauge("mpsec_machine_filesystem_bytes", "Size of a file system.", files.Size, ("mountpoint", files.MountPoint));
            text.Gauge("mpsec_machine_filesystem_available_bytes", "What users can still have of a file system.", files.Available, ("mountpoint", files.MountPoint));
        }
    }

    // A rule without an alert is told too: an alert that is not there any more must go down to zero.
    private static void Alerts(MetricsText text, IEnumerable<AlertFacts> raised)
    {
        var counts = raised.GroupBy(a => a.Rule).ToDictionary(g => g.Key, g => g.Count());
        foreach (var rule in Enum.GetValues<AlertRule>())
        {
            text.Gauge("mpsec_alerts", "Alerts that are raised now, by rule.", counts.GetValueOrDefault(rule), ("rule", MetricsText.SnakeCase(rule.ToString())));
        }
    }

    private static void Gateway(MetricsText text, (string, string) gateway, GatewaySnapshot snapshot, PathsSnapshot paths, IReadOnlyDictionary<string, PathJoins> joins)
    {
        text.Gauge("mpsec_mptcp_enabled", "1 when new sockets may speak MPTCP, 0 when not; absent on a kernel without it.", paths.MptcpEnabled is { } on ? on ? 1 : 0 : null, gateway);
        text.Gauge("mpsec_connections", "MPTCP connections now, by how they go on.", paths.Connections - paths.Fallbacks, gateway, ("protocol", "mptcp"));
        text.Gauge("mpsec_connections", "MPTCP connections now, by how they go on.", paths.Fallbacks, gateway, ("protocol", "fallback"));
        text.Gauge("mpsec_subflows", "Established subflows now.", paths.Subflows, gateway);
        text.Gauge("mpsec_reading_faults", "Parts of the newest reading that could not be read.", snapshot.Reading.Faults.Length, gateway);
        foreach (var (name, value) in snapshot.Reading.Counters.Where(c => c.Key.StartsWith(Group, StringComparison.Ordinal)))
        {
            var own = name[Group.Length..];
            if (own == Established)
            {
                text.Gauge("mpsec_mptcp_curr_estab", $"{own} of MPTcpExt: MPTCP connections that the kernel counts as established now.", value, gateway);
            }
            else
            {
                text.Counter($"mpsec_mptcp_{MetricsText.SnakeCase(own)}_total", $"{own} of MPTcpExt in /proc/net/netstat, since the gateway exists.", value, gateway);
            }
        }

        var links = snapshot.Reading.Links.GroupBy(l => l.Index).ToDictionary(g => g.Key, g => g.First());
        foreach (var lane in paths.Lanes)
        {
            (string, string)[] path = [gateway, ("path", lane.Number.ToString(CultureInfo.InvariantCulture)), ("interface", lane.Name)];
            foreach (var state in Enum.GetValues<PathState>())
            {
                text.Gauge("mpsec_path_state", "1 for the state that the path is in, 0 for the others.", lane.State == state ? 1 : 0, [.. path, ("state", state.ToString().ToLowerInvariant())]);
            }

            text.Gauge("mpsec_path_transmit_bytes_per_second", "What the path sends now, on the wire.", lane.Rate?.TxBitsPerSecond / 8, path);
            text.Gauge("mpsec_path_receive_bytes_per_second", "What the path receives now, on the wire.", lane.Rate?.RxBitsPerSecond / 8, path);
            text.Gauge("mpsec_path_capacity_bytes_per_second", "Rate of the shaper of the path; absent when nothing tells it.", lane.CapacityBitsPerSecond / 8, path);
            text.Gauge("mpsec_path_rtt_seconds", "Smoothed round-trip time, mean over the subflows of the path; absent without one.", lane.RttMs / 1000, path);
            text.Gauge("mpsec_path_retransmitted_ratio", "Part of the sent bytes that were sent again in the last interval; absent when nothing was sent.", lane.RetransmittedPercent / 100, path);
            text.Gauge("mpsec_path_subflows", "Established subflows of the path.", lane.Subflows, path);
            text.Counter("mpsec_path_joins_total", "Joins over the path whose outcome is known, since MPSec listens.", joins.GetValueOrDefault(lane.Name).Tried, path);
            text.Counter("mpsec_path_join_failures_total", "Joins over the path that this side began and that failed, since MPSec listens.", joins.GetValueOrDefault(lane.Name).Failed, path);
            var counters = lane.InterfaceIndex is { } index && links.TryGetValue(index, out var link) ? link.Counters : null;
            text.Counter("mpsec_path_transmit_bytes_total", "Bytes that the interface of the path sent.", counters?.TxBytes, path);
            text.Counter("mpsec_path_receive_bytes_total", "Bytes that the interface of the path received.", counters?.RxBytes, path);
            text.Counter("mpsec_path_transmit_drops_total", "Packets that the interface of the path dropped while sending.", counters?.TxDropped, path);
            text.Counter("mpsec_path_receive_drops_total", "Packets that the interface of the path dropped while receiving.", counters?.RxDropped, path);
            text.Counter("mpsec_path_transmit_errors_total", "Packets that the interface of the path could not send.", counters?.TxErrors, path);
            text.Counter("mpsec_path_receive_errors_total", "Packets that the interface of the path received broken.", counters?.RxErrors, path);
        }
    }

    private static void Process(MetricsText text)
    {
        text.Counter("process_cpu_seconds_total", "Processor time that MPSec has used.", ResourceUsage.OwnTime.TotalSeconds);
        text.Gauge("process_resident_memory_bytes", "Memory that MPSec holds.", Environment.WorkingSet);
        text.Gauge("process_managed_memory_bytes", "Memory of MPSec's objects, with what the garbage collector has not collected yet.", GC.GetTotalMemory(forceFullCollection: false));
        var full = GC.GetGCMemoryInfo(GCKind.FullBlocking);
        text.Gauge("process_managed_live_bytes", "Memory of MPSec's objects after the last full garbage collection; absent before one.", full.Index > 0 ? full.HeapSizeBytes - full.FragmentedBytes : null);
    }

    /// <summary>From this machine, to a name of this machine: a page of another site whose name was made to point here has another one.</summary>
    private static bool IsLocal(HttpContext context) => context.Connection.RemoteIpAddress is { } address && IPAddress.IsLoopback(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address)
        && (context.Request.Host.Host is "localhost" || (IPAddress.TryParse(context.Request.Host.Host, out var host) && IPAddress.IsLoopback(host)));
}
