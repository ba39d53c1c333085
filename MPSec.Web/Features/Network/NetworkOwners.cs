using System.Globalization;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>Where the addresses of an interface are set that another program manages.</summary>
internal static class NetworkOwners
{
    /// <summary>Who owns the interface, how that is known, and where to change it.</summary>
    public static string Sentence(InterfaceOwner owner, InterfaceName name)
    {
        var (program, place) = owner.Kind switch
        {
            InterfaceOwnerKind.NetworkManager => ("NetworkManager", $"with: nmcli device modify {name}"),
            InterfaceOwnerKind.SystemdNetworkd => ("systemd-networkd", "in its file below /etc/systemd/network"),
            InterfaceOwnerKind.Netplan => ("netplan", "in its file below /etc/netplan"),
            InterfaceOwnerKind.Ifupdown => ("ifupdown", $"in {owner.Evidence ?? "/etc/network/interfaces"}"),
            _ => ("another program", "there"),
        };
        return string.Create(CultureInfo.InvariantCulture, $"{program} manages {name} ({owner.Evidence ?? "it runs"}) and would set it back; change it {place}");
    }
}
