// Requests of NETLINK_NETFILTER, subsystem nf_tables: include/uapi/linux/netfilter/nfnetlink.h (nfgenmsg, batches) and nf_tables.h. Numbers are big-endian.
using System.Buffers.Binary;
using System.Text;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;

namespace MPSec.Changes.Kernel;

/// <summary>One of MPSec's rules that drop what passes an interface.</summary>
/// <param name="Chain">Chain that holds it.</param>
/// <param name="Handle">Number by which it is deleted.</param>
/// <param name="Interface">The interface.</param>
internal sealed record BlockRule(string Chain, ulong Handle, string Interface);

/// <summary>Encodes and decodes the table, chains and rules of <see cref="BlockInterface"/>.</summary>
internal static class FilterMessages
{
    public const ushort NewTable = Subsystem | 0;
    public const ushort GetTable = Subsystem | 1;
    public const ushort DeleteTable = Subsystem | 2;
    public const ushort NewChain = Subsystem | 3;
    public const ushort GetChain = Subsystem | 4;
    public const ushort DeleteChain = Subsystem | 5;
    public const ushort NewRule = Subsystem | 6;
    public const ushort GetRule = Subsystem | 7;
    public const ushort DeleteRule = Subsystem | 8;
    public const ushort GetGeneration = Subsystem | 16;
    public const ushort BatchBegin = 16;
    public const ushort BatchEnd = 17;

    private const ushort Subsystem = 10 << 8;
    private const byte FamilyInet = 1;
    private const int RawPriority = -300;
    private const uint Register1 = 1;
    private const uint MetaInputName = 6;
    private const uint MetaOutputName = 7;
    private const int NameBytes = 16;

    /// <summary>Begins or ends a batch; the kernel refuses it when its rules have changed since <paramref name="generation"/>.</summary>
    public static NetlinkWriter Batch(NetlinkWriter writer, uint? generation = null)
    {
        writer.Raw([0, 0, 0, (byte)(Subsystem >> 8)]);
        return generation is { } number ? writer.Attribute(1, Big(number)) : writer;
    }

    /// <summary>A request about any object of the family inet.</summary>
    public static NetlinkWriter Any(NetlinkWriter writer) => writer.Raw([FamilyInet, 0, 0, 0]);

    /// <summary>The table.</summary>
    public static NetlinkWriter Table(NetlinkWriter writer) => Any(writer).Attribute(1, BlockInterface.Table);

    /// <summary>One of its chains; with <paramref name="hook"/> it is a base chain, to be made.</summary>
    public static NetlinkWriter Chain(NetlinkWriter writer, string chain, uint? hook = null)
    {
        Any(writer).Attribute(1, BlockInterface.Table).Attribute(3, chain);
        return hook is not { } number
            ? writer
            : writer.Nest(4, nest => nest.Attribute(1, Big(number)).Attribute(2, Big(unchecked((uint)RawPriority)))).Attribute(7, "filter");
    }

    /// <summary>Rules of the table, to be listed, or one of them by its handle.</summary>
    public static NetlinkWriter Rule(NetlinkWriter writer, string? chain = null, ulong? handle = null)
    {
        Any(writer).Attribute(1, BlockInterface.Table);
        if (chain is not null)
        {
            writer.Attribute(2, chain);
        }

        return handle is { } number ? writer.Attribute(3, BinaryPrimitives.ReverseEndianness(number)) : writer;
    }

    /// <summary>The rule that drops: the interface's name into a register, compare it, verdict.</summary>
    public static NetlinkWriter Drop(NetlinkWriter writer, string chain, bool isInput, InterfaceName name)
    {
        var padded = new byte[NameBytes];
        Encoding.ASCII.GetBytes(name.Value, padded);
        return Rule(writer, chain)
            .Nest(4, list => list
                .Nest(1, e => e.Attribute(1, "meta").Nest(2, data => data.Attribute(2, Big(isInput ? MetaInputName : MetaOutputName)).Attribute(1, Big(Register1))))
                .Nest(1, e => e.Attribute(1, "cmp").Nest(2, data => data.Attribute(1, Big(Register1)).Attribute(2, Big(0)).Nest(3, value => value.Attribute(1, padded.AsSpan()))))
                .Nest(1, e => e.Attribute(1, "immediate").Nest(2, data => data.Attribute(1, Big(0)).Nest(2, value => value.Nest(2, verdict => verdict.Attribute(1, Big(0)))))))
            .Attribute(7, Comment().AsSpan());
    }

