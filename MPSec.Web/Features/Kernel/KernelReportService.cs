using System.Collections.Immutable;
using System.Runtime.InteropServices;
using MPSec.Linux.Processes;

namespace MPSec.Features.Kernel;

/// <summary>Makes the report on the running kernel: reads, tries, and asks the distribution what it offers when Multipath TCP is missing.</summary>
public sealed class KernelReportService(ICommandRunner commands)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    /// <summary>The report of this moment.</summary>
    public async Task<KernelReport> ReadAsync(CancellationToken cancellationToken = default)
    {
        var facts = await Task.Run(() => new KernelFactsReader().Read(), cancellationToken);
        facts = facts with { Trials = await new KernelTrials(commands).RunAsync(facts, cancellationToken) };
        return KernelReport.Of(facts.Flavour == KernelFlavour.None ? facts with { Packages = await PackagesAsync(cancellationToken) } : facts);
    }

    private async Task<ImmutableArray<KernelPackage>> PackagesAsync(CancellationToken cancellationToken)
    {
        var machine = RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "arm64" : "amd64";
        if (commands.Find("apt-cache") is null)
        {
            return [];
        }

        // linux-image-generic is Ubuntu's; a name that is not known here has no line in the answer.
        var policy = await commands.RunAsync(new("apt-cache", "policy", "--", $"linux-image-{machine}", $"linux-image-cloud-{machine}", "linux-image-generic") { Timeout = s_limit }, cancellationToken);
        return [.. AptOutput.Candidates(policy.Output).Select(c => new KernelPackage(c.Key, c.Value))];
    }
}
