using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MPSec.Tests.Features.Kernel;

/// <summary>A server of files on this machine that does to a download what a bad line, a bad mirror or an attacker does: every byte of the answer is the test's.</summary>
internal sealed class FakeFileServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();

    public FakeFileServer(Func<FakeRequest, NetworkStream, Task> answer)
    {
        _listener.Start();
        _ = Task.Run(async () =>
        {
            while (!_end.IsCancellationRequested)
            {
                var client = await _listener.AcceptTcpClientAsync(_end.Token);
                _ = Task.Run(() => ServeAsync(client, answer));
            }
        });
    }

    public ConcurrentQueue<FakeRequest> Asked { get; } = [];

    public Uri Address(string path) => new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/{path}"));

    /// <summary>The whole file, or the rest of it when the request asks for that and its condition holds.</summary>
    public static async Task SendAsync(FakeRequest request, NetworkStream to, byte[] content, string? tag, int? cutAfter = null, bool ranges = true)
    {
        var from = ranges && request.From is { } wanted && request.IfRange == tag ? wanted : 0;
        var head = from > 0
            ? $"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{content.Length - 1}/{content.Length}\r\n"
            : "HTTP/1.1 200 OK\r\n";
        await HeadAsync(to, string.Create(CultureInfo.InvariantCulture, $"{head}Content-Length: {content.Length - from}\r\n{(tag is null ? "" : $"ETag: {tag}\r\n")}"));
        await to.WriteAsync(content.AsMemory(from, Math.Min(content.Length - from, cutAfter ?? int.MaxValue)));
    }

    public static async Task HeadAsync(NetworkStream to, string head) => await to.WriteAsync(Encoding.ASCII.GetBytes(head + "Connection: close\r\n\r\n"));

    public void Dispose()
    {
        _end.Cancel();
        _listener.Dispose();
        _end.Dispose();
    }

    private async Task ServeAsync(TcpClient client, Func<FakeRequest, NetworkStream, Task> answer)
    {
        using (client)
        {
            try
            {
                var stream = client.GetStream();
                var head = new StringBuilder();
                var one = new byte[1];
                while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await stream.ReadAsync(one) == 1)
                {
                    head.Append((char)one[0]);
                }

                var request = new FakeRequest(head.ToString());
                Asked.Enqueue(request);
                await answer(request, stream);
            }
            catch (IOException)
            {
                // The other side went away: some tests want that.
            }
        }
    }
}

/// <summary>What a client asked for.</summary>
internal sealed record FakeRequest(string Head)
{
    public string Path => Head.Split(' ')[1];

    public int? From => Field("Range") is { } range ? int.Parse(range["bytes=".Length..].TrimEnd('-'), CultureInfo.InvariantCulture) : null;

    public string? IfRange => Field("If-Range");

    private string? Field(string name) => Head.Split("\r\n").FirstOrDefault(l => l.StartsWith(name + ": ", StringComparison.OrdinalIgnoreCase))?[(name.Length + 2)..];
}
