using System.Net;
using Microsoft.Extensions.Localization;
using MPSec.Features.Connections;
using MPSec.Hosting.Cli;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;
using MPSec.Live;

namespace MPSec.Hosting.Api;

/// <summary>The connections of a gateway in the API.</summary>
/// <param name="Gateway">Which.</param>
/// <param name="At">Time of the reading.</param>
/// <param name="Total">Connections before the filter.</param>
/// <param name="PlainTcp">Established TCP sockets that are no subflow.</param>
/// <param name="FallbackCauses">Counters of the gateway that tell why connections fell back to TCP.</param>
/// <param name="JoinFailures">Counters of the gateway that tell why subflows could not join.</param>
/// <param name="Connections">The rows.</param>
public sealed record ConnectionsReply(
    string Gateway, DateTimeOffset At, int Total, int? PlainTcp, IEnumerable<ConnectionCounter> FallbackCauses, IEnumerable<ConnectionCounter> JoinFailures, IEnumerable<ConnectionReply> Connections);

/// <summary>A connection in the API; null is what this kernel does not tell. Rates in bit/s, times in ms, sizes in bytes.</summary>
public sealed record ConnectionReply(
    string? Token, IPEndPoint Local, IPEndPoint Remote, string State, bool? Fallback, uint Uid, uint Inode, double? SendBitsPerSecond, double? ReceiveBitsPerSecond, ulong? BytesSent,
    ulong? BytesReceived, ulong? BytesAcked, ulong? BytesRetransmitted, uint? Retransmits, uint? LastDataMs, IEnumerable<SubflowReply> Subflows);

/// <summary>A subflow in the API.</summary>
public sealed record SubflowReply(
    IPEndPoint Local, IPEndPoint Remote, string? Interface, int? Path, string State, bool Backup, bool Joined, double? SendBitsPerSecond, double? ReceiveBitsPerSecond, double? Share, double? RttMs,
    double? RttVariationMs, double? MinRttMs, uint? CongestionWindow, uint? UnacknowledgedSegments, ulong? BytesSent, ulong? BytesReceived, ulong? BytesAcked, ulong? BytesRetransmitted,
    uint? Retransmissions, uint? OutOfOrder, string? CongestionControl);

/// <summary>Connections under <c>/api/v1/gateways/{name}/connections</c>.</summary>
public static class ConnectionsApi
{
    /// <summary>Maps the endpoint. It needs a signed-in user.</summary>
    public static IEndpointRouteBuilder MapConnectionsApi(this IEndpointRouteBuilder app)
    {
        app.MapApi("gateways/{name}/connections", "Connections").MapGet(
            "",
            (string name, string? filter, ILiveFeeds<GatewaySnapshot, RatePoint> feeds, ConnectionsService service, TimeProvider time, IStringLocalizer<ConnectionsTexts> texts, CancellationToken stop) =>
                GatewaysApi.With(name, gateway => ReadAsync(gateway, filter, feeds, service, time, texts, stop)))
            .WithSummary("Connections with their subflows, as the page shows them; filter: the same words as on the page").AnswersReading<ConnectionsReply>();
        return app;
    }

    private static async Task<IResult> ReadAsync(
        GatewayName gateway, string? text, ILiveFeeds<GatewaySnapshot, RatePoint> feeds, ConnectionsService service, TimeProvider time, IStringLocalizer<ConnectionsTexts> texts, CancellationToken stop)
    {
        if (!ConnectionFilter.TryParse(text, out var filter, out var problem))
        {
            return TypedResults.Problem(
                ConnectionFilterWords.Sentence(problem!, texts),
                statusCode: StatusCodes.Status400BadRequest,
                extensions: new Dictionary<string, object?> { ["position"] = problem!.Position, ["length"] = problem.Length, ["code"] = problem.Code, ["choices"] = problem.Choices });
        }

        var sample = await FreshSample.OfAsync(feeds.Get(gateway.Value), time, stop);
        if (sample is not { Failure: null, Value: { } snapshot })
        {
            return sample?.Failure is { } failure
                ? TypedResults.Problem(failure.Reason, statusCode: failure.Code == "gone" ? StatusCodes.Status404NotFound : StatusCodes.Status503ServiceUnavailable)
                : TypedResults.Problem($"gateway {gateway}: no reading came in time; ask again", statusCode: StatusCodes.Status503ServiceUnavailable);
        }

        var all = service.Of(snapshot);
        return TypedResults.Json(
            new ConnectionsReply(all.Gateway, sample.ValueAt, all.Rows.Length, all.PlainTcp, all.FallbackCauses, all.JoinFailures, all.Rows.Where(filter.Matches).Select(Reply)), MPSecCommandLine.Json);
    }

    private static ConnectionReply Reply(ConnectionRow r) => new(
        r.Token, r.Local, r.Remote, r.State, r.IsFallback, r.Kernel.Uid, r.Kernel.Inode, r.SendBits, r.ReceiveBits, r.Kernel.BytesSent, r.Kernel.BytesReceived, r.Kernel.BytesAcked,
        r.Kernel.BytesRetransmitted, r.Kernel.Retransmits, r.LastDataMs, r.Subflows.Select(s => new SubflowReply(
            s.Local, s.Remote, s.Interface, s.Path, s.StateName, s.Kernel.IsBackup, s.IsJoined, s.SendBits, s.ReceiveBits, s.Share, s.RttMs, s.RttVariationMs, s.MinRttMs, s.Kernel.CongestionWindow,
            s.Kernel.Unacknowledged, s.Kernel.BytesSent, s.Kernel.BytesReceived, s.Kernel.BytesAcked, s.Kernel.BytesRetransmitted, s.Kernel.TotalRetransmissions, s.Kernel.ReceivedOutOfOrder,
            s.Kernel.CongestionControl)));
}
