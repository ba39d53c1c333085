using System.Runtime.InteropServices;

namespace MPSec.Linux;

/// <summary>The few calls of the C library that .NET does not offer. Names and constants as in the Linux headers (x86-64 and arm64 agree).</summary>
internal static partial class LibC
{
    public const int AfInet = 2;
    public const int AfNetlink = 16;
    public const int AfInet6 = 10;
    public const int SockStream = 1;
    public const int SockDatagram = 2;
    public const int SockRaw = 3;
    public const int SockCloexec = 0x80000;
    public const int IpprotoMptcp = 262;
    public const int SolSocket = 1;
    public const int SolNetlink = 270;
    public const int CloneNewNet = 0x40000000;
    public const int OReadOnly = 0;
    public const int OCloexec = 0x80000;
    public const ulong MsBind = 4096;
    public const ulong MsRec = 16384;
    public const ulong MsShared = 1 << 20;
    public const int MntDetach = 2;

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    public static partial int Socket(int domain, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    public static partial int Bind(int fd, ReadOnlySpan<byte> address, int length);

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    public static partial nint Send(int fd, ReadOnlySpan<byte> buffer, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    public static partial nint Receive(int fd, Span<byte> buffer, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "setsockopt", SetLastError = true)]
    public static partial int SetSockOpt(int fd, int level, int name, ReadOnlySpan<byte> value, int length);

    /// <summary>ioctl(2) with a structure that the kernel reads and fills.</summary>
    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    public static partial int IoControl(int fd, nuint request, Span<byte> argument);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int fd);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int FSync(int fd);

    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    public static partial int SetNs(int fd, int kind);

    [LibraryImport("libc", EntryPoint = "unshare", SetLastError = true)]
    public static partial int Unshare(int flags);

    [LibraryImport("libc", EntryPoint = "mount", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Mount(string source, string target, string? type, ulong flags, nint data);

    [LibraryImport("libc", EntryPoint = "umount2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Umount(string target, int flags);

    /// <summary>statx(2): <paramref name="buffer"/> is struct statx, 256 bytes, the same on every architecture.</summary>
    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int StatX(int folder, string path, int flags, uint mask, Span<byte> buffer);

    [LibraryImport("libc", EntryPoint = "capget", SetLastError = true)]
    public static partial int CapGet(ReadOnlySpan<uint> header, Span<uint> sets);

    [LibraryImport("libc", EntryPoint = "capset", SetLastError = true)]
    public static partial int CapSet(ReadOnlySpan<uint> header, ReadOnlySpan<uint> sets);

    /// <summary>getrusage(2): <paramref name="usage"/> begins with user and system time, each as seconds and microseconds (64 bits each).</summary>
    [LibraryImport("libc", EntryPoint = "getrusage", SetLastError = true)]
    public static partial int GetRUsage(int who, Span<long> usage);

    /// <summary>getrlimit(2): soft and hard limit.</summary>
    [LibraryImport("libc", EntryPoint = "getrlimit", SetLastError = true)]
    public static partial int GetRLimit(int resource, Span<ulong> limits);

    /// <summary>setrlimit(2): soft and hard limit.</summary>
    [LibraryImport("libc", EntryPoint = "setrlimit", SetLastError = true)]
    public static partial int SetRLimit(int resource, ReadOnlySpan<ulong> limits);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    public static partial int Kill(int process, int signal);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    public static partial uint GetEffectiveUserId();

    /// <summary>The C library's sentence for an errno, for example "No such device".</summary>
    public static string Describe(int errno) => Marshal.GetPInvokeErrorMessage(errno);
}
