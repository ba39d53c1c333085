using System.Globalization;
using System.Security.Cryptography;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Jobs;
using MPSec.Linux.Processes;
using MPSec.Linux.Procfs;

namespace MPSec.Features.Kernel;

/// <summary>
/// Builds a kernel, from its source to packages that were proved in a virtual machine. It works in a folder of its own; nothing of this machine changes. After an
/// interruption it goes on where it was: make knows what is compiled.
/// </summary>
public sealed class KernelBuild : IJobKind
{
    internal const string KindKey = "kernel-build";

    // Each build has a release of its own: its package never replaces the files of another kernel, least of all of the one that runs. The number is given to make and not
    // put into the configuration, which every file includes: the cache would find none of them again.
    private const string LocalName = "\"-mpsec\"";

    private readonly ICommandRunner _commands;
    private readonly KernelSourceFetcher _fetcher;
    private readonly KernelConfigurer _configurer;
    private readonly KernelBuildStore _store;
    private readonly AuditLog _audit;
    private readonly StateFolder _folder;
    private readonly TimeProvider _time;

    /// <summary>The kind as the program has it.</summary>
    public KernelBuild(ICommandRunner commands, KernelSourceFetcher fetcher, KernelConfigurer configurer, KernelBuildStore store, AuditLog audit, StateFolder folder, TimeProvider time)
    {
        (_commands, _fetcher, _configurer, _store, _audit, _folder, _time) = (commands, fetcher, configurer, store, audit, folder, time);
        Steps =
        [
            new("preflight", "StepPreflight", PreflightAsync),
            new("source", "StepSource", SourceAsync),
            new("configure", "StepConfigure", ConfigureAsync),
            new("compile", "StepCompile", CompileAsync),
            new("package", "StepPackage", PackageAsync),
            new("prove", "StepProve", ProveAsync),
            new("keep", "StepKeep", KeepAsync),
        ];
    }

    /// <inheritdoc/>
    public string Key => KindKey;

    /// <inheritdoc/>
    public Type Texts => typeof(KernelTexts);

    /// <inheritdoc/>
    public string TitleKey => "BuildTitle";

    /// <inheritdoc/>
    public IReadOnlyList<JobStep> Steps { get; }

    /// <inheritdoc/>
    public bool Resumable => true;

    /// <inheritdoc/>
    public JobLane Lane => JobLane.Long;

    /// <inheritdoc/>
    public int MostAtOnce => 1;

    /// <inheritdoc/>
    public IReadOnlyList<string> Roles => ["Administrator"];

    /// <inheritdoc/>
    public Type ParameterType => typeof(KernelBuildParameters);

    /// <inheritdoc/>
    public object UsualParameters => KernelBuildParameters.Usual;

    /// <inheritdoc/>
    public string? Check(object parameters) => parameters is KernelBuildParameters asked ? asked.Check() : "parameters: name profile and source";