    /// <summary>Decodes NFT_MSG_NEWRULE; null for any rule that is not exactly one of ours.</summary>
    /// <exception cref="NetlinkFormatException">The message is cut off.</exception>
    public static BlockRule? DecodeRule(ReadOnlySpan<byte> payload)
    {
        string? table = null, chain = null, device = null;
        ulong handle = 0;
        var isInput = false;
        var isOurs = false;
        var a = Attributes(payload);
        while (a.Next())
        {
            switch (a.Type)
            {
                case 1:
                    table = a.Text;
                    break;
                case 2:
                    chain = a.Text;
                    break;
                case 3:
                    handle = BinaryPrimitives.ReverseEndianness(a.UInt64);
                    break;
                case 4:
                    device = DecodeExpressions(a.Nest, out isInput);
                    break;
                case 7:
                    isOurs = a.Value.SequenceEqual(Comment());
                    break;
            }
        }

        return isOurs && table == BlockInterface.Table && device is not null && BlockInterface.Chains.Any(c => c.Chain == chain && c.IsInput == isInput) ? new(chain!, handle, device) : null;
    }

    /// <summary>Decodes NFT_MSG_NEWCHAIN: its name and how many rules it has; null for one of another table.</summary>
    public static (string Name, uint Rules)? DecodeChain(ReadOnlySpan<byte> payload)
    {
        string? table = null, name = null;
        uint rules = 0;
        var a = Attributes(payload);
        while (a.Next())
        {
            (table, name, rules) = a.Type switch
            {
                1 => (a.Text, name, rules),
                3 => (table, a.Text, rules),
                6 => (table, name, BinaryPrimitives.ReverseEndianness(a.UInt32)),
                _ => (table, name, rules),
            };
        }

        return table == BlockInterface.Table && name is not null ? (name, rules) : null;
    }

    /// <summary>A big-endian number of 32 bits: NFTA_TABLE_USE (type 3) or NFTA_GEN_ID (type 1).</summary>
    public static uint? DecodeNumber(ReadOnlySpan<byte> payload, ushort type)
    {
        uint? number = null;
        var a = Attributes(payload);
        while (a.Next())
        {
            number = a.Type == type ? BinaryPrimitives.ReverseEndianness(a.UInt32) : number;
        }

        return number;
    }

    private static NetlinkAttributes Attributes(ReadOnlySpan<byte> payload) =>
        payload.Length >= 4 ? new(payload[4..]) : throw new NetlinkFormatException("a message of nf_tables needs 4 bytes");

    // The interface of [meta iifname/oifname] [cmp eq] [drop]; null for anything else.
    private static string? DecodeExpressions(NetlinkAttributes list, out bool isInput)
    {
        string? device = null;
        var (key, place, drops) = (0u, 0, false);
        while (list.Next())
        {
            var name = "";
            var expression = list.Nest;
            while (expression.Next())
            {
                if (expression.Type == 1)
                {
                    name = expression.Text;
                    continue;
                }

                var data = expression.Nest;
                while (expression.Type == 2 && data.Next())
                {
                    if (place == 0 && name == "meta" && data.Type == 2)
                    {
                        key = BinaryPrimitives.ReverseEndianness(data.UInt32);
                    }
                    else if (place == 1 && name == "cmp" && data.Type == 3)
                    {
                        var value = data.Nest;
                        device = value.Next() && value.Value.Length == NameBytes ? value.Text : null;
                    }
                    else if (place == 1 && name == "cmp" && data.Type == 2 && data.UInt32 != 0)
                    {
                        key = 0; // not "equal"
                    }
                    else if (place == 2 && name == "immediate" && data.Type == 2)
                    {
                        drops = IsDrop(data.Nest);
                    }
                }
            }

            place++;
        }

        isInput = key == MetaInputName;
        return place == 3 && drops && key is MetaInputName or MetaOutputName ? device : null;
    }

    private static bool IsDrop(NetlinkAttributes value)
    {
        while (value.Next())
        {
            var verdict = value.Nest;
            while (value.Type == 2 && verdict.Next())
            {
                if (verdict.Type == 1)
                {
                    return verdict.UInt32 == 0;
                }
            }
        }

        return false;
    }

    // libnftnl's userdata: type 0 is the comment, then its length with the final zero, then the text.
    private static byte[] Comment() => [0, (byte)(BlockInterface.Comment.Length + 1), .. Encoding.ASCII.GetBytes(BlockInterface.Comment), 0];

    private static uint Big(uint value) => BinaryPrimitives.ReverseEndianness(value);
}
