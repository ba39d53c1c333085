using MPSec.Linux.Namespaces;
using MPSec.Linux.Sysctl;
using MPSec.Linux.Values;

namespace MPSec.Changes.Kernel;

/// <summary>Kernel settings of a gateway: files below <c>/proc/sys</c> as a thread inside it sees them.</summary>
internal static class SettingFiles
{
    private const string Root = "/proc/sys";

    /// <summary>Reads a setting; white space between its numbers becomes one space.</summary>
    /// <exception cref="ChangeException">This kernel does not have it.</exception>
    public static string Read(GatewayName gateway, SysctlKey key) => NamespaceThread.Run(gateway, () =>
    {
        try
        {
            return Normal(File.ReadAllText(FileOf(key)));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ChangeException(ChangeFault.NotFound, $"gateway {gateway}: this kernel has no setting {key}", e);
        }
    });

    /// <summary>A value with single spaces between its parts.</summary>
    public static string Normal(string value) => string.Join(' ', value.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    /// <exception cref="ChangeException">This kernel does not have the setting, or refuses the value.</exception>
    public static void Write(GatewayName gateway, SysctlKey key, string value) => NamespaceThread.Run(gateway, () =>
    {
        FileStream file;
        try
        {
            file = new FileStream(FileOf(key), FileMode.Open, FileAccess.Write, FileShare.ReadWrite, 0);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ChangeException(ChangeFault.NotFound, $"gateway {gateway}: this kernel has no setting {key}", e);
        }

        using (file)
        {
            try
            {
                file.Write(System.Text.Encoding.ASCII.GetBytes(value));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new ChangeException(ChangeFault.Refused, $"gateway {gateway}: the kernel refuses {key}={value}, {Reason(e)}", e);
            }
        }
    });

    /// <summary>
    /// The setting <paramref name="name"/> of every interface, of <c>default</c> and of <c>all</c>, by folder; the folder of an interface is written as sysctl(8)
    /// does.
    /// </summary>
    /// <param name="gateway">The gateway.</param>
    /// <param name="family"><c>ipv4</c> or <c>ipv6</c>.</param>
    /// <param name="name">For example <c>forwarding</c>.</param>
    public static IReadOnlyDictionary<string, (SysctlKey Key, string Value)> OfEveryInterface(GatewayName gateway, string family, string name) => NamespaceThread.Run(gateway, () =>
    {
        var found = new SortedDictionary<string, (SysctlKey, string)>(StringComparer.Ordinal);
        var folder = Path.Combine(Root, "net", family, "conf");
        foreach (var device in Directory.Exists(folder) ? Directory.EnumerateDirectories(folder).Select(d => Path.GetFileName(d)!) : [])
        {
            if (SysctlKey.TryParse($"net.{family}.conf.{Name(device)}.{name}", out var key, out _) && SysctlReader.Read(Root, key) is { } value)
            {
                found[device] = (key, Normal(value));
            }
        }

        return (IReadOnlyDictionary<string, (SysctlKey, string)>)found;
    });

    /// <summary>
    /// IPv6 settings of an interface that are not as a fresh interface has them: what is lost when the kernel takes IPv6 from it and gives it back.
    /// </summary>
    public static IReadOnlyList<(SysctlKey Key, string Value)> OwnOfIPv6(GatewayName gateway, InterfaceName device) => NamespaceThread.Run(gateway, () =>
    {
        var own = new List<(SysctlKey, string)>();
        foreach (var kind in new[] { "conf", "neigh" })
        {
            // Only the first namespace has neigh.default; elsewhere loopback is as fresh as it gets.
            var model = Directory.Exists(Path.Combine(Root, "net", "ipv6", kind, "default")) ? "default" : "lo";
            var fresh = SysctlFolder.List(Root, $"net.ipv6.{kind}.{model}.").ToDictionary(e => e.Name[(e.Name.LastIndexOf('.') + 1)..], e => e.Value, StringComparer.Ordinal);
            var folder = Path.Combine(Root, "net", "ipv6", kind, device.Value);
            foreach (var file in Directory.Exists(folder) ? Directory.GetFiles(folder).Order(StringComparer.Ordinal) : Enumerable.Empty<string>())
            {
                var name = Path.GetFileName(file);
                if (SysctlKey.TryParse($"net.ipv6.{kind}.{Name(device.Value)}.{name}", out var key, out _) && name != "mtu"
                    && SysctlReader.Read(Root, key) is { } value && fresh.TryGetValue(name, out var usual) && Normal(value) != usual)
                {
                    own.Add((key, Normal(value)));
                }
            }
        }

        return own;
    });

    /// <summary>An interface's part of a setting's name: a dot inside is written as a slash.</summary>
    public static string Name(string device) => device.Replace('.', '/');

    private static string Reason(Exception refusal) => ((refusal.InnerException?.HResult ?? refusal.HResult) & 0xffff) switch
    {
        1 => "this namespace may not choose it (EPERM)",
        2 => "it knows nothing of this name (ENOENT)",
        16 => "it is in use (EBUSY)",
        22 => "the value is out of its range (EINVAL)",
        var other => $"{refusal.Message} (error {other})",
    };

    private static string FileOf(SysctlKey key) => Path.Combine(Root, key.RelativePath);
}
