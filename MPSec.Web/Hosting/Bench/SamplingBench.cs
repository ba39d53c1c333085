using System.Diagnostics;
using System.Globalization;
using System.Runtime;
using MPSec.Linux.Gateways;
using MPSec.Linux.Processes;
using MPSec.Linux.Values;

namespace MPSec.Hosting.Bench;

/// <summary>Measures one full reading against the tools that print the same facts, in alternating rounds on the same namespace.</summary>
public sealed class SamplingBench(ICommandRunner runner, TimeProvider time)
{
    /// <summary>The tools' processor time must be at least this many times ours.</summary>
    public const double RatioBar = 5;

    /// <summary>Share of one core that one reading per second may cost.</summary>
    public const double ShareBar = 0.015;

    /// <summary>The parts of a reading that the five tools print too; the rest (addresses, routes, rules, shapers, limits, settings) comes on top.</summary>
    public const ReadingScope ToolsFacts = ReadingScope.Links | ReadingScope.Endpoints | ReadingScope.Connections | ReadingScope.Subflows | ReadingScope.Counters;

    private const int ReadingsPerRound = 10;
    private const int ToolRunsPerRound = 2;
    private const int MostWarmUps = 30;
    private const int SecondsAtOneHertz = 10;

    private static readonly string[][] Tools =
        [["ss", "-Mni"], ["ss", "-tni"], ["ip", "-j", "-s", "link"], ["ip", "-j", "mptcp", "endpoint"], ["nstat", "-j", "-as"]];

    /// <summary>Runs the bench.</summary>
    /// <param name="rounds">Alternating rounds.</param>
    /// <param name="progress">One sentence per step.</param>
    /// <param name="cancellationToken">Ends it; everything made is removed.</param>
    /// <exception cref="IOException">A step failed.</exception>
    public async Task<SamplingReport> RunAsync(int rounds, Action<string> progress, CancellationToken cancellationToken)
    {
        progress($"making {SamplingWorld.Interfaces} interfaces and {SamplingWorld.Connections} MPTCP connections with two subflows each");
        await using var world = await SamplingWorld.CreateAsync(runner, time, cancellationToken);
        using var reader = GatewayReader.Open(world.Measured);
        progress("comparing the facts with those of the tools");
        var (facts, differences) = await CompareAsync(reader, world.Measured, cancellationToken);
        progress("warming up");
        await WarmUpAsync(reader, world.Measured, cancellationToken);
        var list = new List<SamplingRound>();
        for (var round = 1; round <= rounds; round++)
        {
            var load = (await File.ReadAllTextAsync("/proc/loadavg", cancellationToken)).Split(' ')[0];
            var full = MeasureOwn(reader, ReadingScope.Usual);
            var own = MeasureOwn(reader, ToolsFacts);
            var tools = await MeasureToolsAsync(world.Measured, cancellationToken);
            list.Add(new(double.Parse(load, CultureInfo.InvariantCulture), own.Cpu, own.Wall, full.Cpu, full.Allocated, tools.Cpu, tools.Wall));
            progress(string.Create(CultureInfo.InvariantCulture,
                $"round {round}: load {load}, ours {own.Cpu:0.00} ms CPU, tools {tools.Cpu:0.0} ms CPU, ratio {tools.Cpu / own.Cpu:0.0}"));
        }

        progress($"reading once a second for {SecondsAtOneHertz} s");
        var share = await MeasureShareAsync(reader, cancellationToken);
        var last = reader.Read();
        return new()
        {
            Interfaces = last.Links.Length,
            Connections = last.Connections.Length,
            Subflows = last.Subflows.Length,
            Counters = last.Counters.Count,
            FactsCompared = facts,
            Differences = differences,
            Rounds = list,
            OwnCpuMs = Median(list.Select(r => r.OwnCpuMs)),
            OwnWallMs = Median(list.Select(r => r.OwnWallMs)),
            FullCpuMs = Median(list.Select(r => r.FullCpuMs)),
            FullCpuRatio = Median(list.Select(r => r.ToolsCpuMs / r.FullCpuMs)),
            ToolsCpuMs = Median(list.Select(r => r.ToolsCpuMs)),
            ToolsWallMs = Median(list.Select(r => r.ToolsWallMs)),
            CpuRatio = Median(list.Select(r => r.ToolsCpuMs / r.OwnCpuMs)),
            WallRatio = Median(list.Select(r => r.ToolsWallMs / r.OwnWallMs)),
            AllocatedBytesPerReading = (long)Median(list.Select(r => (double)r.AllocatedBytes)),
            CoreShareAtOneHertz = share,
        };
    }

