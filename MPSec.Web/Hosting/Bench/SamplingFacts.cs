using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using MPSec.Linux.Gateways;

namespace MPSec.Hosting.Bench;

/// <summary>
/// The facts of a gateway as lines of text, one form for the reading and for the tools (iproute2 6.1 or newer), so that both can be compared field
/// by field.
/// </summary>
public static partial class SamplingFacts
{
    // Constants and gauges that nstat(8) leaves out on purpose.
    private static readonly HashSet<string> LeftOutByNstat =
        ["IpForwarding", "IpDefaultTTL", "TcpRtoAlgorithm", "TcpRtoMin", "TcpRtoMax", "TcpMaxConn", "TcpCurrEstab"];

    private static readonly (MptcpEndpointFlags Flag, string Word)[] EndpointWords =
        [(MptcpEndpointFlags.Signal, "signal"), (MptcpEndpointFlags.Subflow, "subflow"), (MptcpEndpointFlags.Backup, "backup"), (MptcpEndpointFlags.Fullmesh, "fullmesh")];

    /// <summary>Facts of a reading.</summary>
    public static SortedSet<string> Of(GatewayReading reading)
    {
        ArgumentNullException.ThrowIfNull(reading);
        var facts = new SortedSet<string>(StringComparer.Ordinal);
        var names = reading.Links.ToDictionary(l => l.Index, l => l.Name);
        foreach (var l in reading.Links)
        {
            var c = l.Counters!;
            facts.Add(Text($"link {l.Name} {l.Index} {l.Mtu} {l.OperationalState} {l.HardwareAddress} {l.IsUp} rx {c.RxBytes} {c.RxPackets} {c.RxErrors} {c.RxDropped} {c.Multicast} tx {c.TxBytes} {c.TxPackets} {c.TxErrors} {c.TxDropped} {c.Collisions}"));
        }

        foreach (var e in reading.Endpoints)
        {
            var flags = string.Join(' ', EndpointWords.Where(w => e.Flags.HasFlag(w.Flag)).Select(w => w.Word));
            facts.Add(Text($"endpoint {e.Id} {e.Address} {e.Port} {flags} {(e.InterfaceIndex is { } i ? names[i] : "")}"));
        }

        foreach (var (name, value) in reading.Counters)
        {
            if (value != 0 && !LeftOutByNstat.Contains(name))
            {
                facts.Add(Text($"counter {name} {value}"));
            }
        }

        foreach (var c in reading.Connections.Where(c => c.State == 1))
        {
            facts.Add(Text($"mptcp {c.Local} {c.Remote} {c.ReceiveQueue} {c.SendQueue} subflows {c.Subflows} {c.SubflowsMax} addr {c.AddAddrSignal} {c.AddAddrAccepted} fallback {c.IsFallback} key {(c.Flags & 2) != 0} {c.Token:x} {c.WriteSequence:x} {c.SendUnacknowledged:x} {c.ReceiveNext:x}"));
        }

        foreach (var s in reading.Subflows.Where(s => s.State == 1))
        {
            facts.Add(Text($"subflow {s.Local} {s.Remote} {s.ReceiveQueue} {s.SendQueue} {s.CongestionControl} rto {Shown(s.RtoMicroseconds)} rtt {Shown(s.RttMicroseconds)} {Shown(s.RttVariationMicroseconds)} {Shown(s.MinRttMicroseconds)} mss {s.SendMss} cwnd {s.CongestionWindow} bytes {s.BytesSent} {s.BytesRetransmitted} {s.BytesAcked} {s.BytesReceived} segs {s.SegmentsOut} {s.SegmentsIn} unacked {s.Unacknowledged} lost {s.Lost} retrans {s.Retransmitting} {s.TotalRetransmissions} ooo {s.ReceivedOutOfOrder} rate {s.PacingRateBytes * 8} {s.DeliveryRateBytes * 8} flags {Letters(s.Flags)} {s.TokenRemote:x4} {s.RemoteId} {s.TokenLocal:x4} {s.LocalId}"));
        }

        return facts;
    }

    /// <summary>Facts of what the tools printed.</summary>
    /// <exception cref="FormatException">An output does not look as expected.</exception>
    public static SortedSet<string> Of(ToolOutputs tools)
    {
        ArgumentNullException.ThrowIfNull(tools);
        var facts = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var l in Json(tools.Links).EnumerateArray())
        {
            var (rx, tx) = (l.GetProperty("stats64").GetProperty("rx"), l.GetProperty("stats64").GetProperty("tx"));
            var up = l.GetProperty("flags").EnumerateArray().Any(f => f.GetString() == "UP");
            facts.Add(Text($"link {l.GetProperty("ifname")} {l.GetProperty("ifindex")} {l.GetProperty("mtu")} {l.GetProperty("operstate").GetString()?.ToLowerInvariant()} {l.GetProperty("address")} {up} rx {rx.GetProperty("bytes")} {rx.GetProperty("packets")} {rx.GetProperty("errors")} {rx.GetProperty("dropped")} {rx.GetProperty("multicast")} tx {tx.GetProperty("bytes")} {tx.GetProperty("packets")} {tx.GetProperty("errors")} {tx.GetProperty("dropped")} {tx.GetProperty("collisions")}"));
        }

