using MPSec.Linux.Processes;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Features.Kernel;

/// <summary>Keys that are made for one test and thrown away: one that it trusts, one that it does not. Skips where a program is missing.</summary>
internal sealed class SigningKeys : IDisposable
{
    public const string Good = "good@example.org";
    public const string Foreign = "foreign@example.org";

    private readonly string _home = Directory.CreateTempSubdirectory("mpg-").FullName;

    public SigningKeys(params string[] further)
    {
        foreach (var program in (string[])["gpg", "gpgv", "gpgconf", "prlimit", "tar", .. further])
        {
            Assert.SkipUnless(new CommandRunner(TimeProvider.System).Find(program) is not null, $"{program} is not installed");
        }

        Gpg("--quick-generate-key", Good, "ed25519", "sign", "never");
        Gpg("--quick-generate-key", Foreign, "ed25519", "sign", "never");
        Gpg("--output", Keyring, "--export", Good);
    }

    /// <summary>File with the key that is trusted.</summary>
    public string Keyring => Path.Combine(_home, "trusted.gpg");

    /// <summary>Home of gpg, for git.</summary>
    public string Home => _home;

    public void Sign(string file, string signature, string key = Good)
    {
        File.Delete(signature);
        Gpg("--local-user", key, "--output", signature, "--detach-sign", file);
    }

    public void Dispose()
    {
        NamespaceScope.Run("gpgconf", "--homedir", _home, "--kill", "all");
        Directory.Delete(_home, recursive: true);
    }

    private void Gpg(params string[] arguments) => NamespaceScope.Run("gpg", ["--homedir", _home, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", .. arguments]);
}
