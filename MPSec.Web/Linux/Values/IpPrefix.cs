using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace MPSec.Linux.Values;

/// <summary>An IPv4 or IPv6 address with its prefix length, host bits kept (<c>10.99.1.1/24</c>), as in <c>ip address</c>.</summary>
[JsonConverter(typeof(IpPrefixJsonConverter))]
public sealed record IpPrefix
{
    /// <summary>Makes a prefix.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The length is outside 0–32 (IPv4) or 0–128 (IPv6).</exception>
    public IpPrefix(IPAddress address, int length)
    {
        ArgumentNullException.ThrowIfNull(address);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128);
        Address = address;
        Length = length;
    }

    /// <summary>The address with its host bits.</summary>
    public IPAddress Address { get; }

    /// <summary>Prefix length in bits.</summary>
    public int Length { get; }

    /// <summary>The network that the address is in (host bits cleared).</summary>
    public IpPrefix Network
    {
        get
        {
            var bytes = Address.GetAddressBytes();
            for (var bit = Length; bit < bytes.Length * 8; bit++)
            {
                bytes[bit / 8] &= (byte)~(0x80 >> (bit % 8));
            }

            return new IpPrefix(new IPAddress(bytes), Length);
        }
    }

    /// <summary>Whether <paramref name="address"/> lies in this prefix; false for another family.</summary>
    public bool Contains(IPAddress address) =>
        address.AddressFamily == Address.AddressFamily && new IpPrefix(address, Length).Network.Address.Equals(Network.Address);

    /// <summary>Parses <c>ADDRESS/LENGTH</c>.</summary>
    /// <exception cref="FormatException">The text is no prefix; the message names the rule.</exception>
    public static IpPrefix Parse(string text) => TryParse(text, out var prefix, out var error) ? prefix! : throw new FormatException(error);

    /// <summary>Parses <c>ADDRESS/LENGTH</c>; <paramref name="error"/> names the broken rule when the result is false.</summary>
    public static bool TryParse(string? text, out IpPrefix? prefix, out string? error)
    {
        prefix = null;
        var slash = text?.IndexOf('/') ?? -1;
        if (slash < 0)
        {
            error = "prefix: the length is missing; write it as 192.0.2.1/24";
            return false;
        }

        if (!IPAddress.TryParse(text.AsSpan(0, slash), out var address) || address.ScopeIdOrZero() != 0
            || (address.AddressFamily == AddressFamily.InterNetwork && text.AsSpan(0, slash).Count('.') != 3))
        {
            error = "prefix: the address is not IPv4 (a.b.c.d) or IPv6";
            return false;
        }

        var max = address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
        if (!int.TryParse(text.AsSpan(slash + 1), System.Globalization.NumberStyles.None, null, out var length) || length > max)
        {
            error = $"prefix: the length must be a whole number from 0 to {max}";
            return false;
        }

        prefix = new IpPrefix(address, length);
        error = null;
        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Address}/{Length}";

    private sealed class IpPrefixJsonConverter : JsonConverter<IpPrefix>
    {
        public override IpPrefix Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            TryParse(reader.GetString(), out var prefix, out var error) ? prefix! : throw new JsonException(error);

        public override void Write(Utf8JsonWriter writer, IpPrefix value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
    }
}

file static class IPAddressScope
{
    public static long ScopeIdOrZero(this IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6 ? address.ScopeId : 0;
}
