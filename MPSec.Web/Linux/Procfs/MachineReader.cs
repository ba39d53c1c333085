using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;

namespace MPSec.Linux.Procfs;

/// <summary>Reads the machine. One reading costs two small files per process at most; the identity is read once. Not thread-safe.</summary>
/// <param name="root">Folder that holds <c>proc</c>, <c>sys</c>, <c>etc</c> and <c>run</c>.</param>
public sealed class MachineReader(string root = "/")
{
    // Processes whose user is looked up: more than any page shows.
    private const int MostLookedUp = 20;

    private readonly Dictionary<(int, ulong), ulong> _ticks = [];
    private MachineIdentity? _identity;

    /// <summary>Takes one reading.</summary>
    public MachineReading Read()
    {
        var faults = ImmutableArray.CreateBuilder<string>();
        var stat = Part("proc/stat", MachineText.Stat);
        var sessions = Sessions(faults);
        return new MachineReading
        {
            Identity = _identity ??= ReadIdentity(),
            Cpu = stat.All,
            Processors = stat.Each.IsDefault ? [] : stat.Each,
            BootedAt = stat.BootedAt,
            Uptime = Part("proc/uptime", text => (TimeSpan?)MachineText.Uptime(text)),
            Load = Part("proc/loadavg", MachineText.Load),
            Memory = Part("proc/meminfo", MachineText.Memory),
            FileSystems = FileSystems(Part("proc/self/mountinfo", MachineText.Mounts) ?? [], faults),
            Disks = Part("proc/diskstats", text => (ImmutableArray<DiskReading>?)MachineText.Disks(text, WholeDisks())) ?? [],
            Temperatures = Temperatures(),
            Pressures = Pressures(faults),
            Processes = Processes(faults),
            Sessions = sessions,
            Faults = faults.ToImmutable(),
        };

        T? Part<T>(string path, Func<string, T> decode) => Try(path, decode, faults);
    }

    /// <summary>Only the file systems of this machine; what cannot be read is left out.</summary>
    public static ImmutableArray<FileSystemReading> ReadFileSystems()
    {
        var faults = ImmutableArray.CreateBuilder<string>();
        return FileSystems(Try("proc/self/mountinfo", MachineText.Mounts, faults, "/") ?? [], faults);
    }

