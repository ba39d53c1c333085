using System.Globalization;
using System.Security.Claims;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Features.Kernel;
using MPSec.Hosting.Auth;
using MPSec.Jobs;
using MPSec.Linux.Processes;

namespace MPSec.Hosting.Bench;

/// <summary>A round of <see cref="KernelBuildBench"/>: the same compiled by both.</summary>
/// <param name="BareSeconds">Time that bare make had the machine, until it ended.</param>
/// <param name="JobSeconds">The same of the job, from asking for it until its end was known.</param>
/// <param name="BareCpu">Processor time that was spent meanwhile, seconds.</param>
/// <param name="JobCpu">The same of the job, with all that MPSec did for it.</param>
/// <param name="OwnCpu">What this program itself took of it, in place of the server: the job, its database, the log followed live.</param>
public readonly record struct KernelBuildRound(double BareSeconds, double JobSeconds, double BareCpu, double JobCpu, double OwnCpu)
{
    /// <summary>Wall time under the job over that of bare make.</summary>
    public double WallRatio => JobSeconds / BareSeconds;

    /// <summary>Processor time under the job over that of bare make.</summary>
    public double CpuRatio => JobCpu / BareCpu;
}

/// <summary>What <see cref="KernelBuildBench"/> found.</summary>
/// <param name="Objects">Objects that were compiled by each.</param>
/// <param name="Jobs">Compilers at once.</param>
/// <param name="Rounds">The rounds.</param>
public sealed record KernelBuildReport(int Objects, int Jobs, IReadOnlyList<KernelBuildRound> Rounds)
{
    /// <summary>Wall time under the job over that of bare make, median of the rounds.</summary>
    public double WallRatio => MedianOf(r => r.WallRatio);

    /// <summary>Processor time under the job over that of bare make, median of the rounds.</summary>
    public double CpuRatio => MedianOf(r => r.CpuRatio);

    /// <summary>Median of a figure of all rounds.</summary>
    public double MedianOf(Func<KernelBuildRound, double> figure) => Rounds.Select(figure).Order().ToArray() is var all ? (all[(all.Length - 1) / 2] + all[all.Length / 2]) / 2 : 0;

    /// <summary>The bar.</summary>
    public bool Passed => WallRatio <= KernelBuildBench.Bar && CpuRatio <= KernelBuildBench.Bar;
}

/// <summary>
/// Compiles a part of a kernel by bare make and under a job with its log followed live. Both take turns of half a second on all processors, the other one is halted
/// meanwhile: one after the other would measure how the speed of the machine changes, which on shared hardware is five times the bar within minutes.
/// </summary>
public sealed class KernelBuildBench(ICommandRunner commands, TimeProvider time)
{
    /// <summary>Most that the job may cost, as a multiple of bare make.</summary>
    public const double Bar = 1.03;

    private static readonly TimeSpan s_turn = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_endLimit = TimeSpan.FromSeconds(30);
    private static readonly string[] s_targets = ["net/ipv4/", "net/mptcp/"];
    private static readonly ClaimsPrincipal s_who = new(new ClaimsIdentity([new(ClaimTypes.Role, UserRole.Administrator)], "bench"));

