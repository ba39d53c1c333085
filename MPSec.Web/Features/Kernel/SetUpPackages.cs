using System.Text.Json;
using MPSec.Changes;
using MPSec.Jobs;
using MPSec.Linux.Processes;

namespace MPSec.Features.Kernel;

/// <summary>What to set up.</summary>
/// <param name="Groups">Groups of <see cref="SetUpPackageTable"/>: run, build, lab, kernel, test; may be empty when only something is repaired.</param>
/// <param name="Repair">First ends a package installation that was interrupted: <c>dpkg --configure -a</c>, where the user's versions of settings stay.</param>
public sealed record SetUpPackagesParameters(IReadOnlyList<string> Groups, bool Repair = false)
{
    /// <summary>What <c>set-up.sh</c> does when it is told nothing.</summary>
    public static SetUpPackagesParameters Usual { get; } = new(["run", "build", "lab"]);
}

/// <summary>The job that <c>installer/set-up.sh</c> does on the command line: installs the packages that are missing, by the host's own package manager.</summary>
public sealed class SetUpPackages : IJobKind
{
    private static readonly TimeSpan s_short = TimeSpan.FromMinutes(2);
    private static readonly Dictionary<string, string> s_quiet = new() { ["DEBIAN_FRONTEND"] = "noninteractive", ["APT_LISTCHANGES_FRONTEND"] = "none", ["NEEDRESTART_SUSPEND"] = "1" };

    private readonly ICommandRunner _commands;
    private readonly SetUpPackageProbe _probe;
    private readonly AuditLog _audit;
    private readonly IReadOnlyList<SetUpPackage> _packages;
    private readonly string _aptGet;
    private readonly string _dpkg;

    /// <summary>The kind as the program has it.</summary>
    public SetUpPackages(ICommandRunner commands, AuditLog audit)
        : this(commands, audit, new SetUpPackageProbe(commands), SetUpPackageTable.All, "apt-get", "dpkg")
    {
    }

    internal SetUpPackages(ICommandRunner commands, AuditLog audit, SetUpPackageProbe probe, IReadOnlyList<SetUpPackage> packages, string aptGet, string dpkg)
    {
        (_commands, _audit, _probe, _packages, _aptGet, _dpkg) = (commands, audit, probe, packages, aptGet, dpkg);
        Steps =
        [
            new("repair", "StepRepair", RepairAsync) { MayCancel = false },
            new("check", "StepCheck", CheckAsync),
            new("lists", "StepLists", UpdateListsAsync),
            new("install", "StepInstall", InstallAsync) { MayCancel = false },
            new("verify", "StepVerify", VerifyAsync),
        ];
    }

    /// <inheritdoc/>
    public string Key => "set-up-packages";

    /// <inheritdoc/>
    public Type Texts => typeof(SetUpPackagesTexts);

    /// <inheritdoc/>
    public string TitleKey => "Title";

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
    public Type ParameterType => typeof(SetUpPackagesParameters);

    /// <inheritdoc/>
    public object UsualParameters => SetUpPackagesParameters.Usual;

    /// <summary>What may be started when the package manager was found half done, by whichever job.</summary>
    /// <param name="failed">That job.</param>
    /// <param name="groups">What to set up afterwards.</param>
    public static JobOffer? RepairOf(JobRun failed, IReadOnlyList<string> groups)
    {
        ArgumentNullException.ThrowIfNull(failed);
        return failed.Result?.Contains(AptOutput.Repair, StringComparison.Ordinal) == true
            ? new("set-up-packages", new SetUpPackagesParameters(groups, Repair: true), typeof(SetUpPackagesTexts), "OfferRepair")
            : null;
    }

    /// <inheritdoc/>
    public JobOffer? Offer(JobRun failed)
    {
        ArgumentNullException.ThrowIfNull(failed);
        try
        {
            return RepairOf(failed, ((SetUpPackagesParameters)JobEngine.ReadParameters(this, failed.Parameters)).Groups);
        }
        catch (JsonException)
        {
            return RepairOf(failed, []); // a run of another version; the page that shows it must not end for that
        }
    }

