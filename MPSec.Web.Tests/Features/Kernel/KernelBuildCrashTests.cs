using System.Diagnostics;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Features.Kernel;
using MPSec.Hosting;
using MPSec.Jobs;
using MPSec.Linux.Processes;
using MPSec.Tests.Data;
using MPSec.Tests.Jobs;

namespace MPSec.Tests.Features.Kernel;

/// <summary>A build is killed by SIGKILL at random moments, the server, the supervisor of its compiler or both, and started again, until it is done.</summary>
public sealed class KernelBuildCrashTests : IDisposable
{
    private static readonly int s_kills = LongProofs.Wanted ? 50 : 8;
    private const string StateVariable = "MPSEC_BUILD_CRASH_STATE";
    private readonly TempState _state = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Evidence => Path.Combine(_state.Root, "evidence");

    public void Dispose() => _state.Dispose();

    /// <summary>The server to be killed: only started by the test below, in a process of its own.</summary>
    [Fact(Explicit = true)]
    public async Task Serve_UntilBuilt()
    {
        var root = Environment.GetEnvironmentVariable(StateVariable) ?? throw new InvalidOperationException($"set {StateVariable}");
        await using var host = await HostAsync(new StateFolder(root), workers: true);
        if ((await host.Engine.ListAsync(null, null, null, 10, Token)).Count == 0)
        {
            await host.Engine.StartAsync(KernelBuild.KindKey, Asked(root), JobHost.Admin, Token);
        }

        await File.WriteAllTextAsync(Path.Combine(root, "evidence", "ready"), "", Token);
        while (await host.Engine.FindAsync(1, Token) is not { IsActive: false })
        {
            await Task.Delay(50, Token);
        }

        await File.WriteAllTextAsync(Path.Combine(root, "evidence", "ended"), "", Token);
    }

    [Fact]
    public async Task Kill_ServerSupervisorOrBoth_OnePackageEveryLineAndNeverTwoCompilers()
    {
        Skip();
        Directory.CreateDirectory(Evidence);
        FakeKernelTree.Write(Evidence, Evidence, 0.15, waits: true);
        var random = new Random();
        var ended = Path.Combine(Evidence, "ended");
        var (kills, hits) = (0, 0);
        var ready = Path.Combine(Evidence, "ready");
        while (!File.Exists(ended))
        {
            File.Delete(ready);
            using var server = Serve();
            while (!File.Exists(ready) && !server.HasExited)
            {
                await Task.Delay(20, Token);
            }

            while (kills < s_kills && !server.HasExited)
            {
                await Task.Delay(random.Next(0, 1500), Token);
                // Server, supervisor or both. On a slow machine chance alone may never meet a supervisor, so the first two wait for one: the tree is not done before.
                var what = kills < 2 ? kills + 1 : random.Next(3);
                var hit = what > 0 && KillSupervisor();
                while (kills < 2 && !hit && !server.HasExited)
                {
                    await Task.Delay(20, Token);
                    hit = KillSupervisor();
                }

                hits += hit ? 1 : 0;
                if (++kills >= s_kills * 3 / 4)
                {
                    await File.WriteAllTextAsync(Path.Combine(Evidence, "leave"), "", Token); // the rest may hit what comes after compiling
                }

                if (what != 1)
                {
                    server.Kill();
                    break;
                }
            }

            await server.WaitForExitAsync(Token).WaitAsync(TimeSpan.FromMinutes(5), Token);
        }

        await using var host = await HostAsync(_state.Folder, workers: false);
        var run = await host.Engine.FindAsync(1, Token);
        var log = host.LogOf(1);
        Assert.True(run!.State == JobState.Succeeded, $"{run.State}: {run.Result}\n{log}");
        Assert.False(File.Exists(Path.Combine(Evidence, "twice")), "two compilers at once");
        var kernel = Assert.Single(host.Services.GetRequiredService<KernelBuildStore>().All());
        Assert.Equal(("6.9.1-mpsec1", FakeKernelTree.Objects), (kernel.Release, kernel.Objects));
        var package = Assert.Single(kernel.Files, f => f.Name.EndsWith(".deb", StringComparison.Ordinal));
        Assert.Equal(kernel.ImagePackage, package.Name);
        for (var i = 1; i <= FakeKernelTree.Objects; i++)
        {
            Assert.Contains($"|   CC      part/o{i}.o\n", log, StringComparison.Ordinal);
        }

        Assert.Empty(ChildProbe.Living(_state.Folder, 1));
        Assert.False(Directory.Exists(_state.Folder.KernelWork(1)), "source and objects are still there");
        Assert.True(kills >= s_kills * 3 / 4 && hits > 0 && run.Attempt > 1, $"{kills} kills, {hits} of supervisors, {run.Attempt} servers: too few hit the build");
        TestContext.Current.SendDiagnosticMessage($"{kills} kills, {hits} of supervisors, {run.Attempt} servers");
    }

