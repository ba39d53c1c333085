using System.Diagnostics;

namespace MPSec.Tests.Installer;

public sealed class UnitTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mpsec-units-").FullName;

    public static TheoryData<string> Units => [.. Directory.GetFiles(Path.Combine(ScriptSandbox.Repository, "installer", "systemd")).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [MemberData(nameof(Units))]
    public async Task Unit_Verified_HasNoFault(string unit)
    {
        Assert.SkipUnless(File.Exists("/usr/bin/systemd-analyze"), "systemd-analyze is not installed");
        foreach (var file in Directory.GetFiles(Path.Combine(ScriptSandbox.Repository, "installer", "systemd")))
        {
            // The program is not installed on the machine of the test.
            var text = await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken);
            await File.WriteAllTextAsync(Path.Combine(_folder, Path.GetFileName(file)), text.Replace("ExecStart=/opt/mpsec/mpsec", "ExecStart=/bin/true", StringComparison.Ordinal), TestContext.Current.CancellationToken);
        }

        var start = new ProcessStartInfo("/usr/bin/systemd-analyze", ["verify", "--man=no", Path.Combine(_folder, unit)]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal((0, ""), (process.ExitCode, output + await error));
    }

    [Fact]
    public async Task NetworkUnit_Order_IsAfterOtherOwnersAndBeforeServicesThatNeedTheNetwork()
    {
        var lines = await File.ReadAllLinesAsync(Path.Combine(ScriptSandbox.Repository, "installer", "systemd", "mpsec-network.service"), TestContext.Current.CancellationToken);
        Assert.Contains("Type=oneshot", lines);
        Assert.Contains("RemainAfterExit=yes", lines);
        Assert.Contains("Before=network-online.target mpsec.service", lines);
        var after = Assert.Single(lines, l => l.StartsWith("After=", StringComparison.Ordinal));
        Assert.All((string[])["network-pre.target", "systemd-udevd.service", "NetworkManager.service", "systemd-networkd.service", "networking.service"], unit => Assert.Contains(unit, after, StringComparison.Ordinal));
        Assert.DoesNotContain(lines, l => l.StartsWith("ExecStop", StringComparison.Ordinal)); // stopping it undoes nothing
    }
}
