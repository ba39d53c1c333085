using System.Net;
using MPSec.Linux.Gateways;
using MPSec.Live;

namespace MPSec.Hosting.History;

/// <summary>
/// What history keeps of a gateway: interfaces, paths, sums of the connections, and counters of MPTCP and TCP that ever counted. Rates come from two readings
/// and the monotonic time between them; a counter that went back is a gap.
/// </summary>
public sealed class GatewaySeries : ISeriesSource<GatewaySnapshot>
{
    private const string Mptcp = "MPTcpExt";

    private static readonly string[] s_tcp =
    [
        "TcpActiveOpens", "TcpPassiveOpens", "TcpAttemptFails", "TcpEstabResets", "TcpInSegs", "TcpOutSegs", "TcpRetransSegs", "TcpInErrs", "TcpOutRsts",
        "TcpExtListenOverflows", "TcpExtListenDrops", "TcpExtTCPLostRetransmit", "TcpExtTCPFastRetrans", "TcpExtTCPSlowStartRetrans", "TcpExtTCPTimeouts", "TcpExtTCPSpuriousRTOs",
        "TcpExtTCPOFOQueue", "TcpExtTCPOFODrop", "TcpExtTCPSynRetrans", "TcpExtTCPBacklogDrop", "TcpExtTCPRcvQDrop", "TcpExtTCPAbortOnTimeout", "TcpExtTCPDSACKRecv",
    ];

    /// <summary>Unit of a series by its name.</summary>
    public static string UnitOf(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name switch
        {
            _ when name.StartsWith("counter/", StringComparison.Ordinal) => "1/s",
            "machine/load" or "machine/tasks" => "",
            _ when name.StartsWith("machine/temperature/", StringComparison.Ordinal) => "°C",
            _ when name.StartsWith("machine/", StringComparison.Ordinal) => name.EndsWith("-used", StringComparison.Ordinal) ? "byte" : "%",
            _ when name.EndsWith("/rtt", StringComparison.Ordinal) => "ms",
            _ when name.EndsWith("-packets", StringComparison.Ordinal) || name.EndsWith("-errors", StringComparison.Ordinal) || name.EndsWith("-drops", StringComparison.Ordinal) => "1/s",
            _ when name.StartsWith("interface/", StringComparison.Ordinal) || name.StartsWith("path/", StringComparison.Ordinal) || name.EndsWith("-rate", StringComparison.Ordinal) => "bit/s",
            _ => "",
        };
    }

    /// <inheritdoc/>
    public void Collect(GatewaySnapshot snapshot, SeriesSet into)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        ArgumentNullException.ThrowIfNull(into);
        Interfaces(snapshot, into);
        Paths(snapshot, into);
        Connections(snapshot, into);
        Counters(snapshot, into);
    }

    private static void Interfaces(GatewaySnapshot snapshot, SeriesSet into)
    {
        var before = new Dictionary<int, LinkReading>();
        foreach (var link in snapshot.Before?.Links ?? [])
        {
            before[link.Index] = link;
        }

        foreach (var link in snapshot.Reading.Links)
        {
            if (!snapshot.Rates.TryGetValue(link.Index, out var rate) || link.Counters is not { } c || !before.TryGetValue(link.Index, out var old) || old.Counters is not { } o)
            {
                continue;
            }

            var name = "interface/" + link.Name;
            into.Add(name + "/tx", rate.TxBitsPerSecond);
            into.Add(name + "/rx", rate.RxBitsPerSecond);
            into.Add(name + "/sum", rate.SumBitsPerSecond); // largest and smallest of a sum cannot be made from those of its parts
            into.Add(name + "/tx-packets", PerSecond(o.TxPackets, c.TxPackets));
            into.Add(name + "/rx-packets", PerSecond(o.RxPackets, c.RxPackets));
            into.Add(name + "/tx-errors", PerSecond(o.TxErrors, c.TxErrors));
            into.Add(name + "/rx-errors", PerSecond(o.RxErrors, c.RxErrors));
            into.Add(name + "/tx-drops", PerSecond(o.TxDropped, c.TxDropped));
            into.Add(name + "/rx-drops", PerSecond(o.RxDropped, c.RxDropped));
        }

        double? PerSecond(ulong earlier, ulong now) => now >= earlier ? (now - earlier) / snapshot.Interval.TotalSeconds : null;
    }

    // A path is an interface that carries subflows; they are found by their local address.
    private static void Paths(GatewaySnapshot snapshot, SeriesSet into)
    {
        if (snapshot.Reading.Subflows.IsEmpty)
        {
            return;
        }

        var names = new Dictionary<int, string>();
        foreach (var link in snapshot.Reading.Links)
        {
            names[link.Index] = link.Name; // an interrupted dump may tell one twice
        }

        var addresses = new Dictionary<IPAddress, string>();
        foreach (var address in snapshot.Reading.Addresses)
        {
            if (names.TryGetValue(address.InterfaceIndex, out var name))
            {
                addresses[address.Prefix.Address] = name;
            }
        }

        foreach (var path in snapshot.Reading.Subflows.Where(s => s.State == 1 && addresses.ContainsKey(s.Local.Address)).GroupBy(s => addresses[s.Local.Address]))
        {
            var measured = path.Where(s => s.RttMicroseconds is > 0).ToArray();
            into.Add($"path/{path.Key}/rtt", measured.Length > 0 ? measured.Average(s => s.RttMicroseconds!.Value / 1000.0) : null);
            if (snapshot.Interval > TimeSpan.Zero)
            {
                var traffic = path.Select(s => s.Local.Address).Distinct().Select(a => snapshot.Traffic.GetValueOrDefault(a)).Aggregate(default(SubflowTraffic), (sum, t) => sum + t);
                into.Add($"path/{path.Key}/sent", traffic.BytesSent * 8 / snapshot.Interval.TotalSeconds);
                into.Add($"path/{path.Key}/retransmitted", traffic.BytesRetransmitted * 8 / snapshot.Interval.TotalSeconds);
            }
        }
    }

    private static void Connections(GatewaySnapshot snapshot, SeriesSet into)
    {
        var reading = snapshot.Reading;
        if (reading.Faults.All(f => f.Part != "connections"))
        {
            into.Add("connections/mptcp", reading.Connections.Count(c => c.State == 1));
            into.Add("connections/fallback", reading.Connections.Count(c => c.State == 1 && c.IsFallback));
        }

        if (reading.Faults.All(f => f.Part != "subflows"))
        {
            into.Add("connections/subflows", reading.Subflows.Count(s => s.State == 1));
            into.Add("connections/tcp", reading.PlainTcpEstablished);
        }
    }

    private static void Counters(GatewaySnapshot snapshot, SeriesSet into)
    {
        if (snapshot.Before is not { } before || snapshot.Interval <= TimeSpan.Zero)
        {
            return;
        }

        foreach (var (name, value) in snapshot.Reading.Counters)
        {
            // One that never counted is no series: most of the several hundred stay at zero for ever.
            if (value > 0 && name.StartsWith(Mptcp, StringComparison.Ordinal))
            {
                Add(name, value);
            }
        }

        foreach (var name in s_tcp)
        {
            if (snapshot.Reading.Counters.TryGetValue(name, out var value) && value > 0)
            {
                Add(name, value);
            }
        }

        void Add(string name, long value)
        {
            if (before.Counters.TryGetValue(name, out var earlier) && value >= earlier)
            {
                into.Add("counter/" + name, (value - earlier) / snapshot.Interval.TotalSeconds);
            }
        }
    }
}
