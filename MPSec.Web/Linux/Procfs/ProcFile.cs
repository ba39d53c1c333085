using Microsoft.Win32.SafeHandles;

namespace MPSec.Linux.Procfs;

/// <summary>
/// A file of <c>/proc</c> that is opened once and read again from its start. It shows the namespace of the thread that opened it, on whatever
/// thread it is read later.
/// </summary>
public sealed class ProcFile : IDisposable
{
    // More than any file read this way; a larger one is an error and not a reason to take memory without end.
    private const int LongestText = 1 << 20;

    private readonly SafeFileHandle _handle;

    private ProcFile(string path, SafeFileHandle handle)
    {
        FilePath = path;
        _handle = handle;
    }

    /// <summary>Where the file was.</summary>
    public string FilePath { get; }

    /// <summary>Opens <paramref name="path"/> for reading.</summary>
    /// <exception cref="IOException">The file is not there.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public static ProcFile Open(string path) => new(path, File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));

    /// <summary>Opens <paramref name="path"/> when it is there and readable; otherwise null.</summary>
    public static ProcFile? TryOpen(string path)
    {
        try
        {
            return Open(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Reads the whole file into <paramref name="buffer"/> from <paramref name="at"/> on, growing it when needed; returns the bytes read.</summary>
    /// <exception cref="IOException">The kernel refused, or the file is longer than 1 MiB.</exception>
    public int Read(ref byte[] buffer, int at = 0)
    {
        var length = 0;
        while (true)
        {
            if (at + length == buffer.Length)
            {
                if (buffer.Length >= LongestText)
                {
                    throw new IOException($"{FilePath} is longer than {LongestText} bytes");
                }

                Array.Resize(ref buffer, buffer.Length * 2);
            }

            var read = RandomAccess.Read(_handle, buffer.AsSpan(at + length), length);
            if (read == 0)
            {
                return length;
            }

            length += read;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();
}
