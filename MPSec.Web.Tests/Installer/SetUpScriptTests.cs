namespace MPSec.Tests.Installer;

public sealed class SetUpScriptTests : IDisposable
{
    private readonly ScriptSandbox _machine = new();

    public void Dispose() => _machine.Dispose();

    [Fact]
    public async Task SetUp_NothingMissing_ChangesNothingAndNeedsNoRoot()
    {
        _machine.InstallAllPackages();
        _machine.Stub("id", "echo 1000");
        var result = await _machine.RunAsync("set-up.sh", ["--for", "all"]);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Contains("is installed", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("apt-get", _machine.Calls, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SetUp_BareMachine_SaysWhyAndInstallsOnlyWhatIsMissing()
    {
        _machine.InstallAllPackages();
        _machine.Remove("iperf3");
        var result = await _machine.RunAsync("set-up.sh", []);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Contains(PackageTableTests.Rows().Single(r => r.Package == "iperf3").Why, result.Output, StringComparison.Ordinal);
        Assert.Contains("install -y -q --no-install-recommends -- iperf3\n", _machine.Calls, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SetUp_FirstAlternativeNotOffered_InstallsTheNext()
    {
        _machine.Stub("apt-cache", "case $3 in libicu72 | iproute2) echo ' Candidate: 1' ;; *) echo ' Candidate: (none)' ;; esac");
        var result = await _machine.RunAsync("set-up.sh", ["--for", "run"]);
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("-- iproute2 libicu72\n", _machine.Calls, StringComparison.Ordinal);
        Assert.Contains("nftables is not offered by Debian GNU/Linux 12 (bookworm); going on without it.", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4, "--check")]
    public async Task SetUp_DryRun_ChangesNothing(int exitCode, params string[] more)
    {
        var result = await _machine.RunAsync("set-up.sh", ["--for", "all", "--dry-run", .. more]);
        Assert.Equal((exitCode, ""), (result.ExitCode, result.Error));
        Assert.Contains("iproute2", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("apt-get", _machine.Calls, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--for", "kernels", "--for kernels: the groups are run, build, lab, kernel, test and all.")]
    [InlineData("--for", null, "--for needs a group")]
    [InlineData("--fast", null, "There is no option '--fast'.")]
    public async Task SetUp_WrongUsage_ExitsWith2(string option, string? value, string sentence) =>
        await FailsAsync(2, sentence, [option, .. value is null ? (string[])[] : [value]]);

    [Fact]
    public async Task SetUp_NotRoot_ExitsWith3()
    {
        _machine.Stub("id", "echo 1000");
        await FailsAsync(3, "Installing packages needs root: run it with sudo.");
        Assert.DoesNotContain("apt-get", _machine.Calls, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SetUp_SystemWithoutApt_ExitsWith4()
    {
        _machine.Write("etc/os-release", "ID=fedora\nPRETTY_NAME='Fedora Linux 43'\n");
        _machine.Remove("apt-get");
        await FailsAsync(4, "Fedora Linux 43 is not supported (no apt)");
    }

    [Fact]
    public async Task SetUp_UntriedSystemWithApt_WarnsAndGoesOn()
    {
        _machine.Write("etc/os-release", "ID=linuxmint\nVERSION_ID=\"22\"\nPRETTY_NAME=\"Linux Mint 22\"\n");
        var result = await _machine.RunAsync("set-up.sh", ["--for", "run"]);
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("Linux Mint 22 has not been tried with MPSec", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SetUp_HostileOsRelease_IsNeverRun()
    {
        _machine.Write("etc/os-release", $"ID=debian\nVERSION_ID=$(touch {_machine.In("hacked")})\n");
        await _machine.RunAsync("set-up.sh", ["--for", "run"]);
        Assert.False(File.Exists(_machine.In("hacked")));
    }

    [Fact]
    public async Task SetUp_DiskFull_FailsBeforeApt()
    {
        _machine.Stub("df", "printf 'Filesystem 1M-blocks Used Available Use%% Mounted\\nx 9 9 12 9%% /\\n'");
        await FailsAsync(1, "and there are only 12 MiB: make room and start again.");
        Assert.DoesNotContain("apt-get", _machine.Calls, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SetUp_HalfConfiguredPackages_TellsTheCommand()
    {
        _machine.Stub("dpkg", "echo 'The following packages are only half configured'");
        await FailsAsync(1, "set-up.sh --repair' as root (it runs 'dpkg --configure -a')");
        Assert.DoesNotContain("apt-get", _machine.Calls, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SetUp_Repair_EndsTheInterruptedInstallationAndGoesOn()
    {
        _machine.Stub("dpkg", $"case $* in *--audit*) [[ -e {_machine.In("whole")} ]] || echo 'The following packages are only half configured' ;; *--configure*) [[ $DEBIAN_FRONTEND == noninteractive ]] && : >{_machine.In("whole")} ;; esac");
        var result = await _machine.RunAsync("set-up.sh", ["--repair", "--for", "run"]);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Contains("No package is half configured any more.", result.Output, StringComparison.Ordinal);
        Assert.Contains("dpkg --force-confdef --force-confold --configure -a\n", _machine.Calls, StringComparison.Ordinal);
        Assert.Contains("apt-get", _machine.Calls, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SetUp_RepairThatFails_SaysSoAndInstallsNothing()
    {
        _machine.Stub("dpkg", "echo 'dpkg: error processing package alpha (--configure)' >&2; exit 1");
        var result = await _machine.RunAsync("set-up.sh", ["--repair"]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("could not be ended", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("apt-get", _machine.Calls, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SetUp_RepairDryRun_ChangesNothing()
    {
        var result = await _machine.RunAsync("set-up.sh", ["--repair", "--dry-run"]);
        Assert.Contains("dpkg --configure -a", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("dpkg --", _machine.Calls, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt)", 1, "Another program is installing packages right now")]
    [InlineData("E: dpkg was interrupted, you must manually run 'dpkg --configure -a'", 1, "set-up.sh --repair' as root")]
    [InlineData("E: You don't have enough free space in /var/cache/apt/archives/.", 1, "The disk is full")]
    [InlineData("E: Failed to fetch http://x/y.deb  Temporary failure resolving 'x'", 4, "connect this machine to the network")]
    [InlineData("E: Sub-process /usr/bin/dpkg returned an error code (1)", 1, "apt-get install failed: the lines of apt-get above say why.")]
    public async Task SetUp_AptFails_SaysWhy(string message, int exitCode, string sentence)
    {
        _machine.Stub("apt-get", $"[[ $* != *' install '* ]] || {{ echo \"{message}\"; exit 100; }}");
        await FailsAsync(exitCode, sentence);
    }

    [Fact]
    public async Task SetUp_ListsNotRefreshedButKnown_GoesOn()
    {
        _machine.Stub("apt-get", "[[ $* != *' update '* ]] || echo 'W: Failed to fetch http://x  Temporary failure resolving'");
        var result = await _machine.RunAsync("set-up.sh", ["--for", "run"]);
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("The package lists could not be refreshed", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SetUp_NoListsAndNoNetwork_ExitsWith4()
    {
        _machine.Stub("apt-get", "echo 'W: Failed to fetch http://x  Temporary failure resolving'");
        _machine.Stub("apt-cache", "");
        await FailsAsync(4, "The package lists are missing and could not be downloaded", "--for", "run");
    }

    [Fact]
    public async Task SetUp_NoSdkOffered_SaysWhereToGetIt()
    {
        _machine.Stub("apt-cache", "[[ $3 == dotnet* ]] && echo '  Candidate: (none)' || echo '  Candidate: 1'");
        await FailsAsync(4, "does not offer the .NET 10 SDK");
        Assert.DoesNotContain(" install ", _machine.Calls, StringComparison.Ordinal);
    }

    private async Task FailsAsync(int exitCode, string sentence, params string[] arguments)
    {
        var result = await _machine.RunAsync("set-up.sh", arguments);
        Assert.Equal(exitCode, result.ExitCode);
        var last = result.Error.TrimEnd('\n').Split('\n')[^1];
        Assert.StartsWith("set-up.sh: ", last, StringComparison.Ordinal);
        Assert.Contains(sentence, last, StringComparison.Ordinal);
    }
}
