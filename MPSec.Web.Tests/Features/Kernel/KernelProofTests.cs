using System.Text;
using MPSec.Features.Kernel;
using MPSec.Hosting.Cli;
using MPSec.Linux.Processes;

namespace MPSec.Tests.Features.Kernel;

public sealed class KernelProofTests
{
    // The console of a Debian kernel in a virtual machine, with what firmware and kernel mix into it.
    private static readonly string[] s_console =
    [
        "\u001bc\u001b[?7l\u001b[2J\u001b[0mSeaBIOS (version 1.16.2)", "[    2.1] random: crng init done\r", "MPSEC-PROOF|boot|ok|6.1.0-56-cloud-amd64\r", "MPSEC-PROOF|mptcp|ok|net.mptcp.enabled = 1",
        "MPSEC-PROOF|limits|ok|ip mptcp limits set", "MPSEC-PROOF|endpoint|ok|ip mptcp endpoint add", "MPSEC-PROOF|rules|ok|ip rule add", "MPSEC-PROOF|esp|ok|ip xfrm state add",
        "[    3.0] noise MPSEC-PROOF|netem|ok|tc qdisc add dev lo root netem delay 20ms", "MPSEC-PROOF|veth|ok|ip link add", "MPSEC-PROOF|tbf|ok|tc qdisc add",
        "MPSEC-PROOF|one path|ok|[  5]   0.00-5.04   sec  11.4 MBytes  18.9 Mbits/sec                  receiver", "MPSEC-PROOF|two paths|ok|[  5]   0.00-8.06   sec  34.0 MBytes  35.4 Mbits/sec                  receiver",
        "MPSEC-PROOF|joins|ok|2", "MPSEC-PROOF|end|ok|", "reboot: Restarting system",
    ];

    [Fact]
    public void Parse_ConsoleOfAMachine_IsTheProof()
    {
        var proof = Proof(s_console);
        Assert.Empty(proof.Faults);
        Assert.Equal((18.9, 35.4, 2L, "6.1.0-56-cloud-amd64"), (proof.OnePathMbit, proof.TwoPathsMbit, proof.Joins, proof.Release));
        Assert.Contains("6.1.0-56-cloud-amd64: proved in a virtual machine (tcg, 40 s)", KernelProveCommand.Text(proof), StringComparison.Ordinal);
    }

    [Fact]
    public void Faults_EachThingThatIsMissing_IsNamed()
    {
        for (var left = 2; left < s_console.Length - 1; left++)
        {
            Assert.NotEmpty(Proof([.. s_console.Where((_, i) => i != left)]).Faults);
        }

        Assert.Equal(["netem: Error: Specified qdisc kind is unknown."], Proof([.. s_console.Select(l => l.Contains("|netem|", StringComparison.Ordinal) ? "MPSEC-PROOF|netem|fail|Error: Specified qdisc kind is unknown." : l)]).Faults);
        Assert.Equal(["transfer: two paths carried 19.0 Mbit/s, one 18.9, 2 subflows joined"], Proof([.. s_console.Select(l => l.Replace("35.4", "19.0", StringComparison.Ordinal))]).Faults);
        Assert.Equal(["transfer: two paths carried 35.4 Mbit/s, one 18.9, 0 subflows joined"], Proof([.. s_console.Select(l => l.Replace("joins|ok|2", "joins|ok|0", StringComparison.Ordinal))]).Faults);
        Assert.Equal(["boot: the kernel calls itself 6.1.0-56-cloud-amd64, not 6.12.1"], (Proof(s_console) with { Expected = "6.12.1" }).Faults);
        Assert.Contains("the machine ended before all was tried", Proof([.. s_console.Take(5)]).Faults);
    }

    [Theory]
    [InlineData("MPSEC-PROOF|boot|maybe|x")]
    [InlineData("MPSEC-PROOF|boot")]
    [InlineData("say MPSEC")]
    public void Parse_OtherLines_AreNoResult(string line) => Assert.Null(KernelProof.Parse(line));

