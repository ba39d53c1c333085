using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Localization;
using MPSec.Changes;
using MPSec.Features.Network;
using MPSec.Linux.Gateways;
using MPSec.Linux.Sysctl;
using MPSec.Linux.Values;

namespace MPSec.Tests.Features.Network;

public sealed class MptcpSettingCatalogueTests : IDisposable
{
    private readonly CultureInfo _before = CultureInfo.CurrentUICulture;

    public static TheoryData<string> Names => [.. MptcpSettingCatalogue.All.Select(s => s.Name)];

    public void Dispose() => CultureInfo.CurrentUICulture = _before;

    [Theory]
    [MemberData(nameof(Names))]
    public void Setting_OfTheCatalogue_IsExplainedInBothLanguages(string name)
    {
        var setting = MptcpSettingCatalogue.Find(name)!;
        var texts = Texts();
        var sentences = new List<string>();
        foreach (var language in new[] { "en", "ko" })
        {
            CultureInfo.CurrentUICulture = CultureInfo.GetCultureInfo(language);
            var (about, caveat) = (texts[$"Set_{setting.TextKey}"], texts[$"Caveat_{setting.TextKey}"]);
            Assert.False(about.ResourceNotFound, name);
            Assert.Equal(setting.HasCaveat, !caveat.ResourceNotFound);
            Assert.True(setting.Unit is null || !texts[$"Unit_{setting.Unit}"].ResourceNotFound, name);
            sentences.Add(about.Value + caveat.Value);
        }

        Assert.NotEqual(sentences[0], sentences[1]);
        Assert.NotEmpty(setting.Since);
    }

    [Fact]
    public void Names_OfThisKernel_AreAllListedKnownOrNot()
    {
        var entries = KernelMptcpSettings.ReadEntries("/proc/sys");
        Assert.SkipUnless(entries.Any(e => e.Name.StartsWith("net.mptcp.", StringComparison.Ordinal)), "this kernel has no MPTCP");
        var listed = MptcpSettingsSnapshot.Of(new() { Gateway = GatewayName.Host }, entries, [], "6.18");

        Assert.All(Directory.EnumerateFiles("/proc/sys/net/mptcp"), file => Assert.True(listed.Find("net.mptcp." + Path.GetFileName(file)) is { IsPresent: true }));
        Assert.All(entries, e => Assert.NotNull(listed.Find(e.Name)));
    }

    [Fact]
    public void Settings_NameThatNobodyKnows_IsListedAmongTheAdvancedAndCanBeWritten()
    {
        var now = MptcpFacts.Snapshot();
        var wonder = now.Find("net.mptcp.wonder")!;

        Assert.Null(wonder.Known);
        Assert.Equal(MptcpSettingGroup.Advanced, wonder.Group);
        var plan = MptcpSettingsService.Write(now, new Dictionary<string, string> { ["net.mptcp.wonder"] = "8" });
        Assert.Equal(["ip netns exec lab-b sysctl -w net.mptcp.wonder=8"], plan.Commands);
        Assert.Empty(plan.Remarks);
        Assert.Equal(["new-connections-only"], MptcpSettingsService.Write(now, new Dictionary<string, string> { ["net.mptcp.enabled"] = "0" }).Remarks);
    }

    [Fact]
    public void Settings_NameThatThisKernelLacks_IsListedAsMissingAndRefused()
    {
        var now = MptcpFacts.Snapshot(new() { ["net.mptcp.path_manager"] = null }, release: "6.12.1");

        Assert.False(now.Find("net.mptcp.path_manager")!.IsPresent);
        var e = Refused(now, "net.mptcp.path_manager", "kernel");
        Assert.Equal(ChangeFault.NotAvailable, e.Fault);
        Assert.Contains("6.15", e.Message);
    }

