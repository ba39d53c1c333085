using System.Collections.Immutable;
using System.Net;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Procfs;
using MPSec.Linux.Sysctl;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>What a plan must know about a gateway at one moment.</summary>
/// <param name="Reading">Links, addresses, routes, rules, shapers, endpoints and limits.</param>
/// <param name="Settings">Values of the kernel settings asked about, null for those that this kernel does not have; white space is one blank.</param>
/// <param name="Owners">Who manages an interface, by its name; absent for nobody.</param>
public sealed record NetworkKernelState(GatewayReading Reading, ImmutableDictionary<SysctlKey, string?> Settings, ImmutableDictionary<string, InterfaceOwner> Owners)
{
    internal const ReadingScope Scope = ReadingScope.Links | ReadingScope.Addresses | ReadingScope.Routes | ReadingScope.Rules | ReadingScope.Qdiscs | ReadingScope.Endpoints | ReadingScope.Limits;

    /// <summary>Reads it.</summary>
    /// <exception cref="NamespaceException">The gateway is gone or may not be entered.</exception>
    public static NetworkKernelState Read(GatewayName gateway, IEnumerable<SysctlKey> settings, InterfaceOwnerReader owners)
    {
        ArgumentNullException.ThrowIfNull(owners);
        using var reader = GatewayReader.Open(gateway);
        var reading = reader.Read(Scope | ReadingScope.Settings);
        return Of(reading, NamespaceThread.Run(gateway, () => settings.Distinct().ToImmutableDictionary(k => k, ReadSetting)), owners);
    }

    /// <summary>The state of a reading that was just taken.</summary>
    internal static NetworkKernelState Of(GatewayReading reading, ImmutableDictionary<SysctlKey, string?> settings, InterfaceOwnerReader owners) => new(
        reading, settings,
        owners.Read(reading.Gateway, reading.Links.Select(l => (l.Index, l.Name))).Where(o => o.Value.Kind != InterfaceOwnerKind.Nobody).ToImmutableDictionary(o => o.Key, o => o.Value));

    internal static string? ReadSetting(SysctlKey key) =>
        SysctlReader.Read("/proc/sys", key) is { } value ? string.Join(' ', value.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)) : null;

    internal LinkReading? FindLink(string name) => Reading.Links.FirstOrDefault(l => l.Name == name);

    internal string? NameOf(int? index) => index is null ? null : Reading.Links.FirstOrDefault(l => l.Index == index)?.Name;

    internal InterfaceOwner? OwnerOf(string name) => Owners.GetValueOrDefault(name);

    internal IEnumerable<AddressReading> AddressesOf(string name) =>
        FindLink(name) is { } link ? Reading.Addresses.Where(a => a.InterfaceIndex == link.Index) : [];

    internal bool Has(string name, IpPrefix address) => AddressesOf(name).Any(a => a.Prefix == address);

    internal bool Has(string name, IPAddress address) => AddressesOf(name).Any(a => a.Prefix.Address.Equals(address));
}
