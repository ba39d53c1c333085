using System.Buffers.Binary;
using MPSec.Linux.Netlink;

namespace MPSec.Tests.Linux.Netlink;

/// <summary>Answers with recorded datagrams, whatever is asked; afterwards it times out as a silent kernel does.</summary>
public sealed class RecordedTransport(IReadOnlyList<byte[]> datagrams) : INetlinkTransport
{
    private const int Eagain = 11;
    private int _next;

    /// <summary>Requests sent so far.</summary>
    public List<byte[]> Requests { get; } = [];

    public bool IsDisposed { get; private set; }

    /// <summary>The datagrams of <c>Fixtures/Linux/NAME.nl</c>: each with its length before it (32 bits, little endian).</summary>
    public static IReadOnlyList<byte[]> Load(string name)
    {
        var bytes = File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Fixtures", "Linux", name + ".nl")).AsSpan();
        var datagrams = new List<byte[]>();
        while (!bytes.IsEmpty)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(bytes);
            datagrams.Add(bytes.Slice(4, length).ToArray());
            bytes = bytes[(4 + length)..];
        }

        return datagrams;
    }

    /// <summary>Type and payload of every message of the recording.</summary>
    public static IReadOnlyList<(ushort Type, byte[] Payload)> Messages(string name)
    {
        var list = new List<(ushort, byte[])>();
        foreach (var datagram in Load(name))
        {
            var messages = new NetlinkMessages(datagram);
            while (messages.Next())
            {
                list.Add((messages.Type, messages.Payload.ToArray()));
            }
        }

        return list;
    }

    public void Send(ReadOnlySpan<byte> request) => Requests.Add(request.ToArray());

    public int Receive(Span<byte> buffer)
    {
        if (_next == datagrams.Count)
        {
            throw new NetlinkException(Eagain, "no answer from the kernel");
        }

        var datagram = datagrams[_next++];
        datagram.CopyTo(buffer);
        return datagram.Length;
    }

    public void Dispose() => IsDisposed = true;
}
