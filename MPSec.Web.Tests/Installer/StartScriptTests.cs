using System.Diagnostics;
using System.Globalization;

namespace MPSec.Tests.Installer;

public sealed class StartScriptTests : IDisposable
{
    private readonly FakeClone _clone = new();

    public void Dispose() => _clone.Dispose();

    [Fact]
    public async Task Start_Detached_BuildsStartsAndShowsAddressAndLink()
    {
        _clone.SetServer($"[[ $1 != serve ]] || {{ echo http://127.0.0.1/setup?token=abc >{_clone.State}/first-administrator-link; exec sleep 60; }}");
        _clone.AnswersWhenThereIs = Path.Combine(_clone.State, "first-administrator-link");
        var result = await _clone.StartAsync("--detach", "--lab");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Contains($"MPSec is running: http://127.0.0.1:{_clone.Port}/\n", result.Output, StringComparison.Ordinal);
        Assert.Contains("it works once: http://127.0.0.1/setup?token=abc\n", result.Output, StringComparison.Ordinal);
        Assert.Contains($"mpsec serve --state {_clone.State} --urls http://127.0.0.1:{_clone.Port} --lab\n", _clone.Machine.Calls, StringComparison.Ordinal);
        using var server = Process.GetProcessById(_clone.RecordedPid);
        Assert.False(server.HasExited);
    }

    [Fact]
    public async Task Start_WhileRunning_SaysSoAndChangesNothing()
    {
        await _clone.StartAsync("--detach");
        var pid = _clone.RecordedPid;
        var result = await _clone.StartAsync("--detach");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Contains($"MPSec is already running: http://127.0.0.1:{_clone.Port}/", result.Output, StringComparison.Ordinal);
        Assert.Equal((pid, 1), (_clone.RecordedPid, _clone.Builds));
    }