    [Fact]
    public async Task Build_TwiceAtOnce_OneWaitsForTheOther()
    {
        Skip();
        Directory.CreateDirectory(Evidence);
        FakeKernelTree.Write(Evidence, Evidence);
        await using var host = await HostAsync(_state.Folder, workers: true);
        var first = await host.Engine.StartAsync(KernelBuild.KindKey, Asked(_state.Root), JobHost.Admin, Token);
        var second = await host.Engine.StartAsync(KernelBuild.KindKey, Asked(_state.Root), JobHost.Admin, Token);
        Assert.Equal(JobState.Succeeded, (await host.EndAsync(first)).State);
        Assert.Equal(JobState.Succeeded, (await host.EndAsync(second)).State);
        Assert.False(File.Exists(Path.Combine(Evidence, "twice")), "two compilers at once");
        Assert.Equal(["6.9.1-mpsec2", "6.9.1-mpsec1"], host.Services.GetRequiredService<KernelBuildStore>().All().Select(k => k.Release));
    }

    [Fact]
    public async Task Build_ThatCannotGoOn_SaysWhy()
    {
        Skip();
        Directory.CreateDirectory(Evidence);
        FakeKernelTree.Write(Evidence, Evidence, 0);
        await using var host = await HostAsync(_state.Folder, workers: true);
        var asked = Asked(_state.Root);
        async Task<string?> ResultAsync(KernelBuildParameters parameters) => (await host.EndAsync(await host.Engine.StartAsync(KernelBuild.KindKey, parameters, JobHost.Admin, Token))).Result;
        Assert.NotNull(await ResultAsync(asked with { Source = asked.Source with { AllowUnsigned = false } }));
        Assert.NotNull(await ResultAsync(asked with { Source = asked.Source with { File = Path.Combine(Evidence, "absent.tar.gz") } }));
        Assert.Empty(host.Services.GetRequiredService<KernelBuildStore>().All());
        foreach (var (wrong, field) in new (KernelBuildParameters, string)[]
        {
            (asked with { Profile = "none" }, "profile:"), (asked with { Jobs = 0 }, "jobs:"), (asked with { Fragment = "CONFIG_X=$(reboot)" }, "fragment:"), (asked with { Source = null! }, "source:"),
        })
        {
            var refused = await Assert.ThrowsAsync<JobRefusedException>(() => host.Engine.StartAsync(KernelBuild.KindKey, wrong, JobHost.Admin, Token));
            Assert.StartsWith(field, refused.Message, StringComparison.Ordinal);
        }
    }

    private static KernelBuildParameters Asked(string root) => new("minimal-gateway", new(KernelSourceKind.File) { File = Path.Combine(root, "evidence", $"linux-{FakeKernelTree.Version}.tar.gz"), Version = FakeKernelTree.Version, AllowUnsigned = true })
    {
        Jobs = 1,
        WithoutProof = true,
    };

    internal static void Skip()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "kernels are built by root");
        var probe = new SetUpPackageProbe(new CommandRunner(TimeProvider.System));
        var missing = SetUpPackageTable.All.Where(p => p is { Group: "kernel", Required: true } && !probe.IsThere(p)).Select(p => p.Names[0]).ToArray();
        Assert.SkipUnless(missing.Length == 0, $"packages of the group kernel are missing: {string.Join(", ", missing)}");
    }

    private static Task<JobHost> HostAsync(StateFolder folder, bool workers) => JobHost.StartAsync(folder, workers, services => services.AddMPSecChanges().AddKernelBuilds());

    private bool KillSupervisor()
    {
        foreach (var file in Directory.Exists(_state.Folder.JobFolder(1)) ? Directory.GetFiles(_state.Folder.JobFolder(1), "*.child.json") : [])
        {
            if (JsonSerializer.Deserialize<ProcessIdentity>(File.ReadAllText(file)) is { IsAlive: true } supervisor)
            {
                try
                {
                    using var process = Process.GetProcessById(supervisor.Pid);
                    process.Kill();
                    return true;
                }
                catch (ArgumentException)
                {
                    // It ended at this moment.
                }
            }
        }

        return false;
    }

    private Process Serve()
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "MPSec.Web.Tests")) { RedirectStandardOutput = true };
        foreach (var argument in (string[])["-explicit", "only", "-method", $"{typeof(KernelBuildCrashTests).FullName}.{nameof(Serve_UntilBuilt)}"])
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment[StateVariable] = _state.Root;
        var server = Process.Start(start)!;
        _ = server.StandardOutput.ReadToEndAsync(Token);
        return server;
    }
}
