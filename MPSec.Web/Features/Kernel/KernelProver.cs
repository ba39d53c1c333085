using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using MPSec.Linux.Processes;

namespace MPSec.Features.Kernel;

/// <summary>Starts a kernel in a virtual machine of its own, without disk and network, and has it show what it can do. Nothing is installed.</summary>
public sealed class KernelProver(ICommandRunner commands)
{
    private const string Qemu = "qemu-system-x86_64";

    // Where /dev/kvm exists it may still not work (a virtual machine inside another): then the first line never comes.
    private static readonly TimeSpan s_first = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);

    /// <summary>Why no kernel can be proved on this kind of machine; null when it can.</summary>
    public static string? NotAvailable => RuntimeInformation.OSArchitecture == Architecture.X64 ? null : $"kernels are proved in a virtual machine on x86-64 only so far; this machine is {RuntimeInformation.OSArchitecture}";

    /// <summary>Packages that are missing here, each named once; empty when kernels can be proved.</summary>
    public IReadOnlyList<string> MissingPackages() => [.. new KernelProofImage(commands).MissingPackages(), .. commands.Find(Qemu) is null ? new[] { "qemu-system-x86" } : []];

    /// <summary>Proves a kernel.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="promised">Options that it must have been made with; null when nothing was promised.</param>
    /// <param name="progress">Gets the results as they come, and the lines of the console between them.</param>
    /// <param name="cancellationToken">Ends the machine.</param>
    /// <exception cref="IOException">The machine could not be made.</exception>
    public async Task<KernelProof> RunAsync(KernelProofKernel kernel, KernelFragment? promised, Action<string> progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        ArgumentNullException.ThrowIfNull(progress);
        var folder = Directory.CreateTempSubdirectory("mpsec-proof-").FullName;
        try
        {
            var image = Path.Combine(folder, "root.cpio.gz");
            await new KernelProofImage(commands).WriteAsync(kernel, promised, image, cancellationToken);
            var proof = (Path.Exists("/dev/kvm") ? await BootAsync(kernel, image, "kvm", progress, cancellationToken) : null)
                ?? await BootAsync(kernel, image, "tcg", progress, cancellationToken)
                ?? new(kernel.Release, "tcg", [], s_limit.TotalSeconds);
            return proof with { Promised = promised?.Options.Length ?? 0 };
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Null when the machine said nothing in time.</summary>
    private async Task<KernelProof?> BootAsync(KernelProofKernel kernel, string image, string accelerator, Action<string> progress, CancellationToken cancellationToken)
    {
        var checks = new ConcurrentQueue<KernelProofCheck>();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        stop.CancelAfter(accelerator == "kvm" ? s_first : s_limit);
        var clock = Stopwatch.StartNew();
        try
        {
            // The exit code says nothing: it is 0 after a panic too.
            var ended = await commands.RunAsync(
                new(
                    Qemu, "-accel", accelerator == "kvm" ? "kvm" : "tcg,thread=multi", "-machine", "q35", "-cpu", accelerator == "kvm" ? "host" : "max", "-smp", "2", "-m", "768", "-nographic", "-no-reboot", "-nic", "none",
                    "-kernel", kernel.Image, "-initrd", image, "-append", "console=ttyS0 panic=-1 reboot=t quiet")
                {
                    Timeout = s_limit,
                    OnLine = line =>
                    {
                        if (KernelProof.Parse(line.Text) is { } check)
                        {
                            checks.Enqueue(check);
                            stop.CancelAfter(s_limit);
                            progress($"{(check.Passed ? "ok  " : "FAIL")} {check.Name}: {check.Detail}");
                        }
                    },
                },
                stop.Token);
            if (checks.IsEmpty && ended.Error.Trim() is { Length: > 0 } said)
            {
                progress($"the machine ({accelerator}) did not start: {said.Split('\n')[0]}");
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            progress($"the machine ({accelerator}) was ended: it said nothing more");
        }

        return checks.IsEmpty ? null : new(kernel.Release, accelerator, [.. checks], clock.Elapsed.TotalSeconds);
    }
}
