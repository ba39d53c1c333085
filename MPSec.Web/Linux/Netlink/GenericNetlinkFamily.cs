// Generic netlink controller: include/uapi/linux/genetlink.h.
namespace MPSec.Linux.Netlink;

/// <summary>A generic netlink family as this kernel numbers it. The numbers differ between boots: ask by name.</summary>
/// <param name="Id">Message type of its requests.</param>
/// <param name="Groups">Multicast groups by name.</param>
public sealed record GenericNetlinkFamily(ushort Id, IReadOnlyDictionary<string, uint> Groups)
{
    private const ushort Controller = 16;
    private const byte GetFamily = 3;

    /// <summary>Asks the controller for the family <paramref name="name"/>; null when this kernel does not have it.</summary>
    /// <exception cref="NetlinkException">The kernel refused for another reason or does not answer.</exception>
    /// <exception cref="NetlinkFormatException">The answer is malformed.</exception>
    public static GenericNetlinkFamily? Find(NetlinkConversation conversation, string name)
    {
        const int Enoent = 2;
        GenericNetlinkFamily? family = null;
        conversation.Begin(Controller, NetlinkWriter.Ack).Raw([GetFamily, 1, 0, 0]).Attribute(2, name);
        try
        {
            conversation.Execute($"the generic netlink family {name} could not be found", (_, payload) => family = Decode(payload));
        }
        catch (NetlinkException e) when (e.Errno == Enoent)
        {
            return null;
        }

        return family;
    }

    /// <summary>Decodes CTRL_CMD_NEWFAMILY.</summary>
    /// <exception cref="NetlinkFormatException">The message is cut off.</exception>
    public static GenericNetlinkFamily Decode(ReadOnlySpan<byte> payload)
    {
        if (payload.Length < 4)
        {
            throw new NetlinkFormatException("a generic netlink header needs 4 bytes");
        }

        ushort id = 0;
        var groups = new Dictionary<string, uint>(StringComparer.Ordinal);
        var a = new NetlinkAttributes(payload[4..]);
        while (a.Next())
        {
            switch (a.Type)
            {
                case 1:
                    id = a.UInt16;
                    break;
                case 7:
                    var list = a.Nest;
                    while (list.Next())
                    {
                        string? name = null;
                        uint number = 0;
                        var group = list.Nest;
                        while (group.Next())
                        {
                            name = group.Type == 1 ? group.Text : name;
                            number = group.Type == 2 ? group.UInt32 : number;
                        }

                        if (name is not null)
                        {
                            groups[name] = number;
                        }
                    }

                    break;
            }
        }

        return new(id, groups);
    }
}
