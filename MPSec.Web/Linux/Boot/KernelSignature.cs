// PE/COFF of an EFI stub kernel (Documentation/arch/x86/boot.rst, Microsoft's PE format): the fifth data directory is the table of certificates.
using System.Buffers.Binary;

namespace MPSec.Linux.Boot;

/// <summary>Tells whether the image of a kernel carries a signature for Secure Boot; whose it is and whether the firmware trusts it is not judged.</summary>
public static class KernelSignature
{
    /// <summary>Looks at an image.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static bool IsThere(string image)
    {
        var head = new byte[4096];
        using var file = File.OpenRead(image);
        var length = file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        if (length < head.Length || head[0] != 'M' || head[1] != 'Z')
        {
            return false;
        }

        var header = BinaryPrimitives.ReadInt32LittleEndian(head.AsSpan(0x3c));
        if (header < 0x40 || header > head.Length - 256 || !head.AsSpan(header, 4).SequenceEqual("PE\0\0"u8))
        {
            return false;
        }

        // Directories begin 96 bytes into the optional header of a 32 bit image, 112 into that of a 64 bit one.
        var optional = header + 24;
        var directories = optional + (BinaryPrimitives.ReadUInt16LittleEndian(head.AsSpan(optional)) == 0x20b ? 112 : 96);
        return BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(directories - 4)) > 4 && BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(directories + (4 * 8) + 4)) > 0;
    }
}
