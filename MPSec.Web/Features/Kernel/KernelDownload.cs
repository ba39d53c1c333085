using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace MPSec.Features.Kernel;

/// <summary>There is nothing at an address.</summary>
internal sealed class NothingThereException(string sentence) : IOException(sentence);

/// <summary>
/// Fetches a file over https and goes on where it was after an interruption of any kind: the partial file stands beside the whole one, with what the server said of it.
/// A file that changed meanwhile, or a server that cannot go on, begins anew.
/// </summary>
/// <param name="time">Clock of pauses and time-outs.</param>
/// <param name="loopback">Allows http to this machine; for tests.</param>
internal sealed class KernelDownload(TimeProvider time, bool loopback = false) : IDisposable
{
    private const int MostRedirects = 5;
    private const int MostRetries = 5;
    private const long Progressed = 1 << 20;
    private static readonly TimeSpan s_tell = TimeSpan.FromMilliseconds(500);

    private readonly HttpClient _http = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = TimeSpan.FromSeconds(30),
        MaxResponseHeadersLength = 32,
    })
    { Timeout = Timeout.InfiniteTimeSpan };

    /// <summary>Time without a byte after which a connection counts as dead.</summary>
    public TimeSpan Stall { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Pause before the first retry; each further one is twice as long.</summary>
    public TimeSpan Pause { get; init; } = TimeSpan.FromSeconds(1);

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    /// <summary>Fetches a file; nothing happens when it is there.</summary>
    /// <param name="address">Where it is.</param>
    /// <param name="file">Where it is put, when it is whole.</param>
    /// <param name="largest">Bytes that it may have.</param>
    /// <param name="log">Receives what went wrong on the way.</param>
    /// <param name="progress">Receives percent and what is done.</param>
    /// <param name="cancellationToken">Ends it; what was fetched stays.</param>
    /// <exception cref="NothingThereException">There is nothing at the address.</exception>
    /// <exception cref="KernelSourceRefusedException">It is too large.</exception>
    /// <exception cref="IOException">It could not be fetched, or not be written.</exception>
    public async Task RunAsync(Uri address, string file, long largest, Action<string> log, Action<double?, string> progress, CancellationToken cancellationToken)
    {
        var part = new Part(file);
        for (var retry = 0; !File.Exists(file);)
        {
            var before = part.Length;
            try
            {
                if (!part.IsWhole)
                {
                    await OnceAsync(address, part, largest, progress, cancellationToken);
                }

                File.Move(part.Path, file);
                part.Forget();
            }
            catch (TransientException e)
            {
                // A line that fails often, but goes on each time, gets there in the end.
                retry = part.Length - before >= Progressed ? 1 : retry + 1;
                if (retry > MostRetries)
                {
                    throw new IOException($"{address.Host}: {e.Message}; tried {MostRetries + 1} times. What was fetched is kept: try again later to go on", e);
                }

                var pause = Pause * (1 << (retry - 1));
                log($"{address.Host}: {e.Message}; trying again in {pause.TotalSeconds:0.#} s");
                await Task.Delay(pause, time, cancellationToken);
            }
        }
    }

    private async Task OnceAsync(Uri address, Part part, long largest, Action<double?, string> progress, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Stall, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            using var response = await AskAsync(address, part, either.Token);
            Judge(response, address);
            var from = Begin(response, part);
            var total = response.Content.Headers.ContentLength + from;
            Refuse(total, largest, address);
            var stream = await response.Content.ReadAsStreamAsync(either.Token);
            await using (stream)
            {
                var output = new FileStream(part.Path, from > 0 ? FileMode.Append : FileMode.Create, FileAccess.Write, FileShare.Read);
                await using (output)
                {
                    await CopyAsync(stream, output, total, largest, address, patience, progress, either.Token);
                    output.Flush(flushToDisk: true);
                }
            }

            if (total is { } whole && part.Length != whole)
            {
                throw new TransientException($"the connection ended after {Mib(part.Length)} of {Mib(whole)}");
            }
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TransientException(patience.IsCancellationRequested ? $"nothing came for {Stall.TotalSeconds:0} s" : "no connection in 30 s", e);
        }
        catch (HttpRequestException e)
        {
            throw new TransientException(e.InnerException?.Message ?? e.Message, e);
        }
    }

    private async Task CopyAsync(
        Stream stream, FileStream output, long? total, long largest, Uri address, CancellationTokenSource patience, Action<double?, string> progress, CancellationToken cancellationToken)
    {
        var buffer = new byte[1 << 16];
        var told = time.GetTimestamp();
        while (true)
        {
            patience.CancelAfter(Stall);
            int length;
            try
            {
                length = await stream.ReadAsync(buffer, cancellationToken);
            }
            catch (IOException e)
            {
                throw new TransientException("the connection was cut off", e); // of the line: what concerns the disk comes from the write below
            }

            if (length == 0)
            {
                return;
            }

            Refuse(output.Position + length, largest, address);
            await output.WriteAsync(buffer.AsMemory(0, length), cancellationToken);
            if (time.GetElapsedTime(told) >= s_tell)
            {
                told = time.GetTimestamp();
                progress(total is > 0 ? 100.0 * output.Position / total : null, $"downloading, {Mib(output.Position)}{(total is { } whole ? $" of {Mib(whole)}" : "")}");
            }
        }
    }

    private async Task<HttpResponseMessage> AskAsync(Uri address, Part part, CancellationToken cancellationToken)
    {
        for (var redirects = 0; ; redirects++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, address);
            request.Headers.UserAgent.Add(new("mpsec", null));
            request.Headers.AcceptEncoding.Add(new("identity"));
            if (part.Condition() is { } condition)
            {
                request.Headers.Range = new(part.Length, null);
                request.Headers.IfRange = condition;
            }

            var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            if ((int)response.StatusCode is not (301 or 302 or 303 or 307 or 308) || response.Headers.Location is not { } location)
            {
                return response;
            }

            response.Dispose();
            address = new Uri(address, location);
            if (address.UserInfo.Length > 0 || (address.Scheme != Uri.UriSchemeHttps && !(loopback && address is { IsLoopback: true, Scheme: "http" })))
            {
                throw new IOException($"{request.RequestUri!.Host} sends on to an address that is not https; give the address of the file itself");
            }

            if (redirects == MostRedirects)
            {
                throw new IOException($"{request.RequestUri!.Host} sends on more than {MostRedirects} times; give the address of the file itself");
            }
        }
    }

    private static void Judge(HttpResponseMessage response, Uri address)
    {
        var status = (int)response.StatusCode;
        if (status is 408 or 425 or 429 or >= 500)
        {
            throw new TransientException($"the server answers {status} {response.ReasonPhrase}");
        }

        if (status is 404 or 410)
        {
            throw new NothingThereException($"there is nothing at {address} ({status}); look whether version and address are right");
        }

        if (status is not (200 or 206 or 416))
        {
            throw new IOException($"{address}: the server answers {status} {response.ReasonPhrase}");
        }

        if (response.Content.Headers.ContentEncoding.Any(e => e != "identity"))
        {
            throw new IOException($"{address}: the server packs the file once more ({string.Join(", ", response.Content.Headers.ContentEncoding)}); use another server");
        }
    }

    // Where the answer's bytes belong.
    private static long Begin(HttpResponseMessage response, Part part)
    {
        if (response.StatusCode == HttpStatusCode.OK)
        {
            part.Restart(response);
            return 0;
        }

        if (response.StatusCode == HttpStatusCode.PartialContent && part.Continues(response))
        {
            return part.Length;
        }

        part.Forget();
        throw new TransientException("the file changed on the server; it is fetched anew");
    }

    private static void Refuse(long? bytes, long largest, Uri address)
    {
        if (bytes > largest)
        {
            throw new KernelSourceRefusedException(KernelSourceVerdict.TooLarge, $"{address} has more than {Mib(largest)}, so it is not what it should be");
        }
    }

    private static string Mib(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1048576.0:0.0} MiB");

    private sealed class TransientException(string sentence, Exception? inner = null) : Exception(sentence, inner);

    private sealed record Seen(string? ETag, DateTimeOffset? LastModified, long? Total);

    /// <summary>A file that is not whole yet, and what the server said of it.</summary>
    private sealed class Part(string file)
    {
        private readonly string _state = file + ".state";

        public string Path { get; } = file + ".part";

        public long Length => File.Exists(Path) ? new FileInfo(Path).Length : 0;

        /// <summary>Whether all of it is there, and only its last name is missing.</summary>
        public bool IsWhole => Length > 0 && Read()?.Total == Length;

        /// <summary>By what the server knows whether it still has the same file; null when it cannot, or when there is nothing to go on with.</summary>
        public RangeConditionHeaderValue? Condition() =>
            Length == 0 || Read() is not { } seen ? null
            : seen.ETag is { } tag ? new(EntityTagHeaderValue.Parse(tag))
            : seen.LastModified is { } date ? new(date) : null;

        public void Restart(HttpResponseMessage response)
        {
            Forget();
            var tag = response.Headers.ETag is { IsWeak: false } strong ? strong.ToString() : null;
            File.WriteAllText(_state, JsonSerializer.Serialize(new Seen(tag, response.Content.Headers.LastModified, response.Content.Headers.ContentLength)));
        }

        public bool Continues(HttpResponseMessage response) =>
            Read() is { } seen && response.Content.Headers.ContentRange is { From: { } from } range && from == Length
            && (seen.Total is null || range.Length is null || range.Length == seen.Total)
            && (seen.ETag is null || response.Headers.ETag is null || response.Headers.ETag.ToString() == seen.ETag);

        public void Forget()
        {
            File.Delete(Path);
            File.Delete(_state);
        }

        private Seen? Read()
        {
            try
            {
                return File.Exists(_state) ? JsonSerializer.Deserialize<Seen>(File.ReadAllText(_state)) : null;
            }
            catch (JsonException)
            {
                return null; // cut off while it was written
            }
        }
    }
}
