// utmp(5), bits/utmp.h of glibc.
using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text;

namespace MPSec.Linux.Procfs;

/// <summary>Decodes a utmp file: who is logged in where systemd-logind does not tell.</summary>
public static class UtmpFile
{
    private const short UserProcess = 7;
    private const int Line = 8;
    private const int User = 44;
    private const int Host = 76;
    private const int Session = 336;

    /// <summary>Sessions of people; a record that is cut off at the end is left out, as who(1) does.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="wide">Whether session and time are 64 bits wide, as on arm64; on x86-64 they are 32.</param>
    public static ImmutableArray<SessionReading> Decode(ReadOnlySpan<byte> bytes, bool wide)
    {
        var size = wide ? 400 : 384;
        var sessions = ImmutableArray.CreateBuilder<SessionReading>();
        for (; bytes.Length >= size; bytes = bytes[size..])
        {
            if (MemoryMarshal.Read<short>(bytes) == UserProcess && Text(bytes.Slice(User, 32)) is { } user)
            {
                var seconds = wide ? MemoryMarshal.Read<ulong>(bytes[(Session + 8)..]) : MemoryMarshal.Read<uint>(bytes[(Session + 4)..]);
                sessions.Add(new(user, Text(bytes.Slice(Line, 32)), Text(bytes.Slice(Host, 256)), MachineText.Moment(seconds)));
            }
        }

        return sessions.ToImmutable();
    }

    private static string? Text(ReadOnlySpan<byte> field) => (field.IndexOf((byte)0) is var end and >= 0 ? field[..end] : field) is { Length: > 0 } text ? Encoding.UTF8.GetString(text) : null;
}
