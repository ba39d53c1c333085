using System.Diagnostics;
using MPSec.Features.Kernel;
using MPSec.Linux.Processes;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Features.Kernel;

/// <summary>Archives, from this machine and from a server on it: what comes out is a whole checked tree, or nothing.</summary>
public sealed class KernelSourceFetcherTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Fetch_Tarball_ChecksUnpacksAndIsDoneOnlyOnce()
    {
        using var keys = new SigningKeys("xz");
        await using var scope = new KernelSourceScope();
        var tar = scope.Tar("linux-6.1.9.tar", "linux-6.1.9/", links: [("link", "Makefile")]);
        KernelSourceScope.Xz(tar);
        keys.Sign(tar, tar + ".sign");
        using var server = new FakeFileServer((r, to) => FakeFileServer.SendAsync(r, to, File.ReadAllBytes(Path.Combine(scope.Root, r.Path[1..])), "\"t\""));
        var request = new KernelSourceRequest(KernelSourceKind.Tarball) { Address = server.Address("linux-6.1.9.tar.xz").ToString(), Version = "6.1.9", Keyring = keys.Keyring };

        var source = await scope.FetchAsync(request);
        Assert.Equal(("6.1.9", scope.Tree, request.Address), (source.Version, source.Tree, source.Origin));
        Assert.True(source.Signer is { Length: 40 } && source.Authenticity.Contains(source.Signer, StringComparison.Ordinal) && source.Sha256 is { Length: 64 });
        Assert.Equal("Makefile", new FileInfo(Path.Combine(scope.Tree, "link")).LinkTarget);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(scope.Into));
        Assert.Equal(["/linux-6.1.9.tar.sign", "/linux-6.1.9.tar.xz"], server.Asked.Select(r => r.Path));
        Assert.Empty(await scope.AuditAsync());
        scope.AssertTidy();

        var ran = scope.Commands.Ran.Count;
        Assert.Equal(source, await scope.FetchAsync(request));
        Assert.Equal((2, ran), (server.Asked.Count, scope.Commands.Ran.Count));
    }

    [Fact]
    public async Task Fetch_InterruptedAnywhere_GoesOnWhereItWas()
    {
        using var keys = new SigningKeys();
        await using var scope = new KernelSourceScope();
        var tar = scope.Tar("linux-6.1.9.tar", "linux-6.1.9/");
        keys.Sign(tar, tar + ".sign");
        var request = new KernelSourceRequest(KernelSourceKind.File) { File = tar, Version = "6.1.9", Keyring = keys.Keyring };

        // Killed while it checked: the copy that it left counts for nothing.
        scope.Commands.Instead = r => r.Program == "gpgv" ? throw new OperationCanceledException() : null;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => scope.FetchAsync(request));
        Assert.True(File.Exists(Path.Combine(scope.Into, "check", "source.tar")));

        // Killed while it unpacked: half a tree has not the name of a whole one.
        scope.Commands.Instead = r => r.Program == "sync" ? throw new OperationCanceledException() : null;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => scope.FetchAsync(request));
        Assert.True(Directory.Exists(scope.Tree + ".new") && !Directory.Exists(scope.Tree));
        File.WriteAllText(Path.Combine(scope.Tree + ".new", "half"), "");

        scope.Commands.Instead = _ => null;
        scope.Commands.Ran.Clear();
        var source = await scope.FetchAsync(request);
        Assert.Equal("6.1.9", source.Version);
        Assert.DoesNotContain("gpgv", scope.Commands.Ran); // it was checked, and only unpacking was left
        Assert.False(File.Exists(Path.Combine(scope.Tree, "half")));
        scope.AssertTidy();
    }

    [Fact]
    public async Task Open_ProgramLeftOverByAKilledCall_IsEndedAndNoOther()
    {
        await using var scope = new KernelSourceScope();
        Process Sleep(string folder)
        {
            var start = new ProcessStartInfo("sleep", ["600"]);
            start.Environment["MPSEC_SOURCE_FOLDER"] = folder;
            return Process.Start(start)!;
        }

        using var left = Sleep(scope.Into);
        using var other = Sleep(scope.Into + "2");
        try
        {
            // A program has no environment yet in the moment in which it is started.
            await LabScope.UntilAsync(() => new[] { left, other }.All(p => File.ReadAllText($"/proc/{p.Id}/environ").Contains("MPSEC_SOURCE_FOLDER=", StringComparison.Ordinal)), "both have begun");
            using var folder = await KernelSourceFolder.OpenAsync(scope.Into, "x", Token);
            await left.WaitForExitAsync(Token);
            Assert.False(other.HasExited);
        }
        finally
        {
            left.Kill();
            other.Kill();
        }
    }

    [Fact]
    public async Task Fetch_AnotherRequest_ForgetsWhatIsThere()
    {
        using var keys = new SigningKeys();
        await using var scope = new KernelSourceScope();
        var tar = scope.Tar("linux-6.1.9.tar", "linux-6.1.9/");
        keys.Sign(tar, tar + ".sign");
        var request = new KernelSourceRequest(KernelSourceKind.File) { File = tar, Version = "6.1.9", Keyring = keys.Keyring };
        await scope.FetchAsync(request);
        Assert.StartsWith("not everything in the archive is below linux-6.6.1/", await Assert.ThrowsAsync<KernelSourceRefusedException>(() => scope.FetchAsync(request with { Version = "6.6.1" })) is var e ? e.Message : "", StringComparison.Ordinal);
        Assert.False(Directory.Exists(scope.Tree));

        // The same name, another file.
        await scope.FetchAsync(request);
        scope.Tar("linux-6.1.9.tar", "linux-6.1.9/", further: "altered:\n");
        Assert.Equal(KernelSourceVerdict.BadSignature, (await Assert.ThrowsAsync<KernelSourceRefusedException>(() => scope.FetchAsync(request))).Verdict);
        Assert.False(Directory.Exists(scope.Tree));
    }

    [Fact]
    public async Task Fetch_NotAsItMustBe_IsRefusedAndNothingIsUnpacked()
    {
        using var keys = new SigningKeys("xz");
        await using var scope = new KernelSourceScope();
        var tar = scope.Tar("linux-6.1.9.tar", "linux-6.1.9/");
        var request = new KernelSourceRequest(KernelSourceKind.File) { File = tar, Version = "6.1.9", Keyring = keys.Keyring };
        await scope.RefuseAsync(KernelSourceVerdict.Unsigned, request);
        keys.Sign(tar, tar + ".sign", SigningKeys.Foreign);
        await scope.RefuseAsync(KernelSourceVerdict.ForeignKey, request);
        await scope.RefuseAsync(KernelSourceVerdict.ForeignKey, request with { Keyring = null }); // the shipped keys do not have it either

        // What nobody may take on himself stays refused.
        var allowed = request with { AllowUnsigned = true };
        keys.Sign(tar, tar + ".sign");
        scope.Tar("linux-6.1.9.tar", "linux-6.1.9/", further: "altered:\n");
        await scope.RefuseAsync(KernelSourceVerdict.BadSignature, allowed);
        File.Delete(tar + ".sign");
        await scope.RefuseAsync(KernelSourceVerdict.OtherVersion, allowed with { Version = "6.1.10" });
        scope.Tar("linux-6.1.9.tar", "linux-6.1.9/", links: [("out", "/etc/passwd")]);
        await scope.RefuseAsync(KernelSourceVerdict.LeadsOut, allowed);
        scope.Tar("linux-6.1.9.tar", "../linux-6.1.9/");
        await scope.RefuseAsync(KernelSourceVerdict.LeadsOut, allowed);
        scope.Tar("linux-6.1.9.tar", "linux-6.1.9/", further: new string('x', 300_000));
        KernelSourceScope.Xz(tar);
        await scope.RefuseAsync(KernelSourceVerdict.TooLarge, allowed with { File = tar + ".xz" }, largest: 200_000);
        File.WriteAllBytes(tar + ".xz", File.ReadAllBytes(tar + ".xz")[..^50]);
        await scope.RefuseAsync(KernelSourceVerdict.Damaged, allowed with { File = tar + ".xz" });
        Assert.Empty(await scope.AuditAsync());

        // Each link stays inside by its words; together they do not. Only the unpacked tree shows it.
        scope.Tar("linux-6.1.9.tar", "linux-6.1.9/", links: [("a", "."), ("out", "a/a/../../x")]);
        Assert.Equal(KernelSourceVerdict.LeadsOut, (await Assert.ThrowsAsync<KernelSourceRefusedException>(() => scope.FetchAsync(allowed))).Verdict);
        Assert.False(Directory.Exists(scope.Tree) || Directory.Exists(scope.Tree + ".new"));

        // The folder has the right name, and the Makefile another version.
        scope.Tar("linux-6.1.9.tar", "linux-6.1.9/", version: "6.1.8");
        keys.Sign(tar, tar + ".sign");
        Assert.Equal(KernelSourceVerdict.OtherVersion, (await Assert.ThrowsAsync<KernelSourceRefusedException>(() => scope.FetchAsync(request))).Verdict);
        Assert.False(Directory.Exists(scope.Tree));
    }

    [Theory]
    [InlineData(null, "Unsigned")]
    [InlineData(SigningKeys.Foreign, "ForeignKey")]
    public async Task Fetch_UnsignedIsAllowed_SaysSoAndWritesTheAuditLine(string? key, string verdict)
    {
        using var keys = new SigningKeys();
        await using var scope = new KernelSourceScope();
        var tar = scope.Tar("linux-6.1.9.tar", "linux-6.1.9/");
        if (key is not null)
        {
            keys.Sign(tar, tar + ".sign", key);
        }

        using var server = new FakeFileServer((r, to) => File.Exists(Path.Combine(scope.Root, r.Path[1..]))
            ? FakeFileServer.SendAsync(r, to, File.ReadAllBytes(Path.Combine(scope.Root, r.Path[1..])), null)
            : FakeFileServer.HeadAsync(to, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n"));
        var request = new KernelSourceRequest(KernelSourceKind.Tarball) { Address = server.Address("linux-6.1.9.tar").ToString(), Version = "6.1.9", Keyring = keys.Keyring };
        await scope.RefuseAsync(Enum.Parse<KernelSourceVerdict>(verdict), request);
        Assert.Equal(key is null, server.Asked.All(r => r.Path.EndsWith(".sign", StringComparison.Ordinal))); // nothing large is fetched in vain

        var source = await scope.FetchAsync(request with { AllowUnsigned = true });
        Assert.Null(source.Signer);
        Assert.StartsWith("nobody vouches for it", source.Authenticity, StringComparison.Ordinal);
        Assert.Contains("mina", source.Authenticity, StringComparison.Ordinal);
        var line = Assert.Single(await scope.AuditAsync());
        Assert.Equal(("mina", "kernel.source.unsigned", request.Address, "allowed: " + verdict), (line.Actor, line.Verb, line.Arguments, line.Result));
        await scope.FetchAsync(request with { AllowUnsigned = true });
        Assert.Single(await scope.AuditAsync());
    }

    [Fact]
    public async Task Fetch_FolderOfSomebodyElse_IsLeftAlone()
    {
        await using var scope = new KernelSourceScope();
        var tar = scope.Tar("linux-6.1.9.tar", "linux-6.1.9/");
        var request = new KernelSourceRequest(KernelSourceKind.File) { File = tar, Version = "6.1.9" };
        Directory.CreateDirectory(scope.Into);
        File.WriteAllText(Path.Combine(scope.Into, "mine"), "");
        Assert.Contains("holds other files", (await Assert.ThrowsAsync<IOException>(() => scope.FetchAsync(request))).Message, StringComparison.Ordinal);
        Assert.Equal(["mine"], Directory.GetFileSystemEntries(scope.Into).Select(Path.GetFileName));

        Directory.Delete(scope.Into, recursive: true);
        using (await KernelSourceFolder.OpenAsync(scope.Into, "x", Token))
        {
            Assert.Contains("worked in already", (await Assert.ThrowsAsync<IOException>(() => scope.FetchAsync(request))).Message, StringComparison.Ordinal);
        }

        Assert.StartsWith("version: ", (await Assert.ThrowsAsync<ArgumentException>(() => scope.FetchAsync(request with { Version = "x" }))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Fetch_DiskFull_SaysSo()
    {
        using var keys = new SigningKeys();
        await using var scope = new KernelSourceScope();
        var tar = scope.Tar("linux-6.1.9.tar", "linux-6.1.9/");
        keys.Sign(tar, tar + ".sign");
        scope.Commands.Instead = r => r.Program == "tar" ? new CommandResult(2, "", "tar: linux/x: Cannot write: No space left on device", false, false, false) : null;
        var e = await Assert.ThrowsAsync<IOException>(() => scope.FetchAsync(new(KernelSourceKind.File) { File = tar, Version = "6.1.9", Keyring = keys.Keyring }));
        Assert.Contains("disk is full", e.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(scope.Tree));
    }
}
