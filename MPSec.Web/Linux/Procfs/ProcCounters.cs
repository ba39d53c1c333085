// /proc/net/netstat and snmp: net/ipv4/proc.c, net/mptcp/mib.c; /proc/net/snmp6: net/ipv6/proc.c. Names and positions differ between kernels.
using System.Collections.Frozen;
using System.Text;
using MPSec.Linux.Gateways;

namespace MPSec.Linux.Procfs;

/// <summary>
/// Reads the counters of the network stack by name. The names of the last reading are kept: while the kernel prints the same ones, only the numbers
/// are parsed. Not thread-safe.
/// </summary>
public sealed class ProcCounters : IDisposable
{
    private readonly ProcFile _netstat;
    private readonly ProcFile _snmp;
    private readonly ProcFile? _snmp6;
    private byte[] _buffer = new byte[32 * 1024];
    private HeadLayout _layout = new([], [], FrozenDictionary<string, int>.Empty);

    /// <summary>Opens the files below <paramref name="folder"/>, for example <c>/proc/thread-self/net</c>; <c>snmp6</c> may be absent.</summary>
    /// <exception cref="IOException">A file is missing.</exception>
    public ProcCounters(string folder)
    {
        _netstat = ProcFile.Open(Path.Combine(folder, "netstat"));
        _snmp = ProcFile.Open(Path.Combine(folder, "snmp"));
        _snmp6 = ProcFile.TryOpen(Path.Combine(folder, "snmp6"));
    }

    /// <summary>Reads all counters.</summary>
    /// <exception cref="FormatException">A file does not look as the kernel writes it.</exception>
    /// <exception cref="IOException">The kernel refused.</exception>
    public CounterSet Read()
    {
        var tables = _netstat.Read(ref _buffer);
        tables += _snmp.Read(ref _buffer, tables);
        var list = _snmp6?.Read(ref _buffer, tables) ?? 0;
        return Parse(_buffer.AsSpan(0, tables), _buffer.AsSpan(tables, list));
    }

    /// <summary>Parses counters.</summary>
    /// <param name="tables">Pairs of lines: <c>Group: NAME …</c> and <c>Group: VALUE …</c>.</param>
    /// <param name="list">Lines of <c>NAME VALUE</c>.</param>
    /// <exception cref="FormatException">A name without a value, a value that is no number, a line without its pair.</exception>
    public CounterSet Parse(ReadOnlySpan<byte> tables, ReadOnlySpan<byte> list)
    {
        if (TryRead(_layout, tables, list) is { } values)
        {
            return new(_layout.Names, _layout.Index, values);
        }

        _layout = Learn(tables, list);
        return TryRead(_layout, tables, list) is { } first
            ? new(_layout.Names, _layout.Index, first)
            : throw new FormatException("the counters of /proc/net have a name twice or no stable order");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _netstat.Dispose();
        _snmp.Dispose();
        _snmp6?.Dispose();
    }

    // Null when the names are not those of the layout.
    private static long[]? TryRead(HeadLayout layout, ReadOnlySpan<byte> tables, ReadOnlySpan<byte> list)
    {
        var values = new long[layout.Names.Length];
        var heads = layout.Heads.AsSpan();
        var next = 0;
        while (Line(ref tables, out var head))
        {
            if (!Line(ref tables, out var line) || !heads.StartsWith(head))
            {
                return null;
            }

            heads = heads[head.Length..];
            line = line[(line.IndexOf((byte)':') + 1)..];
            while (Word(ref line, out var word))
            {
                if (next == values.Length)
                {
                    return null;
                }

                values[next++] = Number(word);
            }
        }

        while (Line(ref list, out var line))
        {
            Word(ref line, out var name);
            if (!heads.StartsWith(name) || !Word(ref line, out var word) || next == values.Length)
            {
                return null;
            }

            heads = heads[name.Length..];
            values[next++] = Number(word);
        }

        return heads.IsEmpty && next == values.Length ? values : null;
    }

    private static HeadLayout Learn(ReadOnlySpan<byte> tables, ReadOnlySpan<byte> list)
    {
        var names = new List<string>();
        var known = new HashSet<string>(StringComparer.Ordinal);
        using var heads = new MemoryStream();
        while (Line(ref tables, out var head))
        {
            var colon = head.IndexOf((byte)':');
            if (colon <= 0 || !Line(ref tables, out var line) || !line.StartsWith(head[..(colon + 1)]))
            {
                throw new FormatException("a line of names in /proc/net/netstat or snmp has no line of values");
            }

            heads.Write(head);
            var group = Encoding.UTF8.GetString(head[..colon]);
            var rest = head[(colon + 1)..];
            var before = names.Count;
            while (Word(ref rest, out var name))
            {
                Add(group + Encoding.UTF8.GetString(name));
            }

            line = line[(colon + 1)..];
            var count = 0;
            while (Word(ref line, out _))
            {
                count++;
            }

            if (count != names.Count - before)
            {
                throw new FormatException($"/proc/net: the group {Printable(group)} has {names.Count - before} names and {count} values");
            }
        }

        while (Line(ref list, out var line))
        {
            if (!Word(ref line, out var name) || line.IsEmpty)
            {
                throw new FormatException("a line of /proc/net/snmp6 is no name with a value");
            }

            heads.Write(name);
            Add(Encoding.UTF8.GetString(name));
        }

        var all = names.ToArray();
        return new(heads.ToArray(), all, CounterSet.IndexOf(all));

        void Add(string name)
        {
            if (!known.Add(name))
            {
                throw new FormatException($"/proc/net: the counter {Printable(name)} is there twice");
            }

            names.Add(name);
        }
    }

    private static string Printable(string text) => text.Length > 60 ? text[..60] : text;

    private static bool Line(ref ReadOnlySpan<byte> text, out ReadOnlySpan<byte> line)
    {
        var end = text.IndexOf((byte)'\n');
        line = end < 0 ? text : text[..end];
        var any = !text.IsEmpty;
        text = end < 0 ? default : text[(end + 1)..];
        return any;
    }

    private static bool Word(ref ReadOnlySpan<byte> line, out ReadOnlySpan<byte> word)
    {
        var start = line.IndexOfAnyExcept((byte)' ', (byte)'\t');
        if (start < 0)
        {
            word = line = default;
            return false;
        }

        line = line[start..];
        var end = line.IndexOfAny((byte)' ', (byte)'\t');
        word = end < 0 ? line : line[..end];
        line = end < 0 ? default : line[end..];
        return true;
    }

    // Counters are unsigned in the kernel and wrap; a few (TcpMaxConn) are signed. Both keep their bits in a long.
    private static long Number(ReadOnlySpan<byte> word)
    {
        var negative = word[0] == '-';
        var digits = negative ? word[1..] : word;
        if (digits.IsEmpty || digits.Length > 20)
        {
            throw new FormatException("/proc/net: a counter is no number");
        }

        var value = 0UL;
        foreach (var c in digits)
        {
            if ((uint)(c - '0') > 9)
            {
                throw new FormatException("/proc/net: a counter is no number");
            }

            value = unchecked((value * 10) + (uint)(c - '0'));
        }

        return unchecked(negative ? -(long)value : (long)value);
    }

    private sealed record HeadLayout(byte[] Heads, string[] Names, FrozenDictionary<string, int> Index);
}
