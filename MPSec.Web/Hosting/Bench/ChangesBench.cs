using System.Diagnostics;
using System.Globalization;
using MPSec.Changes;
using MPSec.Changes.Kernel;
using MPSec.Linux.Processes;

namespace MPSec.Hosting.Bench;

/// <summary>
/// Measures the one door: checked changes with their dead-man, the journal on disk (synchronous=FULL) and the inverse of every operation, against the same
/// operations by <c>ip -batch</c>, which has none of these, in alternating rounds; and how long a preview takes.
/// </summary>
public sealed class ChangesBench(ICommandRunner runner, TimeProvider time)
{
    /// <summary>Paths of the gateway.</summary>
    public const int Paths = 8;

    /// <summary>Routes in the table of each path.</summary>
    public const int RoutesPerPath = 25;

    /// <summary>The preview must be there within this many milliseconds.</summary>
    public const double PreviewBarMs = 50;

    private const int Previews = 15;

    /// <summary>Runs the bench.</summary>
    /// <param name="rounds">Alternating rounds.</param>
    /// <param name="paths">Paths, 1 to 8.</param>
    /// <param name="routesPerPath">Routes of each, at least 3.</param>
    /// <param name="progress">One sentence per step.</param>
    /// <param name="cancellationToken">Ends it; everything made is removed.</param>
    /// <exception cref="IOException">A step failed.</exception>
    /// <exception cref="ChangeException">The door refused.</exception>
    public async Task<ChangesReport> RunAsync(int rounds, int paths, int routesPerPath, Action<string> progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(progress);
        progress($"making a gateway with {paths} paths");
        var arming = new List<double>();
        await using var world = await ChangesWorld.CreateAsync(runner, time, paths, routesPerPath, services =>
        {
            services.AddSingleton<DetachedDeadMan>();
            services.AddSingleton<IDeadManStart>(p => new TimedDeadMan(p.GetRequiredService<DetachedDeadMan>(), p.GetRequiredService<ChangeJournal>(), time, arming));
        }, cancellationToken);
        var (additions, removals) = (world.Additions, world.Removals);
        progress("warming up");
        await ApplyAsync(world, additions, cancellationToken);
        await ApplyAsync(world, removals, cancellationToken);
        await world.RunByToolAsync(additions, cancellationToken);
        await world.RunByToolAsync(removals, cancellationToken);
        var cold = arming[0];
        arming.Clear();
        var operations = additions.Count + removals.Count;
        var list = new List<ChangesRound>();
        for (var round = 1; round <= rounds; round++)
        {
            var load = double.Parse((await File.ReadAllTextAsync("/proc/loadavg", cancellationToken)).Split(' ')[0], CultureInfo.InvariantCulture);
            var own = await MeasureAsync(async list => await ApplyAsync(world, list, cancellationToken), additions, removals);
            var tool = await MeasureAsync(async list => await world.RunByToolAsync(list, cancellationToken), additions, removals);
            list.Add(new(load, own, tool));
            progress(string.Create(CultureInfo.InvariantCulture, $"round {round}: load {load:0.00}, ours {own:0.0} ms, ip -batch {tool:0.0} ms for {operations} operations"));
        }

        progress("looking ahead");
        await ApplyAsync(world, additions, cancellationToken);
        var (preview, single, shown) = await PreviewAsync(world, cancellationToken);
        return new()
        {
            Paths = paths,
            Routes = paths * routesPerPath,
            Operations = operations,
            Rounds = list,
            OwnPerSecond = Median(list.Select(r => operations / r.OwnMs * 1000)),
            ToolPerSecond = Median(list.Select(r => operations / r.ToolMs * 1000)),
            Ratio = Median(list.Select(r => r.ToolMs / r.OwnMs)),
            PreviewedOperations = world.Previewed.Count,
            PreviewedCommands = shown,
            PreviewMs = preview,
            PreviewOneByOneMs = single,
            ArmColdMs = cold,
            ArmWarmMs = Median(arming),
        };
    }

    private static async Task<double> MeasureAsync(Func<IReadOnlyList<HostOperation>, Task> work, IReadOnlyList<HostOperation> additions, IReadOnlyList<HostOperation> removals)
    {
        var started = Stopwatch.GetTimestamp();
        await work(additions);
        await work(removals);
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }

