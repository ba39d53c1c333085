using MPSec.Features.Kernel;
using MPSec.Linux.Processes;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Features.Kernel;

/// <summary>What is refused before anything is asked of anybody, and what an unpacked tree may look like.</summary>
public sealed class KernelSourceRequestTests : IDisposable
{
    private const string Archive = "https://cdn.example.org/linux-6.1.9.tar.xz";

    private readonly string _root = Directory.CreateTempSubdirectory("mpr-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Check_GoodRequests_Passes()
    {
        Assert.Null(new KernelSourceRequest(KernelSourceKind.Distribution).Check());
        Assert.Null(new KernelSourceRequest(KernelSourceKind.Distribution) { Package = "linux-source-6.8.0", Version = "6.8" }.Check());
        Assert.Null(Tarball(Archive).Check());
        Assert.Null(new KernelSourceRequest(KernelSourceKind.File) { File = "/srv/linux-6.1.tar.gz", SignatureFile = "/srv/s", Keyring = "/srv/k", Version = "6.1-rc3", AllowUnsigned = true }.Check());
        Assert.Null(Git("https://git.example.org/linux.git", "feature/x-1.0+a").Check());
        Assert.Equal("https://cdn.example.org/linux-6.1.9.tar.sign", KernelSourceRequest.SignatureOf(Archive));
        Assert.Equal("/a/x.tar.sign", KernelSourceRequest.SignatureOf("/a/x.tar"));
    }

    [Theory]
    [InlineData("http://cdn.example.org/linux-6.1.9.tar.xz")]
    [InlineData("http://127.0.0.1/linux-6.1.9.tar.xz")]
    [InlineData("file:///srv/linux-6.1.9.tar.xz")]
    [InlineData("https://user:secret@cdn.example.org/linux-6.1.9.tar.xz")]
    [InlineData("https://cdn.example.org/linux-6.1.9.tar.xz?token=1")]
    [InlineData("https://cdn.example.org/linux-6.1.9.tar.xz#x")]
    [InlineData("https://cdn.example.org/linux 6.1.9.tar.xz")]
    [InlineData("https://cdn.example.org/\nlinux-6.1.9.tar.xz")]
    [InlineData("https://cdn.example.org/\u001blinux-6.1.9.tar.xz")]
    [InlineData("https://cdn.example.org/linux-6.1.9.zip")]
    [InlineData("--upload-pack=x")]
    [InlineData("")]
    [InlineData(null)]
    public void Check_BadAddress_NamesTheField(string? address)
    {
        Assert.StartsWith("address: ", Tarball(address).Check(), StringComparison.Ordinal);
        Assert.StartsWith("signatureAddress: ", (Tarball(Archive) with { SignatureAddress = (address ?? "") is var a && a.EndsWith(".zip", StringComparison.Ordinal) ? "x" : a }).Check(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("git://git.example.org/linux.git")]
    [InlineData("ssh://git.example.org/linux.git")]
    [InlineData("git@git.example.org:linux.git")]
    [InlineData("ext::sh -c touch% /x")]
    [InlineData("file:///srv/linux.git")]
    [InlineData("/srv/linux.git")]
    [InlineData("-oProxyCommand=x")]
    public void Check_RepositoryNotHttps_IsRefused(string address) => Assert.StartsWith("address: ", Git(address, "v6.1").Check(), StringComparison.Ordinal);

    [Theory]
    [InlineData("--upload-pack=touch /x")]
    [InlineData("-v6.1")]
    [InlineData("v6..1")]
    [InlineData("v6.1^{}")]
    [InlineData("v6.1:x")]
    [InlineData("a//b")]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("a/.b")]
    [InlineData("a/-b")]
    [InlineData("a.lock")]
    [InlineData("a.lock/b")]
    [InlineData("a.")]
    [InlineData("@{u}")]
    [InlineData("v6.1\n")]
    [InlineData("v 6")]
    [InlineData("")]
    [InlineData(null)]
    public void Check_BadRef_NamesTheField(string? name) => Assert.StartsWith("ref: ", Git("https://git.example.org/linux.git", name).Check(), StringComparison.Ordinal);

    [Fact]
    public void Check_OtherFields_NamesThem()
    {
        Assert.StartsWith("package: ", new KernelSourceRequest(KernelSourceKind.Distribution) { Package = "linux-source-6.1=1 -o" }.Check(), StringComparison.Ordinal);
        Assert.StartsWith("package: ", new KernelSourceRequest(KernelSourceKind.Distribution) { Package = "bash" }.Check(), StringComparison.Ordinal);
        Assert.StartsWith("ref: ", (Tarball(Archive) with { Ref = "v6" }).Check(), StringComparison.Ordinal);
        Assert.StartsWith("allowUnsigned: ", new KernelSourceRequest(KernelSourceKind.Distribution) { AllowUnsigned = true }.Check(), StringComparison.Ordinal);
        Assert.StartsWith("file: ", new KernelSourceRequest(KernelSourceKind.File) { File = "linux-6.1.tar", Version = "6.1" }.Check(), StringComparison.Ordinal);
        Assert.StartsWith("signatureFile: ", new KernelSourceRequest(KernelSourceKind.File) { File = "/a.tar", SignatureFile = "b", Version = "6.1" }.Check(), StringComparison.Ordinal);
        Assert.StartsWith("keyring: ", (Tarball(Archive) with { Keyring = "k" }).Check(), StringComparison.Ordinal);
        foreach (var version in (string?[])["6", "6.1/../..", "v6.1", "6.1 ", "6.1\n", "", null])
        {
            Assert.StartsWith("version: ", (Tarball(Archive) with { Version = version }).Check(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("6.1.0", "6.1", false, true)]
    [InlineData("6.1.0-rc3", "6.1-rc3", false, true)]
    [InlineData("6.1.9", "6.1.9", false, true)]
    [InlineData("6.1.9", "6.1", false, false)]
    [InlineData("6.1.9", "6.1", true, true)]
    [InlineData("6.12.9", "6.1", true, false)]
    [InlineData("6.1.9", null, false, true)]
    [InlineData("6.1.10", "6.1.1", true, false)]
    public void Fits_Versions_AreTheSameOrOfTheSeries(string found, string? wanted, bool series, bool fits) => Assert.Equal(fits, KernelTree.Fits(found, wanted, series));

    [Fact]
    public void Tree_MakefileAndLinks_AreReadAsTheKernelReadsThem()
    {
        File.WriteAllText(Path.Combine(_root, "Makefile"), "# SPDX\nVERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 0\nEXTRAVERSION = -rc3\nNAME = Baby\nVERSION = 9\n");
        Assert.Equal("6.12.0-rc3", KernelTree.Version(_root));

        Directory.CreateDirectory(Path.Combine(_root, "a", "b"));
        Link("a/b/up", "../../Makefile");
        Link("a/none", "b/../nowhere");
        Link("here", "a/.");
        Assert.Null(KernelTree.LinkOut(_root));

        // By its words it stays inside; followed, it does not, for a/b/here leads up first.
        Link("a/b/here", "../../here");
        Link("out", "a/b/here/../../x");
        Assert.Equal("out", KernelTree.LinkOut(_root));
        foreach (var target in (string[])["/etc", "../x", "a/../../x", "out"])
        {
            File.Delete(Path.Combine(_root, "out"));
            Link("out", target);
            Assert.Equal("out", KernelTree.LinkOut(_root));
        }

        File.WriteAllText(Path.Combine(_root, "Makefile"), "all:\n");
        Assert.Throws<IOException>(() => KernelTree.Version(_root));
    }

    [Fact]
    public void Keyring_Shipped_HoldsTheFourKeysAndNoOther()
    {
        Assert.SkipUnless(new CommandRunner(TimeProvider.System).Find("gpg") is not null, "gpg is not installed");
        var file = Path.Combine(_root, "keys.gpg");
        KernelKeyring.Write(file);
        var shown = NamespaceScope.Run("gpg", "--homedir", _root, "--batch", "--with-colons", "--show-keys", file).Split('\n').Select(l => l.Split(':')).ToArray();
        Assert.Equal(
            ["647F28654894E3BD457199BE38DBBDC86092693E", "ABAF11C65A2970B130ABE3C479BE3E4300411886", "AC2B29BD34A6AFDDB3F68F35E7BFC8EC95861109", "E27E5D8A3403A2EF66873BBCDEA66FF797772CDC"],
            shown.Index().Where(l => l.Item[0] == "pub").Select(l => shown[l.Index + 1][9]).Order(StringComparer.Ordinal));
    }

    private static KernelSourceRequest Tarball(string? address) => new(KernelSourceKind.Tarball) { Address = address, Version = "6.1.9" };

    private static KernelSourceRequest Git(string address, string? name) => new(KernelSourceKind.Git) { Address = address, Ref = name };

    private void Link(string name, string target) => File.CreateSymbolicLink(Path.Combine(_root, name), target);
}