    [Theory]
    [InlineData("net.mptcp.enabled", "1", null)]
    [InlineData("net.mptcp.enabled", " 0\n", null)]
    [InlineData("net.mptcp.enabled", "2", "0 or 1")]
    [InlineData("net.mptcp.enabled", "", "0 or 1")]
    [InlineData("net.mptcp.enabled", "켬", "0 or 1")]
    [InlineData("net.mptcp.stale_loss_cnt", "4294967295", null)]
    [InlineData("net.mptcp.stale_loss_cnt", "4294967296", "0 to 4294967295")]
    [InlineData("net.mptcp.stale_loss_cnt", "-1", "0 to 4294967295")]
    [InlineData("net.mptcp.stale_loss_cnt", "4.5", "whole number")]
    [InlineData("net.mptcp.stale_loss_cnt", "٤", "whole number")]
    [InlineData("net.mptcp.syn_retrans_before_tcp_fallback", "256", "0 to 255")]
    [InlineData("net.mptcp.path_manager", "userspace", null)]
    [InlineData("net.mptcp.path_manager", "fullmesh", "kernel, userspace")]
    [InlineData("net.mptcp.scheduler", "../x", "default")]
    [InlineData("net.mptcp.available_schedulers", "rr", "cannot be written")]
    [InlineData("net.mptcp.wonder", "a\u0001b", "printable")]
    [InlineData("net.mptcp.wonder", "경로", "printable")]
    [InlineData("net.mptcp.nonsense", "1", "no MPTCP setting")]
    [InlineData("kernel.core_pattern", "1", "no MPTCP setting")]
    [InlineData("net.ipv4.tcp_rmem", "4096 131072 33554432", null)]
    [InlineData("net.ipv4.tcp_rmem", "4096\t131072   33554432", null)]
    [InlineData("net.ipv4.tcp_rmem", "4096 131072", "three")]
    [InlineData("net.ipv4.tcp_rmem", "0 1 2", "three")]
    [InlineData("net.ipv4.tcp_rmem", "4096 33554432 131072", "not fall")]
    [InlineData("net.ipv4.tcp_rmem", "4096 131072 4294967296", "three")]
    [InlineData("net.ipv4.tcp_congestion_control", "reno", null)]
    [InlineData("net.ipv4.tcp_congestion_control", "cubic", "not allowed in namespaces")]
    [InlineData("net.ipv4.tcp_congestion_control", "olia", "reno, bbr, cubic")]
    [InlineData("net.ipv4.tcp_allowed_congestion_control", "reno", "does not let")]
    public void Write_EachKindOfValue_IsTakenOrRefusedInOneSentence(string name, string value, string? refusal)
    {
        var now = MptcpFacts.Snapshot();
        if (refusal is null)
        {
            var write = Assert.IsType<WriteSysctl>(Assert.Single(MptcpSettingsService.Write(now, new Dictionary<string, string> { [name] = value }).Operations));
            Assert.Equal(MptcpSetting.Normal(value), write.Value);
            return;
        }

        var e = Refused(now, name, value);
        Assert.Contains(refusal, e.Message);
        Assert.StartsWith(name, e.Message);
    }

    [Fact]
    public void Write_CongestionControlOnTheHost_NeedsNotBeOnTheList() =>
        Assert.Single(MptcpSettingsService.Write(MptcpFacts.Snapshot(gateway: GatewayName.Host), new Dictionary<string, string> { ["net.ipv4.tcp_congestion_control"] = "cubic" }).Operations);

    [Fact]
    public void Write_OneOfSeveralIsWrong_NothingIsPlanned() =>
        Assert.Throws<ChangeException>(() => MptcpSettingsService.Write(MptcpFacts.Snapshot(), new Dictionary<string, string> { ["net.mptcp.enabled"] = "0", ["net.mptcp.scheduler"] = "x" }));

    [Fact]
    public void Buffer_ThreePathsOf20Mbit_IsRateSumTimesRoundTrips()
    {
        var advice = MptcpFacts.Snapshot(rtts: [10, 20, 50]).Buffer!;

        Assert.Equal((60e6, 10.0, 50.0), (advice.SumBitsPerSecond, advice.LeastRttMs, advice.MostRttMs));
        Assert.Equal(300_000, advice.ReorderBytes); // 60 Mbit/s over 40 ms
        Assert.Equal(750_000, advice.Bytes); // twice 60 Mbit/s over 50 ms
        Assert.Null(MptcpFacts.Snapshot(rtts: [10]).Buffer);
    }

    internal static IStringLocalizer<MptcpTexts> Texts() =>
        new ServiceCollection().AddLogging().AddLocalization().BuildServiceProvider().GetRequiredService<IStringLocalizer<MptcpTexts>>();

    private static ChangeException Refused(MptcpSettingsSnapshot now, string name, string value) =>
        Assert.Throws<ChangeException>(() => MptcpSettingsService.Write(now, new Dictionary<string, string> { [name] = value }));
}
