// Multipath TCP sockets: include/uapi/linux/mptcp.h, Documentation/networking/mptcp.rst. .NET's Socket does not know protocol 262.
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Values;

namespace MPSec.Linux.Sockets;

/// <summary>Makes stream sockets that live in a gateway's network stack, MPTCP or plain TCP.</summary>
public static class MptcpSocket
{
    private const int SolTcp = 6;
    private const int TcpCongestion = 13;
    private const int SolMptcp = 284;
    private const int MptcpInfo = 1;

    /// <summary>Opens a stream socket inside <paramref name="gateway"/>. It may be used from any thread afterwards.</summary>
    /// <param name="gateway">The gateway whose network stack is used.</param>
    /// <param name="family">IPv4 or IPv6.</param>
    /// <param name="multipath">Protocol 262 (MPTCP) instead of 6 (TCP).</param>
    /// <exception cref="NamespaceException">The gateway is gone.</exception>
    /// <exception cref="MptcpSocketException">The kernel does not give such a socket; the message says why.</exception>
    public static Socket Open(GatewayName gateway, AddressFamily family, bool multipath = true) =>
        NamespaceThread.Run(gateway, () => OpenHere(family, multipath));

    /// <summary>As <see cref="Open"/>, in the namespace that the calling thread is in (inside <see cref="NamespaceThread"/>).</summary>
    /// <exception cref="MptcpSocketException">The kernel does not give such a socket; the message says why.</exception>
    public static Socket OpenHere(AddressFamily family, bool multipath = true)
    {
        var domain = family switch
        {
            AddressFamily.InterNetwork => LibC.AfInet,
            AddressFamily.InterNetworkV6 => LibC.AfInet6,
            _ => throw new ArgumentOutOfRangeException(nameof(family), family, "IPv4 or IPv6"),
        };
        var fd = LibC.Socket(domain, LibC.SockStream | LibC.SockCloexec, multipath ? LibC.IpprotoMptcp : 0);
        return fd >= 0 ? new Socket(new SafeSocketHandle(fd, ownsHandle: true)) : throw new MptcpSocketException(Marshal.GetLastPInvokeError(), multipath);
    }

    /// <summary>Sets the congestion control of a socket and of all its subflows (TCP_CONGESTION).</summary>
    /// <exception cref="MptcpSocketException">The kernel does not have it (ENOENT) or does not allow it to this user (EPERM).</exception>
    public static void SetCongestionControl(Socket socket, string name)
    {
        ArgumentNullException.ThrowIfNull(socket);
        try
        {
            socket.SetRawSocketOption(SolTcp, TcpCongestion, Encoding.ASCII.GetBytes(name));
        }
        catch (SocketException e)
        {
            throw new MptcpSocketException(e.NativeErrorCode, $"congestion control {name}: " + e.NativeErrorCode switch
            {
                2 => "this kernel does not have it; tcp_available_congestion_control lists what it has",
                1 => "not allowed in this gateway; tcp_allowed_congestion_control lists what is",
                _ => LibC.Describe(e.NativeErrorCode),
            });
        }
    }

    /// <summary>Name of the socket's congestion control.</summary>
    public static string GetCongestionControl(Socket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        Span<byte> name = stackalloc byte[16];
        var length = socket.GetRawSocketOption(SolTcp, TcpCongestion, name);
        name = name[..length];
        return Encoding.ASCII.GetString(name.IndexOf((byte)0) is var end and >= 0 ? name[..end] : name);
    }

    /// <summary>
    /// What the kernel says of an MPTCP connection (MPTCP_INFO); null for a plain TCP socket, so also for one that was accepted from a
    /// client without MPTCP.
    /// </summary>
    public static MptcpSocketInfo? ReadInfo(Socket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        Span<byte> info = stackalloc byte[128];
        try
        {
            var length = socket.GetRawSocketOption(SolMptcp, MptcpInfo, info);
            return length < 16 ? null : new(MemoryMarshal.Read<uint>(info[12..]), info[0], length > 80 ? info[80] : null, (info[8] & 1) != 0);
        }
        catch (SocketException e) when (e.NativeErrorCode is 95 or 92)
        {
            return null;
        }
    }
}

/// <summary>Head of struct mptcp_info.</summary>
/// <param name="Token">Names the connection, as in the readings.</param>
/// <param name="AdditionalSubflows">Subflows beside the first.</param>
/// <param name="SubflowsTotal">All subflows; null before Linux 6.8.</param>
/// <param name="IsFallback">The connection goes on as plain TCP.</param>
public readonly record struct MptcpSocketInfo(uint Token, byte AdditionalSubflows, byte? SubflowsTotal, bool IsFallback);

/// <summary>The kernel refused a socket or one of its options.</summary>
public sealed class MptcpSocketException : IOException
{
    internal MptcpSocketException(int errno, bool multipath)
        : this(errno, (multipath, errno) switch
        {
            (true, 92) => "MPTCP is switched off in this gateway; set net.mptcp.enabled to 1",
            (true, 22 or 93) => "This kernel has no MPTCP (CONFIG_MPTCP, Linux 5.6 or newer)",
            (_, 23 or 24) => "No socket: too many files are open; raise the limit with ulimit -n",
            _ => "No socket: " + LibC.Describe(errno),
        })
    {
    }

    internal MptcpSocketException(int errno, string sentence)
        : base(sentence) => Errno = errno;

    /// <summary>Error number.</summary>
    public int Errno { get; }

    /// <summary>The kernel was built without MPTCP or is too old (EINVAL, EPROTONOSUPPORT).</summary>
    public bool IsNotInKernel => Errno is 22 or 93;

    /// <summary>The kernel has MPTCP, the gateway has it switched off (ENOPROTOOPT).</summary>
    public bool IsSwitchedOff => Errno == 92;
}
