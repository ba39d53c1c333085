using System.Text.Json;
using System.Threading.Channels;
using MPSec.Features.Multipath;
using MPSec.Hosting.Auth;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;
using MPSec.Live;

namespace MPSec.Hosting.Api;

/// <summary>A link in a live event. Rates are null before two readings.</summary>
public sealed record LiveLink(string Name, int Index, bool Up, bool Carrier, double? SendBitsPerSecond, double? ReceiveBitsPerSecond);

/// <summary>A path in a live event. What is not known is null.</summary>
public sealed record LivePath(
    int Number, string Interface, string Title, PathState State, PathCause Cause, double? SendBitsPerSecond, double? ReceiveBitsPerSecond, double? CapacityBitsPerSecond, double? RttMs,
    double? RetransmittedPercent, int Subflows, bool Backup);

/// <summary>What <c>event: snapshot</c> carries.</summary>
/// <param name="Gateway">Which.</param>
/// <param name="At">Time of the values.</param>
/// <param name="Failure">Why the newest reading failed; the values are then old. Null when it succeeded.</param>
/// <param name="MptcpEnabled">Whether new sockets may speak MPTCP.</param>
/// <param name="Connections">MPTCP connections.</param>
/// <param name="Fallbacks">Of these, how many went on as plain TCP.</param>
/// <param name="Subflows">Established subflows.</param>
/// <param name="Links">All links.</param>
/// <param name="Paths">All paths.</param>
public sealed record LiveReply(
    string Gateway, DateTimeOffset At, SampleFailure? Failure, bool? MptcpEnabled, int? Connections, int? Fallbacks, int? Subflows, IEnumerable<LiveLink> Links, IEnumerable<LivePath> Paths)
{
    internal static LiveReply Of(string gateway, Sample<GatewaySnapshot> sample, MultipathService service)
    {
        if (sample.Value is not { } snapshot)
        {
            return new(gateway, sample.ValueAt, sample.Failure, null, null, null, null, [], []);
        }

        var paths = service.Paths(snapshot);
        return new(
            gateway, sample.ValueAt, sample.Failure, paths.MptcpEnabled, paths.Connections, paths.Fallbacks, paths.Subflows,
            snapshot.Reading.Links.Select(l => snapshot.Rates.TryGetValue(l.Index, out var rate)
                ? new LiveLink(l.Name, l.Index, l.IsUp, l.HasCarrier, rate.TxBitsPerSecond, rate.RxBitsPerSecond)
                : new LiveLink(l.Name, l.Index, l.IsUp, l.HasCarrier, null, null)),
            paths.Lanes.Select(l => new LivePath(
                l.Number, l.Name, l.Title, l.State, l.Cause, l.Rate?.TxBitsPerSecond, l.Rate?.RxBitsPerSecond, l.CapacityBitsPerSecond, l.RttMs, l.RetransmittedPercent, l.Subflows, l.IsBackup)));
    }
}

/// <summary>
/// Snapshots of a gateway as server-sent events (WHATWG HTML, section 9.2) under <c>/api/v1/gateways/{name}/live</c>. A client that reads slowly gets fewer
/// snapshots, never late ones: one is being sent and one waits at most.
/// </summary>
public static class LiveApi
{
    /// <summary>Streams at once; more would be a client that forgets to close.</summary>
    public const int MostStreams = 100;

    /// <summary>A comment is sent when nothing else was for this long, so that proxies keep the connection and a client that is gone is noticed.</summary>
    public static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(15);

    private static readonly JsonSerializerOptions s_json = new(Cli.MPSecCommandLine.Json) { WriteIndented = false };
    private static int s_streams;

    /// <summary>Maps the endpoint.</summary>
    public static IEndpointRouteBuilder MapLiveApi(this IEndpointRouteBuilder app)
    {
        app.MapApi("gateways/{name}/live", "Gateways").MapGet("", (
                string name, int? interval, HttpContext context, ILiveFeeds<GatewaySnapshot, RatePoint> feeds, MultipathService service, StandingAccess access, IHostApplicationLifetime life, TimeProvider time) =>
            GatewaysApi.With(name, gateway => Task.FromResult(interval is < 100 or > 60_000
                ? TypedResults.Problem("interval: must be 100 to 60000 milliseconds", statusCode: StatusCodes.Status400BadRequest)
                : (IResult)new Stream(gateway, TimeSpan.FromMilliseconds(interval ?? 0), feeds, service, access, life, time))))
            .WithSummary("Snapshots of the gateway as server-sent events, until the client or the program ends")
            .AnswersText("text/event-stream", StatusCodes.Status400BadRequest, StatusCodes.Status503ServiceUnavailable);
        return app;
    }

