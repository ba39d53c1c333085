using System.Runtime.InteropServices;
using MPSec.Linux.Gateways;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;

namespace MPSec.Tests.Linux.Netlink;

/// <summary>Truncated and altered bytes end in <see cref="NetlinkFormatException"/> or in a record, never in another exception, a hang or much memory.</summary>
public sealed class HostileBytesTests
{
    private const int Mutations = 20_000;
    private const long MostMemory = 1 << 20;

    public delegate void Decoder(ReadOnlySpan<byte> bytes);

    public static TheoryData<string> Decoders => [.. All().Keys];

    [Theory]
    [MemberData(nameof(Decoders))]
    public void Decode_TruncatedAnywhere_IsARecordOrAFormatError(string name)
    {
        var (samples, decode) = All()[name];
        foreach (var sample in samples)
        {
            for (var length = 0; length <= sample.Length; length++)
            {
                Try(decode, sample.AsSpan(0, length));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Decoders))]
    public void Decode_Altered_IsARecordOrAFormatError(string name)
    {
        var (samples, decode) = All()[name];
        var random = new Random(20260101);
        for (var i = 0; i < Mutations; i++)
        {
            Try(decode, Alter(samples[random.Next(samples.Count)], random));
        }
    }

    [Theory]
    [InlineData("links", ReadingScope.Links)]
    [InlineData("routes", ReadingScope.Routes)]
    [InlineData("rules", ReadingScope.Rules)]
    [InlineData("endpoints", ReadingScope.Endpoints)]
    [InlineData("limits", ReadingScope.Limits)]
    [InlineData("connections", ReadingScope.Connections)]
    [InlineData("subflows", ReadingScope.Subflows)]
    public void Read_AlteredDatagrams_BecomeFaultsNotExceptions(string recording, ReadingScope scope)
    {
        var random = new Random(7);
        var datagrams = RecordedTransport.Load(recording);
        for (var i = 0; i < 2000; i++)
        {
            var altered = datagrams.ToArray();
            var victim = random.Next(altered.Length);
            altered[victim] = Alter(altered[victim], random);
            using var reader = new GatewayReader(GatewayName.Host, _ => new RecordedTransport(altered), "/nowhere", null);

            Assert.All(reader.Read(scope).Faults, f => Assert.NotEmpty(f.Reason));
        }
    }

    private static byte[] Alter(byte[] sample, Random random)
    {
        var bytes = sample.ToArray();
        for (var changes = random.Next(1, 5); changes > 0 && bytes.Length > 0; changes--)
        {
            switch (random.Next(4))
            {
                case 0:
                    bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                    break;
                case 2 when bytes.Length >= 4: // lengths are where it hurts
                    var values = new uint[] { 0, 1, 3, 4, 15, 16, 0x7fff, 0xffff, 0x7ffffffc, 0x7fffffff, 0x80000000, 0xffffffff };
                    MemoryMarshal.Write(bytes.AsSpan(random.Next(bytes.Length / 4) * 4), values[random.Next(values.Length)]);
                    break;
                default:
                    bytes = bytes[..random.Next(bytes.Length + 1)];
                    break;
            }
        }

        return bytes;
    }

    private static void Try(Decoder decode, ReadOnlySpan<byte> bytes)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            decode(bytes);
        }
        catch (NetlinkFormatException e)
        {
            Assert.NotEmpty(e.Message);
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MostMemory);
    }

    private static Dictionary<string, (IReadOnlyList<byte[]> Samples, Decoder Decode)> All()
    {
        var cache = new KernelTextCache();
        var events = new List<GatewayEvent>();
        var decoder = new GatewayEventDecoder();
        var family = RecordedTransport.Messages("events-mptcp")[0].Type;
        return new(StringComparer.Ordinal)
        {
            ["link"] = (Payloads("links"), b => RtnetlinkReader.DecodeLink(b, cache)),
            ["address"] = (Payloads("addresses"), b => RtnetlinkReader.DecodeAddress(b, cache)),
            ["route"] = (Payloads("routes"), b => RtnetlinkReader.DecodeRoute(b, cache)),
            ["rule"] = (Payloads("rules"), b => RtnetlinkReader.DecodeRule(b, cache)),
            ["qdisc"] = (Payloads("qdiscs"), b => RtnetlinkReader.DecodeQdisc(b, cache)),
            ["family"] = (Payloads("limits"), b => GenericNetlinkFamily.Decode(b)),
            ["endpoint"] = (Payloads("endpoints"), b => MptcpPmReader.DecodeEndpoint(b, cache)),
            ["limits"] = (Payloads("limits"), b => MptcpPmReader.DecodeLimits(b)),
            ["connection"] = (Payloads("connections"), b => SockDiagReader.DecodeConnection(b, cache)),
            ["subflow"] = (Payloads("subflows"), b => SockDiagReader.DecodeSubflow(b, cache)),
            ["routing events"] = (RecordedTransport.Load("events-routing"), b =>
            {
                events.Clear();
                decoder.DecodeRouting(b, events);
            }),
            ["mptcp events"] = (RecordedTransport.Load("events-mptcp"), b =>
            {
                events.Clear();
                decoder.DecodeMptcp(family, b, events);
            }),
        };
    }

    private static List<byte[]> Payloads(string recording) =>
        [.. RecordedTransport.Messages(recording).Where(m => m.Type is not (NetlinkMessages.Done or NetlinkMessages.Error)).Select(m => m.Payload)];
}
