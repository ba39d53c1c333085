using System.Runtime.InteropServices;
using MPSec.Linux.Values;

namespace MPSec.Linux.Namespaces;

/// <summary>
/// Tells one network namespace from another (device and inode of its nsfs file, statx(2)). Sockets keep a namespace alive after its name
/// was deleted or given to a new one; only this comparison notices.
/// </summary>
public readonly record struct NamespaceIdentity(ulong Device, ulong Inode)
{
    private const int CurrentFolder = -100; // AT_FDCWD
    private const uint MaskInode = 0x100; // STATX_INO

    /// <summary>The namespace that the calling thread is in.</summary>
    /// <exception cref="NamespaceException"><c>/proc</c> cannot be read.</exception>
    public static NamespaceIdentity OfThisThread(GatewayName gateway) =>
        TryStat("/proc/thread-self/ns/net", out var identity) is var errno and not 0 ? throw new NamespaceException(gateway, errno) : identity;

    /// <summary>The namespace that now has the gateway's name.</summary>
    /// <exception cref="NamespaceException">There is none; <see cref="NamespaceException.IsGone"/>.</exception>
    public static NamespaceIdentity OfName(GatewayName gateway) =>
        TryStat(System.IO.Path.Combine(NamespaceThread.Folder, gateway.Value), out var identity) is var errno and not 0
            ? throw new NamespaceException(gateway, errno)
            : identity;

    private static int TryStat(string path, out NamespaceIdentity identity)
    {
        identity = default;
        Span<byte> buffer = stackalloc byte[256];
        if (LibC.StatX(CurrentFolder, path, 0, MaskInode, buffer) != 0)
        {
            return Marshal.GetLastPInvokeError();
        }

        // struct statx: stx_ino at 32, stx_dev_major at 136, stx_dev_minor at 140.
        identity = new(MemoryMarshal.Read<ulong>(buffer[136..]), MemoryMarshal.Read<ulong>(buffer[32..]));
        return 0;
    }
}
