// pstore: Documentation/admin-guide/ramoops.rst; systemd-pstore.service(8) moves what it finds to /var/lib/systemd/pstore.
using System.Text.RegularExpressions;
using MPSec.Linux.Processes;

namespace MPSec.Features.Kernel;

/// <summary>Looks for the last words of a kernel that ended without wanting to.</summary>
internal static partial class KernelEvidence
{
    private const int Longest = 200;
    private const long LargestFile = 1 << 20;
    private static readonly string[] s_folders = ["sys/fs/pstore", "var/lib/systemd/pstore"];

    /// <summary>One line; null when nothing is left.</summary>
    /// <param name="root">Folder that stands for <c>/</c>.</param>
    /// <param name="release">Kernel whose words are meant.</param>
    /// <param name="since">What is older is of another end.</param>
    /// <param name="commands">For the journal of the boot before.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<string?> FindAsync(string root, string release, DateTimeOffset since, ICommandRunner commands, CancellationToken cancellationToken)
    {
        foreach (var folder in s_folders.Select(f => Path.Combine(root, f)).Where(Directory.Exists))
        {
            foreach (var file in Directory.EnumerateFiles(folder, "dmesg*", SearchOption.AllDirectories).Select(f => new FileInfo(f)).Where(f => f.Length <= LargestFile && f.LastWriteTimeUtc >= since.UtcDateTime).OrderByDescending(f => f.LastWriteTimeUtc))
            {
                if (Line(await File.ReadAllTextAsync(file.FullName, cancellationToken)) is { } line)
                {
                    return line;
                }
            }
        }

        if (!Directory.Exists(Path.Combine(root, "var/log/journal")) || commands.Find("journalctl") is null)
        {
            return null;
        }

        var journal = await commands.RunAsync(new("journalctl", "--boot=-1", "--dmesg", "--output=cat", "--no-pager", "--lines=2000"), cancellationToken);
        return journal.Succeeded && journal.Output.Contains(release, StringComparison.Ordinal) ? Line(journal.Output) : null;
    }

    private static string? Line(string text) => text.Split('\n').LastOrDefault(l => Words().IsMatch(l)) is { } line
        ? string.Concat(line.Trim().Where(c => !char.IsControl(c)).Take(Longest))
        : null;

    [GeneratedRegex("Kernel panic|soft lockup|hard LOCKUP|blocked for more than|Oops:|BUG:")]
    private static partial Regex Words();
}
