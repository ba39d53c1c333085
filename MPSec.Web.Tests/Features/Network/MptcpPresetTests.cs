using System.Globalization;
using System.Net;
using MPSec.Features.Network;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Tests.Features.Network;

public sealed class MptcpPresetTests : IDisposable
{
    private static readonly string s_outOfTree = Path.Combine(AppContext.BaseDirectory, "Fixtures/OutOfTree/sys");
    private readonly CultureInfo _before = CultureInfo.CurrentUICulture;

    public void Dispose() => CultureInfo.CurrentUICulture = _before;

    [Fact]
    public void Aggregate_OnTheAcceptingSide_AnnouncesTheOtherPaths() => Golden(
        MptcpPreset.Aggregate, MptcpSide.Accepts, MptcpFacts.Snapshot(new() { ["net.mptcp.enabled"] = "0" }, [Endpoint(3, 3, MptcpEndpointFlags.Signal | MptcpEndpointFlags.Backup)]),
        ["no-coupled"],
        "ip netns exec lab-b sysctl -w net.mptcp.enabled=1",
        "ip -n lab-b mptcp limits set subflows 8 add_addr_accepted 8",
        "ip -n lab-b mptcp endpoint change id 3 nobackup nofullmesh",
        "ip -n lab-b mptcp endpoint add 10.99.2.2 id 1 signal");

    [Fact]
    public void Aggregate_TowardsAGateway_AddsNoEndpoint() => Golden(
        MptcpPreset.Aggregate, MptcpSide.OpensToGateway, MptcpFacts.Snapshot(), ["announced-there", "no-coupled"], "ip -n lab-b mptcp limits set subflows 8 add_addr_accepted 8");

    [Fact]
    public void Aggregate_TowardsAServer_OpensFromTheOtherPathsAndGrowsTheBuffer() => Golden(
        MptcpPreset.Aggregate, MptcpSide.OpensToServer, MptcpFacts.Snapshot(new() { ["net.ipv4.tcp_rmem"] = "4096 131072 500000" }, rtts: [10, 20, 50], limits: new(8, 8)),
        ["one-subnet-each", "no-coupled"],
        "ip netns exec lab-b sysctl -w 'net.ipv4.tcp_rmem=4096 131072 750000'",
        "ip -n lab-b mptcp endpoint add 10.99.2.2 id 1 subflow",
        "ip -n lab-b mptcp endpoint add 10.99.3.2 id 2 subflow");

    [Fact]
    public void Survive_OnTheAcceptingSide_MakesAllButTheFirstBackup() => Golden(
        MptcpPreset.Survive, MptcpSide.Accepts, MptcpFacts.Snapshot(endpoints: [Endpoint(2, 2, MptcpEndpointFlags.Signal)], limits: new(8, 8)), ["lost-subflows"],
        "ip -n lab-b mptcp endpoint change id 2 backup nofullmesh",
        "ip -n lab-b mptcp endpoint add 10.99.3.2 id 1 signal backup");

    [Fact]
    public void LowLatency_OneSlowPath_BecomesBackup() => Golden(
        MptcpPreset.LowLatency, MptcpSide.OpensToServer, MptcpFacts.Snapshot(rtts: [10, 15, 50], limits: new(8, 8)), ["one-subnet-each", "no-redundant", "slow-paths"],
        "ip -n lab-b mptcp endpoint add 10.99.2.2 id 1 subflow",
        "ip -n lab-b mptcp endpoint add 10.99.3.2 id 2 subflow backup");

    [Fact]
    public void LowLatency_NothingMeasured_CannotBeHadAndSaysWhy()
    {
        var preset = MptcpSettingsService.Preset(MptcpFacts.Snapshot(), MptcpPreset.LowLatency, MptcpSide.Accepts);

        Assert.Null(preset.Plan);
        Assert.Equal("no-rtt", Assert.Single(preset.Remarks).Code);
    }

    [Fact]
    public void Original_OnThisKernel_IsFullMeshWithChecksums() => Golden(
        MptcpPreset.Original, MptcpSide.OpensToServer, MptcpFacts.Snapshot(endpoints: [Endpoint(2, 2, MptcpEndpointFlags.Subflow)], limits: new(8, 8)), ["one-subnet-each", "no-coupled", "checksum-cost"],
        "ip netns exec lab-b sysctl -w net.mptcp.checksum_enabled=1",
        "ip netns exec lab-b sysctl -w net.mptcp.syn_retrans_before_tcp_fallback=3",
        "ip -n lab-b mptcp endpoint change id 2 nobackup fullmesh",
        "ip -n lab-b mptcp endpoint add 10.99.3.2 id 1 subflow fullmesh");

