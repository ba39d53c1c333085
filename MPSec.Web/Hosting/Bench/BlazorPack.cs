using System.Buffers.Binary;
using System.Text;

namespace MPSec.Hosting.Bench;

/// <summary>
/// The messages of a Blazor circuit: SignalR's hub protocol in MessagePack (dotnet/aspnetcore, docs/specs/HubProtocol.md), each with its length before it. Only what a
/// dashboard without a browser needs: nil, booleans, whole numbers, text, bytes, arrays and maps.
/// </summary>
internal static class BlazorPack
{
    /// <summary>Invocation of a method of the server.</summary>
    /// <param name="id">Asks for a completion; null for none.</param>
    /// <param name="target">Method.</param>
    /// <param name="arguments">null, bool, int, long, string.</param>
    public static byte[] Invocation(string? id, string target, params ReadOnlySpan<object?> arguments)
    {
        using var body = new MemoryStream();
        body.WriteByte(0x96); // six parts
        body.WriteByte(1);
        body.WriteByte(0x80); // no headers
        Write(body, id);
        Write(body, target);
        body.WriteByte((byte)(0x90 | arguments.Length));
        foreach (var argument in arguments)
        {
            Write(body, argument);
        }

        body.WriteByte(0x90); // no streams
        return Framed(body.ToArray());
    }

    /// <summary>Says that the client is there.</summary>
    public static byte[] Ping() => Framed([0x91, 6]);

    /// <summary>Takes the first whole message off <paramref name="data"/>; null when none is whole.</summary>
    /// <exception cref="FormatException">It is no such message.</exception>
    public static object?[]? Read(ReadOnlySpan<byte> data, out int taken)
    {
        taken = 0;
        int length = 0, at = 0;
        for (var shift = 0; ; shift += 7, at++)
        {
            if (at >= data.Length)
            {
                return null;
            }

            length |= (data[at] & 0x7f) << shift;
            if ((data[at] & 0x80) == 0)
            {
                at++;
                break;
            }
        }

        if (data.Length - at < length)
        {
            return null;
        }

        taken = at + length;
        var body = data.Slice(at, length);
        return Value(ref body) as object?[] ?? throw new FormatException("a message is no array");
    }

    private static byte[] Framed(ReadOnlySpan<byte> body)
    {
        var frame = new List<byte>(body.Length + 5);
        var rest = body.Length;
        do
        {
            frame.Add((byte)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0)));
            rest >>= 7;
        }
        while (rest > 0);
        frame.AddRange(body);
        return [.. frame];
    }

    private static void Write(MemoryStream to, object? value)
    {
        switch (value)
        {
            case null:
                to.WriteByte(0xc0);
                break;
            case bool b:
                to.WriteByte(b ? (byte)0xc3 : (byte)0xc2);
                break;
            case string s:
                var text = Encoding.UTF8.GetBytes(s);
                Span<byte> head = stackalloc byte[5];
                head[0] = 0xdb;
                BinaryPrimitives.WriteInt32BigEndian(head[1..], text.Length);
                to.Write(head);
                to.Write(text);
                break;
            default:
                Span<byte> number = stackalloc byte[9];
                number[0] = 0xd3;
                BinaryPrimitives.WriteInt64BigEndian(number[1..], Convert.ToInt64(value, System.Globalization.CultureInfo.InvariantCulture));
                to.Write(number);
                break;
        }
    }

    private static object? Value(ref ReadOnlySpan<byte> data)
    {
        var code = Take(ref data, 1)[0];
        return code switch
        {
            <= 0x7f => (long)code,
            >= 0xe0 => (long)(sbyte)code,
            0xc0 => null,
            0xc2 => false,
            0xc3 => true,
            >= 0x80 and <= 0x8f => Map(ref data, code & 0xf),
            >= 0x90 and <= 0x9f => Array(ref data, code & 0xf),
            >= 0xa0 and <= 0xbf => Text(ref data, code & 0x1f),
            0xc4 => Take(ref data, Length(ref data, 1)).ToArray(),
            0xc5 => Take(ref data, Length(ref data, 2)).ToArray(),
            0xc6 => Take(ref data, Length(ref data, 4)).ToArray(),
            0xcc => (long)Take(ref data, 1)[0],
            0xcd => (long)BinaryPrimitives.ReadUInt16BigEndian(Take(ref data, 2)),
            0xce => (long)BinaryPrimitives.ReadUInt32BigEndian(Take(ref data, 4)),
            0xcf => (long)BinaryPrimitives.ReadUInt64BigEndian(Take(ref data, 8)),
            0xd0 => (long)(sbyte)Take(ref data, 1)[0],
            0xd1 => (long)BinaryPrimitives.ReadInt16BigEndian(Take(ref data, 2)),
            0xd2 => (long)BinaryPrimitives.ReadInt32BigEndian(Take(ref data, 4)),
            0xd3 => BinaryPrimitives.ReadInt64BigEndian(Take(ref data, 8)),
            0xd9 => Text(ref data, Length(ref data, 1)),
            0xda => Text(ref data, Length(ref data, 2)),
            0xdb => Text(ref data, Length(ref data, 4)),
            0xdc => Array(ref data, Length(ref data, 2)),
            0xdd => Array(ref data, Length(ref data, 4)),
            0xde => Map(ref data, Length(ref data, 2)),
            _ => throw new FormatException($"MessagePack code {code:x2} is not expected"),
        };
    }

    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> data, int length)
    {
        if (length < 0 || data.Length < length)
        {
            throw new FormatException("a message is cut off");
        }

        var taken = data[..length];
        data = data[length..];
        return taken;
    }

    private static int Length(ref ReadOnlySpan<byte> data, int bytes) => bytes switch
    {
        1 => Take(ref data, 1)[0],
        2 => BinaryPrimitives.ReadUInt16BigEndian(Take(ref data, 2)),
        _ => BinaryPrimitives.ReadInt32BigEndian(Take(ref data, 4)),
    };

    private static string Text(ref ReadOnlySpan<byte> data, int length) => Encoding.UTF8.GetString(Take(ref data, length));

    private static object?[] Array(ref ReadOnlySpan<byte> data, int length)
    {
        var items = new List<object?>();
        for (var i = 0; i < length; i++)
        {
            items.Add(Value(ref data));
        }

        return [.. items];
    }

    private static object? Map(ref ReadOnlySpan<byte> data, int length)
    {
        _ = Array(ref data, 2 * length); // headers: nothing here needs one
        return null;
    }
}