    private static T? Try<T>(string path, Func<string, T> decode, ImmutableArray<string>.Builder faults, string root)
    {
        try
        {
            return decode(File.ReadAllText(Path.Combine(root, path)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or OverflowException)
        {
            faults.Add($"/{path}: {e.Message}");
            return default;
        }
    }

    private T? Try<T>(string path, Func<string, T> decode, ImmutableArray<string>.Builder faults) => Try(path, decode, faults, root);

    private string? Text(string path)
    {
        try
        {
            return File.ReadAllText(Path.Combine(root, path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private MachineIdentity ReadIdentity() => new(
        Text("proc/sys/kernel/hostname")?.Trim() ?? Environment.MachineName, Text("proc/sys/kernel/osrelease")?.Trim(), (Text("etc/os-release") ?? Text("usr/lib/os-release")) is { } release ? MachineText.Value(release, "PRETTY_NAME") : null,
        Text("proc/cpuinfo")?.Split('\n').Select(l => l.Split(':', 2)).Where(l => l.Length == 2 && l[0].Trim() is "model name" or "Model").Select(l => l[1].Trim()).FirstOrDefault(),
        RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant());

    private HashSet<string> WholeDisks()
    {
        var folder = Path.Combine(root, "sys/block");
        return Directory.Exists(folder)
            ? Directory.EnumerateFileSystemEntries(folder).Select(f => Path.GetFileName(f)).Where(n => !n.StartsWith("loop", StringComparison.Ordinal) && !n.StartsWith("ram", StringComparison.Ordinal)).ToHashSet(StringComparer.Ordinal)
            : [];
    }

    private static ImmutableArray<FileSystemReading> FileSystems(IReadOnlyList<MachineText.Mount> mounts, ImmutableArray<string>.Builder faults)
    {
        var all = ImmutableArray.CreateBuilder<FileSystemReading>();
        foreach (var mount in mounts)
        {
            try
            {
                // statvfs(3) inside; a bind mount on a single file is no folder and no news.
                if (Directory.Exists(mount.MountPoint) && new DriveInfo(mount.MountPoint) is { TotalSize: > 0 } drive)
                {
                    all.Add(new(mount.MountPoint, mount.Device, mount.Kind, (ulong)drive.TotalSize, (ulong)(drive.TotalSize - drive.TotalFreeSpace), (ulong)drive.AvailableFreeSpace));
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
            {
                faults.Add($"{mount.MountPoint}: {e.Message}");
            }
        }

        return all.ToImmutable();
    }

    private ImmutableArray<TemperatureReading> Temperatures()
    {
        var all = new List<TemperatureReading>();
        foreach (var zone in Folders("sys/class/thermal", "thermal_zone*"))
        {
            Add(Text(Path.Combine(zone, "type"))?.Trim() ?? Path.GetFileName(zone), Text(Path.Combine(zone, "temp")));
        }

        foreach (var chip in Folders("sys/class/hwmon", "hwmon*"))
        {
            var name = Text(Path.Combine(chip, "name"))?.Trim() ?? Path.GetFileName(chip);
            foreach (var input in Directory.EnumerateFiles(chip, "temp*_input").Order(StringComparer.Ordinal))
            {
                var label = Text(input[..^"_input".Length] + "_label")?.Trim();
                Add(label is null ? name : $"{name} {label}", Text(input));
            }
        }

        return [.. all.DistinctBy(t => t.Name)];

        void Add(string name, string? text)
        {
            // Thousandths of a degree. A sensor that is off gives an error or nonsense.
            if (int.TryParse(text?.Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var milli) && milli is > -100_000 and < 200_000)
            {
                all.Add(new(name, milli / 1000.0));
            }
        }

        IEnumerable<string> Folders(string path, string pattern) => Directory.Exists(Path.Combine(root, path)) ? Directory.EnumerateDirectories(Path.Combine(root, path), pattern).Order(StringComparer.Ordinal) : [];
    }

    private ImmutableArray<PressureReading> Pressures(ImmutableArray<string>.Builder faults)
    {
        if (!Directory.Exists(Path.Combine(root, "proc/pressure")))
        {
            return [];
        }

        string[] resources = ["cpu", "memory", "io"];
        return [.. resources.Select(r => Try("proc/pressure/" + r, text => MachineText.Pressure(r, text), faults)).OfType<PressureReading>()];
    }

    private ImmutableArray<ProcessReading> Processes(ImmutableArray<string>.Builder faults)
    {
        var all = new List<ProcessReading>();
        if (!Directory.Exists(Path.Combine(root, "proc")))
        {
            faults.Add("/proc: is not mounted");
            return [];
        }

        foreach (var folder in Directory.EnumerateDirectories(Path.Combine(root, "proc")))
        {
            if (char.IsAsciiDigit(Path.GetFileName(folder)[0]) && Text(Path.Combine(folder, "stat")) is { Length: > 0 } text) // null: ended in the meantime
            {
                try
                {
                    all.Add(MachineText.Process(text, Environment.SystemPageSize));
                }
                catch (FormatException e)
                {
                    faults.Add(e.Message);
                }
            }
        }

        var busiest = all.OrderByDescending(p => p.Ticks - Math.Min(p.Ticks, _ticks.GetValueOrDefault((p.Pid, p.StartTicks)))).Take(MostLookedUp);
        var wanted = busiest.Concat(all.OrderByDescending(p => p.ResidentBytes).Take(MostLookedUp)).Select(p => p.Pid).ToHashSet();
        var users = MachineText.Users(Text("etc/passwd") ?? "");
        _ticks.Clear();
        all.ForEach(p => _ticks[(p.Pid, p.StartTicks)] = p.Ticks);
        return [.. all.Select(p => wanted.Contains(p.Pid) && Text(string.Create(CultureInfo.InvariantCulture, $"proc/{p.Pid}/status")) is { } status && MachineText.Uid(status) is { } uid
            ? p with { Uid = uid, User = users.GetValueOrDefault(uid) }
            : p)];
    }

    private ImmutableArray<SessionReading>? Sessions(ImmutableArray<string>.Builder faults)
    {
        var logind = Path.Combine(root, "run/systemd/sessions");
        if (Directory.Exists(logind) && Directory.EnumerateFiles(logind).Any(f => Path.GetExtension(f) != ".ref"))
        {
            return [.. Directory.EnumerateFiles(logind).Where(f => Path.GetExtension(f) != ".ref").Order(StringComparer.Ordinal).Select(f => Text(f) is { } text ? MachineText.Session(text) : null).OfType<SessionReading>()];
        }

        foreach (var path in (string[])["run/utmp", "var/run/utmp"])
        {
            try
            {
                return UtmpFile.Decode(File.ReadAllBytes(Path.Combine(root, path)), wide: RuntimeInformation.ProcessArchitecture == Architecture.Arm64);
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
            {
                // The next one may be there.
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                faults.Add($"/{path}: {e.Message}");
            }
        }

        // systemd-logind without a session, as on a server where nobody is logged in.
        return Directory.Exists(Path.Combine(root, "run/systemd/seats")) ? [] : null;
    }
}
