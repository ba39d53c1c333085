// Runtime files: systemd sd-network(3) /run/systemd/netif/links/IFINDEX, NetworkManager /run/NetworkManager/devices/IFINDEX, interfaces(5) of ifupdown.
using MPSec.Linux.Values;

namespace MPSec.Linux.Procfs;

/// <summary>Programs that set addresses and routes of interfaces.</summary>
public enum InterfaceOwnerKind
{
    /// <summary>No program that MPSec knows: it may set everything itself.</summary>
    Nobody,

    /// <summary>NetworkManager.</summary>
    NetworkManager,

    /// <summary>systemd-networkd.</summary>
    SystemdNetworkd,

    /// <summary>netplan, which writes the configuration of one of the two above.</summary>
    Netplan,

    /// <summary>ifupdown (ifup, ifdown).</summary>
    Ifupdown,
}

/// <summary>Who manages an interface.</summary>
/// <param name="Kind">The program.</param>
/// <param name="Evidence">The file that says so; null when nobody does.</param>
public sealed record InterfaceOwner(InterfaceOwnerKind Kind, string? Evidence);

/// <summary>
/// Tells by evidence who manages the interfaces of the host: the program must run and its own file must name the interface. Only the host has such programs
/// here: the interfaces of a named network namespace have no owner.
/// </summary>
/// <param name="root">Root of the file system; another one in tests.</param>
public sealed class InterfaceOwnerReader(string root = "/")
{
    private static readonly InterfaceOwner s_nobody = new(InterfaceOwnerKind.Nobody, null);
    private const long LongestFile = 256 * 1024;

    /// <summary>Owners by name of the interfaces given as index and name.</summary>
    public IReadOnlyDictionary<string, InterfaceOwner> Read(GatewayName gateway, IEnumerable<(int Index, string Name)> interfaces)
    {
        ArgumentNullException.ThrowIfNull(interfaces);
        var list = interfaces.ToList();
        if (!gateway.IsHost)
        {
            return list.DistinctBy(i => i.Name).ToDictionary(i => i.Name, _ => s_nobody);
        }

        var programs = Programs();
        var stanzas = Stanzas();
        return list.DistinctBy(i => i.Name).ToDictionary(i => i.Name, i => OwnerOf(i.Index, i.Name, programs, stanzas));
    }

    private InterfaceOwner OwnerOf(int index, string name, HashSet<string> programs, Dictionary<string, string> stanzas)
    {
        var device = $"/run/NetworkManager/devices/{index}";
        if (programs.Contains("NetworkManager") && Text(device) is { } state && Field(state, "managed") is "1" or "true" or "full")
        {
            return NetplanConnection(name) is { } connection ? new(InterfaceOwnerKind.Netplan, connection) : new(InterfaceOwnerKind.NetworkManager, device);
        }

        var link = $"/run/systemd/netif/links/{index}";
        if (programs.Contains("systemd-network") && Text(link) is { } setup && Field(setup, "ADMIN_STATE") is not (null or "unmanaged"))
        {
            return Field(setup, "NETWORK_FILE") is { } file && file.Contains("netplan", StringComparison.Ordinal)
                ? new(InterfaceOwnerKind.Netplan, file)
                : new(InterfaceOwnerKind.SystemdNetworkd, link);
        }

        return stanzas.TryGetValue(name, out var stanza) ? new(InterfaceOwnerKind.Ifupdown, stanza) : s_nobody;
    }

    private string? NetplanConnection(string name) => Files("/run/NetworkManager/system-connections", "netplan-*.nmconnection")
        .FirstOrDefault(f => Text(f) is { } text && Field(text, "interface-name") == name);

    // comm holds at most 15 characters: systemd-networkd is "systemd-network".
    private HashSet<string> Programs()
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var proc = Path.Combine(root, "proc");
        if (!Directory.Exists(proc))
        {
            return names;
        }

        foreach (var folder in Directory.EnumerateDirectories(proc).Where(d => int.TryParse(Path.GetFileName(d), out _)))
        {
            if (Text("/proc/" + Path.GetFileName(folder) + "/comm") is { } comm)
            {
                names.Add(comm.Trim());
            }
        }

        return names;
    }

    private Dictionary<string, string> Stanzas()
    {
        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var file in Files("/etc/network/interfaces.d", "*").Prepend("/etc/network/interfaces"))
        {
            foreach (var line in (Text(file) ?? "").Split('\n', StringSplitOptions.TrimEntries))
            {
                if (line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) is ["iface", var name, _, var method, ..] && method is not ("loopback" or "manual"))
                {
                    found.TryAdd(name, file);
                }
            }
        }

        return found;
    }

    private IEnumerable<string> Files(string folder, string pattern)
    {
        var full = Path.Combine(root, folder[1..]);
        return Directory.Exists(full) ? Directory.EnumerateFiles(full, pattern).Order(StringComparer.Ordinal).Select(f => folder + "/" + Path.GetFileName(f)) : [];
    }

    // A file that is gone or may not be read is no evidence.
    private string? Text(string file)
    {
        try
        {
            var path = Path.Combine(root, file[1..]);
            return new FileInfo(path) is { Exists: true, Length: <= LongestFile } ? File.ReadAllText(path) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string? Field(string text, string key) => text.Split('\n', StringSplitOptions.TrimEntries)
        .FirstOrDefault(l => l.StartsWith(key + "=", StringComparison.Ordinal))?[(key.Length + 1)..].Trim('"');
}