    /// <inheritdoc/>
    public string? Check(object parameters) => parameters is SetUpPackagesParameters { Groups: { } groups } wanted && (wanted.Repair || groups.Count > 0)
        ? groups.FirstOrDefault(group => _packages.All(package => package.Group != group)) is { } unknown
            ? $"groups: there is no group '{unknown}'; the groups are {string.Join(", ", _packages.Select(package => package.Group).Distinct())}"
            : null
        : "groups: name at least one group, for example run";

    private void RequirePackageManager()
    {
        foreach (var program in (string[])[_aptGet, _dpkg, "apt-cache"])
        {
            if (_commands.Find(program) is null)
            {
                throw new JobFailedException($"this host has no {program}: packages can be set up on Debian and Ubuntu only");
            }
        }

        if (Environment.UserName != "root")
        {
            throw new JobFailedException("packages can be installed by root only: run MPSec as a service, or run installer/set-up.sh as root");
        }
    }

    private async Task RepairAsync(JobContext context)
    {
        if (!context.Parameters<SetUpPackagesParameters>().Repair)
        {
            context.Outcome = "not asked for";
            return;
        }

        RequirePackageManager();
        await _audit.AppendAsync(context.RequestedBy, "packages.repair", "host", "dpkg --configure -a", $"begun by job {context.RunId}", context.CancellationToken);
        context.Log("dpkg --configure -a");
        var errors = new List<string>();
        var code = await context.RunProgramAsync("configure", new ProgramCall(_dpkg, ["--force-confdef", "--force-confold", "--configure", "-a"]) { Environment = s_quiet }, line =>
        {
            if (line.StartsWith("dpkg: error", StringComparison.Ordinal))
            {
                errors.Add(line.TrimEnd(':', ' '));
            }
        });
        var fault = code == 0 ? null
            : errors.Any(AptOutput.IsLock) ? AptOutput.Explain("dpkg --configure -a", code, errors)
            : $"the interrupted installation could not be ended: {(errors.Count > 0 ? errors[^1] : $"dpkg ended with {code}")}; its lines in the log say why. Remove or repair that package, then run this job again";
        await _audit.AppendAsync(context.RequestedBy, "packages.repair", "host", "dpkg --configure -a", fault ?? "repaired", CancellationToken.None);
        context.Outcome = fault is null ? "dpkg --configure -a" : throw new JobFailedException(fault);
    }

    private async Task CheckAsync(JobContext context)
    {
        RequirePackageManager();
        foreach (var package in Missing(context))
        {
            context.Log($"missing: {package.Names[0]} ({package.Group}). {package.Why}");
        }

        context.Outcome = $"{Missing(context).Count} of {Chosen(context).Count} missing";
        var audit = await _commands.RunAsync(new(_dpkg, "--audit") { Timeout = s_short }, context.CancellationToken);
        if (audit.Output.Length > 0)
        {
            context.Log(audit.Output.Trim());
            throw new JobFailedException(AptOutput.Repair);
        }

        // Takes the lock of the package database for a moment, so a manager at work is met here and not half-way.
        var check = await _commands.RunAsync(new(_aptGet, "check", "-q", "-o", "DPkg::Lock::Timeout=20") { Timeout = s_short, Environment = s_quiet }, context.CancellationToken);
        if (!check.Succeeded)
        {
            throw new JobFailedException(AptOutput.Explain("apt-get check", check.ExitCode, [.. check.Error.Split('\n').Select(AptOutput.Error).OfType<string>()]));
        }
    }

    private async Task UpdateListsAsync(JobContext context)
    {
        if (Missing(context).Count == 0)
        {
            context.Outcome = "not needed";
            return;
        }

        var (code, errors) = await AptAsync(context, "update", "update", "-q", "-o", "Acquire::Retries=2", "-o", "DPkg::Lock::Timeout=60");
        if (code != 0)
        {
            // Without a network the lists at hand may still do; the next step tells when they do not.
            context.Log(AptOutput.Explain("apt-get update", code, errors) + "; going on with the lists at hand");
            context.Outcome = "not refreshed";
        }
    }

