using System.Formats.Tar;
using System.Text;
using MPSec.Features.Kernel;
using MPSec.Linux.Processes;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Features.Kernel;

/// <summary>The table of signatures, with real keys: one is accepted, the rest is refused, and of those nothing stays in the work folder.</summary>
public sealed class KernelSourceCheckTests : IDisposable
{
    private const long Largest = 1 << 20;

    private readonly string _root = Directory.CreateTempSubdirectory("mpk-").FullName;

    private string Home => Path.Combine(_root, "home");

    private string Archive => Path.Combine(_root, "linux-6.1.9.tar.xz");

    private string Signature => Path.Combine(_root, "linux-6.1.9.tar.sign");

    public void Dispose()
    {
        if (Directory.Exists(Home))
        {
            NamespaceScope.Run("gpgconf", "--homedir", Home, "--kill", "all");
        }

        Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public async Task Check_OfEveryKindOfSignature_AcceptsTheGoodOneOnly()
    {
        foreach (var program in (string[])["gpg", "gpgv", "gpgconf", "xz"])
        {
            Assert.SkipUnless(new CommandRunner(TimeProvider.System).Find(program) is not null, $"{program} is not installed");
        }

        Directory.CreateDirectory(Home, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Gpg("--quick-generate-key", "good@example.org", "ed25519", "sign", "never");
        Gpg("--quick-generate-key", "foreign@example.org", "ed25519", "sign", "never");
        Gpg("--faked-system-time", "20200101T000000!", "--quick-generate-key", "old@example.org", "ed25519", "sign", "2d");
        var keyring = Path.Combine(_root, "trusted.gpg");
        Gpg("--output", keyring, "--export", "good@example.org", "old@example.org");

        Make("linux-6.1.9/");
        Sign("good@example.org");
        await AssertAsync(KernelSourceVerdict.Authentic, keyring, "good");
        await AssertAsync(KernelSourceVerdict.OtherVersion, keyring, "swapped for another version", version: "6.6.1");

        File.WriteAllText(Signature, "");
        await AssertAsync(KernelSourceVerdict.Unsigned, keyring, "stripped");
        File.WriteAllText(Signature, "no signature at all\n");
        await AssertAsync(KernelSourceVerdict.Unsigned, keyring, "none");
        File.Delete(Signature);
        await AssertAsync(KernelSourceVerdict.Unsigned, keyring, "missing");

        Sign("foreign@example.org");
        await AssertAsync(KernelSourceVerdict.ForeignKey, keyring, "foreign");
        Sign("old@example.org", "--faked-system-time", "20200101T120000!");
        await AssertAsync(KernelSourceVerdict.Expired, keyring, "expired");

        Sign("good@example.org");
        Make("linux-6.1.9/", "altered");
        await AssertAsync(KernelSourceVerdict.BadSignature, keyring, "altered");

        Make("linux-6.1.9/");
        Sign("good@example.org");
        var whole = File.ReadAllBytes(Archive);
        File.WriteAllBytes(Archive, whole[..(whole.Length / 2)]);
        await AssertAsync(KernelSourceVerdict.Damaged, keyring, "truncated");

        Make("linux-6.1.9/", new string('x', (int)Largest * 8));
        Sign("good@example.org");
        Assert.True(new FileInfo(Archive).Length < Largest / 10);
        await AssertAsync(KernelSourceVerdict.TooLarge, keyring, "bomb");

        Make("../linux-6.1.9/");
        Sign("good@example.org");
        await AssertAsync(KernelSourceVerdict.LeadsOut, keyring, "climbs out");
        foreach (var target in (string[])["/etc/passwd", "../../x", "../linux-6.1.90/x"])
        {
            Make("linux-6.1.9/", link: target);
            Sign("good@example.org");
            await AssertAsync(KernelSourceVerdict.LeadsOut, keyring, "link to " + target);
        }

        Make("linux-6.1.9/", link: "sub/../Makefile");
        Sign("good@example.org");
        await AssertAsync(KernelSourceVerdict.Authentic, keyring, "link inside");
    }

    private async Task AssertAsync(KernelSourceVerdict expected, string keyring, string what, string version = "6.1.9")
    {
        var work = Directory.CreateDirectory(Path.Combine(_root, "work-" + Guid.NewGuid().ToString("N")[..8])).FullName;
        var result = await new KernelSourceCheck(new CommandRunner(TimeProvider.System), Largest)
            .RunAsync(Archive, Signature, keyring, version, work, allowUnsigned: false, TestContext.Current.CancellationToken);
        Assert.True(expected == result.Verdict, $"{what}: {result.Verdict}, {result.Sentence}");
        Assert.Equal(expected == KernelSourceVerdict.Authentic ? [Path.Combine(work, "source.tar")] : [], Directory.EnumerateFileSystemEntries(work));
        Assert.Equal(expected == KernelSourceVerdict.Authentic, result.Signer is { Length: 40 } && result.Archive is not null);
    }

    private void Make(string folder, string text = "VERSION = 6\n", string? link = null)
    {
        var tar = Archive[..^3];
        using (var writer = new TarWriter(File.Create(tar)))
        {
            writer.WriteEntry(new PaxTarEntry(TarEntryType.Directory, folder));
            writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, folder + "Makefile") { DataStream = new MemoryStream(Encoding.ASCII.GetBytes(text)) });
            if (link is not null)
            {
                writer.WriteEntry(new PaxTarEntry(TarEntryType.SymbolicLink, folder + "link") { LinkName = link });
            }
        }

        NamespaceScope.Run("xz", "--force", "--keep", tar);
    }

    private void Sign(string key, params string[] more)
    {
        File.Delete(Signature);
        Gpg([.. more, "--local-user", key, "--output", Signature, "--detach-sign", Archive[..^3]]);
    }

    private void Gpg(params string[] arguments) => NamespaceScope.Run("gpg", ["--homedir", Home, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", .. arguments]);
}
