using System.Diagnostics;
using System.Globalization;
using MPSec.Linux.Processes;

namespace MPSec.Hosting.Bench;

/// <summary>A minute of the soak.</summary>
/// <param name="Minutes">Since its begin.</param>
/// <param name="ManagedBytes">Objects of the server after everything that is garbage was collected.</param>
/// <param name="OwnBytes">Memory that is the server's own, the least of six looks in the minute: heap, stacks and compiled code, without pages of files, which the kernel takes back when it needs them.</param>
/// <param name="ResidentBytes">All memory that the server holds, with pages of files; the least of the same six looks.</param>
/// <param name="CpuPercent">Processor time of the server since the minute before, percent of one core.</param>
public sealed record SoakPoint(double Minutes, double ManagedBytes, double OwnBytes, double ResidentBytes, double CpuPercent);

/// <summary>What <see cref="SoakBench"/> found.</summary>
/// <param name="Connections">MPTCP connections that were shown.</param>
/// <param name="Dashboards">Dashboards that showed them.</param>
/// <param name="Points">One per minute.</param>
public sealed record SoakReport(int Connections, int Dashboards, IReadOnlyList<SoakPoint> Points)
{
    /// <summary>The warm-up, minutes: the first half, at most an hour. So long the runtime goes on compiling what is used often, and its heap finds its size.</summary>
    public double WarmUpMinutes => Math.Min(60, Points[^1].Minutes / 2);

    /// <summary>Points after the warm-up.</summary>
    public IReadOnlyList<SoakPoint> Settled => [.. Points.Where(p => p.Minutes > WarmUpMinutes)];

    /// <summary>Growth of the objects, MiB an hour: a line by least squares through <see cref="Settled"/>.</summary>
    public double ManagedSlope => Slope(p => p.ManagedBytes);

    /// <summary>Growth of the server's own memory, MiB an hour.</summary>
    public double OwnSlope => Slope(p => p.OwnBytes);

    /// <summary>Growth of all memory held, MiB an hour.</summary>
    public double ResidentSlope => Slope(p => p.ResidentBytes);

    /// <summary>The bar for objects.</summary>
    public bool ObjectsHold => ManagedSlope < SoakBench.SlopeBar;

    /// <summary>The bar for the server's own memory.</summary>
    public bool OwnHolds => OwnSlope < SoakBench.SlopeBar;

    /// <summary>Both.</summary>
    public bool Passed => ObjectsHold && OwnHolds;

    private double Slope(Func<SoakPoint, double> value)
    {
        var points = Settled;
        var (x, y) = (points.Average(p => p.Minutes / 60), points.Average(value) / 1048576);
        var spread = points.Sum(p => Math.Pow((p.Minutes / 60) - x, 2));
        return spread > 0 ? points.Sum(p => ((p.Minutes / 60) - x) * ((value(p) / 1048576) - y)) / spread : 0;
    }
}

/// <summary>Has a server of its own work for hours: ten readings a second of 1,000 connections, shown on 20 dashboards. Looks whether its memory grows.</summary>
public sealed class SoakBench(ICommandRunner runner, TimeProvider time)
{
    /// <summary>Growth after the warm-up, MiB an hour: of the objects, and of all memory that is the server's own.</summary>
    public const double SlopeBar = 1;

    private const int Dashboards = 20;
    private const int LooksPerMinute = 6;
    private const int IntervalMs = 100;

    /// <summary>Runs it.</summary>
    /// <param name="minutes">How long, 4 to 1440.</param>
    /// <param name="progress">One sentence per minute.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="IOException">The world or the server could not be made, or a dashboard ended.</exception>
    public async Task<SoakReport> RunAsync(int minutes, Action<string> progress, CancellationToken cancellationToken)
    {
        progress($"making {SamplingWorld.Connections} connections and a server of its own");
        await using var world = await SamplingWorld.CreateAsync(runner, time, cancellationToken);
        await using var server = await BenchServer.StartAsync(runner, IntervalMs, cancellationToken);
        var circuits = new List<HeadlessCircuit>();
        try
        {
            string[] pages = ["multipath", "connections", "", "system"];
            for (var i = 0; i < Dashboards; i++)
            {
                circuits.Add(await HeadlessCircuit.OpenAsync(server.Client, server.Cookies, new(server.Address, $"/{pages[i % pages.Length]}?gateway={world.Measured}"), cancellationToken));
            }

            var points = new List<SoakPoint>();
            var clock = Stopwatch.StartNew();
            var (cpu, at) = ((await server.FiguresAsync(cancellationToken)).CpuSeconds, clock.Elapsed);
            for (var minute = 1; minute <= minutes; minute++)
            {
                var (own, resident) = (double.MaxValue, double.MaxValue);
                for (var look = 1; look <= LooksPerMinute; look++)
                {
                    var left = TimeSpan.FromMinutes(minute - 1 + ((double)look / LooksPerMinute)) - clock.Elapsed;
                    await Task.Delay(left > TimeSpan.Zero ? left : TimeSpan.Zero, time, cancellationToken);
                    var memory = await server.MemoryAsync(cancellationToken);
                    (own, resident) = (Math.Min(own, memory.Own), Math.Min(resident, memory.Resident));
                }

                var spent = (await server.FiguresAsync(cancellationToken)).CpuSeconds;
                var percent = 100 * (spent - cpu) / (clock.Elapsed - at).TotalSeconds;
                await server.CollectAsync(cancellationToken);
                var figures = await server.FiguresAsync(cancellationToken);
                (cpu, at) = (figures.CpuSeconds, clock.Elapsed);
                if (circuits.FirstOrDefault(c => c.Ended is not null) is { } ended)
                {
                    throw new IOException($"a dashboard ended: {ended.Ended}");
                }

                points.Add(new(clock.Elapsed.TotalMinutes, figures.ManagedBytes, own, resident, percent));
                progress(string.Create(CultureInfo.InvariantCulture, $"minute {minute}: {figures.ManagedBytes / 1048576:0.00} MiB of objects, {own / 1048576:0.0} MiB its own, {resident / 1048576:0.0} MiB held, {percent:0} % of a core"));
            }

            return new(SamplingWorld.Connections, Dashboards, points);
        }
        finally
        {
            foreach (var circuit in circuits)
            {
                await circuit.DisposeAsync();
            }
        }
    }
}
