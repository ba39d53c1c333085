using MPSec.Features.Kernel;
using MPSec.Linux.Processes;

namespace MPSec.Tests.Features.Kernel;

public sealed class SetUpPackageTableTests
{
    [Fact]
    public void All_BuiltIn_HasTheGroupsOfTheInstaller()
    {
        Assert.Equal(["run", "build", "lab", "kernel", "test"], SetUpPackageTable.Groups);
        Assert.All(SetUpPackageTable.All, package => Assert.EndsWith(".", package.Why, StringComparison.Ordinal));
        Assert.All(SetUpPackageTable.All.SelectMany(package => package.Names), name => Assert.Matches("^[a-z0-9][a-z0-9.+-]+$", name));
    }

    [Theory]
    [InlineData("run\trequired\tip\tip")]
    [InlineData("run\tmaybe\tip\tip\tWhy.")]
    public void Parse_WrongLine_NamesIt(string line) =>
        Assert.Contains("line 2", Assert.Throws<FormatException>(() => SetUpPackageTable.Parse("# head\n" + line)).Message, StringComparison.Ordinal);

    [Fact]
    public void IsThere_PatternInFolders_FindsAny()
    {
        var root = Directory.CreateTempSubdirectory("mpsec-probe-");
        try
        {
            Directory.CreateDirectory(Path.Combine(root.FullName, "usr/lib/x86_64"));
            File.WriteAllText(Path.Combine(root.FullName, "usr/lib/x86_64/libpcap.so.0.8"), "");
            var probe = new SetUpPackageProbe(new CommandRunner(TimeProvider.System), root.FullName);
            Assert.True(probe.IsThere(Package("/lib/*/none|/usr/lib/*/libpcap.so.0.8")));
            Assert.False(probe.IsThere(Package("/usr/lib/*/libpcap.so.9*|/opt/*/x")));
            Assert.True(probe.IsThere(Package("no-such-program|sh")));
        }
        finally
        {
            root.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("pmstatus:iperf3:66.6667:Unpacking iperf3 (amd64)", 66.6667, "Unpacking iperf3 (amd64)")]
    [InlineData("dlstatus:1:20.0:Retrieving file 1 of 4", 20.0, "Retrieving file 1 of 4")]
    public void Progress_StatusLine_IsRead(string line, double percent, string activity) => Assert.Equal((percent, activity), AptOutput.Progress(line));

    [Theory]
    [InlineData("Setting up iperf3 (3.12-1) ...")]
    [InlineData("pmstatus:a:NaN:b")]
    [InlineData("pmstatus:a:1e9:b")]
    [InlineData("pmstatus:a:101:b")]
    [InlineData("pmstatus::::")]
    public void Progress_OtherLine_IsNone(string line) => Assert.Null(AptOutput.Progress(line));

    private static SetUpPackage Package(string proofs) => new("run", true, ["x"], proofs.Split('|'), "Why.");
}
