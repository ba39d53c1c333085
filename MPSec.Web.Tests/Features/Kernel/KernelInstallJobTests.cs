using Microsoft.Extensions.Logging.Abstractions;
using MPSec.Features.Kernel;
using MPSec.Jobs;
using MPSec.Tests.Data;
using MPSec.Tests.Jobs;

namespace MPSec.Tests.Features.Kernel;

/// <summary>The jobs and the watch around the work. The real dpkg is asked to install a file that is no package, which it refuses.</summary>
public sealed class KernelInstallJobTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Run_DpkgRefuses_IsTakenBackAndTheRunSaysSo()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/dpkg"), "there is no dpkg here");
        await using var machine = await new FakeMachine().StartAsync();
        using var state = new TempState();
        Directory.CreateDirectory(state.Root);
        await using var host = await JobHost.StartAsync(state.Folder, workers: true, new KernelInstallJob(machine.Installer));
        var run = await host.EndAsync(await host.Engine.StartAsync("kernel-install", machine.Wanted, JobHost.Admin, Token));
        Assert.Equal(JobState.Failed, run.State);
        Assert.Contains("dpkg --install failed with exit code", run.Result, StringComparison.Ordinal);
        Assert.Equal([JobStepState.Done, JobStepState.Done, JobStepState.Failed, JobStepState.Waiting], run.Steps.Select(s => s.State));
        Assert.Equal(KernelBootState.Removed, machine.Store.Read()!.State);
        Assert.False(File.Exists(machine.At("etc/default/grub.d/mpsec.cfg")));
        Assert.Equal(FakeMachine.Old, machine.Start());
    }

    [Fact]
    public void Check_Parameters_NameTheField()
    {
        var install = new KernelInstallJob(null!);
        Assert.Null(install.Check(new KernelInstallParameters("/root/a.deb")));
        Assert.StartsWith("package:", install.Check(new KernelInstallParameters("a.deb")), StringComparison.Ordinal);
        Assert.StartsWith("package:", install.Check(new KernelInstallParameters("/root/a\n.deb")), StringComparison.Ordinal);
        Assert.StartsWith("proof:", install.Check(new KernelInstallParameters("/root/a.deb", "proof.json")), StringComparison.Ordinal);
        Assert.StartsWith("minutes:", install.Check(new KernelInstallParameters("/root/a.deb", Minutes: 61)), StringComparison.Ordinal);
        var remove = new KernelRemoveJob(null!);
        Assert.Null(remove.Check(new KernelRemoveParameters("6.12.1+deb12-amd64")));
        Assert.StartsWith("release:", remove.Check(new KernelRemoveParameters("../6")), StringComparison.Ordinal);
        Assert.All((IJobKind[])[install, remove], kind => Assert.Equal(["Administrator"], kind.Roles));
    }

    [Fact]
    public async Task Watch_NewKernelCameUp_BeginsTheTrial()
    {
        await using var machine = await new FakeMachine().StartAsync();
        await machine.InstallAsync();
        await machine.Service.ArmAsync("mina", Token);
        machine.Start();
        using var watch = new KernelBootWatch(machine.Service, machine.Store, TimeProvider.System, NullLogger<KernelBootWatch>.Instance);
        await watch.StartAsync(Token);
        for (var tries = 0; tries < 3000 && machine.Store.Read() is not { State: KernelBootState.Trial, Checks.IsEmpty: false }; tries++)
        {
            await Task.Delay(20, Token);
        }

        await watch.StopAsync(Token);
        var record = machine.Store.Read()!;
        Assert.Equal(KernelBootState.Trial, record.State);
        Assert.Equal(["release", "mptcp", "network", "modules", "page"], record.Checks.Select(c => c.Name));
        Assert.DoesNotContain(record.Checks, c => c.Passed == false);
    }

    [Fact]
    public async Task Store_DamagedFile_IsToldAndNotOverwritten()
    {
        await using var machine = await new FakeMachine().StartAsync();
        await machine.InstallAsync();
        File.WriteAllText(machine.Store.FilePath, "[{");
        Assert.Contains("is damaged", Assert.Throws<IOException>(() => machine.Store.ReadAll()).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<IOException>(() => machine.Service.ArmAsync("mina", Token));
        Assert.Equal("[{", File.ReadAllText(machine.Store.FilePath));
        Assert.Equal(FakeMachine.Old, machine.Start());
    }

    [Fact]
    public async Task Store_SecondKernel_KeepsTheFirstOnesRecord()
    {
        await using var machine = await new FakeMachine().StartAsync();
        var first = await machine.InstallAsync();
        machine.Store.Write(first with { Release = "6.13.0-other", At = first.At.AddMinutes(1) });
        Assert.Equal(["6.13.0-other", FakeMachine.New], machine.Store.ReadAll().Select(r => r.Release));
    }
}
