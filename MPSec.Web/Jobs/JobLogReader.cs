using System.Buffers;

namespace MPSec.Jobs;

/// <summary>Reads the log of a run on from an offset, whole lines only: what is being written is left for the next time, so no line is lost or doubled.</summary>
public static class JobLogReader
{
    private const int Chunk = 256 * 1024;

    /// <summary>A line that a program printed, from its mark (<c>| </c>) on; empty when MPSec wrote it.</summary>
    public static ReadOnlySpan<byte> OfProgram(ReadOnlySpan<byte> line) =>
        line.Length >= JobLogWriter.StampLength + 3 && line[JobLogWriter.StampLength + 1] == '|' ? line[(JobLogWriter.StampLength + 1)..] : [];

    /// <summary>Reads from <paramref name="offset"/> on, at most about 256 KiB.</summary>
    /// <param name="path">The log; an absent one is empty.</param>
    /// <param name="offset">Where a line begins, in bytes.</param>
    /// <param name="line">Gets each line without its end, and the offset where it begins.</param>
    /// <returns>The offset to go on from; the same one when there is nothing new.</returns>
    public static long Read(string path, long offset, Action<ReadOnlySpan<byte>, long> line)
    {
        ArgumentNullException.ThrowIfNull(line);
        if (!File.Exists(path))
        {
            return offset;
        }

        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var buffer = ArrayPool<byte>.Shared.Rent(Chunk); // it is asked several times a second for as long as a program runs
        try
        {
            var rest = buffer.AsSpan(0, RandomAccess.Read(file, buffer.AsSpan(0, Chunk), offset));
            int end;
            while ((end = rest.IndexOf((byte)'\n')) >= 0)
            {
                line(rest[..end], offset);
                offset += end + 1;
                rest = rest[(end + 1)..];
            }

            return offset;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
