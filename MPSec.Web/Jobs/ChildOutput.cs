using MPSec.Linux.Processes;

namespace MPSec.Jobs;

/// <summary>
/// Carries what a program printed into its own file over to the log of the run: every line once, also when the carrier was killed in the middle and another one
/// goes on. What the killed one had carried over is told by the log itself: it holds as many lines of the program.
/// </summary>
internal sealed class ChildOutput : IDisposable
{
    private const int KeptBytes = 1 << 20;

    private readonly ChildFiles _files;
    private readonly JobLogWriter _log;
    private readonly AppendedFile _output;
    private readonly byte[] _buffer = new byte[64 * 1024];
    private long _offset;
    private long _forgotten;

    public ChildOutput(ChildFiles files, ChildPlan plan, JobLogWriter log)
    {
        (_files, _log, _output) = (files, log, new AppendedFile(files.Output));
        var position = files.ReadPosition() ?? new(0, plan.LogOffset);
        _offset = _forgotten = position.Output;
        log.Skip = Carried(plan.Log, position.Log);
    }

    /// <summary>Carries over what is new.</summary>
    public void Carry()
    {
        while (_output.Read(_buffer, _offset) is var length and > 0)
        {
            _log.Take(_buffer.AsSpan(0, length));
            _offset += length;
        }

        if (_offset - _forgotten > KeptBytes && _log.LineBegin(_offset) is { } begin)
        {
            _files.Write(new ChildPosition(begin, _log.Length));
            _output.Forget(begin);
            _forgotten = begin;
        }
    }

    public void Dispose() => _output.Dispose();

    private static int Carried(string log, long from)
    {
        var lines = 0;
        long before;
        do
        {
            before = from;
            from = JobLogReader.Read(log, before, (line, _) => lines += JobLogReader.OfProgram(line).IsEmpty ? 0 : 1);
        }
        while (from > before);
        return lines;
    }
}