    private sealed class Stream(
        GatewayName gateway, TimeSpan interval, ILiveFeeds<GatewaySnapshot, RatePoint> feeds, MultipathService service, StandingAccess access, IHostApplicationLifetime life, TimeProvider time) : IResult
    {
        private readonly Channel<Sample<GatewaySnapshot>> _waiting = Channel.CreateBounded<Sample<GatewaySnapshot>>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });

        public async Task ExecuteAsync(HttpContext httpContext)
        {
            if (Interlocked.Increment(ref s_streams) > MostStreams)
            {
                Interlocked.Decrement(ref s_streams);
                await TypedResults.Problem($"live: {MostStreams} streams are open, which is the most; close one", statusCode: StatusCodes.Status503ServiceUnavailable).ExecuteAsync(httpContext);
                return;
            }

            using var stop = CancellationTokenSource.CreateLinkedTokenSource(httpContext.RequestAborted, life.ApplicationStopping);
            try
            {
                await SendAsync(httpContext, stop.Token);
            }
            catch (OperationCanceledException)
            {
                // The client left or the program ends; in both cases the answer just ends.
            }
            finally
            {
                Interlocked.Decrement(ref s_streams);
            }
        }

        private async Task SendAsync(HttpContext context, CancellationToken stop)
        {
            var response = context.Response;
            response.ContentType = "text/event-stream";
            response.Headers.CacheControl = "no-cache, no-store";
            response.Headers["X-Accel-Buffering"] = "no"; // nginx would keep events back
            var feed = feeds.Get(gateway.Value);
            using var subscription = feed.Store.Subscribe(Offer);
            if (feed.Store.Current is { } current)
            {
                await Offer(current);
            }

            await response.WriteAsync("retry: 2000\n\n", stop);
            await response.Body.FlushAsync(stop);
            var (checkedAt, sentAt) = (time.GetTimestamp(), (long?)null);
            Task<bool>? news = null;
            Sample<GatewaySnapshot>? sent = null;
            while (!stop.IsCancellationRequested)
            {
                if (time.GetElapsedTime(checkedAt) > AuthSetup.Revalidation)
                {
                    if (!await access.HoldsAsync(context.User, stop))
                    {
                        return;
                    }

                    checkedAt = time.GetTimestamp();
                }

                var rest = sentAt is { } before ? interval - time.GetElapsedTime(before) : TimeSpan.Zero;
                if (rest > TimeSpan.Zero)
                {
                    await Task.Delay(rest < KeepAlive ? rest : KeepAlive, time, stop);
                }
                else
                {
                    news ??= _waiting.Reader.WaitToReadAsync(stop).AsTask();
                    await (await Task.WhenAny(news, Task.Delay(KeepAlive, time, stop)));
                }

                if (rest <= KeepAlive && _waiting.Reader.TryRead(out var sample))
                {
                    news = null;
                    if (ReferenceEquals(sample, sent))
                    {
                        continue; // Told by the store, too, after it had been taken as the current one.
                    }

                    sent = sample;
                    sentAt = time.GetTimestamp();
                    await response.WriteAsync($"event: snapshot\ndata: {JsonSerializer.Serialize(LiveReply.Of(gateway.Value, sample, service), s_json)}\n\n", stop);
                }
                else
                {
                    await response.WriteAsync(": keep-alive\n\n", stop);
                }

                // Waits while the client does not read; what comes meanwhile replaces what waits. The server itself cuts off who reads nothing for long.
                await response.Body.FlushAsync(stop);
            }
        }

        private Task Offer(Sample<GatewaySnapshot> sample)
        {
            _waiting.Writer.TryWrite(sample);
            return Task.CompletedTask;
        }
    }
}
