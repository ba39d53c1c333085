using System.Text.Json;
using MPSec.Changes;
using MPSec.Features.Kernel;

namespace MPSec.Tests.Features.Kernel;

/// <summary>Installing and trying on a machine made of a folder, with every program failing once and the power going before each.</summary>
public sealed class KernelInstallerTests
{
    private const string Old = FakeMachine.Old;
    private const string New = FakeMachine.New;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Install_NewerKernel_LeavesTheOldOneDefaultAndTheUsersFileAlone()
    {
        await using var machine = await new FakeMachine().StartAsync();
        var before = machine.Text("etc/default/grub");
        var record = await machine.InstallAsync();
        Assert.Equal((KernelBootState.Installed, Old, $"gnulinux-advanced-U>gnulinux-{New}-advanced-U"), (record.State, record.OldRelease, record.Entry));
        var boots = machine.Service.Read();
        Assert.Equal((Old, Old, null, true), (boots.Running, boots.Default, boots.Once, boots.Guarded));
        Assert.Equal(before, machine.Text("etc/default/grub"));
        Assert.Equal(GrubBootLoader.DropInText(trial: false), machine.Text("etc/default/grub.d/mpsec.cfg"));
        Assert.Equal(Old, machine.Start());
        Assert.Contains("mina kernel.override-proof: to be installed without a passed proof", await machine.AuditAsync());
    }

