using MPSec.Features.Kernel;
using MPSec.Linux.Procfs;
using MPSec.Linux.Processes;

namespace MPSec.Tests.Features.Kernel;

/// <summary>The report on recorded kernels, line by line, and on the one of this machine.</summary>
public sealed class KernelReportTests : IDisposable
{
    private static readonly string s_fixtures = Path.Combine(AppContext.BaseDirectory, "Fixtures");

    private readonly string _root = Directory.CreateTempSubdirectory("mpsec-kernel-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Report_OfTheRecordedOutOfTreeKernel_IsRightInEveryLine()
    {
        foreach (var file in Directory.EnumerateFiles(Path.Combine(s_fixtures, "OutOfTree/sys"), "*", SearchOption.AllDirectories))
        {
            Write("proc/" + Path.GetRelativePath(Path.Combine(s_fixtures, "OutOfTree"), file), File.ReadAllText(file));
        }

        Write("proc/sys/kernel/osrelease", "4.19.234\n");

        var report = KernelReport.Of(new KernelFactsReader(_root).Read());

        Assert.Equal((KernelFlavour.OutOfTree, true, KernelRoad.Nothing, "out-of-tree-on"), (report.Flavour, report.IsEnabled, report.Road, report.Verdict));
        Assert.Null(report.ConfigSource);
        AssertStates(report, f => f.Flavour == KernelFlavour.Upstream ? KernelFeatureState.OtherFlavour
            : f.Flavour == KernelFlavour.OutOfTree || f.Key == "cubic" ? KernelFeatureState.Works
            : f.Key == "btf" ? KernelFeatureState.TooOld
            : KernelFeatureState.Unknown);
        Assert.Equal(["net.mptcp.mptcp_path_manager = fullmesh"], Line(report, "oot-pm").Evidence);
        Assert.Equal(["tcp_available_congestion_control: reno cubic lia olia wvegas balia mctcpdesync"], Line(report, "olia").Evidence);
        Assert.Equal(("upstream", "6.15"), (Line(report, "named-pm").Remedy, Line(report, "named-pm").RemedyArgument));
    }

    [Fact]
    public void Report_OfDebiansKernel_IsRightInEveryLine()
    {
        Debian("1");
        string[] modules = ["mptcp_diag", "esp4", "esp6", "xfrm_user", "sch_tbf", "sch_netem", "veth", "tcp_bbr"];
        Write("lib/modules/6.1.0-44-amd64/modules.dep", string.Concat(modules.Select(m => $"kernel/net/{m.Replace("sch_", "sch-", StringComparison.Ordinal)}.ko: kernel/net/other.ko\n")));
        Write("proc/modules", "veth 40960 0 - Live 0x0000000000000000\n");

        var report = KernelReport.Of(new KernelFactsReader(_root).Read());

        Assert.Equal((KernelFlavour.Upstream, true, KernelRoad.Nothing, "on"), (report.Flavour, report.IsEnabled, report.Road, report.Verdict));
        Assert.Equal(("Debian GNU/Linux 12 (bookworm)", "/boot/config-6.1.0-44-amd64"), (report.Distribution, report.ConfigSource));
        AssertStates(report, f => f.Key switch
        {
            "mptcp" or "userspace-pm" or "cubic" or "btf" => KernelFeatureState.Works,
            "byte-counters" or "mptcpify" or "scheduler-choice" or "named-pm" or "laminar" => KernelFeatureState.TooOld,
            "veth" => KernelFeatureState.Ready,
            _ when f.Flavour == KernelFlavour.OutOfTree => KernelFeatureState.OtherFlavour,
            _ when f.Module is not null => KernelFeatureState.ModuleNotLoaded,
            _ => KernelFeatureState.Ready,
        });
        Assert.Equal(["CONFIG_NET_SCH_NETEM=m (/boot/config-6.1.0-44-amd64)", "module sch_netem: on disk, not loaded"], Line(report, "netem").Evidence);
        Assert.Equal(("load", "sch_netem"), (Line(report, "netem").Remedy, Line(report, "netem").RemedyArgument));
        Assert.Equal(("newer", "6.15"), (Line(report, "named-pm").Remedy, Line(report, "named-pm").RemedyArgument));
    }

    [Fact]
    public void Report_OfDebiansKernelSwitchedOff_SaysHowToSwitchItOn()
    {
        Debian("0");
        var report = KernelReport.Of(new KernelFactsReader(_root).Read());
        Assert.Equal((KernelRoad.Enable, "off", KernelFeatureState.SwitchedOff), (report.Road, report.Verdict, Line(report, "mptcp").State));
        Assert.Equal(("enable", "net.mptcp.enabled"), (Line(report, "mptcp").Remedy, Line(report, "mptcp").RemedyArgument));
    }

    [Theory]
    [InlineData("6.1.192-3", KernelRoad.Package)]
    [InlineData("4.19.316-1", KernelRoad.Build)] // offered, and too old
    [InlineData("(none)", KernelRoad.Build)]
    public void Report_OfAKernelWithoutMptcp_GoesTheShortestWay(string candidate, KernelRoad expected)
    {
        Write("proc/sys/kernel/osrelease", "4.19.0-27-amd64\n");
        Write("boot/config-4.19.0-27-amd64", "CONFIG_NET=y\nCONFIG_NET_SCH_NETEM=m\n# CONFIG_MPTCP is not set\n");
        var offered = AptOutput.Candidates($"linux-image-amd64:\n  Installed: (none)\n  Candidate: {candidate}\n  Version table:\n");

        var report = KernelReport.Of(new KernelFactsReader(_root).Read() with { Packages = [.. offered.Select(c => new KernelPackage(c.Key, c.Value))] });

        Assert.Equal(expected, report.Road);
        Assert.Equal(expected == KernelRoad.Package ? new KernelPackage("linux-image-amd64", candidate) : null, report.Package);
        Assert.Null(report.IsEnabled);
        Assert.Equal(KernelFeatureState.TooOld, Line(report, "mptcp").State);
        Assert.Equal(["# CONFIG_MPTCP is not set (/boot/config-4.19.0-27-amd64)"], Line(report, "mptcp").Evidence);
        Assert.Equal(KernelFeatureState.NotCompiled, Line(report, "esp").State);
    }

    [Fact]
    public void Report_OfAFolderWithNothing_SaysUnknown()
    {
        var report = KernelReport.Of(new KernelFactsReader(_root).Read());
        Assert.Equal((KernelFlavour.None, (string?)null, (bool?)null), (report.Flavour, report.Release, report.IsEnabled));
        Assert.All(report.Features, line => Assert.Contains(line.State, new[] { KernelFeatureState.Unknown, KernelFeatureState.OtherFlavour }));
    }

    [Fact]
    public void Trial_OfAModuleThatIsNotLoaded_IsNotMade()
    {
        var netem = KernelFeatureTable.Find("netem")!;
        Debian("1");
        Assert.False(KernelTrials.MayTry(netem, new KernelFactsReader(_root).Read()));
        Write("proc/modules", "sch_netem 20480 0 - Live 0x0000000000000000\n");
        Assert.True(KernelTrials.MayTry(netem, new KernelFactsReader(_root).Read()));
    }

    [Fact]
    public void Trial_OfACipherThatMayBeAModule_IsMadeOnlyWhenItIsInUse()
    {
        var esp = KernelFeatureTable.Find("esp")!;
        Debian("1");
        Write("proc/modules", "esp4 28672 0 - Live 0x0000000000000000\n");
        Assert.False(KernelTrials.MayTry(esp, new KernelFactsReader(_root).Read()));
        Write("proc/crypto", "name         : rfc4106(gcm(aes))\ndriver       : rfc4106-gcm-aesni\n");
        Assert.True(KernelTrials.MayTry(esp, new KernelFactsReader(_root).Read()));
    }

    [Theory]
    [InlineData("Object \"mptcp\" is unknown, try \"ip help\".", null)] // iproute2 before 5.8
    [InlineData("Error: argument \"fullmesh\" is wrong: unknown flag", null)]
    [InlineData("BusyBox v1.35.0 (Debian 1:1.35.0-4+deb12u1+b1) multi-call binary.", null)]
    [InlineData("RTNETLINK answers: Operation not supported", false)]
    [InlineData("Error: Specified qdisc kind is unknown.", false)]
    public void Trial_ByAProgramThatDoesNotKnowTheWords_SaysNothingOfTheKernel(string said, bool? worked)
    {
        var endpoints = KernelFeatureTable.Find("endpoints")!;
        var trial = KernelTrials.Of(endpoints, succeeded: false, said);
        Assert.Equal(worked, trial.Worked);
        Debian("1");
        var report = KernelReport.Of(new KernelFactsReader(_root).Read() with { Trials = System.Collections.Immutable.ImmutableDictionary<string, KernelTrial>.Empty.Add("endpoints", trial) });
        Assert.Equal(worked is null ? KernelFeatureState.Ready : KernelFeatureState.Refused, Line(report, "endpoints").State);
        Assert.Contains(trial.Evidence, Line(report, "endpoints").Evidence);
    }

    [Theory]
    [InlineData("../../etc/passwd")]
    [InlineData("a/b")]
    public void Config_OfAReleaseThatIsAPath_IsNotRead(string release) => Assert.Null(KernelConfig.Read(_root, release));

    [Fact]
    public void Config_ThatGrowsWithoutEnd_IsRefused()
    {
        using (var packed = new System.IO.Compression.GZipStream(File.Create(Path.Combine(Directory.CreateDirectory(Path.Combine(_root, "proc")).FullName, "config.gz")), System.IO.Compression.CompressionLevel.Fastest))
        {
            var line = new byte[1 << 20];
            for (var i = 0; i < 20; i++)
            {
                packed.Write(line);
            }
        }

        Assert.Null(KernelConfig.Read(_root, null));
    }

    [Fact]
    public async Task Report_OfThisMachine_AgreesWithTheKernel()
    {
        var report = await new KernelReportService(new CommandRunner(TimeProvider.System)).ReadAsync(TestContext.Current.CancellationToken);
        Assert.Equal(File.ReadAllText("/proc/sys/kernel/osrelease").Trim(), report.Release);
        Assert.Equal(KernelFeatureTable.All.Select(f => f.Key), report.Features.Select(f => f.Key));
        Assert.Equal(File.Exists("/proc/sys/net/mptcp/enabled"), report.Flavour == KernelFlavour.Upstream);
        Assert.Equal(report.IsEnabled == true, Line(report, "mptcp").State == KernelFeatureState.Works);
        Assert.Equal(File.Exists("/proc/sys/net/mptcp/path_manager"), Line(report, "named-pm").State == KernelFeatureState.Works);
        Assert.Equal(File.Exists("/sys/kernel/btf/vmlinux"), Line(report, "btf").State == KernelFeatureState.Works);
        if (report.ConfigSource is not null)
        {
            // Whatever was not compiled in did not work when it was tried, and the other way round.
            Assert.All(report.Features.Where(f => f.Evidence.Any(e => e.StartsWith("# CONFIG_", StringComparison.Ordinal))), line => Assert.False(line.State == KernelFeatureState.Works, line.Key));
        }
    }

    private static KernelFeatureLine Line(KernelReport report, string key) => report.Features.Single(f => f.Key == key);

    private static void AssertStates(KernelReport report, Func<KernelFeature, KernelFeatureState> expected) =>
        Assert.Equal(KernelFeatureTable.All.Select(f => (f.Key, expected(f))), report.Features.Select(f => (f.Key, f.State)));

    private void Debian(string enabled)
    {
        using var config = new System.IO.Compression.GZipStream(File.OpenRead(Path.Combine(s_fixtures, "Kernels/debian-6.1-amd64.config.gz")), System.IO.Compression.CompressionMode.Decompress);
        Write("boot/config-6.1.0-44-amd64", new StreamReader(config).ReadToEnd());
        Write("proc/sys/kernel/osrelease", "6.1.0-44-amd64\n");
        Write("proc/sys/net/mptcp/enabled", enabled + "\n");
        Write("proc/sys/net/mptcp/pm_type", "0\n");
        Write("proc/sys/net/ipv4/tcp_available_congestion_control", "reno cubic\n");
        Write("etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n");
        Write("sys/kernel/btf/vmlinux", "");
    }

    private void Write(string file, string text)
    {
        var path = Path.Combine(_root, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }
}
