using System.Text;
using MPSec.Jobs;

namespace MPSec.Features;

/// <summary>One line of a log as it is shown.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Time">Time of day in UTC: 12:03:10.</param>
/// <param name="IsNote">Written by MPSec, not by a program.</param>
/// <param name="Text">The line.</param>
public sealed record JobLogLine(int Number, string Time, bool IsNote, string Text);

/// <summary>
/// Finds lines of a log by number without keeping the log in memory: the offset of each 64th line is remembered, the rest is read when it is looked at.
/// </summary>
public sealed class JobLogIndex(string path)
{
    private const int Stride = 64;
    private const int TimeStart = 11;
    private const int TimeLength = 8;

    /// <summary>At most so many lines are found by a search.</summary>
    public const int MostFound = 5000;

    private readonly List<long> _offsets = [];
    private long _end;

    /// <summary>Whole lines known so far.</summary>
    public int Count { get; private set; }

    /// <summary>Takes in what was written since the last time; true when there was anything.</summary>
    public bool Refresh()
    {
        var before = Count;
        long from;
        do
        {
            from = _end;
            _end = JobLogReader.Read(path, from, (_, offset) =>
            {
                if (Count++ % Stride == 0)
                {
                    _offsets.Add(offset);
                }
            });
        }
        while (_end > from);
        return Count > before;
    }

    /// <summary>Lines from <paramref name="start"/> (from 0) on.</summary>
    public IReadOnlyList<JobLogLine> Read(int start, int count)
    {
        count = Math.Min(count, Count - start);
        var lines = new List<JobLogLine>(Math.Max(count, 0));
        if (count <= 0)
        {
            return lines;
        }

        var number = start / Stride * Stride;
        var offset = _offsets[start / Stride];
        while (lines.Count < count)
        {
            var next = JobLogReader.Read(path, offset, (bytes, _) =>
            {
                if (number++ >= start && lines.Count < count)
                {
                    lines.Add(Decode(number, bytes));
                }
            });
            if (next == offset)
            {
                break;
            }

            offset = next;
        }

        return lines;
    }

    /// <summary>Numbers (from 0) of the lines that hold <paramref name="text"/>, upper and lower case alike; at most <see cref="MostFound"/>.</summary>
    public IReadOnlyList<int> Find(string text, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(text);
        var found = new List<int>();
        var number = 0;
        long offset = 0;
        long from;
        do
        {
            cancellationToken.ThrowIfCancellationRequested();
            from = offset;
            offset = JobLogReader.Read(path, from, (bytes, _) =>
            {
                if (number < Count && found.Count < MostFound && Encoding.UTF8.GetString(bytes).Contains(text, StringComparison.OrdinalIgnoreCase))
                {
                    found.Add(number);
                }

                number++;
            });
        }
        while (offset > from && number < Count && found.Count < MostFound);
        return found;
    }

    private static JobLogLine Decode(int number, ReadOnlySpan<byte> bytes)
    {
        var text = Encoding.UTF8.GetString(bytes);
        return text.Length >= JobLogWriter.StampLength + 3
            ? new(number, text.Substring(TimeStart, TimeLength), text[JobLogWriter.StampLength + 1] == '#', text[(JobLogWriter.StampLength + 3)..])
            : new(number, "", true, text);
    }
}