    private async Task InstallAsync(JobContext context)
    {
        var chosen = context.Recall<ChosenPackages>() ?? new(await ChooseAsync(context));
        if (chosen.Names.Count == 0)
        {
            context.Outcome = "nothing to install";
            return;
        }

        var arguments = string.Join(' ', chosen.Names);
        if (context.Recall<ChosenPackages>() is null)
        {
            await _audit.AppendAsync(context.RequestedBy, "packages.install", "host", arguments, $"begun by job {context.RunId}", context.CancellationToken);
            await context.RememberAsync(chosen);
        }

        string? fault;
        try
        {
            var (code, errors) = await AptAsync(
                context, "install", ["install", "-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=60", "-o", "Dpkg::Use-Pty=0", "-o", "APT::Status-Fd=1", "--", .. chosen.Names]);
            fault = code == 0 ? null : AptOutput.Explain("apt-get install", code, errors);
        }
        catch (JobFailedException e)
        {
            fault = e.Message;
        }

        await _audit.AppendAsync(context.RequestedBy, "packages.install", "host", arguments, fault ?? "installed", CancellationToken.None);
        context.Outcome = fault is null ? arguments : throw new JobFailedException(fault);
    }

    private Task VerifyAsync(JobContext context)
    {
        var missing = Missing(context);
        foreach (var package in missing)
        {
            context.Log($"still missing: {package.Names[0]} ({(package.Required ? "required" : "optional")}): none of {string.Join(", ", package.Proofs)} is there");
        }

        context.Outcome = $"{Chosen(context).Count - missing.Count} of {Chosen(context).Count} there";
        return missing.FirstOrDefault(package => package.Required) is { } required
            ? throw new JobFailedException($"{required.Names[0]} is installed but {required.Proofs[0]} is not there; install it from elsewhere")
            : Task.CompletedTask;
    }

    private async Task<IReadOnlyList<string>> ChooseAsync(JobContext context)
    {
        var missing = Missing(context);
        if (missing.Count == 0)
        {
            return [];
        }

        var policy = await _commands.RunAsync(new("apt-cache", ["policy", "--", .. missing.SelectMany(package => package.Names)]) { Timeout = s_short }, context.CancellationToken);
        var offered = AptOutput.Offered(policy.Output);
        var names = new List<string>();
        foreach (var package in missing)
        {
            if (package.Names.FirstOrDefault(offered.Contains) is { } name)
            {
                names.Add(name);
            }
            else if (package.Required)
            {
                throw new JobFailedException($"this distribution does not offer {string.Join(" or ", package.Names)}: add a package source that does, or install it from elsewhere, then run this job again");
            }
            else
            {
                context.Log($"{package.Names[0]} is not offered by this distribution; going on without it");
            }
        }

        return names;
    }

    private async Task<(int Code, IReadOnlyList<string> Errors)> AptAsync(JobContext context, string key, params IReadOnlyList<string> arguments)
    {
        var errors = new List<string>();
        context.Log($"apt-get {string.Join(' ', arguments)}");
        var code = await context.RunProgramAsync(key, new ProgramCall(_aptGet, arguments) { Environment = s_quiet }, line =>
        {
            if (AptOutput.Progress(line) is { } progress)
            {
                context.Report(progress.Percent, progress.Activity);
            }
            else if (AptOutput.Error(line) is { } error)
            {
                errors.Add(error);
            }
        });
        return (code, errors);
    }

    private List<SetUpPackage> Chosen(JobContext context)
    {
        var groups = context.Parameters<SetUpPackagesParameters>().Groups;
        return [.. _packages.Where(package => groups.Contains(package.Group))];
    }

    private List<SetUpPackage> Missing(JobContext context) => [.. Chosen(context).Where(package => !_probe.IsThere(package))];

    private sealed record ChosenPackages(IReadOnlyList<string> Names);
}
