using System.Runtime.InteropServices;
using System.Text;
using MPSec.Linux.Netlink;

namespace MPSec.Tests.Linux.Netlink;

public sealed class NetlinkConversationTests
{
    private const ushort Multi = 2;
    private const ushort Interrupted = NetlinkMessages.DumpInterrupted;

    [Fact]
    public void Dump_AnswersOfAnOlderRequest_AreSkipped()
    {
        var seen = Dump(out var conversation, Message(30, Multi, 77, [9]), Message(30, Multi, 1, [1]), Message(30, Multi, 1, [2]), Done(1));

        Assert.Equal([1, 2], seen);
        Assert.Equal(0, conversation.InterruptedDumps);
    }

    [Fact]
    public void Dump_InterruptedOnce_IsRepeatedAndTheFirstIsForgotten()
    {
        var seen = Dump(out var conversation, Message(30, Multi | Interrupted, 1, [1]), Done(1), Message(30, Multi, 1, [2]), Done(1));

        Assert.Equal([2], seen);
        Assert.Equal(0, conversation.InterruptedDumps);
    }

    [Fact]
    public void Dump_InterruptedAlways_IsUsedAfterThreeRepeatsAndCounted()
    {
        var answers = Enumerable.Range(0, 4).SelectMany(i => new[] { Message(30, Multi | Interrupted, 1, [(byte)i]), Done(1) }).ToArray();

        var seen = Dump(out var conversation, answers);

        Assert.Equal([3], seen);
        Assert.Equal(1, conversation.InterruptedDumps);
    }

    [Fact]
    public void Dump_Refused_TellsErrnoAndTheKernelsText()
    {
        // errno, the request's header (capped), then attribute 1: the text.
        var text = Encoding.ASCII.GetBytes("not today\0\0\0");
        var payload = new byte[4 + 16 + 4 + text.Length];
        MemoryMarshal.Write(payload, -1);
        MemoryMarshal.Write(payload.AsSpan(4), 16);
        MemoryMarshal.Write(payload.AsSpan(20), (ushort)(4 + text.Length));
        MemoryMarshal.Write(payload.AsSpan(22), (ushort)1);
        text.CopyTo(payload, 24);

        var e = Assert.Throws<NetlinkException>(() => Dump(out _, Message(NetlinkMessages.Error, 0x300, 1, payload)));

        Assert.Equal((1, "not today"), (e.Errno, e.KernelText));
        Assert.Contains("not today", e.Message);
    }

    [Theory]
    [InlineData(0x7ffffffcu)]
    [InlineData(0xffffffffu)]
    [InlineData(0u)]
    public void Dump_RefusedWithImpossibleLengthOfTheRequest_StillTellsErrno(uint length)
    {
        var payload = new byte[24];
        MemoryMarshal.Write(payload, -22);
        MemoryMarshal.Write(payload.AsSpan(4), length);

        Assert.Equal(22, Assert.Throws<NetlinkException>(() => Dump(out _, Message(NetlinkMessages.Error, 0x200, 1, payload))).Errno);
    }

    [Fact]
    public void Dump_ErrorWithoutErrno_IsAFormatError() =>
        Assert.Throws<NetlinkFormatException>(() => Dump(out _, Message(NetlinkMessages.Error, 0, 1, [1, 2])));

    [Fact]
    public void Dump_NoAnswer_IsAnError() => Assert.Equal(11, Assert.Throws<NetlinkException>(() => Dump(out _, Message(30, Multi, 1, [1]))).Errno);

    private static List<byte> Dump(out NetlinkConversation conversation, params byte[][] answers)
    {
        var seen = new List<byte>();
        conversation = new NetlinkConversation(new RecordedTransport(answers));
        conversation.Begin(30, NetlinkWriter.Dump);
        conversation.Dump((_, payload) => seen.Add(payload[0]), seen.Clear);
        return seen;
    }

    private static byte[] Done(uint sequence) => Message(NetlinkMessages.Done, Multi, sequence, [0, 0, 0, 0]);

    private static byte[] Message(ushort type, int flags, uint sequence, byte[] payload)
    {
        var bytes = new byte[16 + ((payload.Length + 3) & ~3)];
        MemoryMarshal.Write(bytes, 16 + payload.Length);
        MemoryMarshal.Write(bytes.AsSpan(4), type);
        MemoryMarshal.Write(bytes.AsSpan(6), (ushort)flags);
        MemoryMarshal.Write(bytes.AsSpan(8), sequence);
        payload.CopyTo(bytes, 16);
        return bytes;
    }
}
