using System.Globalization;
using System.Security.Claims;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Features.Kernel;
using MPSec.Hosting.Auth;
using MPSec.Jobs;
using MPSec.Linux.Processes;

namespace MPSec.Hosting.Bench;

/// <summary>One run of <see cref="KernelBuildBench"/>: both compile the same at the same time.</summary>
/// <param name="BareSeconds">Wall time of bare make.</param>
/// <param name="JobSeconds">Wall time of the same under a job, its log followed live.</param>
/// <param name="BareCpu">Processor time that was spent on the processors of bare make until it ended, seconds.</param>
/// <param name="JobCpu">The same of the job, with all that MPSec does for it.</param>
public readonly record struct KernelBuildRun(double BareSeconds, double JobSeconds, double BareCpu, double JobCpu);

/// <summary>A round of <see cref="KernelBuildBench"/>: two runs, in the second one each is where the other was.</summary>
/// <param name="First">The first run.</param>
/// <param name="Swapped">The second run.</param>
public readonly record struct KernelBuildRound(KernelBuildRun First, KernelBuildRun Swapped)
{
    /// <summary>Wall time under the job over that of bare make.</summary>
    public double WallRatio => Math.Sqrt(First.JobSeconds / First.BareSeconds * (Swapped.JobSeconds / Swapped.BareSeconds));

    /// <summary>Processor time under the job over that of bare make.</summary>
    public double CpuRatio => Math.Sqrt(First.JobCpu / First.BareCpu * (Swapped.JobCpu / Swapped.BareCpu));
}

/// <summary>What <see cref="KernelBuildBench"/> found.</summary>
/// <param name="Objects">Objects that were compiled in each run.</param>
/// <param name="Jobs">Compilers at once, on each side.</param>
/// <param name="Rounds">The rounds.</param>
public sealed record KernelBuildReport(int Objects, int Jobs, IReadOnlyList<KernelBuildRound> Rounds)
{
    /// <summary>Wall time under the job over that of bare make, median of the rounds.</summary>
    public double WallRatio => Median(Rounds.Select(r => r.WallRatio));

    /// <summary>Processor time under the job over that of bare make, median of the rounds.</summary>
    public double CpuRatio => Median(Rounds.Select(r => r.CpuRatio));

    /// <summary>Median of a figure of all runs.</summary>
    public double MedianOf(Func<KernelBuildRun, double> figure) => Median(Rounds.SelectMany(r => new[] { figure(r.First), figure(r.Swapped) }));

    /// <summary>The bar.</summary>
    public bool Passed => WallRatio <= KernelBuildBench.Bar && CpuRatio <= KernelBuildBench.Bar;

    private static double Median(IEnumerable<double> values) => values.Order().ToArray() is var all ? (all[(all.Length - 1) / 2] + all[all.Length / 2]) / 2 : 0;
}

/// <summary>
/// Compiles a part of a kernel by bare make and under a job with its log followed live: both at the same time, each on one half of the processors, which they then swap. One
/// after the other would measure how the speed of the machine changes, which on shared hardware is five times the bar within minutes. All that MPSec does is done on the
/// job's processors.
/// </summary>
public sealed class KernelBuildBench(ICommandRunner commands, TimeProvider time)
{
    /// <summary>Most that the job may cost, as a multiple of bare make.</summary>
    public const double Bar = 1.03;

    private static readonly string[] s_targets = ["net/mptcp/", "net/xfrm/"];

