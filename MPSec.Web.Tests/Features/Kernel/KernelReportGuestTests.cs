using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using MPSec.Features.Kernel;
using MPSec.Linux.Processes;

namespace MPSec.Tests.Features.Kernel;

/// <summary>
/// The report, made by the program itself inside a virtual machine that runs a kernel of Debian: once as that kernel starts, with no module in it, and once more
/// with the modules that MPSec uses. The machine has no disk and no network; its root is made here of the runtime, the program, iproute2 and the kernel's modules.
/// </summary>
public sealed class KernelReportGuestTests : IDisposable
{
    private const string Qemu = "qemu-system-x86_64";

    private static readonly string[] s_programs = ["ip", "tc", "unshare", "modprobe", "setsid", "true"];

    private static readonly string[] s_modules = ["veth", "sch_tbf", "sch_netem", "mptcp_diag", "xfrm_user", "esp4", "esp6", "tcp_bbr"];

    private readonly CommandRunner _commands = new(TimeProvider.System);
    private readonly string _folder = Directory.CreateTempSubdirectory("mpsec-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Report_InsideAMachineWithDebiansKernel_IsRightInEveryLine()
    {
        Assert.SkipUnless(KernelProver.NotAvailable is null, KernelProver.NotAvailable ?? "");
        var missing = s_programs.Append("busybox").Append("depmod").Append(Qemu).Where(p => _commands.Find(p) is null).ToArray();
        Assert.SkipUnless(missing.Length == 0, $"not installed: {string.Join(", ", missing)}");
        var package = Environment.GetEnvironmentVariable("MPSEC_KERNEL_PACKAGE");
        Assert.SkipUnless(File.Exists(package), "MPSEC_KERNEL_PACKAGE names no package of a kernel (apt-get download linux-image-…)");
        var kernel = await KernelProofKernel.OfPackageAsync(package!, Path.Combine(_folder, "package"), _commands, TestContext.Current.CancellationToken);
        Assert.SkipUnless(kernel.Release.StartsWith("6.1.", StringComparison.Ordinal), $"what Debian's 6.1 has is known here, and the package is {kernel.Release}");
        var image = Path.Combine(_folder, "root.cpio.gz");
        await WriteRootAsync(kernel, image);

        var console = await _commands.RunAsync(
            new(
                Qemu, "-accel", "tcg,thread=multi", "-machine", "q35", "-cpu", "max", "-smp", "2", "-m", "2048", "-nographic", "-no-reboot", "-nic", "none",
                "-kernel", kernel.Image, "-initrd", image, "-append", "console=ttyS0 panic=-1 reboot=t quiet")
            {
                Timeout = TimeSpan.FromMinutes(10),
                OutputLimit = 4 << 20,
            },
            TestContext.Current.CancellationToken);

        var fresh = Report(console.Output, "fresh");
        AssertStates(fresh, f => Known(f) ?? (f.Module is null ? KernelFeatureState.Ready : KernelFeatureState.ModuleNotLoaded));
        Assert.Equal(
            (kernel.Release, "upstream", true, "nothing", "on", $"/boot/config-{kernel.Release}"),
            (fresh.GetProperty("release").GetString(), fresh.GetProperty("flavour").GetString(), fresh.GetProperty("isEnabled").GetBoolean(), fresh.GetProperty("road").GetString(),
                fresh.GetProperty("verdict").GetString(), fresh.GetProperty("configSource").GetString()));
        var loaded = Report(console.Output, "loaded");
        AssertStates(loaded, f => Known(f) ?? (f.Trial.Length > 0 || f.CongestionControl is not null ? KernelFeatureState.Works : KernelFeatureState.Ready));
        foreach (var report in (JsonElement[])[fresh, loaded])
        {
            // What a line says of an option is what the file in /boot says.
            var config = File.ReadAllLines(kernel.Config!).ToHashSet(StringComparer.Ordinal);
            foreach (var line in report.GetProperty("features").EnumerateArray())
            {
                var said = line.GetProperty("evidence").EnumerateArray().Select(e => e.GetString()!).Single(e => e.EndsWith($" (/boot/config-{kernel.Release})", StringComparison.Ordinal)).Split(" (/boot/")[0];
                Assert.True(said.StartsWith('#') ? !config.Any(l => l.StartsWith(line.GetProperty("option").GetString() + "=", StringComparison.Ordinal)) : config.Contains(said), said);
            }
        }
    }

    // What stands before any module is loaded, and what a newer kernel or the other Multipath TCP has.
    private static KernelFeatureState? Known(KernelFeature feature) => feature switch
    {
        { Flavour: KernelFlavour.OutOfTree } => KernelFeatureState.OtherFlavour,
        { Key: "byte-counters" or "mptcpify" or "scheduler-choice" or "named-pm" or "laminar" } => KernelFeatureState.TooOld,
        { Key: "mptcp" or "mptcp-ipv6" or "endpoints" or "fullmesh" or "userspace-pm" or "policy-routing" or "policy-routing6" or "namespaces" or "cubic" or "btf" } => KernelFeatureState.Works,
        _ => null,
    };

    private static void AssertStates(JsonElement report, Func<KernelFeature, KernelFeatureState> expected) => Assert.Equal(
        KernelFeatureTable.All.Select(f => $"{f.Key}: {JsonNamingPolicy.CamelCase.ConvertName(expected(f).ToString())}"),
        report.GetProperty("features").EnumerateArray().Select(l => $"{l.GetProperty("key").GetString()}: {l.GetProperty("state").GetString()}"));


    private static JsonElement Report(string console, string name)
    {
        var begin = console.IndexOf($"BEGIN {name}", StringComparison.Ordinal);
        Assert.True(begin >= 0, $"there is no report '{name}' on the console: …{console[Math.Max(0, console.Length - 2000)..]}");
        var text = console[begin..console.IndexOf($"END {name}", begin, StringComparison.Ordinal)];
        Assert.Contains("EXIT 0", text, StringComparison.Ordinal);
        return JsonDocument.Parse(text[text.IndexOf('{', StringComparison.Ordinal)..(text.LastIndexOf('}') + 1)]).RootElement;
    }

    private async Task WriteRootAsync(KernelProofKernel kernel, string image)
    {
        await using var to = new GZipStream(File.Create(image), CompressionLevel.Fastest);
        var archive = new CpioArchive(to);
        var runtime = new DirectoryInfo(RuntimeEnvironment.GetRuntimeDirectory());
        var dotnet = runtime.Parent!.Parent!.Parent!.FullName;
        List<string> linked = [Path.Combine(dotnet, "dotnet")];
        Add(linked[0], "/dotnet/dotnet");
        foreach (var folder in (string[])[Path.Combine(dotnet, "host"), runtime.FullName, Path.Combine(dotnet, "shared/Microsoft.AspNetCore.App", runtime.Name)])
        {
            foreach (var file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
            {
                Add(file, "/dotnet/" + Path.GetRelativePath(dotnet, file));
                linked.AddRange(file.EndsWith(".so", StringComparison.Ordinal) ? [file] : []);
            }
        }

        foreach (var file in Directory.EnumerateFiles(AppContext.BaseDirectory).Where(f => f.EndsWith(".dll", StringComparison.Ordinal) || Path.GetFileName(f).StartsWith("mpsec", StringComparison.Ordinal)))
        {
            Add(file, "/mpsec/" + Path.GetFileName(file));
        }

        foreach (var program in s_programs)
        {
            var path = _commands.Find(program)!;
            Add(path, "/sbin/" + program);
            linked.Add(path);
        }

        foreach (var library in await LibrariesAsync(linked))
        {
            Add(library, library);
        }

        foreach (var file in Directory.EnumerateFiles(Path.Combine(kernel.Root, "lib/modules", kernel.Release), "*", SearchOption.AllDirectories))
        {
            Add(file, "/" + Path.GetRelativePath(kernel.Root, file));
        }

        Add(_commands.Find("busybox")!, "/bin/busybox");
        Add(kernel.Config!, $"/boot/config-{kernel.Release}");
        Add("/etc/os-release", "/etc/os-release");
        archive.AddFile("/init", Encoding.ASCII.GetBytes($$"""
            #!/bin/busybox sh
            # This shell takes programs of busybox before those in the path, so the real ones are called by their places.
            /bin/busybox mkdir -p /proc /sys /dev /run /tmp /root /plain
            /bin/busybox --install -s /plain
            export PATH=/sbin:/plain HOME=/root DOTNET_ROOT=/dotnet DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 DOTNET_TieredPGO=0
            mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev; mount -t tmpfs tmp /tmp
            /sbin/ip link set lo up
            report() { echo "BEGIN $1"; /dotnet/dotnet /mpsec/mpsec.dll kernel report --json --state /tmp/state; echo "EXIT $?"; echo "END $1"; }
            report fresh
            for name in {{string.Join(' ', s_modules)}} gcm seqiv echainiv; do /sbin/modprobe $name; done
            # a cipher that is in use is one whose trial loads nothing
            /sbin/unshare --net /sbin/ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x100 mode tunnel aead 'rfc4106(gcm(aes))' 0x0102030405060708090a0b0c0d0e0f1011121314 128
            report loaded
            reboot -f
            """.ReplaceLineEndings("\n") + "\n"), executable: true);
        archive.Close();

        void Add(string file, string path) => archive.AddFile(path, File.ReadAllBytes(file), executable: true);
    }

    // ldd(1): "libc.so.6 => /lib/…/libc.so.6 (0x…)", the loader without an arrow.
    private async Task<IEnumerable<string>> LibrariesAsync(IEnumerable<string> programs)
    {
        var said = await _commands.RunAsync(new("ldd", ["--", .. programs]), TestContext.Current.CancellationToken);
        return said.Output.Split('\n').SelectMany(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)).Where(w => w.StartsWith('/') && w.Contains("/lib", StringComparison.Ordinal) && !w.EndsWith(':')).Distinct();
    }
}
