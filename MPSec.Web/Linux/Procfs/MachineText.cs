// proc(5), os-release(5), Documentation/admin-guide/iostats.rst, Documentation/accounting/psi.rst.
using System.Collections.Immutable;
using System.Globalization;

namespace MPSec.Linux.Procfs;

/// <summary>Decodes the texts of <c>/proc</c> about the machine. All of it may be cut off or altered; then <see cref="FormatException"/> says what.</summary>
public static class MachineText
{
    /// <summary>Decodes <c>/proc/stat</c>: all processors together first, then each; and the time of boot.</summary>
    public static (CpuTimes All, ImmutableArray<CpuTimes> Each, DateTimeOffset? BootedAt) Stat(string text)
    {
        CpuTimes? all = null;
        DateTimeOffset? booted = null;
        var each = ImmutableArray.CreateBuilder<CpuTimes>();
        foreach (var line in Lines(text))
        {
            var words = Words(line);
            if (words[0] == "btime" && words.Length == 2)
            {
                booted = Moment(Number(words[1], "btime"));
            }
            else if (words[0].StartsWith("cpu", StringComparison.Ordinal))
            {
                if (words.Length < 8)
                {
                    throw new FormatException("/proc/stat: a processor has fewer than 7 values");
                }

                ulong N(int i) => i < words.Length ? Number(words[i], words[0]) : 0;
                var times = new CpuTimes(words[0] == "cpu" ? -1 : (int)Number(words[0][3..], "cpu"), N(1) + N(2), N(3), N(4), N(5), N(6) + N(7), N(8));
                if (times.Number < 0)
                {
                    all = times;
                }
                else
                {
                    each.Add(times);
                }
            }
        }

        return (all ?? throw new FormatException("/proc/stat: has no line cpu"), each.ToImmutable(), booted);
    }

    /// <summary>Decodes <c>/proc/loadavg</c>.</summary>
    public static LoadReading Load(string text)
    {
        var words = Words(text.Trim());
        var tasks = words.Length >= 4 ? words[3].Split('/') : [];
        return tasks.Length == 2
            ? new(Real(words[0], "load"), Real(words[1], "load"), Real(words[2], "load"), (int)Number(tasks[0], "tasks"), (int)Number(tasks[1], "tasks"))
            : throw new FormatException("/proc/loadavg: has fewer than 4 values");
    }

    /// <summary>Decodes <c>/proc/meminfo</c>.</summary>
    public static MemoryReading Memory(string text)
    {
        var values = new Dictionary<string, ulong>(StringComparer.Ordinal);
        foreach (var line in Lines(text))
        {
            if (line.IndexOf(':') is var colon and > 0 && Words(line[(colon + 1)..].Trim()) is [var value, "kB"])
            {
                values[line[..colon]] = checked(Number(value, line[..colon]) * 1024);
            }
        }

        return values.TryGetValue("MemTotal", out var total) && values.TryGetValue("MemFree", out var free)
            ? new(
                total, values.TryGetValue("MemAvailable", out var available) ? available : null, free, values.GetValueOrDefault("Cached") + values.GetValueOrDefault("Buffers"),
                values.GetValueOrDefault("SwapTotal"), values.GetValueOrDefault("SwapFree"))
            : throw new FormatException("/proc/meminfo: MemTotal or MemFree is missing");
    }

    /// <summary>Decodes <c>/proc/uptime</c>.</summary>
    public static TimeSpan Uptime(string text) => TimeSpan.FromSeconds(Real(Words(text.Trim())[0], "uptime"));

    /// <summary>Decodes <c>/proc/diskstats</c> for the disks called <paramref name="whole"/>; sectors there are always 512 bytes.</summary>
    public static ImmutableArray<DiskReading> Disks(string text, IReadOnlySet<string> whole)
    {
        var disks = ImmutableArray.CreateBuilder<DiskReading>();
        foreach (var line in Lines(text))
        {
            if (Words(line) is { Length: >= 13 } w && whole.Contains(w[2]))
            {
                disks.Add(new(w[2], unchecked(Number(w[5], w[2]) * 512), unchecked(Number(w[9], w[2]) * 512), Number(w[12], w[2])));
            }
        }

        return disks.ToImmutable();
    }

    /// <summary>A file system that may be worth asking for its size.</summary>
    /// <param name="MountPoint">Where.</param>
    /// <param name="Device">What.</param>
    /// <param name="Kind">ext4, xfs, …</param>
    public sealed record Mount(string MountPoint, string Device, string Kind);

    /// <summary>Decodes <c>/proc/self/mountinfo</c>: file systems of local disks, each once, at its shortest mount point.</summary>
    public static IReadOnlyList<Mount> Mounts(string text)
    {
        var mounts = new Dictionary<string, Mount>(StringComparer.Ordinal);
        foreach (var line in Lines(text))
        {
            var words = Words(line);
            var dash = Array.IndexOf(words, "-");
            if (dash < 6 || words.Length < dash + 3)
            {
                throw new FormatException("/proc/self/mountinfo: a line is cut off");
            }

            var (kind, device, point) = (words[dash + 1], Unescape(words[dash + 2]), Unescape(words[4]));
            if ((device.StartsWith("/dev/", StringComparison.Ordinal) || kind is "btrfs" or "zfs" || (kind == "overlay" && point == "/")) && kind is not ("squashfs" or "iso9660" or "fuseblk" or "devtmpfs")
                && (!mounts.TryGetValue(words[2], out var known) || point.Length < known.MountPoint.Length))
            {
                mounts[words[2]] = new(point, device, kind);
            }
        }

        return [.. mounts.Values.OrderBy(m => m.MountPoint, StringComparer.Ordinal)];
    }

