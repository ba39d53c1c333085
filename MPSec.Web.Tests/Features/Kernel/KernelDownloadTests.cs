using MPSec.Features.Kernel;

namespace MPSec.Tests.Features.Kernel;

/// <summary>Downloads from a server that behaves badly: in the end the file is the server's, byte for byte, or there is none.</summary>
public sealed class KernelDownloadTests : IDisposable
{
    private const string Tag = "\"one\"";

    private static readonly byte[] s_content = [.. Enumerable.Range(0, 300_000).Select(i => (byte)(i * 7 / 3))];
    private static readonly byte[] s_other = [.. s_content.Reverse()];

    private readonly string _root = Directory.CreateTempSubdirectory("mpd-").FullName;
    private readonly List<string> _log = [];

    private string File => Path.Combine(_root, "file");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task Run_ConnectionCutThreeTimes_GoesOnEachTimeWhereItWas()
    {
        using var server = new FakeFileServer((r, to) => FakeFileServer.SendAsync(r, to, s_content, Tag, cutAfter: 100_001));
        await FetchAsync(server);
        AssertIs(s_content);
        Assert.Equal([null, 100_001, 200_002], server.Asked.Select(r => r.From));
        Assert.All(_log, l => Assert.Contains("trying again", l, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Run_ServerIgnoresRanges_BeginsAnew()
    {
        var calls = 0;
        using var server = new FakeFileServer((r, to) => FakeFileServer.SendAsync(r, to, s_content, Tag, cutAfter: Interlocked.Increment(ref calls) == 1 ? 5000 : null, ranges: false));
        await FetchAsync(server);
        AssertIs(s_content);
    }

    [Fact]
    public async Task Run_FileChangedMeanwhile_BeginsAnewAndMixesNothing()
    {
        var calls = 0;
        using var server = new FakeFileServer((r, to) => Interlocked.Increment(ref calls) == 1
            ? FakeFileServer.SendAsync(r, to, s_content, Tag, cutAfter: 5000)
            : FakeFileServer.SendAsync(r, to, s_other, "\"two\""));
        await FetchAsync(server);
        AssertIs(s_other);
        Assert.Equal(Tag, server.Asked.Last().IfRange);
    }

    [Fact]
    public async Task Run_NewProcess_GoesOnWithThePartialFile()
    {
        using (var cut = new FakeFileServer((r, to) => FakeFileServer.SendAsync(r, to, s_content, Tag, cutAfter: 0)))
        {
            await Assert.ThrowsAsync<IOException>(() => FetchAsync(cut));
        }

        var asks = 0;
        using var server = new FakeFileServer(async (r, to) =>
        {
            var first = Interlocked.Increment(ref asks) == 1;
            await FakeFileServer.SendAsync(r, to, s_content, Tag, cutAfter: first ? 123_456 : null);
            if (first)
            {
                await Task.Delay(Timeout.Infinite, Token); // until the client is gone
            }
        });
        using var killed = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var run = FetchAsync(server, cancellationToken: killed.Token);
        while (!System.IO.File.Exists(File + ".part") || new FileInfo(File + ".part").Length < 123_456)
        {
            Assert.False(run.IsCompleted);
            await Task.Delay(5, Token);
        }

        await killed.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        await FetchAsync(server);
        AssertIs(s_content);
        Assert.Equal(123_456, server.Asked.Last().From);

        System.IO.File.Move(File, File + ".part"); // killed between the last byte and the last name
        await System.IO.File.WriteAllTextAsync(File + ".state", $$"""{"ETag":"\"one\"","LastModified":null,"Total":{{s_content.Length}}}""", Token);
        var asked = server.Asked.Count;
        await FetchAsync(server);
        AssertIs(s_content);
        Assert.Equal(asked, server.Asked.Count);
    }

    [Fact]
    public async Task Run_Stalled_TriesAgainAndGivesUpWithASentence()
    {
        using var server = new FakeFileServer(async (r, to) =>
        {
            await FakeFileServer.SendAsync(r, to, s_content, Tag, cutAfter: 10);
            await Task.Delay(Timeout.Infinite, Token);
        });
        var e = await Assert.ThrowsAsync<IOException>(() => FetchAsync(server, stall: TimeSpan.FromMilliseconds(100)));
        Assert.Contains("nothing came for", e.Message, StringComparison.Ordinal);
        Assert.Equal(6, server.Asked.Count);
        Assert.False(System.IO.File.Exists(File));
    }

    [Fact]
    public async Task Run_LengthIsWrong_IsNeverTakenForWhole()
    {
        using var server = new FakeFileServer(async (_, to) =>
        {
            await FakeFileServer.HeadAsync(to, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n");
            await to.WriteAsync(s_content.AsMemory(0, 4999));
        });
        await Assert.ThrowsAsync<IOException>(() => FetchAsync(server));
        Assert.False(System.IO.File.Exists(File));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Run_TooLarge_IsRefused(bool tellsLength)
    {
        using var server = new FakeFileServer(async (_, to) =>
        {
            await FakeFileServer.HeadAsync(to, "HTTP/1.1 200 OK\r\n" + (tellsLength ? "Content-Length: 99999999\r\n" : ""));
            for (var sent = 0; sent < 50; sent++)
            {
                await to.WriteAsync(s_content);
            }
        });
        var e = await Assert.ThrowsAsync<KernelSourceRefusedException>(() => FetchAsync(server));
        Assert.Equal(KernelSourceVerdict.TooLarge, e.Verdict);
        Assert.False(System.IO.File.Exists(File));
        Assert.True(!System.IO.File.Exists(File + ".part") || new FileInfo(File + ".part").Length <= Largest);
    }

    [Theory]
    [InlineData("HTTP/1.1 404 Not Found\r\n", typeof(NothingThereException), "there is nothing at", 1)]
    [InlineData("HTTP/1.1 403 Forbidden\r\n", typeof(IOException), "answers 403", 1)]
    [InlineData("HTTP/1.1 503 Busy\r\n", typeof(IOException), "answers 503", 6)]
    [InlineData("HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/x\r\n", typeof(IOException), "not https", 1)]
    [InlineData("HTTP/1.1 302 Found\r\nLocation: http://example.org/x\r\n", typeof(IOException), "not https", 1)]
    [InlineData("HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n", typeof(IOException), "not https", 1)]
    [InlineData("HTTP/1.1 302 Found\r\nLocation: /again\r\n", typeof(IOException), "more than 5 times", 6)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n", typeof(IOException), "packs the file once more", 1)]
    public async Task Run_ServerSaysNo_TellsWhy(string head, Type exception, string words, int asked)
    {
        using var server = new FakeFileServer((_, to) => FakeFileServer.HeadAsync(to, head + "Content-Length: 0\r\n"));
        var e = await Assert.ThrowsAsync(exception, () => FetchAsync(server));
        Assert.Contains(words, e.Message, StringComparison.Ordinal);
        Assert.Equal(asked, server.Asked.Count);
        Assert.False(System.IO.File.Exists(File));
    }

    private const long Largest = 1 << 20;

    private async Task FetchAsync(FakeFileServer server, TimeSpan? stall = null, CancellationToken? cancellationToken = null)
    {
        using var download = new KernelDownload(TimeProvider.System, loopback: true) { Pause = TimeSpan.FromMilliseconds(1), Stall = stall ?? TimeSpan.FromSeconds(60) };
        await download.RunAsync(server.Address("file"), File, Largest, _log.Add, (_, _) => { }, cancellationToken ?? Token);
    }

    private void AssertIs(byte[] content)
    {
        Assert.True(content.AsSpan().SequenceEqual(System.IO.File.ReadAllBytes(File)));
        Assert.Equal([File], Directory.GetFiles(_root));
    }
}
