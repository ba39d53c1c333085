// Requests of the generic netlink family mptcp_pm, version 1: include/uapi/linux/mptcp_pm.h. The caller has begun the message.
using System.Net;
using System.Net.Sockets;
using MPSec.Linux.Gateways;
using MPSec.Linux.Netlink;

namespace MPSec.Changes.Kernel;

/// <summary>Encodes changes of MPTCP endpoints and limits.</summary>
internal static class EndpointMessages
{
    private const byte AddCommand = 1;
    private const byte DeleteCommand = 2;
    private const byte SetLimitsCommand = 5;
    private const byte SetFlagsCommand = 7;

    public static NetlinkWriter Add(NetlinkWriter writer, AddEndpoint endpoint, int? interfaceIndex) =>
        Command(writer, AddCommand).Nest(1, nest =>
        {
            Identity(nest, endpoint.Id, endpoint.Address).Attribute(6, (uint)endpoint.Flags);
            if (interfaceIndex is { } index)
            {
                nest.Attribute(7, index);
            }

            if (endpoint.Port != 0)
            {
                nest.Attribute(5, endpoint.Port); // host order, as the kernel reads it
            }
        });

    public static NetlinkWriter Remove(NetlinkWriter writer, byte id, IPAddress address) =>
        Command(writer, DeleteCommand).Nest(1, nest => Identity(nest, id, address));

    public static NetlinkWriter Limits(NetlinkWriter writer, uint subflows, uint accepted) =>
        Command(writer, SetLimitsCommand).Attribute(2, accepted).Attribute(3, subflows);

    // Without a family the kernel looks the endpoint up by its id, so that one with a port is found too.
    public static NetlinkWriter Flags(NetlinkWriter writer, byte id, MptcpEndpointFlags flags) =>
        Command(writer, SetFlagsCommand).Nest(1, nest => nest.Attribute(2, id).Attribute(6, (uint)flags));

    private static NetlinkWriter Command(NetlinkWriter writer, byte command) => writer.Raw([command, 1, 0, 0]);

    private static NetlinkWriter Identity(NetlinkWriter nest, byte id, IPAddress address)
    {
        var isIPv4 = address.AddressFamily == AddressFamily.InterNetwork;
        return nest.Attribute(1, isIPv4 ? (ushort)2 : (ushort)10).Attribute(2, id).Attribute(isIPv4 ? (ushort)3 : (ushort)4, address.GetAddressBytes().AsSpan());
    }
}