    [Fact]
    public void Preset_AllIsSet_SaysSoAndDoesNothing() => Golden(
        MptcpPreset.Aggregate, MptcpSide.OpensToGateway, MptcpFacts.Snapshot(limits: new(8, 8)), ["already", "announced-there", "no-coupled"]);

    [Fact]
    public void Preset_KernelOf519_UsesTheOlderNameOfThePathManager() => Golden(
        MptcpPreset.Aggregate, MptcpSide.OpensToGateway,
        MptcpFacts.Snapshot(new() { ["net.mptcp.path_manager"] = null, ["net.mptcp.scheduler"] = null, ["net.mptcp.pm_type"] = "1" }, limits: new(8, 8), release: "5.19.0"),
        ["announced-there", "no-coupled"],
        "ip netns exec lab-b sysctl -w net.mptcp.pm_type=0");

    [Fact]
    public void Kind_OfTheRecordedOutOfTreeKernel_IsFoundWithAllItsNames()
    {
        var now = OutOfTree();

        Assert.Equal(MptcpKernelKind.OutOfTree, now.Kind);
        Assert.All(Directory.EnumerateFiles(Path.Combine(s_outOfTree, "net/mptcp")), f => Assert.NotNull(now.Find("net.mptcp." + Path.GetFileName(f))!.Known));
        Assert.Equal("fullmesh", now.ValueOf("net.mptcp.mptcp_path_manager"));
        Assert.Equal("", now.ValueOf("net.mptcp.mptcp_binder_gateways"));
        Assert.Contains("wvegas", now.Find("net.ipv4.tcp_congestion_control")!.Choices);
        Assert.Null(now.Find("net.mptcp.enabled"));
    }

    [Theory]
    [InlineData(MptcpPreset.Aggregate, "", "sysctl -w net.ipv4.tcp_congestion_control=olia")]
    [InlineData(MptcpPreset.Survive, "already backup-by-link")]
    [InlineData(MptcpPreset.LowLatency, "redundant-cost", "sysctl -w net.mptcp.mptcp_scheduler=redundant")]
    [InlineData(MptcpPreset.Original, "already")]
    public void Preset_OfTheOutOfTreeKernel_UsesItsNames(MptcpPreset preset, string remarks, params string[] commands) =>
        Golden(preset, MptcpSide.Accepts, OutOfTree(), remarks.Split(' ', StringSplitOptions.RemoveEmptyEntries), commands);

    [Theory]
    [InlineData("net.mptcp.mptcp_path_manager", "ndiffports")]
    [InlineData("net.mptcp.mptcp_scheduler", "blest")]
    [InlineData("net.ipv4.tcp_congestion_control", "wvegas")]
    public void Write_NameOfTheOutOfTreeKernel_IsTaken(string name, string value) =>
        Assert.Equal([$"sysctl -w {name}={value}"], MptcpSettingsService.Write(OutOfTree(), new Dictionary<string, string> { [name] = value }).Commands);

    [Fact]
    public void Links_OfTheOutOfTreeKernel_AreSwitchedByThePatchedTool() => Assert.Equal(
        ["ip link set dev eth0 multipath on", "ip link set dev eth0 multipath off", "ip link set dev eth0 multipath backup"],
        IMptcpControl.For(OutOfTree()).LinkCommands(GatewayName.Host, InterfaceName.Parse("eth0")));

    private static MptcpSettingsSnapshot OutOfTree() => MptcpSettingsSnapshot.Of(new() { Gateway = GatewayName.Host }, KernelMptcpSettings.ReadEntries(s_outOfTree), [], "4.19.234");

    private static MptcpEndpoint Endpoint(byte id, int path, MptcpEndpointFlags flags) => new(id, IPAddress.Parse($"10.99.{path}.2"), 0, flags, null);

    private static void Golden(MptcpPreset preset, MptcpSide side, MptcpSettingsSnapshot now, string[] remarks, params string[] commands)
    {
        var computed = MptcpSettingsService.Preset(now, preset, side);

        Assert.Equal(commands, computed.Plan!.Commands);
        Assert.Equal(remarks, computed.Remarks.Select(r => r.Code));
        var texts = MptcpSettingCatalogueTests.Texts();
        foreach (var language in new[] { "en", "ko" })
        {
            CultureInfo.CurrentUICulture = CultureInfo.GetCultureInfo(language);
            Assert.All(computed.Remarks, r => Assert.False(texts[$"Remark_{r.Code}"].ResourceNotFound, r.Code));
        }
    }
}
