// Netlink sockets as in include/uapi/linux/netlink.h. .NET's Socket refuses AF_NETLINK, hence the calls to the C library.
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Values;

namespace MPSec.Linux.Netlink;

/// <summary>Bytes to and from the kernel; the seam behind which decoding is pure. One datagram may hold many messages.</summary>
public interface INetlinkTransport : IDisposable
{
    /// <summary>Sends one request.</summary>
    /// <exception cref="NetlinkException">The kernel refused the datagram.</exception>
    void Send(ReadOnlySpan<byte> request);

    /// <summary>Receives one datagram and returns its length in bytes.</summary>
    /// <exception cref="NetlinkException">ENOBUFS when messages were lost, EAGAIN on time-out, EMSGSIZE when the datagram did not fit.</exception>
    int Receive(Span<byte> buffer);
}

/// <summary>A netlink socket that lives in a gateway's namespace. Not thread-safe: one owner at a time.</summary>
public sealed class NetlinkSocket : INetlinkTransport
{
    /// <summary>NETLINK_ROUTE: links, addresses, routes, rules, queueing disciplines.</summary>
    public const int Route = 0;

    /// <summary>NETLINK_SOCK_DIAG: sockets.</summary>
    public const int SockDiag = 4;

    /// <summary>NETLINK_NETFILTER: rules of nf_tables.</summary>
    public const int Netfilter = 12;

    /// <summary>NETLINK_GENERIC: families by name, among them <c>mptcp_pm</c>.</summary>
    public const int Generic = 16;

    private const int MsgTrunc = 0x20;
    private const int SoRcvBuf = 8;
    private const int SoRcvTimeo = 20;
    private const int NetlinkAddMembership = 1;
    private const int NetlinkExtAck = 11;
    private const int NetlinkGetStrictChk = 12;

    private readonly SafeFileHandle _handle;

    private NetlinkSocket(int fd) => _handle = new SafeFileHandle(fd, ownsHandle: true);

