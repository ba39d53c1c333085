using System.Net;
using MPSec.Changes;
using MPSec.Changes.Kernel;
using MPSec.Features.Lab;
using MPSec.Features.Network;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Tests.Netns;

/// <summary>Settings, endpoints, limits and presets through the door, on the real kernel.</summary>
public sealed class MptcpSettingsTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Write_EveryWritableValueOfTheKernel_IsTakenAndRestored()
    {
        await using var lab = await LabScope.CreateAsync("10,10");
        var (gateway, changes) = (lab.Spec.A, lab.Get<ChangeService>());
        var before = Values(gateway);
        var writable = Read(gateway).Settings.Where(s => s.IsWritable && s.Name.StartsWith("net.mptcp.", StringComparison.Ordinal)).ToList();
        Assert.True(writable.Count >= 5, $"only {writable.Count} settings can be written");

        foreach (var setting in writable)
        {
            var wish = Other(setting);
            var report = await changes.RunAsync(Plan(gateway, setting.Name, wish), LabScope.Admin, Token);
            Assert.Equal(ChangeOutcome.Applied, report.Outcome);
            Assert.Equal(wish, Values(gateway)[setting.Name]);
            await changes.RunAsync(Plan(gateway, setting.Name, setting.Value!), LabScope.Admin, Token);
        }

        Assert.Equal(before, Values(gateway));
    }

    [Fact]
    public async Task Write_ValueThatTheKernelRefuses_IsTheKernelsReasonAndNothingStays()
    {
        await using var lab = await LabScope.CreateAsync("10,10");
        var (gateway, changes) = (lab.Spec.A, lab.Get<ChangeService>());
        var before = Values(gateway);
        // Past the checks of the catalogue, as a stricter kernel would see it; the first operation must not stay.
        var plan = new ChangePlan
        {
            TitleCode = "mptcp.setting",
            Operations = [new WriteSysctl(gateway, SysctlKey.Parse("net.mptcp.stale_loss_cnt"), "9"), new WriteSysctl(gateway, SysctlKey.Parse("net.mptcp.scheduler"), "bogus")],
        };

        var e = await Assert.ThrowsAsync<ChangeException>(() => changes.RunAsync(plan, LabScope.Admin, Token));

        Assert.Contains("ENOENT", e.Message);
        Assert.Contains("undone", e.Message);
        Assert.Equal(before, Values(gateway));
    }

    [Fact]
    public async Task Write_CongestionControlThatTheInitialNamespaceDoesNotAllow_IsToldBeforeAndByTheKernel()
    {
        await using var lab = await LabScope.CreateAsync("10,10");
        var state = Read(lab.Spec.A).Find(MptcpSettingCatalogue.CongestionControl)!;
        Assert.SkipWhen(state.Barred.Length == 0, "every congestion control of this kernel is allowed in namespaces");

        var planned = Assert.Throws<ChangeException>(() => Plan(lab.Spec.A, state.Name, state.Barred[0]));
        Assert.Contains("tcp_allowed_congestion_control", planned.Message);
        var direct = new ChangePlan { TitleCode = "mptcp.setting", Operations = [new WriteSysctl(lab.Spec.A, state.Known!.Key, state.Barred[0])] };
        var e = await Assert.ThrowsAsync<ChangeException>(() => lab.Get<ChangeService>().RunAsync(direct, LabScope.Admin, Token));
        Assert.Contains("EPERM", e.Message);
        Assert.Equal(state.Value, Read(lab.Spec.A).ValueOf(state.Name));
    }

    [Fact]
    public async Task Endpoints_AddedChangedRemoved_AreWhatTheToolShows()
    {
        await using var lab = await LabScope.CreateAsync("10,10,10");
        var (gateway, changes) = (lab.Spec.A, lab.Get<ChangeService>());
        await changes.RunAsync(MptcpEndpointPlans.Add(Read(gateway), new("10.99.2.1", MptcpEndpointFlags.Subflow, 7, "path2"), false), LabScope.Admin, Token);
        await changes.RunAsync(MptcpEndpointPlans.Add(Read(gateway), new("10.99.3.1", MptcpEndpointFlags.Signal, null, null, 10100), false), LabScope.Admin, Token);
        Assert.Contains("10.99.2.1 id 7 subflow dev path2", NamespaceScope.Ip(gateway, "mptcp", "endpoint"));
        Assert.Contains("10.99.3.1 port 10100 id 1 signal", NamespaceScope.Ip(gateway, "mptcp", "endpoint"));

        await changes.RunAsync(MptcpEndpointPlans.Change(Read(gateway), 7, backup: true, fullmesh: true), LabScope.Admin, Token);
        Assert.Contains("10.99.2.1 id 7 subflow backup fullmesh dev path2", NamespaceScope.Ip(gateway, "mptcp", "endpoint"));
        await changes.RunAsync(MptcpEndpointPlans.Change(Read(gateway), 1, backup: true, fullmesh: false), LabScope.Admin, Token);
        Assert.Contains("10.99.3.1 port 10100 id 1 signal backup", NamespaceScope.Ip(gateway, "mptcp", "endpoint"));

        var mesh = new ChangePlan { TitleCode = "mptcp.endpoint.change", Operations = [new SetEndpointFlags(gateway, 1, IPAddress.Parse("10.99.3.1"), true, true)] };
        var refused = await Assert.ThrowsAsync<ChangeException>(() => changes.RunAsync(mesh, LabScope.Admin, Token));
        Assert.Contains("cannot be changed", refused.Message);

        foreach (var id in new[] { 7, 1 })
        {
            await changes.RunAsync(MptcpEndpointPlans.Remove(Read(gateway), id), LabScope.Admin, Token);
        }

        Assert.Equal("", NamespaceScope.Ip(gateway, "mptcp", "endpoint").Trim());
        await changes.RunAsync(MptcpEndpointPlans.Limits(Read(gateway), 3, 1), LabScope.Admin, Token);
        Assert.Contains("add_addr_accepted 1 subflows 3", NamespaceScope.Ip(gateway, "mptcp", "limits"));
    }

    [Fact]
    public void Endpoints_NinthWithSubflow_IsRefusedByTheKernelToo()
    {
        using var scope = new NamespaceScope();
        var gateway = scope.Add("a");
        for (var i = 1; i <= 8; i++)
        {
            NamespaceScope.Ip(gateway, "mptcp", "endpoint", "add", $"10.0.0.{i}", "subflow");
        }

        var e = Assert.Throws<ChangeException>(() => new MPSec.Changes.Kernel.NetlinkHostKernel().Apply(new AddEndpoint(gateway, 9, IPAddress.Parse("10.0.0.9"), MptcpEndpointFlags.Subflow)));
        Assert.Equal(ChangeFault.Refused, e.Fault);
    }

    [Fact]
    public async Task Preset_AggregateAfterSurvive_KeepsTheTransferRunningOnAllPaths()
    {
        await using var lab = await LabScope.CreateAsync("20,20,20");
        var (gateway, changes) = (lab.Spec.B, lab.Get<ChangeService>());
        var transfers = lab.Get<LabTransferService>();
        await transfers.StartAsync(lab.Name, new(), LabScope.Admin, Token);
        await LabScope.UntilAsync(() => Established(lab, s => !s.IsBackup) == 3, "three subflows carry", 60);

        await changes.RunAsync(MptcpSettingsService.Preset(Read(gateway), MptcpPreset.Survive, MptcpSide.Accepts).Plan!, LabScope.Admin, Token);
        await LabScope.UntilAsync(() => Established(lab, s => s.IsBackup) == 2, "two subflows become backup", 60);
        await changes.RunAsync(MptcpSettingsService.Preset(Read(gateway), MptcpPreset.Aggregate, MptcpSide.Accepts).Plan!, LabScope.Admin, Token);
        await LabScope.UntilAsync(() => Established(lab, s => !s.IsBackup) == 3, "three subflows carry again", 60);

        var sent = Sent(lab);
        await LabScope.UntilAsync(() => Sent(lab).Zip(sent).All(p => p.First > p.Second), "every path sends more", 60);
        await transfers.StopAsync(lab.Name, LabScope.Admin, Token);
    }

    private static MptcpSettingsSnapshot Read(GatewayName gateway) => new KernelMptcpSettings().Read(gateway);

    private static ChangePlan Plan(GatewayName gateway, string name, string value) => MptcpSettingsService.Write(Read(gateway), new Dictionary<string, string> { [name] = value });

    private static Dictionary<string, string?> Values(GatewayName gateway) =>
        Read(gateway).Settings.Where(s => s.IsPresent && s.Name.StartsWith("net.mptcp.", StringComparison.Ordinal)).ToDictionary(s => s.Name, s => s.Value);

    private static string Other(MptcpSettingState setting) => setting switch
    {
        { Choices.Length: > 0 } => setting.Choices.FirstOrDefault(c => c != setting.Value) ?? setting.Value!,
        { Known.Kind: MptcpSettingKind.Toggle } or { Known.Maximum: 1 } => setting.Value == "0" ? "1" : "0",
        _ => setting.Value == "7" ? "8" : "7",
    };

    private static int Established(LabScope lab, Func<Subflow, bool> which) => lab.Read(lab.Spec.A).Subflows.Count(s => s.State == 1 && which(s));

    private static List<ulong> Sent(LabScope lab) => [.. lab.Read(lab.Spec.A).Subflows.Where(s => s.State == 1).OrderBy(s => s.Local.ToString(), StringComparer.Ordinal).Select(s => (s.BytesSent ?? 0) + (s.BytesReceived ?? 0))];
}
