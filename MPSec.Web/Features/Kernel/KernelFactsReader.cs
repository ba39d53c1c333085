using System.Collections.Immutable;
using MPSec.Linux.Procfs;
using MPSec.Linux.Sysctl;
using MPSec.Linux.Values;

namespace MPSec.Features.Kernel;

/// <summary>Reads what the kernel and its files say; tries nothing and loads no module.</summary>
/// <param name="root">Folder that stands for <c>/</c>; a recorded one in tests.</param>
public sealed class KernelFactsReader(string root = "/")
{
    private static readonly SysctlKey s_congestionControls = SysctlKey.Parse("net.ipv4.tcp_available_congestion_control");

    /// <summary>The facts, without trials and packages. A part that cannot be read is empty.</summary>
    public KernelFacts Read()
    {
        var proc = Path.Combine(root, "proc");
        var release = KernelRelease.Read(proc);
        return new()
        {
            Release = release,
            Distribution = Text("etc/os-release") is { } os ? MachineText.Value(os, "PRETTY_NAME") : null,
            Config = KernelConfig.Read(root, release),
            Mptcp = SysctlFolder.List(Path.Combine(proc, "sys"), "net.mptcp."),
            CongestionControls = [.. (SysctlReader.Read(Path.Combine(proc, "sys"), s_congestionControls) ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries)],
            HasBtf = File.Exists(Path.Combine(root, "sys/kernel/btf/vmlinux")),
            HasTrialCipher = Lines("proc/crypto").Any(l => l.StartsWith("name ", StringComparison.Ordinal) && l.EndsWith(": " + KernelFeatureTable.TrialCipher, StringComparison.Ordinal)),
            Modules = Modules(release),
        };
    }

    private ImmutableDictionary<string, ModuleState> Modules(string? release)
    {
        var folder = release is null || release.Contains('/', StringComparison.Ordinal) ? null : $"lib/modules/{release}";
        var present = Lines("proc/modules").Select(l => l.Split(' ', 2)[0]).Concat(folder is null ? [] : Lines(folder + "/modules.builtin").Select(Name)).ToHashSet(StringComparer.Ordinal);
        var onDisk = (folder is null ? [] : Lines(folder + "/modules.dep").Select(l => Name(l.Split(':', 2)[0]))).ToHashSet(StringComparer.Ordinal);
        return KernelFeatureTable.All.Select(f => f.Module).OfType<string>().Distinct()
            .ToImmutableDictionary(m => m, m => present.Contains(m) ? ModuleState.Present : onDisk.Contains(m) ? ModuleState.OnDisk : ModuleState.Absent);
    }

    // kernel/net/sched/sch_netem.ko.xz is sch_netem; the file of a module may have dashes where its name has underscores.
    private static string Name(string path) => Path.GetFileName(path).Split('.', 2)[0].Replace('-', '_');

    private string[] Lines(string file) => (Text(file) ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private string? Text(string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(root, file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