    /// <summary>Opens a socket of <paramref name="protocol"/> inside <paramref name="gateway"/>; it may be used from any thread afterwards.</summary>
    /// <param name="gateway">The gateway whose kernel state is meant.</param>
    /// <param name="protocol"><see cref="Route"/>, <see cref="SockDiag"/>, <see cref="Netfilter"/> or <see cref="Generic"/>.</param>
    /// <param name="receiveTimeout">How long <see cref="Receive"/> waits for an answer; null waits for ever (event sockets).</param>
    /// <param name="receiveBufferBytes">Receive buffer in bytes; the kernel doubles it. Null leaves the system's default.</param>
    /// <exception cref="NamespaceException">The namespace is gone.</exception>
    /// <exception cref="NetlinkException">The kernel lacks the protocol or refuses the socket.</exception>
    public static NetlinkSocket Open(GatewayName gateway, int protocol, TimeSpan? receiveTimeout = null, int? receiveBufferBytes = null) =>
        NamespaceThread.Run(gateway, () =>
        {
            var fd = LibC.Socket(LibC.AfNetlink, LibC.SockRaw | LibC.SockCloexec, protocol);
            if (fd < 0)
            {
                throw new NetlinkException(Marshal.GetLastPInvokeError(), "cannot open a netlink socket");
            }

            var socket = new NetlinkSocket(fd);
            try
            {
                Span<byte> address = stackalloc byte[12];
                address.Clear();
                MemoryMarshal.Write(address, (ushort)LibC.AfNetlink);
                if (LibC.Bind(fd, address, address.Length) != 0)
                {
                    throw new NetlinkException(Marshal.GetLastPInvokeError(), "cannot bind a netlink socket");
                }

                // Both are conveniences of newer kernels (4.12, 4.20): without them errors have no text and dumps are filtered by us.
                socket.TrySetOption(LibC.SolNetlink, NetlinkExtAck, 1);
                socket.TrySetOption(LibC.SolNetlink, NetlinkGetStrictChk, 1);
                if (receiveBufferBytes is { } bytes)
                {
                    socket.TrySetOption(LibC.SolSocket, SoRcvBuf, bytes);
                }

                if (receiveTimeout is { } wait)
                {
                    Span<byte> timeval = stackalloc byte[16];
                    MemoryMarshal.Write(timeval, (long)wait.TotalSeconds);
                    MemoryMarshal.Write(timeval[8..], (long)wait.Microseconds + (wait.Milliseconds * 1000L));
                    _ = LibC.SetSockOpt(fd, LibC.SolSocket, SoRcvTimeo, timeval, timeval.Length);
                }

                return socket;
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        });

    /// <summary>Joins a multicast group by its number.</summary>
    /// <exception cref="NetlinkException">EPERM without the needed capability, EINVAL for an unknown group.</exception>
    public void Join(uint group)
    {
        if (SetOption(LibC.SolNetlink, NetlinkAddMembership, (int)group) is var errno and not 0)
        {
            throw new NetlinkException(errno, $"cannot join netlink group {group}");
        }
    }

    /// <summary>Hands the descriptor over to a .NET socket, which can wait without a thread. This object is disposed afterwards.</summary>
    internal Socket IntoSocket()
    {
        var fd = _handle.DangerousGetHandle();
        _handle.SetHandleAsInvalid();
        return new Socket(new SafeSocketHandle(fd, ownsHandle: true));
    }

    /// <inheritdoc/>
    public void Send(ReadOnlySpan<byte> request)
    {
        var fd = Enter();
        try
        {
            if (LibC.Send(fd, request, request.Length, 0) < 0)
            {
                throw new NetlinkException(Marshal.GetLastPInvokeError(), "the request could not be sent");
            }
        }
        finally
        {
            _handle.DangerousRelease();
        }
    }

    /// <inheritdoc/>
    public int Receive(Span<byte> buffer)
    {
        const int Eintr = 4;
        const int EmsgSize = 90;
        var fd = Enter();
        try
        {
            while (true)
            {
                var length = LibC.Receive(fd, buffer, buffer.Length, MsgTrunc);
                if (length >= 0)
                {
                    return length <= buffer.Length ? (int)length : throw new NetlinkException(EmsgSize, $"a datagram of {length} bytes did not fit");
                }

                if (Marshal.GetLastPInvokeError() is var errno and not Eintr)
                {
                    throw new NetlinkException(errno, "no answer from the kernel");
                }
            }
        }
        finally
        {
            _handle.DangerousRelease();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    private int Enter()
    {
        var added = false;
        _handle.DangerousAddRef(ref added);
        return (int)_handle.DangerousGetHandle();
    }

    private void TrySetOption(int level, int name, int value) => _ = SetOption(level, name, value);

    private int SetOption(int level, int name, int value)
    {
        Span<byte> bytes = stackalloc byte[4];
        MemoryMarshal.Write(bytes, value);
        var fd = Enter();
        try
        {
            return LibC.SetSockOpt(fd, level, name, bytes, bytes.Length) == 0 ? 0 : Marshal.GetLastPInvokeError();
        }
        finally
        {
            _handle.DangerousRelease();
        }
    }
}

/// <summary>The kernel answered a netlink request with an error, or its answer could not be read.</summary>
public sealed class NetlinkException(int errno, string what, string? kernelText = null)
    : IOException($"{what}: {LibC.Describe(errno)}{(string.IsNullOrEmpty(kernelText) ? "" : $" ({kernelText})")}")
{
    /// <summary>Error number (errno.h), positive.</summary>
    public int Errno { get; } = errno;

    /// <summary>The kernel's own sentence (extended acknowledgement), when it gave one.</summary>
    public string? KernelText { get; } = kernelText;

    /// <summary>ENOBUFS: messages were lost, read everything again.</summary>
    public bool IsOverflow => Errno == 105;
}

/// <summary>Bytes that claim to be netlink are not: a length is outside its datagram, a field is too short.</summary>
public sealed class NetlinkFormatException(string message) : FormatException(message);
