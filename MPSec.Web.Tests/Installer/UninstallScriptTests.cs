namespace MPSec.Tests.Installer;

public sealed class UninstallScriptTests : IDisposable
{
    private readonly FakeClone _clone = new();

    public void Dispose() => _clone.Dispose();

    [Fact]
    public async Task Uninstall_Running_StopsTakesLabsDownAndKeepsTheState()
    {
        _clone.SetServer("""
            case "$1 ${2-}" in
                'serve --state') exec sleep 60 ;;
                'lab down') printf 'Lab alpha is gone\nLab beta is gone\n' ;;
            esac
            """);
        await _clone.StartAsync("--detach");
        var pid = _clone.RecordedPid;
        var result = await UninstallAsync();
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Contains($"process {pid}", result.Output, StringComparison.Ordinal);
        Assert.Contains($"mpsec lab down --all --state {_clone.State}", _clone.Machine.Calls, StringComparison.Ordinal);
        Assert.Contains("  the lab alpha\n  the lab beta\n", result.Output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_clone.Machine.In("clone/artifacts")));
        Assert.True(Directory.Exists(_clone.State));
    }

    [Fact]
    public async Task Uninstall_LabCannotBeTakenDown_RemovesNothingElse()
    {
        _clone.SetServer("[[ $1 != lab ]] || { echo 'mpsec: lab alpha: busy' >&2; exit 1; }; exec sleep 60");
        await _clone.StartAsync("--detach");
        var result = await UninstallAsync("--purge");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("mpsec: lab alpha: busy\nuninstall.sh: The labs could not be taken down", result.Error, StringComparison.Ordinal);
        Assert.True(File.Exists(_clone.Machine.In("clone/artifacts/publish/mpsec")));
        Assert.True(Directory.Exists(_clone.State));
    }

    [Fact]
    public async Task Uninstall_DeadManStillWaits_EndsItAndNobodyElse()
    {
        using var waits = System.Diagnostics.Process.Start("sleep", "60");
        using var other = System.Diagnostics.Process.Start("sleep", "60");
        var ticks = File.ReadAllText($"/proc/{waits.Id}/stat").Split(' ')[21];
        _clone.Machine.Write("state/configuration.db", "");
        _clone.Machine.Write("state/dead-man-4026531840.pid", $"{waits.Id} {ticks}\n");
        _clone.Machine.Write("state/dead-man-7.pid", $"{other.Id} 12\n"); // its id was given to another process
        var result = await UninstallAsync();
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Contains($"  process {waits.Id}, which waited to undo unconfirmed changes\n", result.Output, StringComparison.Ordinal);
        Assert.True(waits.WaitForExit(20_000));
        Assert.False(other.HasExited);
        other.Kill();
    }

    [Fact]
    public async Task Uninstall_Service_IsRemoved()
    {
        _clone.Machine.Write("run/systemd/system/x", "");
        _clone.Machine.Write("etc/systemd/system/mpsec.service", "");
        _clone.Machine.Write("etc/systemd/system/mpsec-network.service", "");
        _clone.Machine.Write("opt/mpsec/start.env", $"MPSEC_ARGUMENTS=--state {_clone.State} --urls http://x\n");
        _clone.Machine.Write("state/configuration.db", "");
        File.CreateSymbolicLink(_clone.Machine.In("usr/local/bin/mpsec"), "/opt/mpsec/mpsec");
        var result = await _clone.RunAsync("uninstall.sh", "--purge");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Contains("systemctl disable --now --quiet mpsec", _clone.Machine.Calls, StringComparison.Ordinal);
        Assert.Contains("systemctl disable --now --quiet mpsec-network\n", _clone.Machine.Calls, StringComparison.Ordinal);
        Assert.All((string[])["etc/systemd/system/mpsec.service", "etc/systemd/system/mpsec-network.service", "opt/mpsec", "usr/local/bin/mpsec", "state"], file => Assert.False(Path.Exists(_clone.Machine.In(file)), file));
    }

    [Fact]
    public async Task Uninstall_Purge_RemovesEverythingButPackages()
    {
        _clone.Machine.Write("etc/mpsec/appsettings.json", "{}");
        _clone.Machine.Stub("dpkg-query", "[[ $5 != iperf3 ]] || printf 'ii '");
        await _clone.StartAsync("--detach");
        var result = await UninstallAsync("--purge");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.False(Directory.Exists(_clone.State));
        Assert.False(Directory.Exists(_clone.Machine.In("etc/mpsec")));
        Assert.Contains("may use them: iperf3.", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("apt-get", _clone.Machine.Calls, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Uninstall_Again_SaysThatNothingIsInstalled()
    {
        var result = await UninstallAsync("--purge");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Contains("Removed:", result.Output, StringComparison.Ordinal); // the empty state folder
        Assert.Contains("MPSec is not installed on this machine", (await UninstallAsync("--purge")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Uninstall_PurgeOfAForeignFolder_RemovesNothing()
    {
        _clone.Machine.Write("state/thesis.txt", "years of work");
        var result = await UninstallAsync("--purge");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("does not look like a state folder of MPSec", result.Error, StringComparison.Ordinal);
        Assert.True(File.Exists(_clone.Machine.In("state/thesis.txt")));
    }

    [Fact]
    public async Task Uninstall_NotRoot_ExitsWith3()
    {
        _clone.Machine.Stub("id", "echo 1000");
        var result = await UninstallAsync();
        Assert.Equal((3, "uninstall.sh: Removing MPSec needs root: run it with sudo.\n"), (result.ExitCode, result.Error));
    }

    private Task<ScriptResult> UninstallAsync(params string[] arguments) => _clone.RunAsync("uninstall.sh", ["--state", _clone.State, .. arguments]);
}