    /// <summary>Runs it.</summary>
    /// <param name="tree">A kernel's source; it is not altered.</param>
    /// <param name="rounds">Rounds, at least 3.</param>
    /// <param name="progress">One sentence per round.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="IOException">It could not be configured or compiled, or the machine has one processor only.</exception>
    public async Task<KernelBuildReport> RunAsync(string tree, int rounds, Action<string> progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(progress);
        var all = Processors(await File.ReadAllLinesAsync("/proc/self/status", cancellationToken));
        var jobs = all.Length / 2;
        if (jobs == 0)
        {
            throw new IOException("bare make and the job need a processor each, and this program may use one only");
        }

        var root = Directory.CreateTempSubdirectory("mpsec-bench-kernel-").FullName;
        try
        {
            // Neighbours in number often share a core: then each side has one half of every core.
            var sides = new List<Side>();
            for (var i = 0; i < 2; i++)
            {
                var objects = Path.Combine(root, FormattableString.Invariant($"objects-{i}"));
                progress($"configuring, {i + 1} of 2");
                await new KernelConfigurer(commands).ConfigureAsync(KernelProfileTable.All.First(p => p.Key == KernelBuildParameters.Usual.Profile), null, tree, objects, _ => { }, cancellationToken);
                sides.Add(new([.. all.Where((_, at) => at % 2 == i).Take(jobs)], objects, ["-C", tree, "O=" + objects, FormattableString.Invariant($"-j{jobs}")]));
                await MakeAsync(all, [.. sides[i].Make, "prepare"], cancellationToken);
            }

            var step = new BenchStep();
            using var host = Build(Path.Combine(root, "state"), step);
            await host.StartAsync(cancellationToken);
            await RunAsync(host, step, sides[0], sides[1], cancellationToken); // the first one reads all files from the disk
            var done = new List<KernelBuildRound>();
            while (done.Count < rounds)
            {
                var round = new KernelBuildRound(await RunAsync(host, step, sides[0], sides[1], cancellationToken), await RunAsync(host, step, sides[1], sides[0], cancellationToken));
                done.Add(round);
                progress(string.Create(CultureInfo.InvariantCulture, $"round {done.Count}: bare {round.First.BareSeconds:0.0} and {round.Swapped.BareSeconds:0.0} s, job {round.First.JobSeconds:0.0} and {round.Swapped.JobSeconds:0.0} s; wall {round.WallRatio:0.000}, processors {round.CpuRatio:0.000}"));
            }

            await host.StopAsync(cancellationToken);
            return new(step.Objects, jobs, done);
        }
        finally
        {
            await PinAsync(all, CancellationToken.None);
            Directory.Delete(root, recursive: true);
        }
    }

    private async Task<KernelBuildRun> RunAsync(IHost host, BenchStep step, Side bare, Side job, CancellationToken cancellationToken)
    {
        await PinAsync(job.Processors, cancellationToken);
        step.Make = job.Make;
        bare.Clean();
        job.Clean();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var filling = Task.CompletedTask;
        try
        {
            var plain = MeasureAsync(bare, () => MakeAsync(bare.Processors, [.. bare.Make, .. s_targets], end.Token));
            var under = MeasureAsync(job, () => JobAsync(host, end.Token));
            var first = await Task.WhenAny(plain, under);
            await first;
            // Whoever is done first goes on compiling, so that the other one is not alone.
            var side = first == plain ? bare : job;
            side.Clean();
            filling = MakeAsync(side.Processors, [.. side.Make, .. s_targets], end.Token);
            var ((bareWall, bareCpu), (jobWall, jobCpu)) = (await plain, await under);
            return new(bareWall, jobWall, bareCpu, jobCpu);
        }
        finally
        {
            await end.CancelAsync();
            await Task.WhenAny(filling);
            _ = filling.Exception; // it was cut off
        }
    }

    // Cpus_allowed_list of proc_pid_status(5), such as "0-3,6".
    private static int[] Processors(string[] status) =>
    [
        .. status.First(l => l.StartsWith("Cpus_allowed_list:", StringComparison.Ordinal))["Cpus_allowed_list:".Length..].Trim().Split(',')
            .Select(r => r.Split('-').Select(n => int.Parse(n, CultureInfo.InvariantCulture)).ToArray()).SelectMany(r => Enumerable.Range(r[0], r[^1] - r[0] + 1)),
    ];

    private static string List(IEnumerable<int> processors) => string.Join(',', processors);

    // This program with all its threads, and all that it starts from now on.
    private async Task PinAsync(int[] processors, CancellationToken cancellationToken)
    {
        var own = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        var done = await commands.RunAsync(new("taskset", "--all-tasks", "--cpu-list", "--pid", List(processors), own), cancellationToken);
        if (!done.Succeeded)
        {
            throw new IOException($"taskset failed: {done.Error.Trim()}");
        }
    }

