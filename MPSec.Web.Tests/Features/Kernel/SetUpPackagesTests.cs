using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Features.Kernel;
using MPSec.Jobs;
using MPSec.Linux.Processes;
using MPSec.Tests.Data;
using MPSec.Tests.Jobs;

namespace MPSec.Tests.Features.Kernel;

/// <summary>The whole job against a package manager that is a script of the test: nothing on this machine is installed.</summary>
public sealed class SetUpPackagesTests : IDisposable
{
    private readonly TempState _state = new();
    private readonly FakeCommands _commands = new();
    private readonly List<SetUpPackage> _packages = [];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public SetUpPackagesTests()
    {
        Assert.SkipUnless(Environment.UserName == "root", "the job asks for root");
        Directory.CreateDirectory(_state.Root);
        Add("alpha", required: true);
        Add("beta", required: false);
    }

    private string AptGet => Path.Combine(_state.Root, "apt-get");

    public void Dispose() => _state.Dispose();

    [Fact]
    public async Task Run_TwoMissing_InstallsThemAndAudits()
    {
        _commands.Offered = ["alpha", "beta-new"];
        Script("""
            case "$1" in
              install)
                echo "pmstatus:alpha:50.0000:Installing alpha"
                [ "$DEBIAN_FRONTEND" = noninteractive ] || exit 9
                while [ "$1" != -- ]; do shift; done; shift
                echo "names: $*"
                touch "$ROOT/alpha" "$ROOT/beta" ;;
            esac
            """);
        var (run, log, audit) = await RunAsync();
        Assert.True(run.State == JobState.Succeeded, run.Result + log);
        Assert.Equal(["not asked for", "2 of 2 missing", null, "alpha beta-new", "2 of 2 there"], run.Steps.Select(step => step.Outcome));
        Assert.Contains("| names: alpha beta-new\n", log, StringComparison.Ordinal);
        Assert.Equal(["begun by job 1", "installed"], audit.Select(entry => entry.Result));
        Assert.All(audit, entry => Assert.Equal(("mina", "packages.install", "alpha beta-new"), (entry.Actor, entry.Verb, entry.Arguments)));
    }

    [Fact]
    public async Task Run_NothingMissing_CallsNoPackageManager()
    {
        File.WriteAllText(Path.Combine(_state.Root, "alpha"), "");
        File.WriteAllText(Path.Combine(_state.Root, "beta"), "");
        Script("""[ "$1" = check ] || exit 9""");
        var (run, _, audit) = await RunAsync();
        Assert.Equal(JobState.Succeeded, run.State);
        Assert.Empty(audit);
    }

    [Fact]
    public async Task Run_HalfConfigured_SaysHowToRepairBeforeAnythingIsDone()
    {
        _commands.Audit = "The following packages are only half configured:\n alpha";
        Script("exit 9");
        var (run, _, audit) = await RunAsync();
        Assert.Equal(JobState.Failed, run.State);
        Assert.Contains("dpkg --configure -a", run.Result, StringComparison.Ordinal);
        Assert.Equal(JobStepState.Failed, run.Steps[1].State);
        Assert.Empty(audit);

        // Parameters of another version end no page.
        var parameters = run.Parameters;
        run.Parameters = """{"unknown":1}""";
        Assert.Empty(((SetUpPackagesParameters)Kind(null!).Offer(run)!.Parameters).Groups);
        run.Parameters = parameters;

        // What is offered is a start of the same groups that repairs first.
        var offer = Kind(null!).Offer(run)!;
        Assert.Equal(("set-up-packages", "OfferRepair"), (offer.Kind, offer.TitleKey));
        Assert.Null(Kind(null!).Check(offer.Parameters));
        Assert.Equal((true, "run"), (((SetUpPackagesParameters)offer.Parameters).Repair, Assert.Single(((SetUpPackagesParameters)offer.Parameters).Groups)));
    }

    [Fact]
    public async Task Run_Repair_EndsTheInterruptedInstallationFirst()
    {
        _commands.Audit = "The following packages are only half configured:\n alpha";
        _commands.IsWhole = () => File.Exists(Path.Combine(_state.Root, "whole"));
        Script("""[ "$1" = check ] || exit 9""");
        Script("""[ "$*" = "--force-confdef --force-confold --configure -a" ] && [ "$DEBIAN_FRONTEND" = noninteractive ] || exit 9; echo "Setting up alpha"; touch "$ROOT/whole" "$ROOT/alpha" "$ROOT/beta" """, "dpkg");
        var (run, log, audit) = await RunAsync(repair: true);
        Assert.True(run.State == JobState.Succeeded, run.Result + log);
        Assert.Contains("| Setting up alpha\n", log, StringComparison.Ordinal);
        Assert.Equal([("packages.repair", "begun by job 1"), ("packages.repair", "repaired")], audit.Select(entry => (entry.Verb, entry.Result)));
    }

    [Fact]
    public async Task Run_RepairThatFails_NamesThePackageAndOffersNothing()
    {
        _commands.Audit = "The following packages are only half configured:\n alpha";
        Script("exit 9");
        Script("echo 'dpkg: error processing package alpha (--configure):'; exit 1", "dpkg");
        var (run, _, audit) = await RunAsync(repair: true);
        Assert.Equal(JobState.Failed, run.State);
        Assert.Contains("dpkg: error processing package alpha (--configure); its lines in the log say why", run.Result, StringComparison.Ordinal);
        Assert.Equal(run.Result, audit[^1].Result);
        Assert.Null(Kind(null!).Offer(run));
    }

