using System.Diagnostics;

namespace MPSec.Tests.Installer;

/// <summary>What a script printed and how it ended.</summary>
public sealed record ScriptResult(int ExitCode, string Output, string Error);

/// <summary>
/// A machine made of a folder: the scripts see its files instead of the real /etc, /proc and /opt (MPSEC_TEST_ROOT), and only
/// its programs (PATH): plain tools of the real machine by symbolic link, and stubs for all that would change something.
/// Each stub writes its command line to <c>calls</c>.
/// </summary>
public sealed class ScriptSandbox : IDisposable
{
    private static readonly string[] s_plainTools =
    [
        "awk", "basename", "bash", "cat", "chmod", "cmp", "comm", "cp", "cut", "date", "dirname", "env", "find", "getent", "grep", "head", "id", "install", "ln", "ls", "mkdir",
        "mktemp", "mv", "readlink", "rm", "rmdir", "sed", "setsid", "sha256sum", "sleep", "sort", "stat", "tail", "tee", "timeout", "touch", "tr", "uname", "xargs",
    ];

    /// <summary>Makes a Debian 12 with root, space, apt that offers everything, and no package that MPSec needs.</summary>
    public ScriptSandbox()
    {
        Root = Directory.CreateTempSubdirectory("mpsec-scripts-").FullName;
        foreach (var folder in (string[])["bin", "etc", "proc/sys/net/mptcp", "proc/net", "var/lib", "opt", "usr/local/bin", "state"])
        {
            Directory.CreateDirectory(In(folder));
        }

        foreach (var tool in s_plainTools)
        {
            File.CreateSymbolicLink(In("bin/" + tool), Real(tool));
        }

        Write("etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n");
        Write("proc/sys/net/mptcp/enabled", "1\n");
        Write("proc/net/tcp", "  sl  local_address rem_address   st\n");
        Write("proc/net/tcp6", "  sl  local_address rem_address   st\n");
        Stub("id", "[[ ${1-} == -un ]] && echo root || echo 0");
        Stub("df", "printf 'Filesystem 1M-blocks Used Available Use%% Mounted\\nx 9 9 99999 9%% /\\n'");
        Stub("dpkg", "");
        Stub("apt-cache", "printf '%s:\\n  Installed: (none)\\n  Candidate: 1.0\\n' \"$3\"");
        Stub("apt-get", "");
        foreach (var quiet in (string[])["systemctl", "journalctl", "chown", "dpkg-query"])
        {
            Stub(quiet, "");
        }
    }

    /// <summary>The folder that stands for the machine.</summary>
    public string Root { get; }

    /// <summary>The clone's top folder.</summary>
    public static string Repository { get; } = FindRepository();

    /// <summary>Command lines of all stubs so far, one a line.</summary>
    public string Calls => File.Exists(In("calls")) ? File.ReadAllText(In("calls")) : "";

    /// <summary>Absolute name of a file of this machine.</summary>
    public string In(string file) => Path.Combine(Root, file);

    /// <summary>Writes a file of this machine.</summary>
    public void Write(string file, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(In(file))!);
        File.WriteAllText(In(file), text);
    }

    /// <summary>Puts a program into this machine: bash lines that run after its call was noted.</summary>
    public void Stub(string name, string body)
    {
        Write("stubs/" + name, body + "\n");
        File.Delete(In("bin/" + name));
        File.CreateSymbolicLink(In("bin/" + name), Path.Combine(Repository, "MPSec.Web.Tests", "Installer", "stub.sh"));
    }

    /// <summary>Stubs for every program, and files for every library, of the groups in packages.tsv.</summary>
    public void InstallAllPackages()
    {
        foreach (var row in PackageTableTests.Rows().Where(r => r.Package != "dotnet-sdk-10.0"))
        {
            var proof = row.Proof.Split('|')[0];
            if (proof.StartsWith('/'))
            {
                Write(proof.TrimStart('/').Replace("*", "any", StringComparison.Ordinal), "");
            }
            else
            {
                Stub(proof, "");
            }
        }

        Stub("dotnet", "[[ $1 != --list-sdks ]] || echo '10.0.401 [/usr/share/dotnet/sdk]'");
    }

    /// <summary>Takes a program away.</summary>
    public void Remove(string name) => File.Delete(In("bin/" + name));

    /// <summary>Runs a script of the installer folder of <paramref name="repository"/> (this clone if not given).</summary>
    public async Task<ScriptResult> RunAsync(string script, string[] arguments, string? repository = null)
    {
        var start = new ProcessStartInfo(Real("bash")) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, WorkingDirectory = Root };
        start.ArgumentList.Add(Path.Combine(repository ?? Repository, "installer", script));
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment.Clear();
        start.Environment["PATH"] = In("bin");
        start.Environment["HOME"] = Root;
        start.Environment["MPSEC_TEST_ROOT"] = Root;
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var stop = TestContext.Current.CancellationToken;
        var output = process.StandardOutput.ReadToEndAsync(stop);
        var error = process.StandardError.ReadToEndAsync(stop);
        await process.WaitForExitAsync(stop);
        return new ScriptResult(process.ExitCode, await output, await error);
    }

    /// <summary>Takes the machine away.</summary>
    public void Dispose() => Directory.Delete(Root, recursive: true);

    /// <summary>Where this machine really has a tool.</summary>
    public static string Real(string tool) =>
        ((string[])["/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/"]).Select(folder => folder + tool).FirstOrDefault(File.Exists) ?? "/usr/bin/" + tool;

    private static string FindRepository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "MPSec.sln")))
        {
            folder = folder.Parent ?? throw new InvalidOperationException("The tests run outside of a clone: MPSec.sln was not found above " + AppContext.BaseDirectory);
        }

        return folder.FullName;
    }
}
