// Message and attribute layout: include/uapi/linux/netlink.h. Host byte order, attributes aligned to 4 bytes.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace MPSec.Linux.Netlink;

/// <summary>Builds one netlink request. Reusable: <see cref="Begin"/> starts over.</summary>
public sealed class NetlinkWriter
{
    /// <summary>NLM_F_REQUEST.</summary>
    public const ushort Request = 0x1;

    /// <summary>NLM_F_ACK: answer with an acknowledgement or an error.</summary>
    public const ushort Ack = 0x4;

    /// <summary>NLM_F_DUMP: answer with every object.</summary>
    public const ushort Dump = 0x300;

    /// <summary>NLM_F_REPLACE.</summary>
    public const ushort Replace = 0x100;

    /// <summary>NLM_F_EXCL: fail when the object exists.</summary>
    public const ushort Exclusive = 0x200;

    /// <summary>NLM_F_CREATE.</summary>
    public const ushort Create = 0x400;

    /// <summary>NLM_F_APPEND: behind those that exist.</summary>
    public const ushort Append = 0x800;

    /// <summary>NLA_F_NESTED.</summary>
    public const ushort Nested = 0x8000;

    private byte[] _bytes = new byte[512];
    private int _length;

    /// <summary>The finished request.</summary>
    public ReadOnlySpan<byte> Bytes
    {
        get
        {
            MemoryMarshal.Write(_bytes, _length);
            return _bytes.AsSpan(0, _length);
        }
    }

    /// <summary>Starts a message with its header (nlmsghdr).</summary>
    public NetlinkWriter Begin(ushort type, ushort flags, uint sequence)
    {
        _length = 0;
        var header = Reserve(16);
        MemoryMarshal.Write(header[4..], type);
        MemoryMarshal.Write(header[6..], flags);
        MemoryMarshal.Write(header[8..], sequence);
        return this;
    }

    /// <summary>Appends raw bytes (a family header), padded to 4.</summary>
    public NetlinkWriter Raw(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Reserve(bytes.Length));
        return this;
    }

    /// <summary>Appends a fixed structure (a family header) in host byte order, padded to 4.</summary>
    public NetlinkWriter Struct<T>(in T value)
        where T : unmanaged
    {
        MemoryMarshal.Write(Reserve(Unsafe.SizeOf<T>()), value);
        return this;
    }

    /// <summary>Appends an attribute with raw bytes.</summary>
    public NetlinkWriter Attribute(ushort type, ReadOnlySpan<byte> value)
    {
        var span = Reserve(4 + value.Length);
        MemoryMarshal.Write(span, (ushort)(4 + value.Length));
        MemoryMarshal.Write(span[2..], type);
        value.CopyTo(span[4..]);
        return this;
    }

    /// <summary>Appends an attribute with a number or other blittable value in host byte order.</summary>
    public NetlinkWriter Attribute<T>(ushort type, T value)
        where T : unmanaged
    {
        Span<byte> bytes = stackalloc byte[Unsafe.SizeOf<T>()];
        MemoryMarshal.Write(bytes, value);
        return Attribute(type, bytes);
    }

    /// <summary>Appends a zero-terminated string attribute.</summary>
    public NetlinkWriter Attribute(ushort type, string value) => Attribute(type, Encoding.UTF8.GetBytes(value + '\0').AsSpan());

    /// <summary>Appends a nest; <paramref name="content"/> writes its attributes.</summary>
    public NetlinkWriter Nest(ushort type, Action<NetlinkWriter> content, bool flag = true)
    {
        var start = _length;
        MemoryMarshal.Write(Reserve(4)[2..], (ushort)(flag ? type | Nested : type));
        content(this);
        MemoryMarshal.Write(_bytes.AsSpan(start), (ushort)(_length - start));
        return this;
    }

    private Span<byte> Reserve(int length)
    {
        var padded = (length + 3) & ~3;
        if (_length + padded > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _length + padded));
        }

        var span = _bytes.AsSpan(_length, padded);
        span.Clear();
        _length += padded;
        return span[..length];
    }
}
