using System.Net;
using System.Runtime.InteropServices;
using System.Text;

namespace MPSec.Linux.Netlink;

/// <summary>
/// Remembers strings and addresses that the kernel repeats in every dump, so that a reading makes them once. Bounded: each value has one
/// possible place, and a newcomer takes it. Not thread-safe.
/// </summary>
public sealed class KernelTextCache
{
    private const int Places = 1024;
    private readonly (byte[] Bytes, string Text)[] _texts = new (byte[], string)[Places];
    private readonly IPAddress?[] _ipv4 = new IPAddress?[Places];
    private readonly uint[] _ipv4Keys = new uint[Places];
    private readonly (UInt128 Key, IPAddress Address)[] _ipv6 = new (UInt128, IPAddress)[Places];

    /// <summary>The text up to the first zero byte; invalid UTF-8 becomes the replacement character.</summary>
    public string Text(ReadOnlySpan<byte> bytes)
    {
        var end = bytes.IndexOf((byte)0);
        bytes = end >= 0 ? bytes[..end] : bytes;
        if (bytes.Length > 64)
        {
            return Encoding.UTF8.GetString(bytes);
        }

        var hash = 17u;
        foreach (var b in bytes)
        {
            hash = (hash * 31) + b;
        }

        ref var place = ref _texts[hash % Places];
        if (place.Bytes is null || !bytes.SequenceEqual(place.Bytes))
        {
            place = (bytes.ToArray(), Encoding.UTF8.GetString(bytes));
        }

        return place.Text;
    }

    /// <summary>An IPv4 (4 bytes) or IPv6 (16 bytes) address in network order.</summary>
    /// <exception cref="NetlinkFormatException">Another length.</exception>
    public IPAddress Address(ReadOnlySpan<byte> bytes)
    {
        switch (bytes.Length)
        {
            case 4:
                var key4 = MemoryMarshal.Read<uint>(bytes);
                var at = (key4 ^ (key4 >> 10) ^ (key4 >> 22)) % Places;
                if (_ipv4[at] is not { } known || _ipv4Keys[at] != key4)
                {
                    known = new IPAddress(bytes);
                    _ipv4[at] = known;
                    _ipv4Keys[at] = key4;
                }

                return known;
            case 16:
                var key6 = MemoryMarshal.Read<UInt128>(bytes);
                ref var place = ref _ipv6[(uint)key6.GetHashCode() % Places];
                if (place.Address is null || place.Key != key6)
                {
                    place = (key6, new IPAddress(bytes));
                }

                return place.Address;
            default:
                throw new NetlinkFormatException($"{bytes.Length} bytes are no address");
        }
    }
}