    // A service has long been compiled to its fastest form: rounds that do not count, until one passes without the compiler at work.
    private async Task WarmUpAsync(GatewayReader reader, GatewayName measured, CancellationToken cancellationToken)
    {
        for (var i = 0; i < MostWarmUps; i++)
        {
            var compiled = JitInfo.GetCompiledMethodCount();
            MeasureOwn(reader, ReadingScope.Usual);
            MeasureOwn(reader, ToolsFacts);
            await MeasureToolsAsync(measured, cancellationToken);
            await Task.Delay(TimeSpan.FromMilliseconds(250), time, cancellationToken); // the compiler begins 100 ms after the last new method
            if (JitInfo.GetCompiledMethodCount() == compiled)
            {
                return;
            }
        }
    }

    private static (double Cpu, double Wall, long Allocated) MeasureOwn(GatewayReader reader, ReadingScope scope)
    {
        GC.Collect(); // what the tools printed before is not on our account; the garbage of our own readings is
        var allocated = GC.GetAllocatedBytesForCurrentThread();
        var cpu = ResourceUsage.OwnTime;
        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < ReadingsPerRound; i++)
        {
            if (reader.Read(scope).Faults is { Length: > 0 } faults)
            {
                throw new IOException($"the reading is not complete: {faults[0].Part}: {faults[0].Reason}");
            }
        }

        var wall = Stopwatch.GetElapsedTime(started);
        cpu = ResourceUsage.OwnTime - cpu;
        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        return (cpu.TotalMilliseconds / ReadingsPerRound, wall.TotalMilliseconds / ReadingsPerRound, allocated / ReadingsPerRound);
    }

    private async Task<(double Cpu, double Wall)> MeasureToolsAsync(GatewayName measured, CancellationToken cancellationToken)
    {
        var cpu = ResourceUsage.ChildrenTime;
        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < ToolRunsPerRound; i++)
        {
            await RunToolsAsync(measured, cancellationToken);
        }

        var wall = Stopwatch.GetElapsedTime(started);
        cpu = ResourceUsage.ChildrenTime - cpu;
        return (cpu.TotalMilliseconds / ToolRunsPerRound, wall.TotalMilliseconds / ToolRunsPerRound);
    }

    private async Task<double> MeasureShareAsync(GatewayReader reader, CancellationToken cancellationToken)
    {
        var cpu = ResourceUsage.OwnTime;
        var started = time.GetTimestamp();
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), time);
        for (var i = 0; i < SecondsAtOneHertz && await timer.WaitForNextTickAsync(cancellationToken); i++)
        {
            reader.Read();
        }

        return (ResourceUsage.OwnTime - cpu) / time.GetElapsedTime(started);
    }

    // The namespace is idle, but timers of the kernel still fire now and then: compared is what stood still between two readings.
    private async Task<(int Facts, IReadOnlyList<string> Differences)> CompareAsync(GatewayReader reader, GatewayName measured, CancellationToken cancellationToken)
    {
        const int Attempts = 20;
        for (var attempt = 1; ; attempt++)
        {
            var before = SamplingFacts.Of(reader.Read());
            var tools = SamplingFacts.Of(await RunToolsAsync(measured, cancellationToken));
            var after = SamplingFacts.Of(reader.Read());
            if (before.SetEquals(after) || attempt == Attempts)
            {
                return (after.Count, [.. after.Except(tools).Select(f => "only read: " + f), .. tools.Except(after).Select(f => "only printed: " + f)]);
            }

            await Task.Delay(TimeSpan.FromSeconds(1), time, cancellationToken);
        }
    }

    private async Task<ToolOutputs> RunToolsAsync(GatewayName measured, CancellationToken cancellationToken)
    {
        var outputs = new string[Tools.Length];
        for (var i = 0; i < Tools.Length; i++)
        {
            // No session of its own: that would be one exec more on the tools' account.
            var result = await runner.RunAsync(
                new(Tools[i][0], Tools[i][1..]) { Gateway = measured, OutputLimit = 16 << 20, OwnSession = false },
                cancellationToken);
            outputs[i] = result.Succeeded ? result.Output : throw new IOException($"{string.Join(' ', Tools[i])}: {result.Error.Trim()}");
        }

        return new(outputs[0], outputs[1], outputs[2], outputs[3], outputs[4]);
    }

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }
}

