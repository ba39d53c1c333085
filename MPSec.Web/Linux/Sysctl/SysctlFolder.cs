// /proc/sys: the modes of the files say what may be written (kernel/sysctl.c, proc_sys_permission).
using System.Collections.Immutable;
using MPSec.Linux.Values;

namespace MPSec.Linux.Sysctl;

/// <summary>A kernel setting as it is found.</summary>
/// <param name="Name">Dotted name.</param>
/// <param name="Value">Value with single spaces between its parts; null when it may not be read.</param>
/// <param name="IsWritable">Whether the kernel offers it for writing at all.</param>
public sealed record SysctlEntry(string Name, string? Value, bool IsWritable);

/// <summary>Lists settings once, whatever their names are: a kernel may have names that nobody has heard of.</summary>
public static class SysctlFolder
{
    /// <summary>Every setting in the folder of <paramref name="prefix"/>, by name; empty when there is no such folder.</summary>
    /// <param name="root">For example <c>/proc/sys</c>, seen by a thread inside the gateway.</param>
    /// <param name="prefix">For example <c>net.mptcp.</c>.</param>
    public static ImmutableArray<SysctlEntry> List(string root, string prefix)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        var folder = Path.Combine(root, prefix.Replace('.', '/').TrimEnd('/'));
        return Directory.Exists(folder)
            ? [.. Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).Select(f => Describe(prefix + Path.GetFileName(f), f))]
            : [];
    }

    /// <summary>One setting; null when this kernel does not have it.</summary>
    public static SysctlEntry? Find(string root, SysctlKey key)
    {
        var file = Path.Combine(root, key.RelativePath);
        return File.Exists(file) ? Describe(key.Value, file) : null;
    }

    private static SysctlEntry Describe(string name, string file)
    {
        string? value = null;
        try
        {
            value = string.Join(' ', File.ReadAllText(file).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Shown without a value.
        }

        return new(name, value, (File.GetUnixFileMode(file) & UnixFileMode.UserWrite) != 0);
    }
}
