using MPSec.Features.Kernel;
using MPSec.Linux.Processes;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Features.Kernel;

/// <summary>The source package of a distribution that is the test's: apt is played, the package and everything after it is real.</summary>
public sealed class KernelAptSourceTests
{
    private static readonly KernelSourceRequest s_request = new(KernelSourceKind.Distribution);

    [Fact]
    public async Task Fetch_NewestCandidate_IsTakenOutOfItsPackage()
    {
        await using var scope = new KernelSourceScope();
        var downloads = Play(scope, ["linux-source-6.1", "linux-source-6.12", "linux-source-6.12-rt", "linux-source-6.8"], candidate: n => n == "linux-source-6.12-rt" ? "9" : n["linux-source-".Length..] + ".9-1");
        var source = await scope.FetchAsync(s_request);
        Assert.Equal("6.12.9", source.Version);
        Assert.StartsWith("linux-source-6.12 6.12.9-1 (", source.Origin, StringComparison.Ordinal);
        Assert.Contains("package manager", source.Authenticity, StringComparison.Ordinal);
        Assert.True(source is { Signer: null, Sha256.Length: 64 });
        Assert.Equal(["linux-source-6.12=6.12.9-1"], downloads);
        scope.AssertTidy();

        Assert.Equal("6.1.9", (await scope.FetchAsync(s_request with { Version = "6.1" })).Version);
        Assert.Equal("6.8.9", (await scope.FetchAsync(s_request with { Package = "linux-source-6.8" })).Version);
        Assert.Contains("of Linux 6.1.8; its lists may be empty or old: run 'apt-get update'", await FailAsync(scope, s_request with { Version = "6.1.8" }), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Fetch_InterruptedAfterTheDownload_UnpacksThePackageAnew()
    {
        await using var scope = new KernelSourceScope();
        Play(scope, ["linux-source-6.1"]);
        var play = scope.Commands.Instead;
        scope.Commands.Instead = r => r.Program == "dpkg-deb" ? throw new OperationCanceledException() : play(r);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => scope.FetchAsync(s_request));
        Directory.CreateDirectory(Path.Combine(scope.Into, "deb.new", "usr"));
        scope.Commands.Instead = play;
        Assert.Equal("6.1.9", (await scope.FetchAsync(s_request)).Version);
        scope.AssertTidy();
    }

    [Theory]
    [InlineData("E: Failed to fetch http://x/y.deb  404  Not Found", "older than what the servers have")]
    [InlineData("E: Failed to fetch http://x/y.deb  Temporary failure resolving 'x'", "cannot be reached")]
    [InlineData("E: Failed to fetch http://x/y.deb  Could not connect to x:80", "cannot be reached")]
    [InlineData("E: You don't have enough free space in /x.", "disk is full")]
    [InlineData("E: Could not get lock /x. It is held by process 4711 (apt)", "held by process 4711")]
    [InlineData("E: Something else", "apt-get download failed: Something else")]
    public async Task Fetch_AptFails_SaysWhatToDo(string line, string words)
    {
        await using var scope = new KernelSourceScope();
        Play(scope, ["linux-source-6.1"], say: line);
        Assert.Contains(words, await FailAsync(scope, s_request), StringComparison.Ordinal);
        Assert.False(Directory.Exists(scope.Tree));
    }

    [Fact]
    public async Task Fetch_NobodyVouchesForThePackage_IsRefused()
    {
        await using var scope = new KernelSourceScope();
        Play(scope, ["linux-source-6.1"], say: "WARNING: The following packages cannot be authenticated!");
        await scope.RefuseAsync(KernelSourceVerdict.Unsigned, s_request);
    }

    [Fact]
    public async Task Fetch_NoAptOrNoLists_SaysSo()
    {
        await using var scope = new KernelSourceScope();
        Play(scope, []);
        Assert.Contains("offers no linux-source package; its lists may be empty", await FailAsync(scope, s_request), StringComparison.Ordinal);
        scope.Commands.Has = program => program != "apt-get";
        Assert.Contains("has no apt-get", await FailAsync(scope, s_request), StringComparison.Ordinal);
    }

    private static async Task<string> FailAsync(KernelSourceScope scope, KernelSourceRequest request) => (await Assert.ThrowsAsync<IOException>(() => scope.FetchAsync(request))).Message;

    private static List<string> Play(KernelSourceScope scope, string[] packages, Func<string, string>? candidate = null, string? say = null)
    {
        foreach (var program in (string[])["dpkg-deb", "xz", "prlimit", "tar"])
        {
            Assert.SkipUnless(new CommandRunner(TimeProvider.System).Find(program) is not null, $"{program} is not installed");
        }

        candidate ??= n => n["linux-source-".Length..] + ".9-1";
        var downloads = new List<string>();
        scope.Commands.Instead = request =>
        {
            switch (request.Program)
            {
                case "apt-cache" when request.Arguments is ["pkgnames", "--", "linux-source-"]:
                    return Done(string.Join('\n', packages));
                case "apt-cache" when request.Arguments[0] == "policy":
                    return Done(string.Concat(request.Arguments.Skip(2).Select(n => $"{n}:\n  Installed: (none)\n  Candidate: {(packages.Contains(n) ? candidate(n) : "(none)")}\n")));
                case "env" when request.Arguments.Contains("download"):
                    Assert.Equal("--", request.Arguments[^2]);
                    downloads.Add(request.Arguments[^1]);
                    if (say is not null)
                    {
                        request.OnLine!(new(say, true));
                        return new(100, "", say, false, false, false);
                    }

                    MakePackage(scope, request.Arguments[^1].Split('='), request.Arguments[0]["--chdir=".Length..]);
                    return Done("");
                case "apt-cache" or "env":
                    throw new InvalidOperationException(string.Join(' ', request.Arguments));
                default:
                    return null;
            }
        };
        return downloads;

        static CommandResult Done(string output) => new(0, output, "", false, false, false);
    }

    private static void MakePackage(KernelSourceScope scope, string[] named, string into)
    {
        var (name, version) = (named[0], named[1]);
        var root = Path.Combine(scope.Root, "package");
        var sources = Directory.CreateDirectory(Path.Combine(root, "usr", "src")).FullName;
        Directory.CreateDirectory(Path.Combine(root, "DEBIAN"));
        File.WriteAllText(Path.Combine(root, "DEBIAN", "control"), $"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n");
        var tar = scope.Tar(name + ".tar", name + "/", version.Split('-')[0]);
        KernelSourceScope.Xz(tar);
        File.Move(tar + ".xz", Path.Combine(sources, name + ".tar.xz"), overwrite: true);
        NamespaceScope.Run("dpkg-deb", "--build", "--root-owner-group", root, Path.Combine(into, $"{name}_{version}_all.deb"));
        Directory.Delete(root, recursive: true);
    }
}
