using MPSec.Linux.Procfs;
using MPSec.Linux.Values;

namespace MPSec.Tests.Linux.Procfs;

public sealed class InterfaceOwnerReaderTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("mpsec-owner-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [InlineData("NetworkManager", "run/NetworkManager/devices/2", "[device]\nmanaged=true\n", InterfaceOwnerKind.NetworkManager)]
    [InlineData("NetworkManager", "run/NetworkManager/devices/2", "[device]\nmanaged=false\n", InterfaceOwnerKind.Nobody)]
    [InlineData("bash", "run/NetworkManager/devices/2", "[device]\nmanaged=true\n", InterfaceOwnerKind.Nobody)]
    [InlineData("systemd-network", "run/systemd/netif/links/2", "ADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/a.network\n", InterfaceOwnerKind.SystemdNetworkd)]
    [InlineData("systemd-network", "run/systemd/netif/links/2", "ADMIN_STATE=configured\nNETWORK_FILE=/run/systemd/network/10-netplan-eth0.network\n", InterfaceOwnerKind.Netplan)]
    [InlineData("systemd-network", "run/systemd/netif/links/2", "ADMIN_STATE=unmanaged\n", InterfaceOwnerKind.Nobody)]
    [InlineData("systemd-network", "run/systemd/netif/links/3", "ADMIN_STATE=configured\n", InterfaceOwnerKind.Nobody)]
    [InlineData("bash", "etc/network/interfaces", "# iface eth9 inet dhcp\nauto eth0\niface eth0 inet dhcp\n", InterfaceOwnerKind.Ifupdown)]
    [InlineData("bash", "etc/network/interfaces.d/eth0", "iface eth0 inet6 static\n", InterfaceOwnerKind.Ifupdown)]
    [InlineData("bash", "etc/network/interfaces", "iface eth0 inet manual\n", InterfaceOwnerKind.Nobody)]
    [InlineData("bash", "etc/network/interfaces", "\0\0iface\niface eth0\n", InterfaceOwnerKind.Nobody)]
    public void Read_ProgramAndItsFile_NameTheOwner(string program, string file, string content, InterfaceOwnerKind expected)
    {
        Write("proc/77/comm", program + "\n");
        Write(file, content);

        var owner = new InterfaceOwnerReader(_root).Read(GatewayName.Host, [(2, "eth0"), (9, "eth1")]);

        Assert.Equal(expected, owner["eth0"].Kind);
        Assert.Equal(expected == InterfaceOwnerKind.Nobody, owner["eth0"].Evidence is null);
        Assert.Equal(InterfaceOwnerKind.Nobody, owner["eth1"].Kind);
        Assert.Equal(InterfaceOwnerKind.Nobody, new InterfaceOwnerReader(_root).Read(GatewayName.Parse("lab-a"), [(2, "eth0")])["eth0"].Kind);
    }

    [Fact]
    public void Read_NetplanOverNetworkManager_IsNetplan()
    {
        Write("proc/77/comm", "NetworkManager\n");
        Write("run/NetworkManager/devices/2", "[device]\nmanaged=1\n");
        Write("run/NetworkManager/system-connections/netplan-eth0.nmconnection", "[connection]\ninterface-name=eth0\n");

        Assert.Equal(InterfaceOwnerKind.Netplan, new InterfaceOwnerReader(_root).Read(GatewayName.Host, [(2, "eth0")])["eth0"].Kind);
    }

    private void Write(string file, string content)
    {
        var path = Path.Combine(_root, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content);
    }
}