    [Fact]
    public async Task Plan_DryRun_TellsEverythingAndChangesNothing()
    {
        await using var machine = await new FakeMachine().StartAsync();
        var before = Files(machine);
        var plan = await machine.Service.PlanAsync(machine.Wanted, Token);
        Assert.Empty(plan.Refusals);
        Assert.Equal(before, Files(machine));
        Assert.Equal((Old, New, 9_000_000L + 9000 + (4 << 20)), (plan.Running, plan.Package.Release, plan.BootNeededBytes));
        Assert.Contains(plan.Settings, s => s is { Name: "GRUB_DEFAULT", Before: "0", Installed: "saved" });
        Assert.Contains(plan.Settings, s => s is { Name: "GRUB_CMDLINE_LINUX", Before: "console=ttyS0", Installed: "console=ttyS0" } && s.Armed == "console=ttyS0 " + GrubBootLoader.TrialOptions);
        Assert.Equal([$"grub-set-default 'gnulinux-advanced-U>gnulinux-{Old}-advanced-U'", "grub-mkconfig -o /boot/grub/grub.cfg", $"dpkg --install -- {machine.Package}"], plan.Commands);
        Assert.DoesNotContain(machine.Ran, c => c.StartsWith("grub-mkconfig", StringComparison.Ordinal) || c.StartsWith("dpkg --install", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Try_ThenStart_NewOnceThenOldWithoutAVerdict()
    {
        await using var machine = await new FakeMachine().StartAsync();
        await machine.InstallAsync();
        await machine.Service.ArmAsync("mina", Token);
        Assert.Contains(GrubBootLoader.TrialOptions, machine.Text("boot/grub/grub.cfg"), StringComparison.Ordinal);
        Assert.Equal((Old, New), (machine.Service.Read().Default, machine.Service.Read().Once));
        Assert.Equal(New, machine.Start());
        Assert.Equal(Old, machine.Start());
        machine.Write("proc/sys/kernel/hung_task_panic", "1\n");
        var record = await machine.Service.LookAsync(Token);
        Assert.Equal(KernelBootState.Returned, record!.State);
        Assert.Equal("0", machine.Text("proc/sys/kernel/hung_task_panic"));
        Assert.DoesNotContain(GrubBootLoader.TrialOptions, machine.Text("boot/grub/grub.cfg"), StringComparison.Ordinal);
        Assert.Equal(Old, machine.Start());
    }

    [Fact]
    public async Task Keep_AfterTheTrial_MakesTheNewOneDefault()
    {
        await using var machine = await new FakeMachine().StartAsync();
        await machine.InstallAsync();
        await machine.Service.ArmAsync("mina", Token);
        machine.Start();
        Assert.Equal(KernelBootState.Trial, (await machine.Service.LookAsync(Token))!.State);
        Assert.Equal(KernelBootState.Kept, (await machine.Service.KeepAsync("mina", Token))!.State);
        Assert.Equal(New, machine.Start());
        Assert.Equal(KernelBootState.Kept, (await machine.Service.LookAsync(Token))!.State);
        Assert.DoesNotContain("panic=", machine.Text("proc/cmdline"), StringComparison.Ordinal);
        Assert.Contains("mina kernel.keep: is the default; " + Old + " stays installed", await machine.AuditAsync());
        Assert.Equal(New, await machine.Service.ForgetAsync("mina", Token)); // the newest one, as before MPSec
        Assert.False(File.Exists(machine.At("etc/default/grub.d/mpsec.cfg")));
    }

    [Fact]
    public async Task Look_CheckFailsToTheDeadline_TheNextStartIsTheOldOne()
    {
        await using var machine = await new FakeMachine().StartAsync();
        await machine.InstallAsync();
        await machine.Service.ArmAsync("mina", Token);
        machine.Start();
        machine.Write("proc/sys/net/mptcp/enabled", "0\n");
        Assert.Equal(KernelBootState.Trial, (await machine.Service.LookAsync(Token))!.State);
        await Assert.ThrowsAsync<ChangeException>(() => machine.Service.KeepAsync("mina", Token));
        machine.Milliseconds += 600_001;
        var record = await machine.Service.LookAsync(Token);
        Assert.Equal((KernelBootState.Returning, "mptcp: net.mptcp.enabled = 0"), (record!.State, record.Reason));
        Assert.Equal(Old, machine.Start());
        Assert.Equal(KernelBootState.Returned, (await machine.Service.LookAsync(Token))!.State);
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 0)]
    public async Task Look_FailedAndGoBackWanted_StartsTheOldKernelAtOnceAndOnlyOnce(bool goBack, int restarts)
    {
        await using var machine = await new FakeMachine().StartAsync();
        var record = await machine.InstallAsync();
        machine.Store.Write(record with { GoBack = goBack });
        await machine.Service.ArmAsync("mina", Token);
        machine.Start();
        machine.Write("proc/sys/net/mptcp/enabled", "0\n");
        await machine.Service.LookAsync(Token);
        Assert.Equal(0, machine.Restarts);
        machine.Milliseconds += 600_001;
        Assert.Equal(KernelBootState.Returning, (await machine.Service.LookAsync(Token))!.State);
        await machine.Service.LookAsync(Token);
        Assert.Equal(restarts, machine.Restarts);
        Assert.Equal(Old, machine.Start());
    }

    [Fact]
    public async Task Look_AllGoodForAMinute_KeepsByItself()
    {
        await using var machine = await new FakeMachine().StartAsync();
        await machine.InstallAsync();
        await machine.Service.ArmAsync("mina", Token);
        machine.Start();
        Assert.Equal(KernelBootState.Trial, (await machine.Service.LookAsync(Token))!.State);
        machine.Milliseconds += 61_000;
        Assert.Equal(KernelBootState.Kept, (await machine.Service.LookAsync(Token))!.State);
        Assert.Equal(New, machine.Start());
    }

    [Fact]
    public async Task Disarm_BeforeTheStart_TheOldOneStarts()
    {
        await using var machine = await new FakeMachine().StartAsync();
        await machine.InstallAsync();
        await machine.Service.ArmAsync("mina", Token);
        await machine.Service.DisarmAsync("mina", Token);
        Assert.DoesNotContain("panic=", machine.Text("boot/grub/grub.cfg"), StringComparison.Ordinal);
        Assert.Equal(Old, machine.Start());
        await machine.Service.ArmAsync("mina", Token); // and again
        Assert.Equal(New, machine.Start());
    }

    [Fact]
    public async Task Reboot_WithoutTheReleaseTyped_DoesNothing()
    {
        await using var machine = await new FakeMachine().StartAsync();
        await machine.InstallAsync();
        await Assert.ThrowsAsync<ChangeException>(() => machine.Service.RebootAsync(New, "mina", Token)); // not armed
        await machine.Service.ArmAsync("mina", Token);
        await Assert.ThrowsAsync<ChangeException>(() => machine.Service.RebootAsync(Old, "mina", Token));
        Assert.Equal(0, machine.Restarts);
        await machine.Service.RebootAsync(New, "mina", Token);
        Assert.Equal(1, machine.Restarts);
    }

    [Fact]
    public async Task Install_GrubAbsent_IsNotAvailableWithTheReason()
    {
        await using var machine = await new FakeMachine(grub: false).StartAsync();
        var refused = await Assert.ThrowsAsync<ChangeException>(() => machine.Service.PlanAsync(machine.Wanted, Token));
        Assert.Equal(ChangeFault.NotAvailable, refused.Fault);
        Assert.Contains("started from outside", refused.Message, StringComparison.Ordinal);
        Assert.False(machine.Service.Read().IsAvailable);
    }

    [Fact]
    public async Task Plan_WhatIsInTheWay_IsNamed()
    {
        await using var machine = await new FakeMachine().StartAsync();
        machine.FreeBytes = 5_000_000;
        Assert.Contains(await RefusalsAsync(machine), r => r.StartsWith("/boot: 5 MB are free and 13 MB are needed", StringComparison.Ordinal));
        machine.FreeBytes = 500_000_000;
        Assert.Contains((await machine.Service.PlanAsync(machine.Wanted with { OverrideProof = false }, Token)).Refusals, r => r.StartsWith("proof: none was given", StringComparison.Ordinal));
        machine.Write("usr/sbin/grub-mkconfig", "no drop-ins here");
        Assert.Contains(await RefusalsAsync(machine), r => r.Contains("does not read /etc/default/grub.d", StringComparison.Ordinal));
        machine.Write("proc/sys/kernel/osrelease", New + "\n");
        Assert.Contains(await RefusalsAsync(machine), r => r.Contains("a running kernel is never replaced", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Plan_Proof_MustBeOfThisVeryPackageAndPassed()
    {
        await using var machine = await new FakeMachine().StartAsync();
        var hash = await KernelPackageFile.HashAsync(machine.Package, Token);
        var good = KernelProofTests.Passed(New) with { Sha256 = hash };
        Assert.Empty(await WithAsync(good));
        Assert.Equal([$"proof: is of another package that calls itself {New}; prove this one"], await WithAsync(good with { Sha256 = new string('0', 64) }));
        Assert.Equal(["proof: says nothing of a package; make it with mpsec kernel prove --package FILE --json"], await WithAsync(good with { Sha256 = null }));
        Assert.Equal([$"proof: is of {Old} and not of {New}"], await WithAsync(good with { Expected = Old }));
        Assert.Equal([$"proof: {New} did not pass: the machine ended before all was tried"], await WithAsync(good with { Checks = [.. good.Checks.Where(c => c.Name != "end")] }));
        machine.Write("proof.json", "{}");
        Assert.EndsWith("is not what mpsec kernel prove --json writes", Assert.Single((await machine.Service.PlanAsync(Wanted(), Token)).Refusals), StringComparison.Ordinal);

        async Task<IReadOnlyList<string>> WithAsync(KernelProof proof)
        {
            machine.Write("proof.json", JsonSerializer.Serialize(proof, JsonSerializerOptions.Web));
            return (await machine.Service.PlanAsync(Wanted(), Token)).Refusals;
        }

        KernelInstallParameters Wanted() => machine.Wanted with { OverrideProof = false, Proof = machine.At("proof.json") };
    }

    [Fact]
    public async Task Install_WhileOneIsPending_IsRefused()
    {
        await using var machine = await new FakeMachine().StartAsync();
        await machine.InstallAsync();
        Assert.Contains(await RefusalsAsync(machine), r => r.Contains("was not tried yet", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Install_MenuWithoutKernels_IsNotUsed()
    {
        await using var machine = await new FakeMachine().StartAsync();
        var before = machine.Text("boot/grub/grub.cfg");
        machine.MakesEmptyMenu = () => true;
        var refused = await Assert.ThrowsAsync<ChangeException>(machine.InstallAsync);
        Assert.Contains("it has no kernel at all; /boot/grub/grub.cfg is as it was", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, machine.Text("boot/grub/grub.cfg"));
        Assert.Equal(Old, machine.Start());
        Assert.False(File.Exists(machine.At("boot/vmlinuz-" + New)));
    }

    [Fact]
    public async Task Install_HookEmptiesTheMenu_TheLastGoodOneComesBack()
    {
        await using var machine = await new FakeMachine().StartAsync();
        machine.MakesEmptyMenu = () => machine.Ran.Any(c => c.StartsWith("dpkg --install", StringComparison.Ordinal));
        await Assert.ThrowsAsync<ChangeException>(machine.InstallAsync);
        Assert.Equal(Old, machine.Start());
        Assert.Contains("no kernel at all", machine.Store.Read()!.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Install_NoInitrdForAModularKernel_IsTakenBack()
    {
        await using var machine = await new FakeMachine().StartAsync();
        machine.MakesInitrd = false;
        var refused = await Assert.ThrowsAsync<ChangeException>(machine.InstallAsync);
        Assert.Contains("no initial file system", refused.Message, StringComparison.Ordinal);
        Assert.Equal(KernelBootState.Removed, machine.Store.Read()!.State);
        Assert.False(File.Exists(machine.At("boot/vmlinuz-" + New)));
        Assert.False(File.Exists(machine.At("etc/default/grub.d/mpsec.cfg")));
        Assert.Equal(Old, machine.Start());
    }

    [Fact]
    public async Task Install_PackageSwappedAfterTheCheck_IsRefused()
    {
        await using var machine = await new FakeMachine().StartAsync();
        var plan = await machine.Installer.CheckAsync(machine.Wanted, machine.Work);
        await machine.Installer.GuardAsync(plan, machine.Wanted, machine.Work);
        machine.Write("root/new.deb", "another package");
        var refused = await Assert.ThrowsAsync<ChangeException>(() => machine.Installer.InstallAsync(plan, machine.Work));
        Assert.Contains("was replaced", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(machine.Ran, c => c.StartsWith("dpkg --install", StringComparison.Ordinal));
    }

    [Fact]
    public async Task EveryCommand_FailsOnce_TheOldKernelStaysDefaultAndTheRecordSaysSo()
    {
        int commands;
        await using (var whole = await new FakeMachine().StartAsync())
        {
            await whole.InstallAsync();
            await whole.Service.ArmAsync("mina", Token);
            commands = whole.Ran.Count;
        }

        for (var failing = 0; failing < commands; failing++)
        {
            await using var machine = await new FakeMachine().StartAsync();
            machine.Fails = _ => machine.Ran.Count == failing + 1;
            ChangeException? refused = null;
            try
            {
                await machine.InstallAsync();
                await machine.Service.ArmAsync("mina", Token);
            }
            catch (ChangeException e)
            {
                refused = e;
            }

            var (record, said) = (machine.Store.Read(), $"command {failing}: {machine.Ran[failing]}");
            machine.Fails = _ => false;
            if (refused is null)
            {
                Assert.True(machine.Start() == New, said); // it was none that mattered, and the trial is armed
                continue;
            }

            Assert.True(record is null || record.State is KernelBootState.Removed or KernelBootState.Installed or KernelBootState.Preparing, said);
            Assert.True(record is null || record.Reason is not null || record.State == KernelBootState.Installed, said);
            Assert.True(machine.Start() == Old, said);
            Assert.True(record is not { State: KernelBootState.Removed } || !File.Exists(machine.At("etc/default/grub.d/mpsec.cfg")), said);
        }
    }

    [Fact]
    public async Task EveryCommand_PowerGoesBefore_TheOldKernelStartsAndTheWorkCanGoOn()
    {
        int commands;
        await using (var whole = await new FakeMachine().StartAsync())
        {
            await whole.InstallAsync();
            await whole.Service.ArmAsync("mina", Token);
            commands = whole.Ran.Count;
        }

        for (var cut = 0; cut < commands; cut++)
        {
            await using var machine = await new FakeMachine().StartAsync();
            machine.PowerCut = _ => machine.Ran.Count == cut;
            await Assert.ThrowsAsync<FakeMachine.PowerCutException>(async () =>
            {
                await machine.InstallAsync();
                await machine.Service.ArmAsync("mina", Token);
            });
            machine.PowerCut = _ => false;
            Assert.True(machine.Start() == Old, $"cut {cut}");
            var record = await machine.Service.LookAsync(Token);
            if (record is null or { State: KernelBootState.Preparing })
            {
                record = await machine.InstallAsync();
            }

            Assert.True(record.State is KernelBootState.Installed or KernelBootState.Returned, $"cut {cut}: {record.State}");
            await machine.Service.ArmAsync("mina", Token);
            Assert.Equal(New, machine.Start());
            Assert.Equal(Old, machine.Start());
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task EveryCommandOfTheVerdict_FailsOrThePowerGoes_RecordAndDefaultAgreeAfterTheNextStart(bool power)
    {
        for (var at = 0; ; at++)
        {
            await using var machine = await new FakeMachine().StartAsync();
            await machine.InstallAsync();
            await machine.Service.ArmAsync("mina", Token);
            machine.Start();
            await machine.Service.LookAsync(Token);
            var before = machine.Ran.Count;
            if (power)
            {
                machine.PowerCut = _ => machine.Ran.Count == before + at;
            }
            else
            {
                machine.Fails = _ => machine.Ran.Count == before + at + 1;
            }

            var isCut = false;
            try
            {
                await machine.Service.KeepAsync("mina", Token);
            }
            catch (Exception e) when (e is ChangeException or FakeMachine.PowerCutException)
            {
                isCut = true;
            }

            var wasLast = machine.Ran.Count < before + at;
            (machine.PowerCut, machine.Fails) = (_ => false, _ => false);
            var came = machine.Start();
            var record = (await machine.Service.LookAsync(Token))!;
            var said = $"command {at}, cut {isCut}: {came} came up, {record.State}";
            Assert.True(came == New ? record.State == KernelBootState.Kept : came == Old && record.State == KernelBootState.Returned, said);
            Assert.True(machine.Start() == came, said);
            Assert.DoesNotContain("panic=", machine.Text("proc/cmdline"), StringComparison.Ordinal);
            if (wasLast)
            {
                Assert.Equal(New, came);
                return;
            }
        }
    }

    [Fact]
    public async Task Remove_RunningDefaultOrPending_IsRefused()
    {
        await using var machine = await new FakeMachine().StartAsync();
        await machine.InstallAsync();
        Assert.Contains("runs now", (await Assert.ThrowsAsync<ChangeException>(() => machine.Installer.RemoveAsync(Old, machine.Work))).Message, StringComparison.Ordinal);
        await machine.Service.ArmAsync("mina", Token);
        Assert.Contains("armed", (await Assert.ThrowsAsync<ChangeException>(() => machine.Installer.RemoveAsync(New, machine.Work))).Message, StringComparison.Ordinal);
        machine.Start();
        await machine.Service.LookAsync(Token);
        Assert.Contains("is the default", (await Assert.ThrowsAsync<ChangeException>(() => machine.Installer.RemoveAsync(Old, machine.Work))).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ChangeException>(() => machine.Installer.RemoveAsync("../etc", machine.Work));
        machine.Start();
        await machine.Service.LookAsync(Token);
        await machine.Installer.RemoveAsync(New, machine.Work);
        Assert.Equal(KernelBootState.Removed, machine.Store.Read()!.State);
        Assert.False(File.Exists(machine.At("etc/default/grub.d/mpsec.cfg")));
        Assert.Equal(Old, machine.Start());
    }

    [Fact]
    public async Task Look_ImageRemovedByHand_IsToldAndTheSettingsGo()
    {
        await using var machine = await new FakeMachine().StartAsync();
        await machine.InstallAsync();
        await machine.Service.ArmAsync("mina", Token);
        machine.Remove(New);
        Assert.Equal(KernelBootState.Removed, (await machine.Service.LookAsync(Token))!.State);
        Assert.False(File.Exists(machine.At("etc/default/grub.d/mpsec.cfg")));
        Assert.Equal(Old, machine.Start());
    }

    private static async Task<IReadOnlyList<string>> RefusalsAsync(FakeMachine machine) => (await machine.Service.PlanAsync(machine.Wanted, Token)).Refusals;

    private static string Files(FakeMachine machine) => string.Join('\n', Directory.EnumerateFiles(machine.Root, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(f => f + Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(f)))));
}