    private static async Task ApplyAsync(ChangesWorld world, IReadOnlyList<HostOperation> operations, CancellationToken cancellationToken)
    {
        var changes = world.Services.GetRequiredService<ChangeService>();
        var pending = await changes.ApplyCheckedAsync(new() { TitleCode = "bench", Operations = [.. operations] }, ChangeActor.System, null, cancellationToken);
        await changes.ConfirmAsync(pending.Id, ChangeActor.System, cancellationToken);
    }

    private static async Task<(double Preview, double OneByOne, int Shown)> PreviewAsync(ChangesWorld world, CancellationToken cancellationToken)
    {
        var changes = world.Services.GetRequiredService<ChangeService>();
        var kernel = world.Services.GetRequiredService<IHostKernel>();
        var plan = new ChangePlan { TitleCode = "bench", Operations = [.. world.Previewed] };
        var (times, single, shown) = (new List<double>(), new List<double>(), 0);
        for (var i = 0; i < Previews; i++)
        {
            var started = Stopwatch.GetTimestamp();
            shown = (await changes.PreviewAsync(plan, cancellationToken)).Commands.Length;
            times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            started = Stopwatch.GetTimestamp();
            foreach (var operation in plan.Operations)
            {
                _ = kernel.InverseOf(operation);
            }

            single.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }

        return (Median(times), Median(single), shown);
    }

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length == 0 ? 0 : sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>Notes how long it takes until the dead-man stands ready.</summary>
    private sealed class TimedDeadMan(IDeadManStart inner, ChangeJournal journal, TimeProvider time, List<double> took) : IDeadManStart
    {
        public async Task StartAsync(Guid change, CancellationToken cancellationToken)
        {
            var started = Stopwatch.GetTimestamp();
            await inner.StartAsync(change, cancellationToken);
            while (!await journal.IsGuardedAsync(change, cancellationToken) && Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(60))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(5), time, cancellationToken);
            }

            took.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }
    }
}

/// <summary>One alternating round: everything added and taken away again.</summary>
/// <param name="Load">Load average over one minute before the round.</param>
/// <param name="OwnMs">Two checked changes, confirmed, milliseconds.</param>
/// <param name="ToolMs">Two runs of <c>ip -batch</c>, milliseconds.</param>
public sealed record ChangesRound(double Load, double OwnMs, double ToolMs);

/// <summary>Result of the changes bench; figures are medians.</summary>
public sealed record ChangesReport
{
    /// <summary>Paths of the gateway.</summary>
    public required int Paths { get; init; }

    /// <summary>Routes of all paths.</summary>
    public required int Routes { get; init; }

    /// <summary>Operations of one round.</summary>
    public required int Operations { get; init; }

    /// <summary>Each round.</summary>
    public required IReadOnlyList<ChangesRound> Rounds { get; init; }

    /// <summary>Operations per second through the door.</summary>
    public required double OwnPerSecond { get; init; }

    /// <summary>Operations per second by <c>ip -batch</c>.</summary>
    public required double ToolPerSecond { get; init; }

    /// <summary>Time of the tool divided by ours; median of the rounds' ratios.</summary>
    public required double Ratio { get; init; }

    /// <summary>Operations of the previewed plan.</summary>
    public required int PreviewedOperations { get; init; }

    /// <summary>Commands that the preview showed.</summary>
    public required int PreviewedCommands { get; init; }

    /// <summary>Time of a preview, milliseconds.</summary>
    public required double PreviewMs { get; init; }

    /// <summary>The same when the kernel is asked anew for each operation, milliseconds.</summary>
    public required double PreviewOneByOneMs { get; init; }

    /// <summary>Until the dead-man stood ready when its process had to be started, milliseconds.</summary>
    public required double ArmColdMs { get; init; }

    /// <summary>Until the one that was still there stood ready, milliseconds.</summary>
    public required double ArmWarmMs { get; init; }

    /// <summary>The preview reaches its bar.</summary>
    public bool PreviewHolds => PreviewMs < ChangesBench.PreviewBarMs;

    /// <summary>Every bar holds.</summary>
    public bool Passed => PreviewHolds;
}
