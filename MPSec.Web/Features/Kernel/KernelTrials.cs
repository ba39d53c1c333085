using System.Collections.Immutable;
using System.Net.Sockets;
using MPSec.Linux.Processes;
using MPSec.Linux.Sockets;

namespace MPSec.Features.Kernel;

/// <summary>
/// Tries features. Each trial has a network namespace of its own (<c>unshare --net</c>) that ends with the program, so nothing is left behind, not even
/// after a crash. What would make the kernel load a module is not tried: that would change the host.
/// </summary>
public sealed class KernelTrials(ICommandRunner commands)
{
    private const int LongestEvidence = 200;
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    // What iproute2 (invarg, NEXT_ARG, do_cmd) and busybox say of words that they do not know; what the kernel says begins with "RTNETLINK answers" or "Error: " and its own words.
    private static readonly string[] s_unknown = ["Object \"", "Command \"", "Usage:", "Unknown ", "BusyBox ", "ip: invalid ", "Error: argument \"", "Error: either \""];

    /// <summary>What was tried, by feature; a feature that cannot be tried here is not in it.</summary>
    public async Task<ImmutableDictionary<string, KernelTrial>> RunAsync(KernelFacts facts, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(facts);
        var trials = ImmutableDictionary.CreateBuilder<string, KernelTrial>();
        if (facts.Flavour == KernelFlavour.Upstream)
        {
            trials["mptcp"] = Open(AddressFamily.InterNetwork);
            trials["mptcp-ipv6"] = Open(AddressFamily.InterNetworkV6);
        }

        if (!Environment.IsPrivilegedProcess || commands.Find("unshare") is null)
        {
            return trials.ToImmutable();
        }

        foreach (var feature in KernelFeatureTable.All.Where(f => f.Trial.Length > 0 && MayTry(f, facts) && commands.Find(f.Trial[0]) is not null))
        {
            var result = await commands.RunAsync(new("unshare", ["--net", "--", .. feature.Trial]) { Timeout = s_limit, OutputLimit = 4096 }, cancellationToken);
            var said = result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).FirstOrDefault() ?? (result.TimedOut ? "no answer" : $"exit code {result.ExitCode}");
            trials[feature.Key] = Of(feature, result.Succeeded, said);
        }

        return trials.ToImmutable();
    }

    /// <summary>What came of a trial, from the first line of what the program said. A program that does not know the words never asked the kernel.</summary>
    internal static KernelTrial Of(KernelFeature feature, bool succeeded, string said)
    {
        var call = string.Join(' ', feature.Trial);
        return succeeded ? new(true, call + ": done")
            : s_unknown.Any(begin => said.StartsWith(begin, StringComparison.Ordinal)) ? new(null, $"{call}: {feature.Trial[0]} of this machine does not know it; a newer iproute2 does")
            : new(false, $"{call}: {(said.Length > LongestEvidence ? said[..LongestEvidence] : said)}");
    }

    internal static bool MayTry(KernelFeature feature, KernelFacts facts) =>
        (feature.Flavour is null || feature.Flavour == facts.Flavour)
        && (!feature.TrialLoadsCrypto || !facts.CanLoadModules || facts.HasTrialCipher)
        && (feature.Module is null || facts.Modules[feature.Module] switch
        {
            ModuleState.Present => true,
            ModuleState.OnDisk => false,
            _ => facts.Config is { } config && config[feature.Option] != "m",
        });

    private static KernelTrial Open(AddressFamily family)
    {
        var call = $"socket({(family == AddressFamily.InterNetwork ? "AF_INET" : "AF_INET6")}, SOCK_STREAM, IPPROTO_MPTCP)";
        try
        {
            MptcpSocket.OpenHere(family).Dispose();
            return new(true, call + ": done");
        }
        catch (MptcpSocketException e)
        {
            return new(false, $"{call}: {e.Message}");
        }
    }
}