    [Fact]
    public async Task Run_RepairWhileAnotherManagerWorks_SaysSo()
    {
        Script("exit 9");
        Script("echo 'dpkg: error: dpkg frontend lock was locked by another process with pid 4711'; exit 2", "dpkg");
        var (run, _, _) = await RunAsync(repair: true);
        Assert.Contains("another program is installing packages", run.Result, StringComparison.Ordinal);
        Assert.Contains("4711", run.Result, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_PackageManagerLocked_NamesTheHolder()
    {
        _commands.CheckError = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 4711 (apt)";
        Script("exit 9");
        var (run, _, _) = await RunAsync();
        Assert.Equal(JobState.Failed, run.State);
        Assert.Contains("held by process 4711 (apt)", run.Result, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_NoNetworkAndNotOffered_FailsWithTheNameOfTheRequiredOne()
    {
        _commands.Offered = ["beta"];
        Script("""case "$1" in update) echo "E: Failed to fetch http://x"; exit 100 ;; esac""");
        var (run, log, audit) = await RunAsync();
        Assert.Equal(JobState.Failed, run.State);
        Assert.Contains("does not offer alpha", run.Result, StringComparison.Ordinal);
        Assert.Contains("going on with the lists at hand", log, StringComparison.Ordinal);
        Assert.Empty(audit);
    }

    [Fact]
    public async Task Run_InstallFails_TellsTheLastErrorOfThisCallAndAuditsIt()
    {
        _commands.Offered = ["alpha", "beta"];
        Script("""case "$1" in update) echo "E: of the lists" ;; install) echo "E: Unmet dependencies"; exit 100 ;; esac""");
        var (run, _, audit) = await RunAsync();
        Assert.Equal("apt-get install failed: Unmet dependencies", run.Result);
        Assert.Equal(run.Result, audit[^1].Result);
    }

    [Fact]
    public void Check_UnknownGroup_NamesTheGroups()
    {
        var kind = Kind(null!);
        Assert.Contains("'games'; the groups are run", kind.Check(new SetUpPackagesParameters(["run", "games"])), StringComparison.Ordinal);
        Assert.Contains("at least one", kind.Check(new SetUpPackagesParameters([])), StringComparison.Ordinal);
        Assert.Null(kind.Check(new SetUpPackagesParameters(["run"])));
        Assert.Null(kind.Check(new SetUpPackagesParameters([], Repair: true)));
    }

    private SetUpPackages Kind(IServiceProvider provider) =>
        new(_commands, provider is null ? null! : new AuditLog(provider.GetRequiredService<IDbContextFactory<MPSecDbContext>>(), TimeProvider.System), new SetUpPackageProbe(_commands), _packages, AptGet, Path.Combine(_state.Root, "dpkg"));

    private async Task<(JobRun Run, string Log, IReadOnlyList<AuditEntry> Audit)> RunAsync(bool repair = false)
    {
        await using var host = await JobHost.StartAsync(_state.Folder, workers: true, Kind);
        var id = await host.Engine.StartAsync("set-up-packages", new SetUpPackagesParameters(["run"], repair), JobHost.Admin, Token);
        var run = await host.EndAsync(id);
        await using var context = TempState.Context(host.Services);
        return (run, host.LogOf(id), await context.Set<AuditEntry>().OrderBy(entry => entry.Id).ToListAsync(Token));
    }

    private void Add(string name, bool required) => _packages.Add(new("run", required, [name, name + "-new"], [Path.Combine(_state.Root, name)], "Needed by the test."));

    private void Script(string body, string program = "apt-get")
    {
        var file = Path.Combine(_state.Root, program);
        File.WriteAllText(file, $"#!/bin/sh\nROOT='{_state.Root}'\n{body}\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserExecute);
    }

    private sealed class FakeCommands : ICommandRunner
    {
        public IReadOnlyList<string> Offered { get; set; } = [];

        public string Audit { get; set; } = "";

        public string? CheckError { get; set; }

        public Func<bool> IsWhole { get; set; } = () => false;

        public string? Find(string program) => "/fake/" + program;

        public Task<CommandResult> RunAsync(CommandRequest request, CancellationToken cancellationToken) => Task.FromResult(request switch
        {
            { Arguments: ["--audit"] } => Result(0, IsWhole() ? "" : Audit),
            { Program: "apt-cache", Arguments: ["policy", "--", ..] } => Result(0, string.Concat(request.Arguments.Skip(2).Select(name => $"{name}:\n  Installed: (none)\n  Candidate: {(Offered.Contains(name) ? "1.0" : "(none)")}\n"))),
            { Arguments: ["check", ..] } => CheckError is null ? Result(0, "") : Result(100, "", CheckError),
            _ => throw new InvalidOperationException($"not expected: {request.Program} {string.Join(' ', request.Arguments)}"),
        });

        private static CommandResult Result(int code, string output, string error = "") => new(code, output, error, false, false, false);
    }
}