    [Fact]
    public void Archive_FilesFoldersAndLinks_AreInTheKernelsForm()
    {
        using var bytes = new MemoryStream();
        var archive = new CpioArchive(bytes);
        archive.AddFile("/bin/a", "abc"u8, executable: true);
        archive.AddFile("/bin/a", "twice"u8);
        archive.AddLink("/sbin", "bin");
        archive.Close();
        var text = Encoding.ASCII.GetString(bytes.ToArray());
        Assert.Equal(0, bytes.Length % 4);
        Assert.Equal(["bin", "bin/a", "sbin", "TRAILER!!!"], Names(text));
        Assert.Contains("abc\0", text, StringComparison.Ordinal);
        Assert.DoesNotContain("twice", text, StringComparison.Ordinal);
        Assert.Equal("000081ED", text.Substring(text.IndexOf("bin/a", StringComparison.Ordinal) - 110 + 14, 8));
    }

    [Theory]
    [InlineData("../../etc")]
    [InlineData("-x")]
    [InlineData("")]
    [InlineData("6.1 rm")]
    public void Installed_ReleaseThatIsNone_IsRefused(string release) => Assert.Throws<ArgumentException>(() => KernelProofKernel.Installed(release));

    [Fact]
    public async Task Prove_KernelOfTheDistribution_WorksInAVirtualMachine()
    {
        var commands = new CommandRunner(TimeProvider.System);
        var prover = new KernelProver(commands);
        Assert.SkipUnless(prover.MissingPackages() is { Count: 0 } missing, $"not installed: {string.Join(", ", prover.MissingPackages())}");
        var package = Environment.GetEnvironmentVariable("MPSEC_KERNEL_PACKAGE");
        Assert.SkipUnless(File.Exists(package), "MPSEC_KERNEL_PACKAGE names no package of a kernel (apt-get download linux-image-…)");
        var folder = Directory.CreateTempSubdirectory("mpsec-test-").FullName;
        try
        {
            var kernel = await KernelProofKernel.OfPackageAsync(package!, folder, commands, TestContext.Current.CancellationToken);
            var promised = KernelFragment.TryParse("CONFIG_MPTCP=y\nCONFIG_INET_ESP=m\nCONFIG_NET_SCH_NETEM=m\n# CONFIG_NO_SUCH_THING is not set\nCONFIG_NOT_THERE=y\n", out _);
            KernelProof? proof = null;
            for (var attempt = 0; attempt < 3 && proof is not { Faults.Length: 1 }; attempt++)
            {
                // An emulated machine shares the processors with the other tests: its rates may be off, what works is not.
                proof = await prover.RunAsync(kernel, promised, _ => { }, TestContext.Current.CancellationToken);
            }

            Assert.Equal(["option CONFIG_NOT_THERE: should be y and is"], proof!.Faults);
            Assert.Contains(proof.Checks, c => c is { Name: "options", Detail: "4 of 5 as promised" });
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>A proof in which everything works.</summary>
    internal static KernelProof Passed(string release) => new(release, "tcg",
        [
            .. new[] { "boot", "mptcp", "limits", "endpoint", "rules", "esp", "netem", "veth", "tbf" }.Select(n => new KernelProofCheck(n, true, n == "boot" ? release : "works")),
            new("one path", true, "19.0 Mbits/sec"), new("two paths", true, "37.0 Mbits/sec"), new("joins", true, "2"), new("end", true, ""),
        ], 40);

    private static KernelProof Proof(IEnumerable<string> console) => new("6.1.0-56-cloud-amd64", "tcg", [.. console.Select(KernelProof.Parse).OfType<KernelProofCheck>()], 40);

    private static List<string> Names(string archive)
    {
        var names = new List<string>();
        for (var at = archive.IndexOf("070701", StringComparison.Ordinal); at >= 0; at = archive.IndexOf("070701", at + 6, StringComparison.Ordinal))
        {
            names.Add(archive[(at + 110)..archive.IndexOf('\0', at)]);
        }

        return names;
    }
}
