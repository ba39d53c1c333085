// Generic netlink family ethtool (5.6): include/uapi/linux/ethtool_netlink.h; SIOCETHTOOL: include/uapi/linux/ethtool.h, sockios.h.
using System.Runtime.InteropServices;
using System.Text;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Values;

namespace MPSec.Linux.Netlink;

/// <summary>Speed and duplex as a driver tells them. Null is what it does not know, as without a carrier.</summary>
/// <param name="Index">Index of the interface.</param>
/// <param name="SpeedMbit">Mbit/s.</param>
/// <param name="Duplex">half or full.</param>
public sealed record LinkMode(int Index, uint? SpeedMbit, string? Duplex);

/// <summary>Asks the drivers of one gateway about their links. Needs no privilege. Not thread-safe.</summary>
public sealed class EthtoolReader : IDisposable
{
    /// <summary>Name of the family.</summary>
    public const string FamilyName = "ethtool";

    private const byte LinkModesGet = 4;
    private const ushort HeaderNest = 1;
    private const ushort Speed = 5;
    private const ushort DuplexMode = 6;
    private const uint Unknown = uint.MaxValue;
    private const nuint SiocEthtool = 0x8946;
    private const uint GetDriverInfo = 3;
    private const int RequestSize = 40; // struct ifreq: 16 bytes of name, then a pointer in a union of 24
    private const int DriverInfoSize = 196;

    private readonly NetlinkConversation _conversation;
    private readonly int _socket;
    private ushort? _family;

    /// <summary>Reads through <paramref name="conversation"/>, drivers through <paramref name="socket"/>, which is closed with the reader; -1 for none.</summary>
    internal EthtoolReader(NetlinkConversation conversation, int socket)
    {
        _conversation = conversation;
        _socket = socket;
    }

    /// <summary>Opens a reader of <paramref name="gateway"/>.</summary>
    /// <exception cref="NamespaceException">The namespace is gone or may not be entered.</exception>
    /// <exception cref="NetlinkException">The kernel gives no socket.</exception>
    public static EthtoolReader Open(GatewayName gateway) => NamespaceThread.Run(gateway, () => new EthtoolReader(
        new(NetlinkSocket.Open(GatewayName.Host, NetlinkSocket.Generic, TimeSpan.FromSeconds(5))), LibC.Socket(LibC.AfInet, LibC.SockDatagram | LibC.SockCloexec, 0)));

    /// <summary>Speed and duplex of every interface whose driver knows of such things, by index. A kernel older than 5.6 has none.</summary>
    /// <exception cref="NetlinkException">The kernel refused.</exception>
    /// <exception cref="NetlinkFormatException">The answer is malformed.</exception>
    public IReadOnlyDictionary<int, LinkMode> ReadModes()
    {
        _family ??= GenericNetlinkFamily.Find(_conversation, FamilyName)?.Id;
        var modes = new Dictionary<int, LinkMode>();
        if (_family is { } family)
        {
            _conversation.Begin(family, NetlinkWriter.Dump).Raw([LinkModesGet, 1, 0, 0]).Attribute((ushort)(HeaderNest | NetlinkWriter.Nested), []);
            _conversation.Dump(
                (_, payload) =>
                {
                    if (DecodeMode(payload) is { } mode)
                    {
                        modes[mode.Index] = mode;
                    }
                },
                modes.Clear);
        }

        return modes;
    }

    /// <summary>Decodes ETHTOOL_MSG_LINKMODES_GET_REPLY; null for a message that names no interface.</summary>
    /// <exception cref="NetlinkFormatException">The message is cut off.</exception>
    public static LinkMode? DecodeMode(ReadOnlySpan<byte> payload)
    {
        if (payload.Length < 4)
        {
            throw new NetlinkFormatException("a generic netlink header needs 4 bytes");
        }

        int? index = null;
        uint? speed = null;
        string? duplex = null;
        var a = new NetlinkAttributes(payload[4..]);
        while (a.Next())
        {
            switch (a.Type)
            {
                case HeaderNest:
                    var header = a.Nest;
                    while (header.Next())
                    {
                        index = header.Type == 1 ? header.Int32 : index;
                    }

                    break;
                case Speed:
                    speed = a.UInt32 is var mbit and not (Unknown or 0) ? mbit : null;
                    break;
                case DuplexMode:
                    duplex = a.Byte switch { 0 => "half", 1 => "full", _ => null };
                    break;
            }
        }

        return index is { } i ? new(i, speed, duplex) : null;
    }

    /// <summary>Name of the driver of an interface, as <c>ethtool -i</c> prints it; null when it has none.</summary>
    /// <param name="name">Name of the interface, 1 to 15 bytes.</param>
    public unsafe string? ReadDriver(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        Span<byte> request = stackalloc byte[RequestSize];
        request.Clear();
        if (_socket < 0 || Encoding.UTF8.GetByteCount(name) is < 1 or > 15)
        {
            return null;
        }

        Encoding.UTF8.GetBytes(name, request);
        var info = stackalloc byte[DriverInfoSize];
        new Span<byte>(info, DriverInfoSize).Clear();
        MemoryMarshal.Write(new Span<byte>(info, DriverInfoSize), GetDriverInfo);
        MemoryMarshal.Write(request[16..], (nint)info);
        if (LibC.IoControl(_socket, SiocEthtool, request) != 0)
        {
            return null;
        }

        var driver = new ReadOnlySpan<byte>(info + 4, 32);
        return Encoding.UTF8.GetString(driver.IndexOf((byte)0) is var end and >= 0 ? driver[..end] : driver) is { Length: > 0 } text ? text : null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _conversation.Dispose();
        if (_socket >= 0)
        {
            _ = LibC.Close(_socket);
        }
    }
}
