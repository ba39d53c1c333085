using System.Collections.Immutable;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Features.Lab;

/// <summary>What one path carried during a measured run, both directions, with headers.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Interface">Interface name.</param>
/// <param name="RateMbit">Rate of its shaper, Mbit/s.</param>
/// <param name="CarriedMbit">Data direction on the wire by the interface's counters, Mbit/s.</param>
/// <param name="SharePercent">Of what all paths carried.</param>
public sealed record LabRunPath(int Number, string Interface, double RateMbit, double CarriedMbit, double SharePercent);

/// <summary>Result of a measured run.</summary>
public sealed record LabRunResult
{
    /// <summary>Name of the lab.</summary>
    public required string Lab { get; init; }

    /// <summary>What was sent.</summary>
    public required LabTransferSettings Settings { get; init; }

    /// <summary>Time that was measured, seconds; the first second after the first byte is left out.</summary>
    public required double Seconds { get; init; }

    /// <summary>Payload that arrived, both directions together, Mbit/s.</summary>
    public required double GoodputMbit { get; init; }

    /// <summary>Most that TCP can carry at these rates, over all directions used, Mbit/s.</summary>
    public required double HeaderLimitedMbit { get; init; }

    /// <summary>Goodput of the header-limited sum, percent.</summary>
    public required double Percent { get; init; }

    /// <summary>Longest time without a received byte, milliseconds; resolution 10 ms.</summary>
    public required double LongestStallMs { get; init; }

    /// <summary>Connections that broke and were made again.</summary>
    public required int Reconnects { get; init; }

    /// <summary>Processor time of sender and receiver together, percent of one core.</summary>
    public required double CpuPercent { get; init; }

    /// <summary>Connections at the end.</summary>
    public required ImmutableArray<LabFlowSnapshot> Flows { get; init; }

    /// <summary>What each path carried.</summary>
    public required ImmutableArray<LabRunPath> Paths { get; init; }
}

/// <summary>Runs a transfer of its own for a while and measures it at the receiver.</summary>
public static class LabRun
{
    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <summary>Measures <paramref name="duration"/>, after one second that is left out.</summary>
    /// <exception cref="IOException">No byte arrived within 10 s; the message says why.</exception>
    public static async Task<LabRunResult> MeasureAsync(LabSpec spec, LabTransferSettings settings, TimeSpan duration, TimeProvider time, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(time);
        LabTransferSnapshot? last = null;
        var transfer = LabTransfer.Start(spec, settings, time, s => last = s);
        await using (transfer)
        {
            var begun = time.GetTimestamp();
            while (transfer.Totals is { AToBBytes: 0, BToABytes: 0 })
            {
                if (transfer.Ended.IsCompleted || time.GetElapsedTime(begun) > s_patience)
                {
                    throw new IOException(last?.Reason ?? $"lab {spec.Name}: no byte arrived within {s_patience.TotalSeconds:0} s");
                }

                await Task.Delay(TimeSpan.FromMilliseconds(20), time, cancellationToken);
            }

            await Task.Delay(s_warmUp, time, cancellationToken);
            using var readerA = GatewayReader.Open(spec.A);
            using var readerB = GatewayReader.Open(spec.B);
            var (linksA, linksB) = (Counters(readerA), Counters(readerB));
            var (before, cpu, stamp) = (transfer.Totals, Environment.CpuUsage.TotalTime, time.GetTimestamp());
            await Task.Delay(duration, time, cancellationToken);
            var (after, wall) = (transfer.Totals, time.GetElapsedTime(stamp));
            var cpuPercent = (Environment.CpuUsage.TotalTime - cpu) / wall * 100;
            var (linksA2, linksB2) = (Counters(readerA), Counters(readerB));

            var seconds = (after.At - before.At).TotalSeconds;
            var goodput = (after.AToBBytes - before.AToBBytes + after.BToABytes - before.BToABytes) * 8 / seconds / 1e6;
            var limit = spec.HeaderLimitedMbit * (settings.Direction == LabDirection.Both ? 2 : 1);
            var carried = spec.Paths.Select((_, i) => Carried(i + 1)).ToArray();
            return new()
            {
                Lab = spec.Name,
                Settings = settings with { Congestion = LabTransfer.ChooseCongestion(settings.Congestion) },
                Seconds = seconds,
                GoodputMbit = goodput,
                HeaderLimitedMbit = limit,
                Percent = goodput / limit * 100,
                LongestStallMs = last?.LongestStall.TotalMilliseconds ?? 0,
                Reconnects = last?.Reconnects ?? 0,
                CpuPercent = cpuPercent,
                Flows = last?.Flows ?? [],
                Paths = [.. spec.Paths.Select((p, i) => new LabRunPath(i + 1, LabLayout.Interface(i + 1).Value, p.RateMbit, carried[i], carried.Sum() is > 0 and var sum ? carried[i] / sum * 100 : 0))],
            };

            double Carried(int number)
            {
                var name = LabLayout.Interface(number).Value;
                var bytes = settings.Direction switch
                {
                    LabDirection.AToB => Sent(linksA, linksA2),
                    LabDirection.BToA => Sent(linksB, linksB2),
                    _ => Sent(linksA, linksA2) + Sent(linksB, linksB2),
                };
                return bytes * 8 / wall.TotalSeconds / 1e6;

                double Sent(Dictionary<string, ulong> from, Dictionary<string, ulong> to) => to.GetValueOrDefault(name) - (double)from.GetValueOrDefault(name);
            }
        }
    }

    private static Dictionary<string, ulong> Counters(GatewayReader reader) =>
        reader.Read(ReadingScope.Links).Links.Where(l => l.Counters is not null).GroupBy(l => l.Name).ToDictionary(g => g.Key, g => g.First().Counters!.TxBytes, StringComparer.Ordinal);
}
