using System.Collections.Concurrent;
using System.Globalization;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace MPSec.Hosting.Bench;

/// <summary>What a <see cref="HeadlessCircuit"/> got.</summary>
/// <param name="Bytes">All messages, bytes.</param>
/// <param name="Renders">Changes of the page.</param>
/// <param name="ChartCalls">Rows for charts.</param>
/// <param name="ChartBytes">Messages that carried them, bytes.</param>
internal readonly record struct CircuitTraffic(long Bytes, long Renders, long ChartCalls, long ChartBytes)
{
    public static CircuitTraffic operator +(CircuitTraffic a, CircuitTraffic b) => new(a.Bytes + b.Bytes, a.Renders + b.Renders, a.ChartCalls + b.ChartCalls, a.ChartBytes + b.ChartBytes);

    public static CircuitTraffic operator -(CircuitTraffic a, CircuitTraffic b) => new(a.Bytes - b.Bytes, a.Renders - b.Renders, a.ChartCalls - b.ChartCalls, a.ChartBytes - b.ChartBytes);
}

/// <summary>
/// A dashboard without a browser: it gets a page, starts its circuit, confirms every change of the page and answers every call of a script as a browser would.
/// For the server it is a reader like any other; it draws nothing.
/// </summary>
internal sealed partial class HeadlessCircuit : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly ClientWebSocket _socket = new();
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource<string> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentDictionary<string, byte> _calls = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource _charts = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _reading = Task.CompletedTask;
    private Task _pinging = Task.CompletedTask;
    private long _bytes;
    private long _renders;
    private long _chartCalls;
    private long _chartBytes;
    private long _handed;
    private int _objects;

    private HeadlessCircuit()
    {
    }

    /// <summary>Why it ended; null while it goes on.</summary>
    public string? Ended { get; private set; }

    /// <summary>What came so far.</summary>
    public CircuitTraffic Traffic => new(Interlocked.Read(ref _bytes), Interlocked.Read(ref _renders), Interlocked.Read(ref _chartCalls), Interlocked.Read(ref _chartBytes));

    /// <summary>Reads no more from now on, as a browser whose machine sleeps.</summary>
    public bool Stalled { get; set; }

    /// <summary>Confirms changes of the page; without it the server must wait.</summary>
    public bool Confirms { get; set; } = true;

    /// <summary>Answers calls of scripts, as a browser that is not hung.</summary>
    public bool Answers { get; set; } = true;

    /// <summary>Functions of scripts that the server called.</summary>
    public ICollection<string> Calls => _calls.Keys;

    /// <summary>Opens a page.</summary>
    /// <param name="client">Signed in.</param>
    /// <param name="cookies">The cookies of <paramref name="client"/>, as a Cookie header has them.</param>
    /// <param name="page">Absolute address of the page.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="IOException">The page has no circuit, or the server refused it.</exception>
    public static async Task<HeadlessCircuit> OpenAsync(HttpClient client, string cookies, Uri page, CancellationToken cancellationToken)
    {
        var html = await client.GetStringAsync(page, cancellationToken);
        var operations = new JsonArray();
        foreach (var marker in Marker().Matches(html).Select(m => JsonNode.Parse(m.Groups[1].Value)).Where(m => m?["descriptor"] is not null))
        {
            operations.Add(new JsonObject { ["type"] = "add", ["ssrComponentId"] = operations.Count + 1, ["marker"] = marker });
        }

        if (operations.Count == 0)
        {
            throw new IOException($"{page.AbsolutePath} has nothing that a circuit would show");
        }

        var circuit = new HeadlessCircuit();
        try
        {
            var origin = page.GetLeftPart(UriPartial.Authority);
            circuit._socket.Options.SetRequestHeader("Cookie", cookies);
            circuit._socket.Options.SetRequestHeader("Origin", origin);
            await circuit._socket.ConnectAsync(new UriBuilder(page) { Scheme = "ws", Path = "/_blazor", Query = "" }.Uri, cancellationToken);
            await circuit.SendAsync("{\"protocol\":\"blazorpack\",\"version\":1}\u001e"u8.ToArray());
            circuit._reading = Task.Run(circuit.ReadAsync, CancellationToken.None);
            circuit._pinging = Task.Run(circuit.PingAsync, CancellationToken.None);
            await circuit.SendAsync(BlazorPack.Invocation("0", "StartCircuit", origin + "/", page.AbsoluteUri, "[]", ""));
            await circuit._started.Task.WaitAsync(s_patience, cancellationToken);
            var state = State().Match(html) is { Success: true } found ? found.Groups[1].Value : "";
            await circuit.SendAsync(BlazorPack.Invocation(null, "UpdateRootComponents", new JsonObject { ["batchId"] = 1, ["operations"] = operations }.ToJsonString(), state));
            return circuit;
        }
        catch (Exception e) when (e is WebSocketException or TimeoutException)
        {
            var ended = circuit.Ended;
            await circuit.DisposeAsync();
            throw new IOException($"a circuit for {page.AbsolutePath} could not be opened: {ended ?? e.Message}", e);
        }
    }

    /// <summary>Goes to another page of the same circuit, as a link does.</summary>
    public Task GoAsync(Uri page) => SendAsync(BlazorPack.Invocation(null, "OnLocationChanged", page.AbsoluteUri, null, false));

    /// <summary>Waits until the first chart has got rows.</summary>
    /// <exception cref="IOException">It ended before.</exception>
    public async Task WaitForChartsAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _charts.Task.WaitAsync(s_patience, cancellationToken);
        }
        catch (TimeoutException e)
        {
            throw new IOException($"no chart got a row within {s_patience.TotalSeconds:0} s: {Ended ?? "the circuit goes on"}", e);
        }
    }

    /// <summary>Goes away as a browser does that closes a page: the server may forget the circuit at once.</summary>
    public async Task LeaveAsync(HttpClient client, CancellationToken cancellationToken)
    {
        using var form = new MultipartFormDataContent { { new StringContent(await _started.Task), "circuitId" } };
        using var answer = await client.PostAsync(new Uri("/_blazor/disconnect", UriKind.Relative), form, cancellationToken);
        answer.EnsureSuccessStatusCode();
        await DisposeAsync();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _socket.Abort();
        await _reading;
        await _pinging;
        _socket.Dispose();
        _sending.Dispose();
        _stop.Dispose();
    }

    [GeneratedRegex("<!--Blazor:(\\{.*?\\})-->", RegexOptions.Singleline)]
    private static partial Regex Marker();

    [GeneratedRegex("<!--Blazor-Server-Component-State:(.*?)-->", RegexOptions.Singleline)]
    private static partial Regex State();

    private async Task ReadAsync()
    {
        var buffer = new byte[64 * 1024];
        var filled = 0;
        var handshake = true;
        try
        {
            while (true)
            {
                while (Stalled)
                {
                    await Task.Delay(100, _stop.Token);
                }

                if (filled == buffer.Length)
                {
                    Array.Resize(ref buffer, buffer.Length * 2);
                }

                var got = await _socket.ReceiveAsync(buffer.AsMemory(filled), _stop.Token);
                if (got.MessageType == WebSocketMessageType.Close)
                {
                    End("the server closed the connection");
                    return;
                }

                Interlocked.Add(ref _bytes, got.Count);
                filled += got.Count;
                var at = 0;
                if (handshake)
                {
                    var end = buffer.AsSpan(0, filled).IndexOf((byte)0x1e);
                    if (end < 0)
                    {
                        continue;
                    }

                    if (end > 2)
                    {
                        End(Encoding.UTF8.GetString(buffer, 0, end));
                        return;
                    }

                    (handshake, at) = (false, end + 1);
                }

                while (BlazorPack.Read(buffer.AsSpan(at, filled - at), out var taken) is { } message)
                {
                    at += taken;
                    await TakeAsync(message, taken);
                }

                buffer.AsSpan(at, filled - at).CopyTo(buffer);
                filled -= at;
            }
        }
        catch (Exception e) when (e is OperationCanceledException or WebSocketException or FormatException or ObjectDisposedException)
        {
            End(e.Message);
        }
    }

    private async Task TakeAsync(object?[] message, int length)
    {
        switch (message)
        {
            case [1L, _, _, string target, object?[] arguments, ..]:
                await CallAsync(target, arguments, length);
                break;
            case [3L, _, "0", 3L, string id, ..]:
                _started.TrySetResult(id);
                break;
            case [3L, ..]:
                End("the server refused the circuit");
                break;
            case [7L, var reason, ..]:
                End($"the server ended it: {reason ?? "no reason"}");
                break;
        }
    }

    private async Task CallAsync(string target, object?[] arguments, int length)
    {
        switch (target, arguments)
        {
            case ("JS.RenderBatch", [long batch, ..]):
                Interlocked.Increment(ref _renders);
                if (Confirms)
                {
                    await SendAsync(BlazorPack.Invocation(null, "OnRenderCompleted", batch, null));
                }

                break;
            case ("JS.ReceiveByteArray", _):
                _handed += length;
                break;
            case ("JS.BeginInvokeJS", [long call, string name, _, long kind, ..]):
                _calls.TryAdd(name, 0);
                if (name is "append" or "setAll")
                {
                    Interlocked.Increment(ref _chartCalls);
                    Interlocked.Add(ref _chartBytes, _handed + length);
                    _charts.TrySetResult();
                }

                _handed = 0;
                if (call != 0 && Answers)
                {
                    // A script object is named by a number; everything else that pages ask for may be nothing or false.
                    var result = kind == 1 ? $$"""{"__jsObjectId":{{Interlocked.Increment(ref _objects).ToString(CultureInfo.InvariantCulture)}}}""" : name.StartsWith("is", StringComparison.Ordinal) ? "false" : "null";
                    await SendAsync(BlazorPack.Invocation(null, "EndInvokeJSFromDotNet", call, true, $"[{call.ToString(CultureInfo.InvariantCulture)},true,{result}]"));
                }

                break;
            case ("JS.Error", [var reason, ..]):
                End($"error on the server: {reason}");
                break;
        }
    }

    private async Task PingAsync()
    {
        try
        {
            while (true)
            {
                // The server watches for silence only from the first one on.
                if (!Stalled)
                {
                    await SendAsync(BlazorPack.Ping());
                }

                await Task.Delay(TimeSpan.FromSeconds(10), _stop.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or WebSocketException or ObjectDisposedException)
        {
            // It ended.
        }
    }

    private async Task SendAsync(byte[] message)
    {
        await _sending.WaitAsync(_stop.Token);
        try
        {
            await _socket.SendAsync(message, WebSocketMessageType.Binary, endOfMessage: true, _stop.Token);
        }
        finally
        {
            _sending.Release();
        }
    }

    private void End(string why)
    {
        Ended ??= why;
        _started.TrySetException(new WebSocketException(why));
        _ = _started.Task.Exception;
        _charts.TrySetException(new IOException(why));
        _ = _charts.Task.Exception; // seen
    }
}
