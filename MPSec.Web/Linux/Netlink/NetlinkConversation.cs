using System.Runtime.InteropServices;

namespace MPSec.Linux.Netlink;

/// <summary>Handles one message of a dump; <paramref name="payload"/> is only valid during the call.</summary>
public delegate void NetlinkMessageHandler(ushort type, ReadOnlySpan<byte> payload);

/// <summary>
/// Request and answer over one transport: numbers the requests, skips answers to older ones, turns NLMSG_ERROR into
/// <see cref="NetlinkException"/>, repeats interrupted dumps. Not thread-safe.
/// </summary>
public sealed class NetlinkConversation(INetlinkTransport transport) : IDisposable
{
    /// <summary>How often an interrupted dump (NLM_F_DUMP_INTR) is begun again before its result is used as it is.</summary>
    public const int MaxRepeats = 3;

    private readonly NetlinkWriter _writer = new();
    private readonly byte[] _buffer = new byte[64 * 1024]; // the kernel fills dumps up to 32 KiB when the reader offers that much
    private readonly List<byte> _queue = [];
    private uint _sequence;
    private uint _firstQueued;
    private int _awaited;

    /// <summary>Dumps that stayed inconsistent after <see cref="MaxRepeats"/> repeats, counted since the start.</summary>
    public long InterruptedDumps { get; private set; }

    /// <summary>Starts a request of this conversation.</summary>
    public NetlinkWriter Begin(ushort type, ushort flags) => _writer.Begin(type, (ushort)(flags | NetlinkWriter.Request), ++_sequence);

    /// <summary>
    /// Sends the request that was begun last as a dump and gives each message to <paramref name="handler"/>.
    /// <paramref name="restart"/> runs before each repeat: forget what was gathered.
    /// </summary>
    /// <exception cref="NetlinkException">The kernel refused the request or does not answer.</exception>
    /// <exception cref="NetlinkFormatException">The answer is malformed.</exception>
    public void Dump(NetlinkMessageHandler handler, Action restart)
    {
        for (var attempt = 0; ; attempt++)
        {
            transport.Send(_writer.Bytes);
            if (!ReadDump(handler))
            {
                return;
            }

            if (attempt == MaxRepeats)
            {
                InterruptedDumps++;
                return;
            }

            restart();
        }
    }

    /// <summary>Sends the request that was begun last and waits for the acknowledgement; answers before it go to <paramref name="handler"/>.</summary>
    /// <exception cref="NetlinkException">The kernel refused; Errno and KernelText say why.</exception>
    public void Execute(string what, NetlinkMessageHandler? handler = null)
    {
        transport.Send(_writer.Bytes);
        while (true)
        {
            var messages = new NetlinkMessages(_buffer.AsSpan(0, transport.Receive(_buffer)));
            while (messages.Next())
            {
                if (messages.Sequence != _sequence)
                {
                    continue;
                }

                if (messages.Type == NetlinkMessages.Error)
                {
                    ThrowOnError(messages, what);
                    return;
                }

                handler?.Invoke(messages.Type, messages.Payload);
            }
        }
    }

    /// <summary>Keeps the request that was begun last, to go with the next ones in one datagram.</summary>
    public void Queue()
    {
        var bytes = _writer.Bytes;
        if (_queue.Count == 0)
        {
            (_firstQueued, _awaited) = (_sequence, 0);
        }

        _awaited += (MemoryMarshal.Read<ushort>(bytes[6..]) & NetlinkWriter.Ack) != 0 ? 1 : 0;
        _queue.AddRange(bytes);
    }

    /// <summary>Sends what was queued and waits for every acknowledgement that was asked for.</summary>
    /// <exception cref="NetlinkException">The kernel refused one of the requests; of a batch of nf_tables it has then done none.</exception>
    public void ExecuteQueued(string what)
    {
        var datagram = _queue.ToArray();
        _queue.Clear();
        transport.Send(datagram);
        while (_awaited > 0)
        {
            var messages = new NetlinkMessages(_buffer.AsSpan(0, transport.Receive(_buffer)));
            while (messages.Next())
            {
                // Unsigned: also right when the numbers begin anew.
                if (messages.Type == NetlinkMessages.Error && messages.Sequence - _firstQueued <= _sequence - _firstQueued)
                {
                    ThrowOnError(messages, what);
                    _awaited--;
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => transport.Dispose();

    private bool ReadDump(NetlinkMessageHandler handler)
    {
        var interrupted = false;
        while (true)
        {
            var messages = new NetlinkMessages(_buffer.AsSpan(0, transport.Receive(_buffer)));
            while (messages.Next())
            {
                if (messages.Sequence != _sequence)
                {
                    continue;
                }

                interrupted |= (messages.Flags & NetlinkMessages.DumpInterrupted) != 0;
                switch (messages.Type)
                {
                    case NetlinkMessages.Done:
                        return interrupted;
                    case NetlinkMessages.Error:
                        ThrowOnError(messages, "the dump failed");
                        return interrupted;
                    default:
                        handler(messages.Type, messages.Payload);
                        break;
                }
            }
        }
    }

    private static void ThrowOnError(in NetlinkMessages message, string what)
    {
        const ushort CappedFlag = 0x100;
        const ushort TlvsFlag = 0x200;
        const ushort AttributeText = 1;
        if (message.Payload.Length < 4)
        {
            throw new NetlinkFormatException("an error message is shorter than 4 bytes");
        }

        var errno = -MemoryMarshal.Read<int>(message.Payload);
        if (errno == 0)
        {
            return;
        }

        // After the errno comes the request's header, or the whole request unless it was capped; the kernel's text follows it.
        string? text = null;
        if ((message.Flags & TlvsFlag) != 0 && message.Payload.Length >= 20)
        {
            var requestLength = (message.Flags & CappedFlag) != 0 ? 16 : ((int)MemoryMarshal.Read<uint>(message.Payload[4..]) + 3) & ~3;
            if (requestLength >= 16 && requestLength <= message.Payload.Length - 4)
            {
                var attributes = new NetlinkAttributes(message.Payload[(4 + requestLength)..]);
                while (attributes.Next())
                {
                    text = attributes.Type == AttributeText ? attributes.Text : text;
                }
            }
        }

        throw new NetlinkException(errno, what, text);
    }
}
