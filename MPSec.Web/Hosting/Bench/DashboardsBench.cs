using System.Diagnostics;
using System.Globalization;
using MPSec.Linux.Processes;

namespace MPSec.Hosting.Bench;

/// <summary>Measures what readers cost: a server of its own with one dashboard and with many, and how long a change in the kernel takes to the page.</summary>
public sealed class DashboardsBench(ICommandRunner runner, TimeProvider time)
{
    /// <summary>Processor time of 50 dashboards as a multiple of that of one.</summary>
    public const double CpuBar = 15;

    /// <summary>Dashboards that <see cref="CpuBar"/> is meant for.</summary>
    public const int BarDashboards = 50;

    /// <summary>Live objects of a circuit, MiB.</summary>
    public const double MemoryBar = 2;

    /// <summary>Bytes of a chart in a tick.</summary>
    public const double ChartBar = 2048;

    /// <summary>From the kernel to the page, 95th percentile, seconds.</summary>
    public const double LatencyBar = 1.5;

    private const int Trials = 20;
    private static readonly TimeSpan s_settle = TimeSpan.FromSeconds(8);

    /// <summary>Runs the bench.</summary>
    /// <param name="dashboards">Dashboards, 2 to 500.</param>
    /// <param name="seconds">How long each number of them is measured.</param>
    /// <param name="progress">One sentence per step.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="IOException">The world or the server could not be made, or a dashboard ended.</exception>
    public async Task<DashboardsReport> RunAsync(int dashboards, int seconds, Action<string> progress, CancellationToken cancellationToken)
    {
        progress("making a gateway with three paths and a server of its own");
        await using var world = await DashboardsWorld.CreateAsync(runner, cancellationToken);
        await using var server = await BenchServer.StartAsync(runner, 1000, cancellationToken);
        var page = new Uri(server.Address, $"/multipath?gateway={world.Shown}");
        var circuits = new List<HeadlessCircuit>();
        try
        {
            // What runs often is compiled better: all of it runs often before anything is measured.
            await OpenAsync(dashboards);
            await LeaveAsync();
            await OpenAsync(1);
            var one = await MeasureAsync();
            progress(string.Create(CultureInfo.InvariantCulture, $"1 dashboard: {one.CpuPercent:0.0} % of a core, {one.ManagedBytes / 1048576:0.0} MiB of objects; opening {dashboards - 1} more"));
            await OpenAsync(dashboards - 1);
            var many = await MeasureAsync();
            progress(string.Create(CultureInfo.InvariantCulture, $"{dashboards} dashboards: {many.CpuPercent:0.0} % of a core, {many.ManagedBytes / 1048576:0.0} MiB of objects"));
            await LeaveAsync();
            var latencies = await LatenciesAsync(world, server, page, progress, cancellationToken);
            return new()
            {
                Dashboards = dashboards,
                Seconds = seconds,
                One = one,
                Many = many,
                LatencySeconds = latencies,
            };
        }
        finally
        {
            foreach (var circuit in circuits)
            {
                await circuit.DisposeAsync();
            }
        }

        async Task OpenAsync(int count)
        {
            for (var i = 0; i < count; i++)
            {
                circuits.Add(await HeadlessCircuit.OpenAsync(server.Client, server.Cookies, page, cancellationToken));
            }

            foreach (var circuit in circuits)
            {
                await circuit.WaitForChartsAsync(cancellationToken);
            }

            await Task.Delay(s_settle, time, cancellationToken);
        }

        async Task LeaveAsync()
        {
            foreach (var circuit in circuits)
            {
                await circuit.LeaveAsync(server.Client, cancellationToken);
            }

            circuits.Clear();
        }

        async Task<DashboardsRound> MeasureAsync()
        {
            await server.CollectAsync(cancellationToken);
            var live = await server.FiguresAsync(cancellationToken);
            var load = double.Parse((await File.ReadAllTextAsync("/proc/loadavg", cancellationToken)).Split(' ')[0], CultureInfo.InvariantCulture);
            var (before, traffic, clock) = (await server.FiguresAsync(cancellationToken), Sum(), Stopwatch.StartNew());
            await Task.Delay(TimeSpan.FromSeconds(seconds), time, cancellationToken);
            var (after, came, spent) = (await server.FiguresAsync(cancellationToken), Sum() - traffic, clock.Elapsed.TotalSeconds);
            return circuits.FirstOrDefault(c => c.Ended is not null) is { } ended
                ? throw new IOException($"a dashboard ended: {ended.Ended}")
                : new(circuits.Count, 100 * (after.CpuSeconds - before.CpuSeconds) / spent, live.ManagedBytes, after.ResidentBytes, came.Renders / spent / circuits.Count, came.Bytes / spent / circuits.Count,
                    came.ChartCalls == 0 ? null : (double)came.ChartBytes / came.ChartCalls, load);
        }

        CircuitTraffic Sum() => circuits.Aggregate(default(CircuitTraffic), (sum, c) => sum + c.Traffic);
    }

    /// <summary>Seconds from bytes in the kernel to the frame of a real browser that shows them; null without a browser.</summary>
    private async Task<IReadOnlyList<double>?> LatenciesAsync(DashboardsWorld world, BenchServer server, Uri page, Action<string> progress, CancellationToken cancellationToken)
    {
        await using var browser = await BenchBrowser.StartAsync(runner, cancellationToken);
        if (browser is null)
        {
            return null;
        }

        var figure = $"document.querySelector('.if[data-interface=\"{DashboardsWorld.Silent}\"] .rates b')?.textContent";
        await browser.GoAsync(page, server.CookieList, $"{figure} === '0'", cancellationToken);
        progress($"{Trials} bursts on a silent path, each seen by Chromium");
        var all = new List<double>();
        for (var trial = 0; trial < Trials; trial++)
        {
            await browser.AskAsync($"new Promise(done => {{ const look = () => {figure} === '0' ? done(true) : setTimeout(look, 50); look(); }})", cancellationToken);
            await Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.Next(1000)), time, cancellationToken); // anywhere between two readings
            var seen = browser.AskAsync($"new Promise(done => {{ const look = () => {figure} !== '0' ? requestAnimationFrame(() => done(Date.now())) : requestAnimationFrame(look); look(); }})", cancellationToken);
            await Task.Delay(100, cancellationToken);
            var sent = time.GetUtcNow();
            world.Burst();
            all.Add(((await seen)!.GetValue<double>() - sent.ToUnixTimeMilliseconds()) / 1000);
        }

        return all;
    }
}
