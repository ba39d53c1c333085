using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace MPSec.Linux.Processes;

/// <summary>
/// A file that several processes append to at once. Opened with O_APPEND, which .NET's own streams do not use: the kernel then puts each write whole at the
/// end, so lines of two writers never overwrite or split each other (open(2)).
/// </summary>
public sealed class AppendedFile : IDisposable
{
    private readonly SafeFileHandle _handle;

    /// <summary>Opens the file, creating it with mode 0600.</summary>
    /// <exception cref="IOException">It cannot be opened; the message is the C library's.</exception>
    public AppendedFile(string path)
    {
        var fd = ProcessCalls.Open(path, ProcessCalls.OReadWrite | ProcessCalls.OCreate | ProcessCalls.OAppend | LibC.OCloexec, 0b110_000_000);
        if (fd < 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            throw new IOException($"{path}: {LibC.Describe(errno)}", errno);
        }

        _handle = new SafeFileHandle(fd, ownsHandle: true);
    }

    /// <summary>Length in bytes, whoever wrote them.</summary>
    public long Length => RandomAccess.GetLength(_handle);

    /// <summary>For a program that is to append too; valid until this is disposed of.</summary>
    internal int Descriptor => (int)_handle.DangerousGetHandle();

    /// <summary>Ends a last line that has no end yet.</summary>
    /// <exception cref="IOException">No room, or a broken file system.</exception>
    public void EndLine()
    {
        Span<byte> last = stackalloc byte[1];
        if (Length is > 0 and var length && RandomAccess.Read(_handle, last, length - 1) == 1 && last[0] != '\n')
        {
            Append("\n"u8);
        }
    }

    /// <summary>Reads from an offset on; 0 at the end.</summary>
    public int Read(Span<byte> buffer, long offset) => RandomAccess.Read(_handle, buffer, offset);

    /// <summary>Gives the room of the first bytes back to the disk: they read as zero from then on, and offsets stay (fallocate(2)). Where the file system cannot, nothing happens.</summary>
    /// <param name="length">So many bytes, from the begin on.</param>
    public void Forget(long length) => _ = ProcessCalls.Allocate(Descriptor, ProcessCalls.PunchHole, 0, length);

    /// <summary>Appends in one write(2); handed to the kernel when this returns, so it outlives this process.</summary>
    /// <exception cref="IOException">No room, or a broken file system.</exception>
    public void Append(ReadOnlySpan<byte> bytes) => RandomAccess.Write(_handle, bytes, 0);

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();
}