    private async Task PreflightAsync(JobContext context)
    {
        var (asked, profile) = Asked(context);
        var preflight = new KernelPreflight(_commands);
        var jobs = asked.Jobs ?? KernelPreflight.UsualJobs(preflight.AvailableMemory() ?? 0);
        Directory.CreateDirectory(_folder.KernelFolder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await RemoveLeftAsync(context);
        var stops = new List<string>();
        foreach (var finding in preflight.Look(profile, jobs, _folder.KernelFolder, _time.GetUtcNow()))
        {
            context.Log($"{finding.Level.ToString().ToUpperInvariant()} {finding.Key}: {finding.Sentence}");
            if (finding.Level == KernelPreflightLevel.Stop)
            {
                stops.Add(finding.Sentence);
            }
        }

        if (!asked.WithoutProof && (KernelProver.NotAvailable ?? Missing(new KernelProver(_commands).MissingPackages())) is { } unproved)
        {
            stops.Add($"the proof in a virtual machine: {unproved}; or build without the proof");
        }

        if (asked.Rpm && _commands.Find("rpmbuild") is null)
        {
            stops.Add("rpmbuild, which makes .rpm, is not there: install the package rpm (installer/set-up.sh --for kernel), or build without it");
        }

        if (stops.Count > 0)
        {
            throw new JobFailedException(string.Join("; ", stops));
        }

        await context.RememberAsync(new Plan(jobs));
        context.Outcome = jobs == 1 ? "1 compiler" : string.Create(CultureInfo.InvariantCulture, $"{jobs} compilers at once");
    }

    // A build that failed or was cancelled leaves some gigabytes, to be looked into until the next one begins. What is unfinished, or was to be kept, stays.
    private async Task RemoveLeftAsync(JobContext context)
    {
        var work = Path.GetDirectoryName(Work(context))!;
        var unfinished = await context.UnfinishedRunsAsync();
        foreach (var left in Directory.Exists(work) ? Directory.GetDirectories(work) : [])
        {
            if (long.TryParse(Path.GetFileName(left), NumberStyles.None, CultureInfo.InvariantCulture, out var run) && !unfinished.Contains(run) && !_store.IsKept(run))
            {
                context.Log($"removing what job {run} left");
                await Task.Run(() => Directory.Delete(left, recursive: true), context.CancellationToken);
            }
        }
    }

    private async Task SourceAsync(JobContext context)
    {
        var (asked, _) = Asked(context);
        try
        {
            var source = await _fetcher.FetchAsync(asked.Source, Path.Combine(Work(context), "source"), context.RequestedBy, context.Log, context.Report, context.CancellationToken);
            await context.RememberAsync(source);
            context.Outcome = source.Version;
        }
        catch (KernelSourceRefusedException e)
        {
            await _audit.AppendAsync(context.RequestedBy, "kernel.source", "host", asked.Source.ToString(), $"refused: {e.Verdict}", CancellationToken.None);
            throw new JobFailedException(e.Message, e);
        }
        catch (IOException e)
        {
            throw new JobFailedException(e.Message, e);
        }
    }

    private async Task ConfigureAsync(JobContext context)
    {
        var (asked, profile) = Asked(context);
        var source = Need<KernelSource>(context, "source");

        var name = KernelFragment.Of([new("LOCALVERSION", LocalName)]);
        var extra = asked.Fragment is { } text ? KernelFragment.TryParse(text, out _)!.With(name) : name;
        try
        {
            var done = await _configurer.ConfigureAsync(profile, extra, source.Tree, Objects(context), context.Log, context.CancellationToken);
            foreach (var fault in done.Faults)
            {
                context.Log($"{(fault.Fault.IsHarmless ? "note" : "MISSING")}: {fault.Fault.Wanted}, found {fault.Fault.Found}: {fault.Reason}");
            }

            if (done.Faults.FirstOrDefault(f => !f.Fault.IsHarmless) is { } first)
            {
                var count = done.Faults.Count(f => !f.Fault.IsHarmless);
                throw new JobFailedException($"{count} {(count == 1 ? "option" : "options")} did not come out as asked for: {first.Fault.Wanted} ({first.Reason}){(count > 1 ? "; the log names the others" : "")}");
            }

            await File.WriteAllTextAsync(Path.Combine(Work(context), "promised"), profile.Fragment.With(extra).ToString(), context.CancellationToken);
            await File.WriteAllLinesAsync(Path.Combine(Work(context), "config.diff"), [.. done.Added.Select(l => "+ " + l), .. done.Removed.Select(l => "- " + l)], context.CancellationToken);
            await context.RememberAsync(new Configured(done.Release + Number(context), done.Sha256));
            context.Outcome = string.Create(CultureInfo.InvariantCulture, $"{done.Added.Length + done.Removed.Length} {(done.Added.Length + done.Removed.Length == 1 ? "change" : "changes")}");
        }
        catch (IOException e)
        {
            throw new JobFailedException(e.Message, e);
        }
    }

    private async Task CompileAsync(JobContext context)
    {
        var log = new KernelBuildLog();
        context.Report(null, "preparing");
        await MakeAsync(context, "prepare", log, log.Take, "prepare");
        var expected = context.Recall<Expected>()?.Objects ?? await CountAsync(context, log);
        var progress = new KernelBuildProgress(expected, _time);
        await MakeAsync(context, "all", log, line =>
        {
            log.Take(line);
            if (progress.Tell(log) is { } words)
            {
                context.Report(progress.Percent, words);
            }
        }, "all");
        await context.RememberAsync(new Expected(Math.Max(expected, log.Done)));
        context.Outcome = string.Create(CultureInfo.InvariantCulture, $"{log.Done:N0} objects, {log.Warnings} {(log.Warnings == 1 ? "warning" : "warnings")}");
    }

    // What make would compile, without compiling it.
    private async Task<int> CountAsync(JobContext context, KernelBuildLog log)
    {
        context.Report(null, "counting what is to be compiled");
        var planned = new HashSet<string>(StringComparer.Ordinal);
        await _commands.RunAsync(
            new("make", ["-n", "-k", .. Make(context), "all"])
            {
                Timeout = TimeSpan.FromMinutes(5),
                OutputLimit = 0,
                OnLine = line =>
                {
                    if (KernelBuildLog.Planned(line.Text) is { } name)
                    {
                        planned.Add(name);
                    }
                },
            },
            context.CancellationToken);
        await context.RememberAsync(new Expected(planned.Count + log.Done));
        context.Log($"{planned.Count} objects to compile");
        return planned.Count + log.Done;
    }

    private async Task PackageAsync(JobContext context)
    {
        var configured = Need<Configured>(context, "configure");
        var log = new KernelBuildLog();
        context.Report(null, "making the packages");

        // The tools were looked for one by one, so dpkg's own view of what is installed does not count (-d): it knows nothing of programs built by hand.
        await MakeAsync(context, "deb", log, log.Take, string.Create(CultureInfo.InvariantCulture, $"KDEB_PKGVERSION={configured.Release}-{context.RunId}"), "DPKG_FLAGS=-d", "bindeb-pkg");
        if (Asked(context).Asked.Rpm)
        {
            context.Report(null, "making the .rpm");
            var rpms = Path.Combine(Objects(context), "rpmbuild", "RPMS");
            if (Directory.Exists(rpms))
            {
                Directory.Delete(rpms, recursive: true); // of an attempt that was interrupted
            }

            // RPM's own database of what is installed is empty on other distributions.
            await MakeAsync(context, "rpm", log, log.Take, "RPMOPTS=--nodeps", "binrpm-pkg");
            foreach (var file in Directory.Exists(rpms) ? Directory.GetFiles(rpms, "kernel-*.rpm", SearchOption.AllDirectories) : [])
            {
                // What other programs on the machine are compiled with is the distribution's.
                if (!Path.GetFileName(file).StartsWith("kernel-headers", StringComparison.Ordinal))
                {
                    File.Copy(file, Path.Combine(Work(context), Path.GetFileName(file)), overwrite: true);
                }
            }

            if (Rpms(context).Length == 0)
            {
                throw new JobFailedException("make binrpm-pkg ended well, but left no .rpm; its lines in the log say what it made");
            }
        }

        string[] packages = [.. Packages(context), .. Rpms(context)];
        if (!packages.Any(p => Path.GetFileName(p).StartsWith("linux-image-" + configured.Release, StringComparison.Ordinal)))
        {
            throw new JobFailedException($"make bindeb-pkg ended well, but left no package of {configured.Release}; its lines in the log say what it made");
        }

        context.Outcome = string.Create(CultureInfo.InvariantCulture, $"{packages.Length} {(packages.Length == 1 ? "package" : "packages")}, {packages.Sum(p => new FileInfo(p).Length) / 1048576.0:0.0} MiB");
    }

    private async Task ProveAsync(JobContext context)
    {
        if (Asked(context).Asked.WithoutProof)
        {
            context.Outcome = "left out";
            return;
        }

        context.Report(null, "starting the kernel in a virtual machine");
        var report = Path.Combine(Work(context), "proof.json");
        var image = Packages(context).First(p => Path.GetFileName(p).StartsWith("linux-image-", StringComparison.Ordinal));
        var code = await context.RunSelfAsync("prove", ["kernel", "prove", "--package", image, "--promised", Path.Combine(Work(context), "promised"), "--report", report], restart: true);
        var proof = KernelBuildStore.ReadProof(report) ?? throw new JobFailedException($"the proof could not be made (exit code {code}); the log says why");
        context.Outcome = proof.Passed
            ? string.Create(CultureInfo.InvariantCulture, $"proved ({proof.Accelerator}), {proof.OnePathMbit:0} Mbit/s over one path, {proof.TwoPathsMbit:0} over two")
            : throw new JobFailedException($"the kernel did not prove itself in a virtual machine: {string.Join("; ", proof.Faults.Take(3))}");
    }

    private async Task KeepAsync(JobContext context)
    {
        var work = Work(context);
        var configured = Need<Configured>(context, "configure");
        if (!_store.IsKept(context.RunId))
        {
            string[] files = [.. Packages(context), .. Rpms(context), Path.Combine(work, "config.diff"), Path.Combine(work, "promised"), .. File.Exists(Path.Combine(work, "proof.json")) ? [Path.Combine(work, "proof.json")] : Array.Empty<string>()];
            File.Copy(Path.Combine(Objects(context), ".config"), Path.Combine(work, "config"), overwrite: true);
            var artefacts = new List<KernelArtefact>();
            foreach (var file in files.Append(Path.Combine(work, "config")))
            {
                var stream = File.OpenRead(file);
                await using (stream)
                {
                    artefacts.Add(new(Path.GetFileName(file), stream.Length, Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, context.CancellationToken))));
                }
            }

            var compiler = await _commands.RunAsync(new("gcc", "--version"), context.CancellationToken);
            await _store.KeepAsync(
                new(context.RunId, configured.Release, Asked(context).Asked.Profile, Need<KernelSource>(context, "source"), configured.Sha256, compiler.Output.Split('\n')[0], MachineText.Value(await File.ReadAllTextAsync("/etc/os-release", context.CancellationToken), "PRETTY_NAME"),
                    context.RequestedBy, _time.GetUtcNow(), Need<Plan>(context, "preflight").Jobs, Need<Expected>(context, "compile").Objects, [.. artefacts], [.. context.Steps.Where(s => s is { StartedAt: not null, FinishedAt: not null }).Select(s => new KernelBuildTime(s.Key, (s.FinishedAt!.Value - s.StartedAt!.Value).TotalSeconds))],
                    KernelBuildStore.ReadProof(Path.Combine(work, "proof.json"))),
                work,
                context.CancellationToken);
            await _audit.AppendAsync(context.RequestedBy, "kernel.build", "host", configured.Release, "built", CancellationToken.None);
        }