    private static IHost Build(string state, BenchStep step)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.AddFilter(_ => false);
        builder.Services.AddSingleton(TimeProvider.System).AddMPSecData(state).AddMPSecChanges().AddMPSecJobs().AddSingleton<IJobKind>(step);
        return builder.Build();
    }

    private async Task<(double Wall, double Cpu)> MeasureAsync(Side side, Func<Task> run)
    {
        var (begin, busy) = (time.GetTimestamp(), side.Busy());
        await run();
        return (time.GetElapsedTime(begin).TotalSeconds, side.Busy() - busy);
    }

    private async Task MakeAsync(int[] processors, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        var made = await commands.RunAsync(new("taskset", ["--cpu-list", List(processors), "nice", "-n", "10", "make", .. arguments]) { Timeout = TimeSpan.FromHours(1) }, cancellationToken);
        if (!made.Succeeded)
        {
            throw new IOException($"make failed: {made.Error.Trim().Split('\n')[^1]}");
        }
    }

    private static async Task JobAsync(IHost host, CancellationToken cancellationToken)
    {
        var engine = host.Services.GetRequiredService<JobEngine>();
        var news = host.Services.GetRequiredService<JobFeed>().ListenAsync(cancellationToken);
        var run = await engine.StartAsync("bench-make", new NoJobParameters(), new ClaimsPrincipal(new ClaimsIdentity([new(ClaimTypes.Role, UserRole.Administrator)], "bench")), cancellationToken);
        var offset = 0L;
        await foreach (var item in news)
        {
            // As a page that is open does it.
            offset = JobLogReader.Read(engine.LogPath(run), offset, (_, _) => { });
            if (item.Run == run && item.Change == JobChange.Run && await engine.FindAsync(run, cancellationToken) is { IsActive: false } ended)
            {
                if (ended.State != JobState.Succeeded)
                {
                    throw new IOException($"the job failed: {ended.Result}");
                }

                return;
            }
        }
    }

    /// <summary>Half of the processors, and what is compiled there.</summary>
    private sealed record Side(int[] Processors, string Objects, string[] Make)
    {
        public void Clean()
        {
            foreach (var file in s_targets.Select(t => Path.Combine(Objects, t)).Where(Directory.Exists).SelectMany(d => Directory.GetFiles(d, "*", SearchOption.AllDirectories)))
            {
                File.Delete(file);
            }
        }

        // User, system and interrupt time of its processors (proc_stat(5)), seconds.
        public double Busy() =>
        (
            from line in File.ReadLines("/proc/stat")
            let words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            where Processors.Any(p => words[0] == FormattableString.Invariant($"cpu{p}"))
            from at in (int[])[1, 2, 3, 6, 7]
            select double.Parse(words[at], CultureInfo.InvariantCulture) / 100).Sum();
    }

    /// <summary>A job of one step: the compile step of a build on a part of the tree.</summary>
    private sealed class BenchStep : IJobKind
    {
        public IReadOnlyList<string> Make { get; set; } = [];

        public int Objects { get; private set; }

        public string Key => "bench-make";

        public Type Texts => typeof(KernelTexts);

        public string TitleKey => "BuildTitle";

        public IReadOnlyList<JobStep> Steps =>
        [
            new("compile", "StepCompile", async context =>
            {
                var log = new KernelBuildLog();
                var progress = new KernelBuildProgress(1, TimeProvider.System);
                var code = await context.RunProgramAsync("all", new ProgramCall("nice", ["-n", "10", "make", .. Make, .. s_targets]), line =>
                {
                    log.Take(line);
                    if (progress.Tell(log) is { } words)
                    {
                        context.Report(progress.Percent, words);
                    }
                }, restart: true);
                Objects = log.Done;
                if (code != 0)
                {
                    throw new JobFailedException(log.Explain("make", code));
                }
            }),
        ];

        public bool Resumable => false;

        public JobLane Lane => JobLane.Long;

        public int MostAtOnce => 1;

        public IReadOnlyList<string> Roles => [UserRole.Administrator];
    }
}