    /// <summary>Runs it.</summary>
    /// <param name="tree">A kernel's source; it is not altered.</param>
    /// <param name="rounds">Rounds, at least 3.</param>
    /// <param name="progress">One sentence per round. There is one before the first, in which files are read from the disk and code is compiled, as in a server that has just begun.</param>
    /// <param name="cancellationToken">Ends it; what was started ends too, and nothing is left.</param>
    /// <exception cref="IOException">It could not be configured or compiled.</exception>
    public async Task<KernelBuildReport> RunAsync(string tree, int rounds, Action<string> progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(progress);
        var root = Directory.CreateTempSubdirectory("mpsec-bench-kernel-").FullName;
        try
        {
            var folders = new List<string>();
            foreach (var name in (string[])["bare", "job"])
            {
                progress($"configuring, {folders.Count + 1} of 2");
                folders.Add(Path.Combine(root, name));
                await new KernelConfigurer(commands).ConfigureAsync(KernelProfileTable.All.First(p => p.Key == KernelBuildParameters.Usual.Profile), null, tree, folders[^1], _ => { }, cancellationToken);
                await MakeAsync([.. Make(tree, folders[^1]), "prepare"], null, cancellationToken);
            }

            var step = new BenchStep([.. Make(tree, folders[1]), .. s_targets]);
            using var host = Build(Path.Combine(root, "state"), step);
            await host.StartAsync(cancellationToken);
            var done = new List<KernelBuildRound>();
            for (var number = 0; number <= rounds; number++)
            {
                folders.ForEach(Clean);
                var round = await RoundAsync(host, [.. Make(tree, folders[0]), .. s_targets], jobFirst: number % 2 == 1, cancellationToken);
                if (number > 0)
                {
                    done.Add(round);
                }

                progress(string.Create(CultureInfo.InvariantCulture, $"{(number == 0 ? "warm-up" : $"round {number}")}: bare {round.BareSeconds:0.0} s, job {round.JobSeconds:0.0} s, wall {round.WallRatio:0.000}; processors {round.CpuRatio:0.000}, {round.OwnCpu:0.00} s by this program"));
            }

            await host.StopAsync(cancellationToken);
            return new(step.Objects, Environment.ProcessorCount, done);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    private async Task<KernelBuildRound> RoundAsync(IHost host, string[] make, bool jobFirst, CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        ProcessIdentity? leader = null;
        long? run = null;
        var bare = new Turns(() => MakeAsync(make, pid => leader = ProcessIdentity.Of(pid), end.Token), () => leader);
        var job = new Turns(() => JobAsync(host, started => run = started, end.Token), () => run is { } id ? new ChildFiles(host.Services.GetRequiredService<StateFolder>().JobFolder(id), BenchStep.Program).ReadIdentity() : null);
        var own = ResourceUsage.OwnTime;
        try
        {
            var (now, next) = jobFirst ? (job, bare) : (bare, job);
            while (!bare.Ended || !job.Ended)
            {
                var (began, busy, before) = (time.GetTimestamp(), Busy(), ResourceUsage.OwnTime);
                await now.TakeAsync(s_turn);
                now.Seconds += time.GetElapsedTime(began).TotalSeconds;
                now.Cpu += Busy() - busy;
                if (now == bare)
                {
                    // What this program does meanwhile is the job's, in processor time and in the time that it took from bare make.
                    var taken = (ResourceUsage.OwnTime - before).TotalSeconds;
                    (bare.Cpu, job.Cpu) = (bare.Cpu - taken, job.Cpu + taken);
                    (bare.Seconds, job.Seconds) = (bare.Seconds - taken / Environment.ProcessorCount, job.Seconds + taken / Environment.ProcessorCount);
                }

                if (!next.Ended)
                {
                    (now, next) = (next, now);
                }
            }

            return new(bare.Seconds, job.Seconds, bare.Cpu, job.Cpu, (ResourceUsage.OwnTime - own).TotalSeconds);
        }
        finally
        {
            bare.Resume();
            job.Resume();
            await end.CancelAsync();
            await bare.ForgetAsync();
            await job.ForgetAsync();
            if (run is { } id)
            {
                await EndAsync(host.Services.GetRequiredService<JobEngine>(), id);
            }
        }
    }

    // A job outlives whoever follows it, and this one works in folders that go.
    private static async Task EndAsync(JobEngine engine, long run)
    {
        using var limit = new CancellationTokenSource(s_endLimit);
        for (var asked = false; await engine.FindAsync(run, limit.Token) is { IsActive: true }; asked = true)
        {
            if (!asked)
            {
                await engine.CancelAsync(run, s_who, limit.Token);
            }

            await Task.Delay(100, limit.Token);
        }
    }

    // User, system and interrupt time of all processors since boot (proc_stat(5)), seconds.
    private static double Busy()
    {
        var words = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return ((int[])[1, 2, 3, 6, 7]).Sum(at => double.Parse(words[at], CultureInfo.InvariantCulture)) / 100;
    }

    private static string[] Make(string tree, string objects) => ["-C", tree, "O=" + objects, FormattableString.Invariant($"-j{Environment.ProcessorCount}")];

    private static void Clean(string objects)
    {
        foreach (var file in s_targets.Select(t => Path.Combine(objects, t)).Where(Directory.Exists).SelectMany(d => Directory.GetFiles(d, "*", SearchOption.AllDirectories)))
        {
            File.Delete(file);
        }
    }

    private static IHost Build(string state, BenchStep step)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.AddFilter(_ => false);
        builder.Services.AddSingleton<IHostLifetime, NoSignals>().AddSingleton(TimeProvider.System).AddMPSecData(state).AddMPSecChanges().AddMPSecJobs().AddSingleton<IJobKind>(step);
        return builder.Build();
    }

    private async Task MakeAsync(string[] arguments, Action<int>? started, CancellationToken cancellationToken)
    {
        var made = await commands.RunAsync(new("nice", ["-n", "10", "make", .. arguments]) { Timeout = TimeSpan.FromHours(1), OnStarted = started }, cancellationToken);
        if (!made.Succeeded)
        {
            throw new IOException($"make failed: {made.Error.Trim().Split('\n')[^1]}");
        }
    }

    private static async Task JobAsync(IHost host, Action<long> started, CancellationToken cancellationToken)
    {
        var engine = host.Services.GetRequiredService<JobEngine>();
        var news = host.Services.GetRequiredService<JobFeed>().ListenAsync(cancellationToken);
        var run = await engine.StartAsync(BenchStep.Name, new NoJobParameters(), s_who, cancellationToken);
        started(run);
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

    /// <summary>One of the two that compile, turn by turn.</summary>
    /// <param name="begin">Starts it.</param>
    /// <param name="leader">The leader of its process group; null until it is there.</param>
    private sealed class Turns(Func<Task> begin, Func<ProcessIdentity?> leader)
    {
        private Task? _work;

        public double Seconds { get; set; }

        public double Cpu { get; set; }

        public bool Ended => _work is { IsCompleted: true };

        /// <summary>Lets it go on for a turn, or to its end when that comes first or its programs are gone already.</summary>
        public async Task TakeAsync(TimeSpan turn)
        {
            if (_work is null)
            {
                _work = begin();
            }
            else
            {
                Resume();
            }

            await Task.WhenAny(_work, Task.Delay(turn));
            while (!_work.IsCompleted && leader() is null)
            {
                await Task.WhenAny(_work, Task.Delay(10));
            }

            if (_work.IsCompleted || !ProcessSession.Suspend(leader()!))
            {
                await _work;
            }
        }

        public void Resume()
        {
            if (leader() is { } known)
            {
                ProcessSession.Resume(known);
            }
        }

        public async Task ForgetAsync()
        {
            await Task.WhenAny(_work ?? Task.CompletedTask);
            _ = _work?.Exception; // it was told already, or it was cut off
        }
    }

    /// <summary>A signal is for the bench, which ends its job; a host that stops by itself leaves the job's program alone, as the server does.</summary>
    private sealed class NoSignals : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    /// <summary>A job of one step: the compile step of a build on a part of the tree.</summary>
    private sealed class BenchStep(string[] make) : IJobKind
    {
        public const string Name = "bench-make";
        public const string Program = StepKey + "." + ProgramKey;
        private const string StepKey = "compile";
        private const string ProgramKey = "all";

        public int Objects { get; private set; }

        public string Key => Name;

        public Type Texts => typeof(KernelTexts);

        public string TitleKey => "BuildTitle";

        public IReadOnlyList<JobStep> Steps =>
        [
            new(StepKey, "StepCompile", async context =>
            {
                var log = new KernelBuildLog();
                var progress = new KernelBuildProgress(1, TimeProvider.System);
                var code = await context.RunProgramAsync(ProgramKey, new ProgramCall("nice", ["-n", "10", "make", .. make]), line =>
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
