// proc(5): /proc/PID/comm is the program's name, at most 15 characters; /proc/PID/ns/net names its network namespace.
using System.Globalization;

namespace MPSec.Linux.Procfs;

/// <summary>Finds programs by the name that the kernel keeps of them.</summary>
public static class RunningPrograms
{
    /// <summary>Which of <paramref name="names"/> run now in the network namespace <paramref name="network"/>, each once, in the order asked.</summary>
    /// <param name="names">Names as in <c>/proc/PID/comm</c>.</param>
    /// <param name="network">What <see cref="NetworkOfThisThread"/> gave inside the gateway; null counts programs of every namespace.</param>
    /// <param name="root">The proc file system.</param>
    public static IReadOnlyList<string> Find(IReadOnlyList<string> names, string? network, string root = "/proc")
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        foreach (var folder in Directory.EnumerateDirectories(root))
        {
            if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out _)
                && Name(folder) is { } name && names.Contains(name) && (network is null || (Target(Path.Combine(folder, "ns/net")) ?? network) == network))
            {
                found.Add(name);
            }
        }

        return [.. names.Where(found.Contains)];
    }

    /// <summary>The network namespace of the calling thread, as <c>net:[number]</c>; null when it cannot be told.</summary>
    public static string? NetworkOfThisThread(string root = "/proc") => Target(Path.Combine(root, "thread-self/ns/net"));

    private static string? Name(string folder)
    {
        try
        {
            return File.ReadAllText(Path.Combine(folder, "comm")).TrimEnd('\n');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // ended in the meantime
        }
    }

    private static string? Target(string link)
    {
        try
        {
            return new FileInfo(link).LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