        foreach (var e in Json(tools.Endpoints).EnumerateArray())
        {
            var flags = string.Join(' ', EndpointWords.Where(w => e.TryGetProperty(w.Word, out _)).Select(w => w.Word));
            var port = e.TryGetProperty("port", out var p) ? p.GetInt32() : 0;
            facts.Add(Text($"endpoint {e.GetProperty("id")} {e.GetProperty("address")} {port} {flags} {(e.TryGetProperty("dev", out var dev) ? dev.GetString() : "")}"));
        }

        foreach (var counter in Json(tools.Counters).GetProperty("kernel").EnumerateObject())
        {
            facts.Add(Text($"counter {counter.Name} {counter.Value}"));
        }

        foreach (var (head, v, flags) in Sockets(tools.Connections))
        {
            facts.Add(Text($"mptcp {head} subflows {v("subflows")} {v("subflows_max")} addr {v("add_addr_signal")} {v("add_addr_accepted")} fallback {flags.Contains("fallback")} key {flags.Contains("remote_key")} {v("token")} {v("write_seq")} {v("snd_una")} {v("rcv_nxt")}"));
        }

        foreach (var (head, v, flags) in Sockets(tools.Subflows))
        {
            var token = TokenPattern().Match(v("token"));
            if (!token.Success)
            {
                continue; // plain TCP
            }

            var rtt = v("rtt").Split('/');
            var retrans = v("retrans").Split('/');
            facts.Add(Text($"subflow {head} {flags[0]} rto {Microseconds(v("rto"))} rtt {Microseconds(rtt[0])} {Microseconds(rtt[^1])} {Microseconds(v("minrtt"))} mss {v("mss")} cwnd {v("cwnd")} bytes {v("bytes_sent")} {v("bytes_retrans")} {v("bytes_acked")} {v("bytes_received")} segs {v("segs_out")} {v("segs_in")} unacked {v("unacked")} lost {v("lost")} retrans {retrans[0]} {retrans[^1]} ooo {v("rcv_ooopack")} rate {Bits(After(flags, "pacing_rate"))} {Bits(After(flags, "delivery_rate"))} flags {v("flags")} {token.Groups[1]} {token.Groups[2]} {token.Groups[3]} {token.Groups[4]}"));
        }

        return facts;
    }

    private static IEnumerable<(string Head, Func<string, string> Value, string[] Words)> Sockets(string output)
    {
        var lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        for (var i = 0; i + 1 < lines.Length; i++)
        {
            if (!lines[i].StartsWith("ESTAB", StringComparison.Ordinal) || lines[i + 1][0] != '\t')
            {
                continue;
            }

            var head = lines[i].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            var words = lines[i + 1].Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            var values = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var word in words)
            {
                if (word.IndexOf(':', StringComparison.Ordinal) is var colon and > 0)
                {
                    values[word[..colon]] = word[(colon + 1)..];
                }
            }

            yield return ($"{head[3]} {head[4]} {head[1]} {head[2]}", name => values.GetValueOrDefault(name, "0"), words);
        }
    }

    private static string Letters(uint flags) => string.Concat("MmJjBbecv".Where((_, bit) => (flags & (1u << bit)) != 0));

    private static string After(string[] words, string name) => Array.IndexOf(words, name) is var at and >= 0 && at + 1 < words.Length ? words[at + 1] : "0bps";

    private static string Bits(string rate) => rate.EndsWith("bps", StringComparison.Ordinal) ? rate[..^3] : rate;

    // ss prints times with six significant digits.
    private static long? Shown(uint? microseconds) => microseconds is { } us ? Microseconds((us / 1000.0).ToString("G6", CultureInfo.InvariantCulture)) : null;

    private static long Microseconds(string milliseconds) => (long)Math.Round(double.Parse(milliseconds, CultureInfo.InvariantCulture) * 1000);

    private static string Text(FormattableString text) => FormattableString.Invariant(text);

    private static JsonElement Json(string text)
    {
        using var document = JsonDocument.Parse(text);
        return document.RootElement.Clone();
    }

    [GeneratedRegex(@"^([0-9a-f]+)\(id:(\d+)\)/([0-9a-f]+)\(id:(\d+)\)$")]
    private static partial Regex TokenPattern();
}

/// <summary>What the tools printed: <c>ss -Mni</c>, <c>ss -tni</c>, <c>ip -j -s link</c>, <c>ip -j mptcp endpoint</c>, <c>nstat -j -as</c>.</summary>
public sealed record ToolOutputs(string Connections, string Subflows, string Links, string Endpoints, string Counters);
