using System.Globalization;

namespace MPSec.Features.Kernel;

/// <summary>
/// Reads what apt-get and apt-cache print: errors (<c>E: …</c>), progress (<c>APT::Status-Fd</c>: README.progress-reporting of apt) and candidates
/// (<c>apt-cache policy</c>).
/// </summary>
public static class AptOutput
{
    private const string RepairSentence = "an earlier package installation was interrupted; repair it (dpkg --configure -a, as root), then run this job again";

    /// <summary>The call that fetches a package without installing it.</summary>
    internal const string Download = "apt-get download";

    private static readonly string[] s_unreachable = ["Could not resolve", "Temporary failure resolving", "Could not connect", "Cannot initiate the connection", "Connection timed out", "Network is unreachable", "Connection failed"];

    /// <summary>What to tell when dpkg is half done.</summary>
    public static string Repair => RepairSentence;

    /// <summary>Progress of a status line, in percent, with what is being done; null for every other line.</summary>
    public static (double Percent, string Activity)? Progress(string line)
    {
        ArgumentNullException.ThrowIfNull(line);
        var fields = line.Split(':', 4);
        return fields.Length == 4 && fields[0] is "pmstatus" or "dlstatus"
            && double.TryParse(fields[2], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var percent) && percent is >= 0 and <= 100
            ? (percent, fields[3])
            : null;
    }

    /// <summary>One sentence for a call that failed.</summary>
    /// <param name="what">The call, for example <c>apt-get update</c>.</param>
    /// <param name="exitCode">Its exit code.</param>
    /// <param name="errors">The lines that it marked as errors.</param>
    public static string Explain(string what, int exitCode, IReadOnlyList<string> errors)
    {
        ArgumentNullException.ThrowIfNull(errors);
        if (errors.Any(line => line.Contains("dpkg was interrupted", StringComparison.Ordinal) || line.Contains("dpkg --configure -a", StringComparison.Ordinal)))
        {
            return RepairSentence;
        }

        if (errors.FirstOrDefault(IsLock) is { } held)
        {
            return $"another program is installing packages ({held}); wait until it has ended, then run this job again";
        }

        if (errors.Any(line => line.Contains("don't have enough free space", StringComparison.Ordinal) || line.Contains("No space left on device", StringComparison.Ordinal)))
        {
            return $"{what}: the disk is full; make room, then run this job again";
        }

        if (what == Download && errors.FirstOrDefault(line => line.Contains("404", StringComparison.Ordinal) || line.Contains("Unable to locate", StringComparison.Ordinal) || line.Contains("was not found", StringComparison.Ordinal)) is { } gone)
        {
            return $"{what}: the package lists are older than what the servers have ({gone}); run 'apt-get update' as root, then run this job again";
        }

        if (what == Download && errors.FirstOrDefault(line => s_unreachable.Any(words => line.Contains(words, StringComparison.Ordinal))) is { } unreachable)
        {
            return $"{what}: the servers cannot be reached ({unreachable}); look at the network and the name servers, then run this job again";
        }

        return errors.Count > 0 ? $"{what} failed: {errors[^1]}" : $"{what} failed with exit code {exitCode}; its lines in the log say why";
    }

    /// <summary>The text of an error line; null for every other line.</summary>
    public static string? Error(string line)
    {
        ArgumentNullException.ThrowIfNull(line);
        return line.StartsWith("E: ", StringComparison.Ordinal) ? line[3..].Trim() : null;
    }

    /// <summary>Names that have a candidate, from what <c>apt-cache policy NAME…</c> printed.</summary>
    public static IReadOnlySet<string> Offered(string policy) => Candidates(policy).Keys.ToHashSet(StringComparer.Ordinal);

    /// <summary>The version that would be installed of each name that has one, from what <c>apt-cache policy NAME…</c> printed.</summary>
    public static IReadOnlyDictionary<string, string> Candidates(string policy)
    {
        const string Candidate = "  Candidate: ";
        ArgumentNullException.ThrowIfNull(policy);
        var offered = new Dictionary<string, string>(StringComparer.Ordinal);
        var name = "";
        foreach (var line in policy.Split('\n'))
        {
            if (line.Length > 1 && line[0] != ' ' && line[^1] == ':')
            {
                name = line[..^1];
            }
            else if (line.StartsWith(Candidate, StringComparison.Ordinal) && !line.EndsWith("(none)", StringComparison.Ordinal))
            {
                offered[name] = line[Candidate.Length..].Trim();
            }
        }

        return offered;
    }

    /// <summary>Another package manager is at work.</summary>
    internal static bool IsLock(string line) =>
        line.Contains("Could not get lock", StringComparison.Ordinal) || line.Contains("Unable to lock", StringComparison.Ordinal) || line.Contains("Unable to acquire", StringComparison.Ordinal)
        || line.Contains("frontend lock was locked by another process", StringComparison.Ordinal);
}