/// <summary>One alternating round; times are per reading, in milliseconds.</summary>
/// <param name="Load">Load average over one minute before the round.</param>
/// <param name="OwnCpuMs">Processor time of this process, all threads, for what the tools tell too.</param>
/// <param name="OwnWallMs">Time on the clock for the same.</param>
/// <param name="FullCpuMs">Processor time of this process for a whole reading.</param>
/// <param name="AllocatedBytes">Managed memory taken by a whole reading.</param>
/// <param name="ToolsCpuMs">Processor time of the tools.</param>
/// <param name="ToolsWallMs">Time on the clock.</param>
public sealed record SamplingRound(double Load, double OwnCpuMs, double OwnWallMs, double FullCpuMs, long AllocatedBytes, double ToolsCpuMs, double ToolsWallMs);

/// <summary>Result of the sampling bench; times are medians per reading, in milliseconds.</summary>
public sealed record SamplingReport
{
    /// <summary>Interfaces read.</summary>
    public required int Interfaces { get; init; }

    /// <summary>MPTCP sockets read.</summary>
    public required int Connections { get; init; }

    /// <summary>Subflows read.</summary>
    public required int Subflows { get; init; }

    /// <summary>Counters read.</summary>
    public required int Counters { get; init; }

    /// <summary>Lines of facts compared with the tools.</summary>
    public required int FactsCompared { get; init; }

    /// <summary>Facts that differ; none when both sides agree.</summary>
    public required IReadOnlyList<string> Differences { get; init; }

    /// <summary>Each round.</summary>
    public required IReadOnlyList<SamplingRound> Rounds { get; init; }

    /// <summary>Our processor time for what the tools tell too.</summary>
    public required double OwnCpuMs { get; init; }

    /// <summary>Our processor time for a whole reading: addresses, routes, rules, shapers, limits and settings on top.</summary>
    public required double FullCpuMs { get; init; }

    /// <summary>Tools' processor time divided by that of our whole reading; median of the rounds' ratios.</summary>
    public required double FullCpuRatio { get; init; }

    /// <summary>Our time on the clock.</summary>
    public required double OwnWallMs { get; init; }

    /// <summary>The tools' processor time.</summary>
    public required double ToolsCpuMs { get; init; }

    /// <summary>The tools' time on the clock.</summary>
    public required double ToolsWallMs { get; init; }

    /// <summary>Tools' processor time divided by ours; median of the rounds' ratios.</summary>
    public required double CpuRatio { get; init; }

    /// <summary>Tools' time on the clock divided by ours; median of the rounds' ratios.</summary>
    public required double WallRatio { get; init; }

    /// <summary>Managed memory per reading, bytes.</summary>
    public required long AllocatedBytesPerReading { get; init; }

    /// <summary>Share of one core, measured while reading once a second (0.01 is one percent).</summary>
    public required double CoreShareAtOneHertz { get; init; }

    /// <summary>Both sides tell the same facts.</summary>
    public bool FactsAgree => Differences.Count == 0;

    /// <summary>The ratio reaches its bar, for the facts that both tell and for the whole reading, which tells more.</summary>
    public bool RatioHolds => CpuRatio >= SamplingBench.RatioBar && FullCpuRatio >= SamplingBench.RatioBar;

    /// <summary>The share stays below its bar.</summary>
    public bool ShareHolds => CoreShareAtOneHertz < SamplingBench.ShareBar;

    /// <summary>Every bar holds.</summary>
    public bool Passed => FactsAgree && RatioHolds && ShareHolds;
}
