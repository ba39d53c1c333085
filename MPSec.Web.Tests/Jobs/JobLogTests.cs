using System.Text;
using MPSec.Features;
using MPSec.Jobs;
using MPSec.Linux.Processes;

namespace MPSec.Tests.Jobs;

public sealed class JobLogTests : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), "mpsec-log-" + Guid.NewGuid().ToString("N"));

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void Take_OutputInAnyPieces_GivesTheSameLines()
    {
        var output = "one\r\ntwo\n\n10 %\r20 %\r\u001b[31mred\u001b[0m\u202eevil\u0007\u0000\ttab\nlast"u8.ToArray();
        for (var piece = 1; piece <= output.Length; piece++)
        {
            File.Delete(_path);
            using (var log = new JobLogWriter(_path, TimeProvider.System))
            {
                for (var at = 0; at < output.Length; at += piece)
                {
                    log.Take(output.AsSpan(at, Math.Min(piece, output.Length - at)));
                }

                log.Complete();
            }

            Assert.Equal(["one", "two", "", "10 %", "20 %", "redevil    tab", "last"], Texts('|'));
        }
    }

    [Fact]
    public void Take_LineWithoutEnd_ComesInPieces()
    {
        using (var log = new JobLogWriter(_path, TimeProvider.System))
        {
            log.Take(Encoding.UTF8.GetBytes(new string('x', (JobLogWriter.LongestLine * 2) + 5)));
            log.Complete();
        }

        Assert.Equal([JobLogWriter.LongestLine, JobLogWriter.LongestLine, 5], Texts('|').Select(text => text.Length));
    }

    [Fact]
    public void Take_BeyondTheLimit_SaysSoOnceAndKeepsOwnNotes()
    {
        using (var file = File.Create(_path))
        {
            file.SetLength(JobLogWriter.MostBytes - 10);
        }

        using var log = new JobLogWriter(_path, TimeProvider.System);
        log.Take("fits\nnot\nneither\n"u8);
        log.Note("the end");
        var end = Encoding.UTF8.GetString(File.ReadAllBytes(_path).AsSpan((int)JobLogWriter.MostBytes - 10));
        Assert.Equal(3, end.Count(c => c == '\n'));
        Assert.Contains("| fits\n", end, StringComparison.Ordinal);
        Assert.Contains("is not kept\n", end, StringComparison.Ordinal);
        Assert.EndsWith("# the end\n", end, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Append_ManyWritersAtOnce_EveryLineWhole()
    {
        await Task.WhenAll(Enumerable.Range(0, 8).Select(writer => Task.Run(() =>
        {
            using var log = new JobLogWriter(_path, TimeProvider.System);
            for (var line = 0; line < 250; line++)
            {
                log.Note($"{writer}-{line}");
            }
        })));
        Assert.Equal(
            Enumerable.Range(0, 8).SelectMany(writer => Enumerable.Range(0, 250).Select(line => $"{writer}-{line}")).Order(),
            Texts('#').Order());
    }

    [Fact]
    public void Index_WhileGrowing_FindsEveryLineByNumber()
    {
        var index = new JobLogIndex(_path);
        Assert.False(index.Refresh());
        using var file = new AppendedFile(_path);
        for (var line = 0; line < 1000; line++)
        {
            file.Append(Encoding.UTF8.GetBytes($"2026-01-31T12:00:00.000Z {(line % 2 == 0 ? '#' : '|')} number {line}\n"));
            if (line % 37 == 0)
            {
                Assert.True(index.Refresh());
            }
        }

        file.Append("2026-01-31T12:00:00.000Z | not yet a li"u8);
        index.Refresh();
        Assert.Equal(1000, index.Count);
        foreach (var start in (int[])[0, 1, 63, 64, 65, 500, 990, 999])
        {
            var lines = index.Read(start, 20);
            Assert.Equal(Math.Min(20, 1000 - start), lines.Count);
            Assert.Equal(new(start + 1, "12:00:00", start % 2 == 0, $"number {start}"), lines[0]);
        }

        Assert.Empty(index.Read(1000, 5));
        Assert.Equal([77, 177, 277, 377, 477, 577, 677, 770, 771, 772, 773, 774, 775, 776, 777, 778, 779, 877, 977], index.Find("77", TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("1 (a) b) S 1 7 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 1", 12345UL, 9)]
    [InlineData("1 (x) Z", null, 0)]
    [InlineData("", null, 0)]
    public void Parse_ProcessStat_CountsFromTheLastParenthesis(string text, ulong? start, int session)
    {
        var stat = ProcessStat.Parse(text);
        Assert.Equal(start, stat?.StartTicks);
        Assert.Equal(session, stat?.Session ?? 0);
    }

    [Fact]
    public void Launch_UnderSystemdOrNot_IsAnArgumentList()
    {
        var plain = DetachedProgram.Launch("mpsec-run-1-a-b", "/opt/mpsec", ["run-child", "--evil; rm"], systemd: false);
        Assert.Equal(("setsid", "--fork -- /opt/mpsec run-child --evil; rm"), (plain.Program, string.Join(' ', plain.Arguments)));
        var unit = DetachedProgram.Launch("mpsec-run-1-a-b", "/opt/mpsec", ["run-child", "x"], systemd: true);
        Assert.Equal(("systemd-run", "--quiet --collect --no-ask-password --unit=mpsec-run-1-a-b -- /opt/mpsec run-child x"), (unit.Program, string.Join(' ', unit.Arguments)));
    }

    private IEnumerable<string> Texts(char mark) =>
        File.ReadAllText(_path).Split('\n').Where(line => line.Length > 0 && line[JobLogWriter.StampLength + 1] == mark).Select(line => line[(JobLogWriter.StampLength + 3)..]);
}
