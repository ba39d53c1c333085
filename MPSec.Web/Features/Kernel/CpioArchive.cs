using System.Globalization;
using System.Text;

namespace MPSec.Features.Kernel;

/// <summary>
/// Writes an archive that a kernel unpacks as its first root: cpio in the form "newc" (Documentation/driver-api/early-userspace/buffer-format.rst). Everything in it
/// belongs to root; folders above a name are made by themselves.
/// </summary>
/// <param name="to">Receives the archive; not closed.</param>
public sealed class CpioArchive(Stream to)
{
    private const int Folder = 0x4000;
    private const int Regular = 0x8000;
    private const int Link = 0xa000;

    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private long _written;
    private int _inode;

    /// <summary>Adds a folder; nothing happens when it is there.</summary>
    public void AddFolder(string path) => Put(Relative(path), Folder | 0x1ed, []);

    /// <summary>Adds a file; the first one of a name counts.</summary>
    /// <param name="path">Absolute path in the archive.</param>
    /// <param name="content">Its bytes.</param>
    /// <param name="executable">Mode 0755 instead of 0644.</param>
    public void AddFile(string path, ReadOnlySpan<byte> content, bool executable = false) => Put(Relative(path), Regular | (executable ? 0x1ed : 0x1a4), content);

    /// <summary>Adds a symbolic link.</summary>
    public void AddLink(string path, string target) => Put(Relative(path), Link | 0x1ff, Encoding.UTF8.GetBytes(target));

    /// <summary>Writes its end. Nothing can be added afterwards.</summary>
    public void Close() => Write("TRAILER!!!", 0, []);

    private static string Relative(string path) => path.TrimStart('/');

    private void Put(string name, int mode, ReadOnlySpan<byte> content)
    {
        if (name.Length == 0 || !_names.Add(name))
        {
            return;
        }

        if (name.LastIndexOf('/') is > 0 and var slash)
        {
            Put(name[..slash], Folder | 0x1ed, []);
        }

        Write(name, mode, content);
    }

    private void Write(string name, int mode, ReadOnlySpan<byte> content)
    {
        var bytes = Encoding.UTF8.GetBytes(name + "\0");
        // inode, mode, owner, group, links, time, size, four device numbers, length of the name, checksum
        int[] fields = [++_inode, mode, 0, 0, 1, 0, content.Length, 0, 0, 0, 0, bytes.Length, 0];
        Add(Encoding.ASCII.GetBytes("070701" + string.Concat(fields.Select(f => f.ToString("X8", CultureInfo.InvariantCulture)))));
        Add(bytes);
        Pad();
        Add(content);
        Pad();
    }

    private void Add(ReadOnlySpan<byte> bytes)
    {
        to.Write(bytes);
        _written += bytes.Length;
    }

    private void Pad() => Add(new byte[(4 - (_written % 4)) % 4]);
}
