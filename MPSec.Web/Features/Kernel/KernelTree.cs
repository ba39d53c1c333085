using System.Globalization;
using System.IO.Enumeration;
using System.Text.RegularExpressions;
using MPSec.Linux.Processes;

namespace MPSec.Features.Kernel;

/// <summary>An unpacked source of a kernel.</summary>
internal static partial class KernelTree
{
    private const int LongestHead = 4096;
    private const int MostLinks = 40; // as many as the kernel itself follows (path_resolution(7))
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(30);

    /// <summary>Unpacks a checked archive whose names all begin with one folder, which is left out. Beside first, so a tree is whole or not there.</summary>
    /// <param name="commands">Runs tar and sync.</param>
    /// <param name="tar">The uncompressed archive.</param>
    /// <param name="tree">The folder to be made.</param>
    /// <param name="finish">Looks at the tree before it gets its name.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="KernelSourceRefusedException">A link leads out of it.</exception>
    /// <exception cref="IOException">It could not be unpacked.</exception>
    public static async Task UnpackAsync(ICommandRunner commands, string tar, string tree, Func<string, Task> finish, CancellationToken cancellationToken)
    {
        var fresh = tree + ".new";
        await KernelSourceFolder.RemoveAsync(fresh, cancellationToken);
        Directory.CreateDirectory(fresh, KernelSourceFolder.OwnerOnly);
        var result = await commands.RunAsync(
            new("tar", "--extract", "--force-local", "--no-same-owner", "--no-same-permissions", "--strip-components=1", "--directory", fresh, "--file", tar) { Timeout = s_limit }, cancellationToken);
        if (!result.Succeeded)
        {
            throw new IOException($"the source could not be unpacked: {Reason(result)}");
        }

        // What is checked by name in the archive can still be tangled: a link through a link is only seen where both are.
        if (await Task.Run(() => LinkOut(fresh), cancellationToken) is { } link)
        {
            await KernelSourceFolder.RemoveAsync(fresh, cancellationToken);
            throw new KernelSourceRefusedException(KernelSourceVerdict.LeadsOut, $"the link {link} leads out of the source; do not use it");
        }

        await finish(fresh);

        // Its name says that it is whole, also after a loss of power.
        await commands.RunAsync(new("sync", "--file-system", "--", fresh) { Timeout = s_limit }, cancellationToken);
        Directory.Move(fresh, tree);
    }

    /// <summary>The version in the Makefile of a tree, such as 6.1.192 or 6.12.0-rc3.</summary>
    /// <exception cref="IOException">It has none: it is no source of a kernel.</exception>
    public static string Version(string tree)
    {
        var file = Path.Combine(tree, "Makefile");
        var head = "";
        if (new FileInfo(file) is { Exists: true, LinkTarget: null })
        {
            using var reader = new StreamReader(file);
            var buffer = new char[LongestHead];
            head = new string(buffer, 0, reader.ReadBlock(buffer));
        }

        var parts = Assignment().Matches(head).DistinctBy(m => m.Groups[1].Value).ToDictionary(m => m.Groups[1].Value, m => m.Groups[2].Value);
        return parts.TryGetValue("VERSION", out var version) && parts.TryGetValue("PATCHLEVEL", out var patch) && version.Length > 0 && patch.Length > 0
            ? string.Create(CultureInfo.InvariantCulture, $"{version}.{patch}.{(parts.GetValueOrDefault("SUBLEVEL") is { Length: > 0 } sub ? sub : "0")}{parts.GetValueOrDefault("EXTRAVERSION")}")
            : throw new IOException("the Makefile of the source tells no version: this is no source of a kernel");
    }

    /// <summary>Whether a tree is the version that was asked for; 6.1 and 6.1.0 are the same.</summary>
    /// <param name="found">As its Makefile tells it.</param>
    /// <param name="wanted">What was asked for; null: any.</param>
    /// <param name="series">Whether 6.1 stands for every 6.1.x.</param>
    public static bool Fits(string found, string? wanted, bool series)
    {
        return wanted is null || Plain(found) == Plain(wanted) || (series && found.StartsWith(wanted + ".", StringComparison.Ordinal));

        // 6.1-rc3 is 6.1.0-rc3 in the Makefile.
        static string Plain(string version)
        {
            var dash = version.IndexOf('-', StringComparison.Ordinal);
            var (numbers, rest) = dash < 0 ? (version, "") : (version[..dash], version[dash..]);
            return (numbers.Split('.') is [var a, var b, "0"] ? $"{a}.{b}" : numbers) + rest;
        }
    }

    /// <summary>The first link that leads out of a folder, as the kernel would follow it; null when none does.</summary>
    internal static string? LinkOut(string tree)
    {
        var root = Path.GetFullPath(tree);
        return new FileSystemEnumerable<string>(root, (ref entry) => entry.ToFullPath(), new() { RecurseSubdirectories = true, AttributesToSkip = 0, IgnoreInaccessible = false })
        {
            ShouldIncludePredicate = (ref entry) => entry.Attributes.HasFlag(FileAttributes.ReparsePoint),
            ShouldRecursePredicate = (ref entry) => !entry.Attributes.HasFlag(FileAttributes.ReparsePoint),
        }.FirstOrDefault(link => !Stays(root, link)) is { } found ? Path.GetRelativePath(root, found) : null;
    }

    private static bool Stays(string root, string link)
    {
        var pending = new Stack<string>();
        Push(Path.GetRelativePath(root, link));
        var inside = new List<string>();
        for (var links = 0; pending.TryPop(out var part);)
        {
            if (part is "" or ".")
            {
                continue;
            }

            if (part == "..")
            {
                if (inside.Count == 0)
                {
                    return false;
                }

                inside.RemoveAt(inside.Count - 1);
                continue;
            }

            var here = Path.Combine([root, .. inside, part]);
            if (new FileInfo(here).LinkTarget is not { } target)
            {
                inside.Add(part);
            }
            else if (Path.IsPathRooted(target) || ++links > MostLinks)
            {
                return false;
            }
            else
            {
                Push(target);
            }
        }

        return true;

        void Push(string path)
        {
            foreach (var part in path.Split('/').Reverse())
            {
                pending.Push(part);
            }
        }
    }

    /// <summary>What a program said of its failure, in a few words.</summary>
    public static string Reason(CommandResult result) =>
        result.TimedOut ? "it took too long"
        : result.Error.Contains("No space left on device", StringComparison.Ordinal) ? "the disk is full; make room, then run this again"
        : result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).FirstOrDefault() ?? string.Create(CultureInfo.InvariantCulture, $"exit code {result.ExitCode}");

    [GeneratedRegex(@"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION)[ \t]*=[ \t]*([A-Za-z0-9.+_-]{0,40})[ \t]*\r?$", RegexOptions.CultureInvariant | RegexOptions.Multiline)]
    private static partial Regex Assignment();
}
