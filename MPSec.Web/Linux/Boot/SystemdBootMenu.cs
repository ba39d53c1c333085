// The Boot Loader Specification (uapi-group.org), type 1 entries; the default and the entry for once: systemd's Boot Loader Interface.
using System.Collections.Immutable;
using System.Text.RegularExpressions;

namespace MPSec.Linux.Boot;

/// <summary>The menu of systemd-boot, from its files and its variables in the firmware.</summary>
public static partial class SystemdBootMenu
{
    /// <summary>Reads it.</summary>
    /// <param name="root">Folder that stands for <c>/</c>.</param>
    /// <param name="partition">Folder that holds <c>loader</c>, as seen from the root.</param>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static BootMenu Read(string root, string partition)
    {
        ArgumentNullException.ThrowIfNull(partition);
        var loader = Path.Combine(root, partition.TrimStart('/'), "loader");
        var entries = Directory.GetFiles(Path.Combine(loader, "entries"), "*.conf").Order(StringComparer.Ordinal).Select(f => Parse(Path.GetFileName(f), File.ReadAllText(f))).OfType<BootEntry>().ToImmutableArray();
        return new(entries, Find(entries, BootFirmware.SystemdText(root, "LoaderEntryDefault")), Find(entries, BootFirmware.SystemdText(root, "LoaderEntryOneShot")));
    }

    /// <summary>An entry from its file; null when it starts no Linux kernel.</summary>
    public static BootEntry? Parse(string file, string text)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(text);
        var lines = text.Split('\n').Select(l => l.Trim().Split((char[])[' ', '\t'], 2, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)).Where(p => p.Length == 2 && p[0][0] != '#').ToLookup(p => p[0], p => p[1]);
        return lines["linux"].FirstOrDefault() is { } image
            ? new(Id(file), lines["title"].FirstOrDefault() ?? file, lines["version"].FirstOrDefault() ?? BootEntry.ReleaseOf(image), lines["initrd"].Any(), string.Join(' ', lines["options"]))
            : null;
    }

    private static BootEntry? Find(ImmutableArray<BootEntry> entries, string? id) => id is null ? null : entries.FirstOrDefault(e => e.Id == Id(id));

    // name+LEFT-DONE.conf counts attempts; the entry is called name.conf.
    private static string Id(string file) => Counter().Replace(file, ".conf");

    [GeneratedRegex(@"\+[0-9]+(-[0-9]+)?\.conf$")]
    private static partial Regex Counter();
}