        if (!Asked(context).Asked.KeepTree && Directory.Exists(work))
        {
            context.Report(null, "removing source and objects");
            await Task.Run(() => Directory.Delete(work, recursive: true), context.CancellationToken);
        }

        context.Outcome = configured.Release;
    }

    private async Task MakeAsync(JobContext context, string key, KernelBuildLog log, Action<string> line, params string[] targets)
    {
        var code = await context.RunProgramAsync(
            key,
            new ProgramCall("nice", ["-n", "10", "make", string.Create(CultureInfo.InvariantCulture, $"-j{Need<Plan>(context, "preflight").Jobs}"), .. Make(context), .. targets]) { Environment = Cache(context) },
            line,
            restart: true);
        if (code != 0)
        {
            throw new JobFailedException(log.Explain($"make {targets[^1]}", code));
        }
    }

    private IReadOnlyList<string> Make(JobContext context) =>
    [
        "-C", Need<KernelSource>(context, "source").Tree, "O=" + Objects(context), "LOCALVERSION=" + Number(context),
        .. _commands.Find("ccache") is null ? Array.Empty<string>() : ["CC=ccache gcc"],
    ];

    // Fixed names and times let the cache find an object again; what differs between two builds stands in very few of them.
    private Dictionary<string, string> Cache(JobContext context) => new()
    {
        ["CCACHE_DIR"] = _folder.CompilerCache,
        ["CCACHE_BASEDIR"] = Work(context),
        ["CCACHE_NOHASHDIR"] = "1",
        ["CCACHE_MAXSIZE"] = "5G",
        ["KBUILD_BUILD_USER"] = "mpsec",
        ["KBUILD_BUILD_HOST"] = "mpsec",
        ["KBUILD_BUILD_TIMESTAMP"] = string.Create(CultureInfo.InvariantCulture, $"{context.RequestedAt:yyyy-MM-dd}"),
    };

    private string[] Packages(JobContext context) =>
        [.. Directory.GetFiles(Work(context), string.Create(CultureInfo.InvariantCulture, $"linux-*_{Need<Configured>(context, "configure").Release}-{context.RunId}_*.deb"))
            .Where(p => !Path.GetFileName(p).StartsWith("linux-libc-dev", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    private string[] Rpms(JobContext context) => Asked(context).Asked.Rpm ? [.. Directory.GetFiles(Work(context), "kernel-*.rpm").Order(StringComparer.Ordinal)] : [];

    private static string Number(JobContext context) => context.RunId.ToString(CultureInfo.InvariantCulture);

    private string Work(JobContext context) => _folder.KernelWork(context.RunId);

    private string Objects(JobContext context) => Path.Combine(Work(context), "objects");

    private static (KernelBuildParameters Asked, KernelProfile Profile) Asked(JobContext context)
    {
        var asked = context.Parameters<KernelBuildParameters>();
        return (asked, KernelProfileTable.All.First(p => p.Key == asked.Profile));
    }

    private static TMemory Need<TMemory>(JobContext context, string step)
        where TMemory : class => context.Recall<TMemory>(step) ?? throw new JobFailedException($"what the step {step} found is not there any more; run the job again");

    private static string? Missing(IReadOnlyList<string> packages) => packages.Count == 0 ? null : $"these packages are missing: {string.Join(", ", packages)}";

    private sealed record Plan(int Jobs);

    private sealed record Configured(string Release, string Sha256);

    private sealed record Expected(int Objects);
}