    [Fact]
    public async Task Start_WhileRunningWithAnOldLink_SaysHowToGetAnother()
    {
        await _clone.StartAsync("--detach");
        _clone.Machine.Write("state/first-administrator-link", "http://127.0.0.1/setup?token=abc\n");
        File.SetLastWriteTimeUtc(Path.Combine(_clone.State, "first-administrator-link"), DateTime.UnixEpoch);
        var result = await _clone.StartAsync("--detach");
        Assert.Contains("the link has expired", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("token", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_AfterStop_BuildsOnlyWhenSourcesChanged()
    {
        await _clone.StartAsync("--detach");
        Assert.Contains("MPSec is stopped.", (await _clone.StartAsync("--stop")).Output, StringComparison.Ordinal);
        await _clone.StartAsync("--detach");
        Assert.Equal(1, _clone.Builds);
        _clone.Machine.Write("clone/MPSec.Web/Program.cs", "// changed");
        Assert.Contains("built from other sources", (await _clone.StartAsync("--detach")).Output, StringComparison.Ordinal);
        await _clone.StartAsync("--stop");
        await _clone.StartAsync("--detach");
        Assert.Equal(2, _clone.Builds);
    }

    [Fact]
    public async Task Stop_NothingRuns_SaysSo()
    {
        var result = await _clone.StartAsync("--stop");
        Assert.Equal((0, "MPSec is not running.\n", ""), (result.ExitCode, result.Output, result.Error));
    }

    [Fact]
    public async Task Stop_RecordedIdBelongsToAnotherProcessNow_LeavesItAlone()
    {
        using var other = Process.Start(ScriptSandbox.Real("sleep"), ["60"]);
        try
        {
            _clone.Machine.Write("state/serve.pid", $"{other.Id} 1 0000000000000000 http://127.0.0.1:1\n");
            Assert.Contains("MPSec is not running.", (await _clone.StartAsync("--stop")).Output, StringComparison.Ordinal);
            Assert.False(other.HasExited);
        }
        finally
        {
            other.Kill();
        }
    }

    [Fact]
    public async Task Start_ServerEndsAtOnce_ShowsItsWordsAndItsCode()
    {
        _clone.SetServer("echo 'mpsec: Urls: bad' >&2; exit 78");
        var fault = new TcpPort();
        var result = await _clone.RunAsync("start-mptcp.sh", "--state", _clone.State, "--port", fault.Number, "--detach");
        Assert.Equal(78, result.ExitCode);
        Assert.Contains("mpsec: Urls: bad", result.Error, StringComparison.Ordinal);
        Assert.Contains("MPSec ended while it started", result.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(_clone.State, "serve.pid")));
    }

    [Theory]
    [InlineData("There is no option '--fast'.", "--fast")]
    [InlineData("--port 0: a port is a number from 1 to 65535.", "--port", "0")]
    [InlineData("--port 80a: a port is a number from 1 to 65535.", "--port", "80a")]
    [InlineData("--port and --urls exclude each other.", "--port", "80", "--urls", "http://127.0.0.1:80")]
    [InlineData("an address reads http://127.0.0.1:8080", "--urls", "http://a b")]
    [InlineData("an address reads http://127.0.0.1:8080", "--urls", "http://127.0.0.1:8080;$(touch x)")]
    [InlineData("must be an absolute folder name", "--state", "relative")]
    [InlineData("must be an absolute folder name", "--state", "/var/lib/../../etc")]
    [InlineData("--state needs a value.", "--state")]
    public async Task Start_WrongUsage_ExitsWith2(string sentence, params string[] arguments) => Fails(2, sentence, await _clone.RunAsync("start-mptcp.sh", arguments));

    [Fact]
    public async Task Start_NotRoot_ExitsWith3()
    {
        _clone.Machine.Stub("id", "echo 1000");
        Fails(3, "MPSec needs root: run it with sudo.", await _clone.StartAsync());
    }

    [Fact]
    public async Task Start_PortTaken_NamesTheHolderBeforeAnythingIsBuilt()
    {
        var port = int.Parse(_clone.Port, CultureInfo.InvariantCulture);
        _clone.Machine.Write("proc/net/tcp", $"head\n   0: 0100007F:{port:X4} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 999999999 1\n");
        Fails(1, $"Port {port} is taken by another program: stop it, or choose another port with --port.", await _clone.StartAsync());
    }

    [Fact]
    public async Task Start_StateFolderNotWritable_ExitsWith1()
    {
        _clone.Machine.Write("file", "");
        Fails(1, "cannot be written", await _clone.RunAsync("start-mptcp.sh", "--state", _clone.Machine.In("file/state"), "--port", _clone.Port));
    }

    [Fact]
    public async Task Start_DiskFull_ExitsWith1()
    {
        _clone.Machine.Stub("df", "printf 'Filesystem 1M-blocks Used Available Use%% Mounted\\nx 9 9 12 9%% /\\n'");
        Fails(1, "Building MPSec needs 1500 MiB", await _clone.StartAsync());
    }

    [Fact]
    public async Task Start_LabWithoutMptcpInTheKernel_ExitsWith4()
    {
        File.Delete(_clone.Machine.In("proc/sys/net/mptcp/enabled"));
        Fails(4, "has no Multipath TCP, which the lab needs", await _clone.StartAsync("--lab"));
    }

    [Fact]
    public async Task Start_NoSdkAndNoSetUp_ExitsWith4()
    {
        _clone.Machine.Remove("dotnet");
        Fails(4, "The .NET 10 SDK was not found", await _clone.StartAsync("--no-setup"));
    }

    [Fact]
    public async Task Start_RequiredPackageMissing_SetsUpFirst()
    {
        _clone.Machine.Remove("npm");
        await _clone.StartAsync("--detach");
        Assert.Contains("-- npm\n", _clone.Machine.Calls, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_OnlyOptionalPackageMissingAndNoNetwork_GoesOn()
    {
        _clone.Machine.Remove("ffmpeg");
        _clone.Machine.Stub("apt-get", "echo 'E: Failed to fetch http://x'; exit 100");
        var result = await _clone.StartAsync("--detach");
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("only optional ones are missing", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("error NU1301: Unable to load the service index", 4, "could not be downloaded")]
    [InlineData("write: No space left on device", 1, "The disk is full")]
    [InlineData("error CS1002: ; expected", 1, "The build failed")]
    public async Task Start_BuildFails_SaysWhyAndKeepsTheOldBuild(string message, int exitCode, string sentence)
    {
        _clone.Machine.Write("clone/artifacts/publish/mpsec", "old");
        _clone.Machine.Stub("dotnet", $"[[ $1 == --list-sdks ]] && echo '10.0.401 [/x]' && exit; echo '{message}'; exit 1");
        Fails(exitCode, sentence, await _clone.StartAsync());
        Assert.True(File.Exists(_clone.Machine.In("clone/artifacts/publish/mpsec")));
    }

    [Fact]
    public async Task Start_WithSystemd_InstallsAndStartsTheService()
    {
        _clone.Machine.Write("run/systemd/system/x", "");
        Directory.CreateDirectory(_clone.Machine.In("etc/systemd/system"));
        _clone.Machine.Stub("systemctl", $"case $1 in is-active) [[ -e {_clone.Machine.In("up")} ]] ;; restart) : >{_clone.Machine.In("up")} ;; stop) rm {_clone.Machine.In("up")} ;; esac");
        var result = await _clone.StartAsync("--lab");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Contains("It is the service 'mpsec'", result.Output, StringComparison.Ordinal);
        Assert.True(File.Exists(_clone.Machine.In("opt/mpsec/mpsec")));
        Assert.True(File.Exists(_clone.Machine.In("etc/systemd/system/mpsec.service")));
        Assert.True(File.Exists(_clone.Machine.In("etc/systemd/system/mpsec-network.service")));
        Assert.Contains("systemctl enable --quiet mpsec mpsec-network\n", _clone.Machine.Calls, StringComparison.Ordinal);
        Assert.DoesNotContain("start mpsec-network", _clone.Machine.Calls, StringComparison.Ordinal);
        Assert.Contains($"\nMPSEC_STATE={_clone.State}\n", await File.ReadAllTextAsync(_clone.Machine.In("opt/mpsec/start.env"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Contains($"\nMPSEC_ARGUMENTS=--state {_clone.State} --urls http://127.0.0.1:{_clone.Port} --lab\n", await File.ReadAllTextAsync(_clone.Machine.In("opt/mpsec/start.env"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Contains($"MPSec is already running: http://127.0.0.1:{_clone.Port}/", (await _clone.StartAsync()).Output, StringComparison.Ordinal);
        Assert.Contains("MPSec is stopped", (await _clone.StartAsync("--stop")).Output, StringComparison.Ordinal);
    }

    // One sentence on standard error at the end; for early faults nothing was installed or built.
    private void Fails(int exitCode, string sentence, ScriptResult result)
    {
        Assert.Equal(exitCode, result.ExitCode);
        var last = result.Error.TrimEnd('\n').Split('\n')[^1];
        Assert.StartsWith("start-mptcp.sh: ", last, StringComparison.Ordinal);
        Assert.Contains(sentence, last, StringComparison.Ordinal);
        Assert.DoesNotContain("apt-get", _clone.Machine.Calls, StringComparison.Ordinal);
        Assert.DoesNotContain("mpsec serve", _clone.Machine.Calls, StringComparison.Ordinal);
    }

    /// <summary>A port on which nobody listens.</summary>
    private sealed class TcpPort
    {
        public TcpPort()
        {
            using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
            listener.Start();
            Number = ((System.Net.IPEndPoint)listener.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);
        }

        public string Number { get; }
    }
}
