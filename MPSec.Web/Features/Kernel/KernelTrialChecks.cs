using System.Collections.Immutable;
using System.Globalization;
using MPSec.Changes;

namespace MPSec.Features.Kernel;

/// <summary>Asks this program's own page whether it answers; absent where there is none.</summary>
public interface IOwnPage
{
    /// <summary>What its answer was, and whether it is a good one; null when there is no page to ask.</summary>
    Task<(bool Passed, string Detail)?> AskAsync(CancellationToken cancellationToken);
}

/// <summary>Looks at the running kernel: whether it is the one on trial and does what this machine needs of it. Loads nothing and changes nothing.</summary>
public sealed class KernelTrialChecks(KernelBootMachinery machinery, IOwnPage? page = null)
{
    // What MPSec itself asks of a kernel; those that are built in pass too.
    private static readonly string[] s_modules = ["mptcp_diag", "inet_diag", "tcp_diag", "sch_tbf", "sch_netem", "veth", "xfrm_user", "esp4"];

    /// <summary>Names of the interfaces that are up, without loopback.</summary>
    internal static ImmutableArray<string> Up(string root)
    {
        var folder = Path.Combine(root, "sys/class/net");
        return !Directory.Exists(folder) ? [] : [.. Directory.GetDirectories(folder).Where(d => Path.GetFileName(d) != "lo" && IsUp(d)).Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal)];
    }

    /// <summary>All checks.</summary>
    public async Task<ImmutableArray<KernelTrialCheck>> RunAsync(KernelBootRecord record, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(record);
        var running = machinery.Running;
        return
        [
            new("release", running == record.Release, $"{running} runs"),
            Mptcp(),
            Network(record),
            await ModulesAsync(cancellationToken),
            await PageAsync(cancellationToken),
        ];
    }

    private KernelTrialCheck Mptcp() => Text("/proc/sys/net/mptcp/enabled")?.Trim() switch
    {
        "1" => new("mptcp", true, "net.mptcp.enabled = 1"),
        null => new("mptcp", false, "this kernel has no net.mptcp.enabled"),
        var other => new("mptcp", false, $"net.mptcp.enabled = {other}"),
    };

    private KernelTrialCheck Network(KernelBootRecord record)
    {
        var up = Up(machinery.Root);
        var missing = record.Interfaces.Except(up).ToArray();
        return HasDefaultRoute() ? new("network", true, "there is a default route")
            : missing.Length > 0 ? new("network", false, $"there is no default route, and {string.Join(", ", missing)} {(missing.Length == 1 ? "is" : "are")} not up")
            : new("network", true, up.IsEmpty ? "no interface was up before either" : $"up as before: {string.Join(", ", record.Interfaces)}");
    }

    // fib_trie(7) is for people; these two files have columns. RTF_UP is 1, RTF_REJECT is 0x200.
    private bool HasDefaultRoute() =>
        (Text("/proc/net/route") ?? "").Split('\n').Skip(1).Select(l => l.Split('\t')).Any(f => f.Length > 7 && f[1] == "00000000" && f[7] == "00000000" && Flags(f[3]))
        || (Text("/proc/net/ipv6_route") ?? "").Split('\n').Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Any(f => f.Length > 9 && f[0] == new string('0', 32) && f[1] == "00" && f[9] != "lo" && Flags(f[8]));

    private async Task<KernelTrialCheck> ModulesAsync(CancellationToken cancellationToken)
    {
        if (machinery.Commands.Find("modprobe") is null)
        {
            return new("modules", null, "modprobe is not installed");
        }

        var missing = new List<string>();
        foreach (var module in s_modules)
        {
            var tried = await machinery.Commands.RunAsync(new("modprobe", "--dry-run", "--quiet", "--", module), cancellationToken);
            if (!tried.Succeeded)
            {
                missing.Add(module);
            }
        }

        return missing.Count == 0 ? new("modules", true, $"{s_modules.Length} of {s_modules.Length} are there") : new("modules", false, $"cannot be loaded: {string.Join(", ", missing)}");
    }

    private async Task<KernelTrialCheck> PageAsync(CancellationToken cancellationToken) => page is not null && await page.AskAsync(cancellationToken) is (var passed, var detail)
        ? new("page", passed, detail)
        : new("page", null, "the dashboard does not run here");

    private static bool Flags(string text) => int.TryParse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var flags) && (flags & 1) != 0 && (flags & 0x200) == 0;

    private static bool IsUp(string folder)
    {
        try
        {
            // IFF_UP alone says only that somebody wants it; a tunnel tells "unknown" while it works.
            return File.ReadAllText(Path.Combine(folder, "operstate")).Trim() is "up" or "unknown" && (Convert.ToInt32(File.ReadAllText(Path.Combine(folder, "flags")).Trim(), 16) & 1) != 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return false;
        }
    }

    private string? Text(string path)
    {
        try
        {
            return File.ReadAllText(machinery.Machine.At(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
