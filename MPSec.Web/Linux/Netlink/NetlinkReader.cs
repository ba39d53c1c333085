// Message and attribute layout: include/uapi/linux/netlink.h. Lengths are checked against the datagram; unknown types are the caller's to skip.
using System.Net;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace MPSec.Linux.Netlink;

/// <summary>Walks the messages of one datagram. No allocation.</summary>
/// <remarks>Throws <see cref="NetlinkFormatException"/> on a length that leaves the datagram.</remarks>
public ref struct NetlinkMessages(ReadOnlySpan<byte> datagram)
{
    /// <summary>NLMSG_ERROR: an errno, 0 for an acknowledgement.</summary>
    public const ushort Error = 2;

    /// <summary>NLMSG_DONE: the end of a dump.</summary>
    public const ushort Done = 3;

    /// <summary>NLM_F_DUMP_INTR: the dump is inconsistent, repeat it.</summary>
    public const ushort DumpInterrupted = 0x10;

    private ReadOnlySpan<byte> _rest = datagram;

    /// <summary>nlmsg_type of the current message.</summary>
    public ushort Type { get; private set; }

    /// <summary>nlmsg_flags of the current message.</summary>
    public ushort Flags { get; private set; }

    /// <summary>nlmsg_seq of the current message; 0 for multicast.</summary>
    public uint Sequence { get; private set; }

    /// <summary>What follows the header.</summary>
    public ReadOnlySpan<byte> Payload { get; private set; }

    /// <summary>Steps to the next message; false at the end.</summary>
    public bool Next()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }

        if (_rest.Length < 16)
        {
            throw new NetlinkFormatException($"a message header needs 16 bytes, {_rest.Length} are left");
        }

        var length = MemoryMarshal.Read<uint>(_rest);
        if (length < 16 || length > (uint)_rest.Length)
        {
            throw new NetlinkFormatException($"a message claims {length} bytes of {_rest.Length}");
        }

        Type = MemoryMarshal.Read<ushort>(_rest[4..]);
        Flags = MemoryMarshal.Read<ushort>(_rest[6..]);
        Sequence = MemoryMarshal.Read<uint>(_rest[8..]);
        Payload = _rest[16..(int)length];
        var padded = ((int)length + 3) & ~3;
        _rest = padded >= _rest.Length ? default : _rest[padded..];
        return true;
    }
}

/// <summary>Walks attributes (nlattr). No allocation.</summary>
/// <remarks>Throws <see cref="NetlinkFormatException"/> on a length that leaves the message and on values shorter than asked for.</remarks>
public ref struct NetlinkAttributes(ReadOnlySpan<byte> attributes)
{
    private ReadOnlySpan<byte> _rest = attributes;

    /// <summary>Attribute type without the flag bits.</summary>
    public ushort Type { get; private set; }

    /// <summary>The attribute's bytes.</summary>
    public ReadOnlySpan<byte> Value { get; private set; }

    /// <summary>Value as one byte.</summary>
    public readonly byte Byte => Read<byte>();

    /// <summary>Value as u16, host order.</summary>
    public readonly ushort UInt16 => Read<ushort>();

    /// <summary>Value as u32, host order.</summary>
    public readonly uint UInt32 => Read<uint>();

    /// <summary>Value as s32, host order.</summary>
    public readonly int Int32 => Read<int>();

    /// <summary>Value as u64, host order.</summary>
    public readonly ulong UInt64 => Read<ulong>();

    /// <summary>Value as text up to the first zero byte; invalid UTF-8 becomes the replacement character.</summary>
    public readonly string Text => Encoding.UTF8.GetString(Value.IndexOf((byte)0) is var end and >= 0 ? Value[..end] : Value);

    /// <summary>Value as an IPv4 (4 bytes) or IPv6 (16 bytes) address.</summary>
    public readonly IPAddress Address => Value.Length is 4 or 16 ? new IPAddress(Value) : throw new NetlinkFormatException($"attribute {Type}: {Value.Length} bytes are no address");

    /// <summary>The attributes inside a nest.</summary>
    public readonly NetlinkAttributes Nest => new(Value);

    /// <summary>Steps to the next attribute; false at the end.</summary>
    public bool Next()
    {
        if (_rest.Length < 4)
        {
            // Up to three bytes of padding may follow the last attribute.
            return false;
        }

        var length = MemoryMarshal.Read<ushort>(_rest);
        if (length < 4 || length > _rest.Length)
        {
            throw new NetlinkFormatException($"an attribute claims {length} bytes of {_rest.Length}");
        }

        Type = (ushort)(MemoryMarshal.Read<ushort>(_rest[2..]) & 0x3fff);
        Value = _rest[4..length];
        var padded = (length + 3) & ~3;
        _rest = padded >= _rest.Length ? default : _rest[padded..];
        return true;
    }

    /// <summary>Reads a fixed structure from the start of the value.</summary>
    public readonly T Read<T>()
        where T : unmanaged =>
        Value.Length >= Unsafe.SizeOf<T>() ? MemoryMarshal.Read<T>(Value) : throw new NetlinkFormatException($"attribute {Type}: {Value.Length} bytes are too short");
}
