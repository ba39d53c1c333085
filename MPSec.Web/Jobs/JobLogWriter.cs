using System.Buffers;
using System.Globalization;
using System.Text;
using MPSec.Linux.Processes;

namespace MPSec.Jobs;

/// <summary>
/// Appends to the log of a run. A line is <c>2026-01-31T12:00:00.000Z # text</c> for what MPSec did and <c>… | text</c> for what a program printed, written
/// whole by one call, so the server and the supervisor of a program may write at once. Output of programs is hostile: control characters, terminal
/// sequences and direction overrides are left out.
/// </summary>
public sealed class JobLogWriter(string path, TimeProvider time) : IDisposable
{
    /// <summary>Programs may fill the log up to here, in bytes; MPSec's own lines still fit above it.</summary>
    public const long MostBytes = 32L << 20;

    /// <summary>A longer line comes in pieces, in bytes.</summary>
    public const int LongestLine = 4096;

    /// <summary>Length of the time stamp.</summary>
    public const int StampLength = 24;

    private readonly AppendedFile _file = new(path);
    private readonly ArrayBufferWriter<byte> _line = new(256);
    private readonly Lock _gate = new();
    private bool _full;
    private bool _afterReturn;

    /// <summary>So many lines of a program are left out: they are in the log already.</summary>
    internal int Skip { get; set; }

    /// <summary>Length of the log in bytes, whoever wrote to it.</summary>
    internal long Length => _file.Length;

    /// <summary>Where the unfinished line begins in output that was taken up to <paramref name="taken"/>; null between the two halves of a line's end.</summary>
    internal long? LineBegin(long taken)
    {
        lock (_gate)
        {
            return _afterReturn ? null : taken - _line.WrittenCount;
        }
    }

    /// <summary>Notes what MPSec did.</summary>
    public void Note(string text)
    {
        lock (_gate)
        {
            Append('#', text);
        }
    }

    /// <summary>Takes output of a program as it comes; whole lines go to the file, the rest waits for its end.</summary>
    public void Take(ReadOnlySpan<byte> output)
    {
        lock (_gate)
        {
            foreach (var b in output)
            {
                // Programs that draw a bar end its states by a carriage return: each is a line of its own.
                if (b is (byte)'\n' or (byte)'\r')
                {
                    if (b == '\r' || !_afterReturn || _line.WrittenCount > 0)
                    {
                        EndLine();
                    }

                    _afterReturn = b == '\r';
                    continue;
                }

                _afterReturn = false;
                _line.Write([b]);
                if (_line.WrittenCount == LongestLine)
                {
                    EndLine();
                }
            }
        }
    }

    /// <summary>Writes an unfinished last line of a program.</summary>
    public void Complete()
    {
        lock (_gate)
        {
            if (_line.WrittenCount > 0)
            {
                EndLine();
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private void EndLine()
    {
        if (Skip > 0)
        {
            Skip--;
        }
        else if (!_full && _file.Length < MostBytes)
        {
            Append('|', Encoding.UTF8.GetString(_line.WrittenSpan));
        }
        else if (!_full)
        {
            _full = true;
            Append('#', string.Create(CultureInfo.InvariantCulture, $"the log holds {MostBytes >> 20} MiB: what the program prints from here on is not kept"));
        }

        _line.ResetWrittenCount();
    }

    private void Append(char mark, string text)
    {
        var stamp = time.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        try
        {
            _file.Append(Encoding.UTF8.GetBytes($"{stamp} {mark} {Clean(text)}\n"));
        }
        catch (IOException)
        {
            // A full disk must not end the work that the log is about.
        }
    }

    internal static string Clean(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\0', '\u001f') && !text.Any(Unwanted))
        {
            return text;
        }

        var clean = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\u001b' && i + 1 < text.Length && text[i + 1] == '[')
            {
                // CSI of ECMA-48: parameters and intermediates up to one final byte 0x40 to 0x7e.
                for (i += 2; i < text.Length && text[i] is < '@' or > '~'; i++)
                {
                }
            }
            else if (text[i] == '\t')
            {
                clean.Append("    ");
            }
            else if (!Unwanted(text[i]))
            {
                clean.Append(text[i]);
            }
        }

        return clean.ToString();
    }

    private static bool Unwanted(char c) => char.IsControl(c) || c is (>= '\u202a' and <= '\u202e') or (>= '\u2066' and <= '\u2069') or '\u2028' or '\u2029';
}
