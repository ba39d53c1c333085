using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using MPSec.Linux.Processes;

namespace MPSec.Hosting.Bench;

/// <summary>A page in a headless Chromium of the bench, driven by its own debugging protocol (chromedevtools.github.io/devtools-protocol).</summary>
internal sealed class BenchBrowser : IAsyncDisposable
{
    private const string Listening = "DevTools listening on ";
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly string[] s_programs = ["chromium", "chromium-browser", "google-chrome"];

    private readonly string _folder = Directory.CreateTempSubdirectory("mpsec-bench-browser-").FullName;
    private readonly CancellationTokenSource _stop = new();
    private readonly ClientWebSocket _socket = new();
    private readonly ConcurrentDictionary<int, TaskCompletionSource<JsonObject>> _asked = new();
    private readonly SemaphoreSlim _sending = new(1, 1);
    private Task<CommandResult> _run = Task.FromCanceled<CommandResult>(new(true));
    private Task _reading = Task.CompletedTask;
    private string? _session;
    private int _last;

    private BenchBrowser()
    {
    }

    /// <summary>Starts it with an empty page.</summary>
    /// <returns>Null when no Chromium is installed.</returns>
    /// <exception cref="IOException">It did not start.</exception>
    public static async Task<BenchBrowser?> StartAsync(ICommandRunner runner, CancellationToken cancellationToken)
    {
        if (s_programs.Select(runner.Find).FirstOrDefault(p => p is not null) is not { } program)
        {
            return null;
        }

        var browser = new BenchBrowser();
        try
        {
            await browser.RunAsync(runner, program, cancellationToken);
            return browser;
        }
        catch
        {
            await browser.DisposeAsync();
            throw;
        }
    }

    /// <summary>Goes to a page with these cookies and waits until <paramref name="ready"/> is true there.</summary>
    /// <exception cref="IOException">It did not become so.</exception>
    public async Task GoAsync(Uri page, IEnumerable<Cookie> cookies, string ready, CancellationToken cancellationToken)
    {
        foreach (var cookie in cookies)
        {
            await CallAsync("Network.setCookie", new() { ["name"] = cookie.Name, ["value"] = cookie.Value, ["url"] = page.GetLeftPart(UriPartial.Authority), ["httpOnly"] = true }, cancellationToken);
        }

        await CallAsync("Page.navigate", new() { ["url"] = page.AbsoluteUri }, cancellationToken);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_patience);
        try
        {
            while (await AskAsync($"document.readyState === 'complete' && ({ready})", limit.Token) is not JsonValue value || value.GetValueKind() != JsonValueKind.True)
            {
                await Task.Delay(100, limit.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new IOException($"the page {page.AbsolutePath} did not become ready within {s_patience.TotalSeconds:0} s");
        }
    }

    /// <summary>Value of an expression on the page; a promise is waited for.</summary>
    /// <exception cref="IOException">It threw.</exception>
    public async Task<JsonNode?> AskAsync(string expression, CancellationToken cancellationToken)
    {
        var answer = await CallAsync("Runtime.evaluate", new() { ["expression"] = expression, ["awaitPromise"] = true, ["returnByValue"] = true }, cancellationToken);
        return answer["exceptionDetails"] is { } thrown
            ? throw new IOException($"the page threw: {thrown["exception"]?["description"] ?? thrown["text"]}")
            : answer["result"]?["value"];
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _socket.Abort();
        await _reading;
        await Task.WhenAny(_run);
        _ = _run.Exception;
        _socket.Dispose();
        _sending.Dispose();
        _stop.Dispose();
        for (var attempt = 0; attempt < 20 && Directory.Exists(_folder); attempt++)
        {
            try
            {
                Directory.Delete(_folder, recursive: true);
            }
            catch (IOException)
            {
                await Task.Delay(100); // its last child still writes
            }
        }
    }

    private async Task RunAsync(ICommandRunner runner, string program, CancellationToken cancellationToken)
    {
        var address = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        _run = runner.RunAsync(
            new(
                program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-dev-shm-usage", "--window-size=1440,1200", "--remote-debugging-port=0", $"--user-data-dir={_folder}", "about:blank")
            {
                Timeout = TimeSpan.FromDays(1),
                Environment = new Dictionary<string, string> { ["HOME"] = _folder },
                OnLine = line => _ = line.Text.StartsWith(Listening, StringComparison.Ordinal) && address.TrySetResult(line.Text[Listening.Length..].Trim()),
            },
            _stop.Token);
        if (await Task.WhenAny(address.Task, _run, Task.Delay(s_patience, cancellationToken)) != address.Task)
        {
            throw new IOException("Chromium did not start");
        }

        await _socket.ConnectAsync(new(await address.Task), cancellationToken);
        _reading = Task.Run(ReadAsync, CancellationToken.None);
        var target = (await CallAsync("Target.createTarget", new() { ["url"] = "about:blank" }, cancellationToken))["targetId"]!.GetValue<string>();
        _session = (await CallAsync("Target.attachToTarget", new() { ["targetId"] = target, ["flatten"] = true }, cancellationToken))["sessionId"]!.GetValue<string>();
    }

    private async Task<JsonObject> CallAsync(string method, JsonObject arguments, CancellationToken cancellationToken)
    {
        var id = Interlocked.Increment(ref _last);
        var answer = _asked[id] = new(TaskCreationOptions.RunContinuationsAsynchronously);
        var call = new JsonObject { ["id"] = id, ["method"] = method, ["params"] = arguments };
        if (_session is not null)
        {
            call["sessionId"] = _session;
        }

        await _sending.WaitAsync(cancellationToken);
        try
        {
            await _socket.SendAsync(JsonSerializer.SerializeToUtf8Bytes(call), WebSocketMessageType.Text, endOfMessage: true, cancellationToken);
        }
        finally
        {
            _sending.Release();
        }

        try
        {
            var got = await answer.Task.WaitAsync(s_patience, cancellationToken);
            return got["result"] as JsonObject ?? throw new IOException($"Chromium refused {method}: {got["error"]?["message"]}");
        }
        catch (TimeoutException e)
        {
            throw new IOException($"Chromium did not answer {method.ToString(CultureInfo.InvariantCulture)}", e);
        }
        finally
        {
            _asked.TryRemove(id, out _);
        }
    }

    private async Task ReadAsync()
    {
        var buffer = new byte[64 * 1024];
        using var message = new MemoryStream();
        try
        {
            while (true)
            {
                var got = await _socket.ReceiveAsync(buffer.AsMemory(), _stop.Token);
                message.Write(buffer, 0, got.Count);
                if (got.MessageType == WebSocketMessageType.Close)
                {
                    return;
                }

                if (got.EndOfMessage)
                {
                    if (JsonNode.Parse(message.GetBuffer().AsSpan(0, (int)message.Length)) is JsonObject answer && answer["id"] is { } id && _asked.TryGetValue(id.GetValue<int>(), out var asked))
                    {
                        asked.TrySetResult(answer);
                    }

                    message.SetLength(0);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or WebSocketException or ObjectDisposedException)
        {
            foreach (var asked in _asked.Values)
            {
                asked.TrySetException(new IOException("Chromium has gone"));
            }
        }
    }
}
