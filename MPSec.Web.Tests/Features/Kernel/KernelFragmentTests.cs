using System.IO.Compression;
using MPSec.Features.Kernel;
using MPSec.Linux.Procfs;

namespace MPSec.Tests.Features.Kernel;

/// <summary>Fragments, profiles and whether what was asked for is there.</summary>
public sealed class KernelFragmentTests
{
    [Fact]
    public void Parse_OfLinesOfAConfig_TakesTheLastOfEach()
    {
        var fragment = KernelFragment.TryParse("# a comment\nCONFIG_MPTCP=y\n\n# CONFIG_PCI is not set\nCONFIG_MPTCP=m\nCONFIG_LOCALVERSION=\"-x\"\nCONFIG_HZ=250\n", out var error);
        Assert.Null(error);
        Assert.Equal("# CONFIG_PCI is not set\nCONFIG_MPTCP=m\nCONFIG_LOCALVERSION=\"-x\"\nCONFIG_HZ=250\n", fragment!.ToString());
    }

    [Theory]
    [InlineData("CONFIG_MPTCP=yes")]
    [InlineData("CONFIG_MPTCP")]
    [InlineData("MPTCP=y")]
    [InlineData("CONFIG_A-B=y")]
    [InlineData("CONFIG_X=\"$(shell id)\"")]
    [InlineData("CONFIG_X=\"`id`\"")]
    [InlineData("CONFIG_X=\"a\\\"")]
    [InlineData("CONFIG_X=\"a\"b\"")]
    [InlineData("source \"/etc/passwd\"")]
    [InlineData("# CONFIG_X is not")]
    public void Parse_OfALineThatIsNone_NamesIt(string line)
    {
        Assert.Null(KernelFragment.TryParse("CONFIG_NET=y\n" + line + "\n", out var error));
        Assert.StartsWith("line 2: ", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_OfAConfigThatDiffers_NamesEachOption()
    {
        var fragment = KernelFragment.TryParse("CONFIG_A=y\nCONFIG_B=m\nCONFIG_C=m\n# CONFIG_D is not set\n# CONFIG_E is not set\nCONFIG_F=\"x\"\n", out _)!;
        var faults = fragment.Verify(KernelConfig.Parse("test", "CONFIG_A=m\nCONFIG_B=y\nCONFIG_D=y\nCONFIG_F=\"x\"\n"));
        Assert.Equal([("A", "m", false), ("B", "y", true), ("C", "n", false), ("D", "y", false)], faults.Select(f => (f.Wanted.Option, f.Found, f.IsHarmless)));
    }

    [Fact]
    public void Profiles_AskForMptcpAndSurviveBeingWritten() => Assert.All(KernelProfileTable.All, profile =>
    {
        var again = KernelFragment.TryParse(profile.Fragment.ToString(), out var error);
        Assert.Null(error);
        Assert.Equal(profile.Fragment.Options, again!.Options);
        Assert.Contains(new KernelOption("MPTCP", "y"), profile.Fragment.Options);
    });

    [Fact]
    public void LikeDistribution_OnDebiansKernel_LacksOnlyWhatDebianLeavesOut()
    {
        var profile = KernelProfileTable.All.Single(p => p.Key == "distribution");
        Assert.Equal(["IKCONFIG", "IKCONFIG_PROC"], profile.Fragment.Verify(Debian()).Where(f => !f.IsHarmless).Select(f => f.Wanted.Option).Order());
    }

    [Fact]
    public void Repair_OfADistributionsBase_TakesKeysAwayAndTypesOnlyWithoutPahole()
    {
        var config = KernelConfig.Parse("test", "CONFIG_SYSTEM_TRUSTED_KEYS=\"debian/certs/debian-uefi-certs.pem\"\nCONFIG_SYSTEM_REVOCATION_KEYS=\"\"\nCONFIG_DEBUG_INFO_BTF=y\n");
        Assert.Equal("CONFIG_SYSTEM_TRUSTED_KEYS=\"\"\n", KernelProfileTable.Repair(config, hasPahole: true).ToString());
        Assert.Contains("CONFIG_DEBUG_INFO_NONE=y\n", KernelProfileTable.Repair(config, hasPahole: false).ToString(), StringComparison.Ordinal);
        Assert.Empty(KernelProfileTable.Repair(KernelConfig.Parse("test", "CONFIG_NET=y\n"), hasPahole: false).Options);
    }

    private static KernelConfig Debian()
    {
        using var reader = new StreamReader(new GZipStream(File.OpenRead(Path.Combine(AppContext.BaseDirectory, "Fixtures/Kernels/debian-6.1-amd64.config.gz")), CompressionMode.Decompress));
        return KernelConfig.Parse("debian", reader.ReadToEnd());
    }
}
