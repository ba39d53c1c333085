using System.Diagnostics;
using MPSec.Features.Kernel;

namespace MPSec.Tests.Features.Kernel;

/// <summary>Tags and branches of real repositories on this machine, with keys that are made for it.</summary>
public sealed class KernelGitSourceTests
{
    [Fact]
    public async Task Fetch_TagsAndBranches_OnlyTheSignedTagIsTaken()
    {
        using var keys = new SigningKeys("git");
        await using var scope = new KernelSourceScope();
        var repository = Make(scope, keys);
        var request = new KernelSourceRequest(KernelSourceKind.Git) { Address = "file://" + repository, Ref = "v6.1.9", Version = "6.1.9", Keyring = keys.Keyring };

        await scope.RefuseAsync(KernelSourceVerdict.Unsigned, request with { Ref = "plain" });
        await scope.RefuseAsync(KernelSourceVerdict.Unsigned, request with { Ref = "light" });
        Assert.Contains("is a branch", await scope.RefuseAsync(KernelSourceVerdict.Unsigned, request with { Ref = "main" }), StringComparison.Ordinal);
        await scope.RefuseAsync(KernelSourceVerdict.ForeignKey, request with { Ref = "foreign" });
        await scope.RefuseAsync(KernelSourceVerdict.BadSignature, request with { Ref = "altered" });

        // The server's pointer says v6.1.10, the signed words say v6.1.9: an old version in the place of a new one.
        await scope.RefuseAsync(KernelSourceVerdict.OtherVersion, request with { Ref = "v6.1.10", Version = null });
        Assert.Contains("no tag and no branch v9", (await Assert.ThrowsAsync<IOException>(() => scope.FetchAsync(request with { Ref = "v9" }))).Message, StringComparison.Ordinal);

        var allowed = request with { AllowUnsigned = true };
        await scope.RefuseAsync(KernelSourceVerdict.BadSignature, allowed with { Ref = "altered" });
        await scope.RefuseAsync(KernelSourceVerdict.OtherVersion, allowed with { Ref = "v6.1.10", Version = null });
        await scope.RefuseAsync(KernelSourceVerdict.LeadsOut, allowed with { Ref = "out", Version = null });
        Assert.Empty(await scope.AuditAsync());

        var source = await scope.FetchAsync(request);
        Assert.Equal(("6.1.9", null), (source.Version, source.Sha256));
        Assert.Contains("v6.1.9 (commit ", source.Origin, StringComparison.Ordinal);
        Assert.True(source.Signer is { Length: 40 });
        Assert.False(Directory.Exists(Path.Combine(source.Tree, ".git")));
        scope.AssertTidy();

        Assert.Null((await scope.FetchAsync(allowed with { Ref = "main", Version = null })).Signer);
        Assert.Equal("allowed: Unsigned", Assert.Single(await scope.AuditAsync()).Result);
    }

    [Fact]
    public void Proxies_OfTheService_AreGivenToGitAndNothingElseIs()
    {
        var variables = new Dictionary<string, string?> { ["https_proxy"] = "http://proxy:3128", ["NO_PROXY"] = "", ["no_proxy"] = "localhost", ["GIT_SSH"] = "x" };
        Assert.Equal([new("https_proxy", "http://proxy:3128"), new("no_proxy", "localhost")], KernelGitSource.Proxies(variables.GetValueOrDefault));
    }

    [Fact]
    public async Task Fetch_Interrupted_FetchesAnewOnlyWhatWasNotWhole()
    {
        using var keys = new SigningKeys("git");
        await using var scope = new KernelSourceScope();
        var repository = Make(scope, keys);
        var request = new KernelSourceRequest(KernelSourceKind.Git) { Address = "file://" + repository, Ref = "v6.1.9", Keyring = keys.Keyring };
        scope.Commands.Instead = r => r.Arguments.Contains("archive") ? throw new OperationCanceledException() : null;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => scope.FetchAsync(request));

        var fetches = 0;
        scope.Commands.Instead = r =>
        {
            fetches += r.Arguments.Contains("fetch") ? 1 : 0;
            return null;
        };
        Assert.Equal("6.1.9", (await scope.FetchAsync(request)).Version);
        Assert.Equal(0, fetches);

        // Killed while git fetched: what it left is no repository that counts.
        await scope.FetchAsync(request with { Version = "6.1.9" }, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(1, fetches);
        Directory.Delete(scope.Tree, recursive: true);
        Directory.CreateDirectory(Path.Combine(scope.Into, "repository", "objects"));
        Assert.Equal("6.1.9", (await scope.FetchAsync(request with { Version = "6.1.9" })).Version);
        Assert.Equal(2, fetches);
    }

    private static string Make(KernelSourceScope scope, SigningKeys keys)
    {
        var repository = Path.Combine(scope.Root, "repository");
        Directory.CreateDirectory(repository);
        Git("init", "--quiet", "--initial-branch=main");
        Commit("6.1.9");
        Git("-c", "user.signingkey=" + SigningKeys.Good, "tag", "--sign", "--message=Linux 6.1.9", "v6.1.9");
        Commit("6.1.10");
        Git("-c", "user.signingkey=" + SigningKeys.Foreign, "tag", "--sign", "--message=x", "foreign");
        Git("tag", "--annotate", "--message=x", "plain");
        Git("tag", "light");
        Git("update-ref", "refs/tags/v6.1.10", Git("rev-parse", "refs/tags/v6.1.9").Trim());
        var altered = Path.Combine(scope.Root, "altered");
        File.WriteAllText(altered, Git("cat-file", "tag", "v6.1.9").Replace("tag v6.1.9", "tag altered", StringComparison.Ordinal));
        Git("update-ref", "refs/tags/altered", Git("hash-object", "-t", "tag", "-w", altered).Trim());
        File.CreateSymbolicLink(Path.Combine(repository, "out"), "/etc/passwd");
        Git("checkout", "--quiet", "-b", "out");
        Git("add", "--all");
        Git("commit", "--quiet", "--message=x");
        Git("checkout", "--quiet", "main");
        return repository;

        void Commit(string version)
        {
            File.WriteAllText(Path.Combine(repository, "Makefile"), KernelSourceScope.Makefile(version));
            Git("add", "--all");
            Git("commit", "--quiet", "--message=" + version);
        }

        string Git(params string[] arguments)
        {
            var start = new ProcessStartInfo("git", arguments) { WorkingDirectory = repository, RedirectStandardOutput = true, RedirectStandardError = true };
            foreach (var (name, value) in new[]
            {
                ("GNUPGHOME", keys.Home), ("HOME", scope.Root), ("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_AUTHOR_NAME", "x"), ("GIT_AUTHOR_EMAIL", "x@example.org"), ("GIT_COMMITTER_NAME", "x"), ("GIT_COMMITTER_EMAIL", "x@example.org"),
            })
            {
                start.Environment[name] = value;
            }

            using var process = Process.Start(start)!;
            var error = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? output : throw new InvalidOperationException($"git {string.Join(' ', arguments)}: {error.GetAwaiter().GetResult()}");
        }
    }
}