    /// <summary>Decodes a file of <c>/proc/pressure</c>.</summary>
    public static PressureReading Pressure(string resource, string text)
    {
        double? some = null, full = null;
        foreach (var line in Lines(text))
        {
            var words = Words(line);
            if (words.Length >= 2 && words[1].StartsWith("avg10=", StringComparison.Ordinal))
            {
                var value = Real(words[1][6..], resource);
                (some, full) = words[0] switch { "some" => (value, full), "full" => (some, value), _ => (some, full) };
            }
        }

        return new(resource, some ?? throw new FormatException($"/proc/pressure/{resource}: has no line some"), full);
    }

    /// <summary>Decodes <c>/proc/PID/stat</c>. The name stands in brackets and may hold brackets and spaces itself: the last bracket ends it.</summary>
    public static ProcessReading Process(string text, int pageSize)
    {
        var (open, close) = (text.IndexOf('('), text.LastIndexOf(')'));
        if (open < 2 || close <= open || close + 2 >= text.Length || Words(text[(close + 2)..].Trim()) is not { Length: >= 22 } w || w[0].Length != 1)
        {
            throw new FormatException("/proc/PID/stat: is cut off");
        }

        return new(
            (int)Number(text[..(open - 1)], "pid"), text[(open + 1)..close], w[0][0], Number(w[11], "utime") + Number(w[12], "stime"), (int)Number(w[17], "threads"), Number(w[19], "start"),
            unchecked(Number(w[21], "rss") * (ulong)pageSize));
    }

    /// <summary>The effective user id in <c>/proc/PID/status</c>; null when it is not there.</summary>
    public static uint? Uid(string text)
    {
        foreach (var line in Lines(text))
        {
            if (line.StartsWith("Uid:", StringComparison.Ordinal))
            {
                return Words(line[4..].Trim()) is [_, var effective, ..] && uint.TryParse(effective, NumberStyles.None, CultureInfo.InvariantCulture, out var uid) ? uid : null;
            }
        }

        return null;
    }

    /// <summary>Names by user id of passwd(5).</summary>
    public static IReadOnlyDictionary<uint, string> Users(string text)
    {
        var users = new Dictionary<uint, string>();
        foreach (var line in Lines(text))
        {
            if (line.Split(':') is [{ Length: > 0 } name, _, var id, ..] && uint.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var uid))
            {
                users.TryAdd(uid, name);
            }
        }

        return users;
    }

    /// <summary>The value of <paramref name="key"/> in a text of KEY=value lines, without quotes; null when it is not there.</summary>
    public static string? Value(string text, string key)
    {
        foreach (var line in Lines(text))
        {
            if (line.StartsWith(key, StringComparison.Ordinal) && line.Length > key.Length && line[key.Length] == '=')
            {
                return line[(key.Length + 1)..].Trim('"') is { Length: > 0 } value ? value : null;
            }
        }

        return null;
    }

    /// <summary>Decodes a file of <c>/run/systemd/sessions</c>; null for what is no person, such as a manager or a greeter, and for a session that is closing.</summary>
    public static SessionReading? Session(string text)
    {
        if (Value(text, "CLASS") is not (null or "user" or "user-early") || Value(text, "STATE") is "closing" || Value(text, "USER") is not { } user)
        {
            return null;
        }

        var since = ulong.TryParse(Value(text, "REALTIME"), NumberStyles.None, CultureInfo.InvariantCulture, out var micro) ? Moment(micro / 1_000_000) : null;
        return new(user, Value(text, "TTY") ?? Value(text, "DISPLAY"), Value(text, "REMOTE_HOST"), since);
    }

    /// <summary>A moment from seconds since 1970; null when no calendar holds it.</summary>
    internal static DateTimeOffset? Moment(ulong seconds) => seconds < 253402300800 ? DateTimeOffset.FromUnixTimeSeconds((long)seconds) : null;

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static string[] Words(string line) => line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries) is { Length: > 0 } words ? words : [""];

    private static ulong Number(string text, string what) => ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
        ? value
        : throw new FormatException($"{what}: '{text}' is no number");

    private static double Real(string text, string what) => double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value)
        ? value
        : throw new FormatException($"{what}: '{text}' is no number");

    // Spaces, tabs, line breaks and backslashes stand as \ooo.
    private static string Unescape(string text)
    {
        if (!text.Contains('\\', StringComparison.Ordinal))
        {
            return text;
        }

        var plain = new System.Text.StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 3 < text.Length && text[i + 1] is >= '0' and <= '3' && text[i + 2] is >= '0' and <= '7' && text[i + 3] is >= '0' and <= '7')
            {
                plain.Append((char)(((text[i + 1] - '0') * 64) + ((text[i + 2] - '0') * 8) + (text[i + 3] - '0')));
                i += 3;
            }
            else
            {
                plain.Append(text[i]);
            }
        }

        return plain.ToString();
    }
}
