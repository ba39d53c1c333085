using System.Buffers;
using System.Globalization;
using System.Security.Claims;
using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;
using MPSec.Changes;
using MPSec.Data.History;
using MPSec.Features.Settings;
using MPSec.Hosting.Auth;
using MPSec.Hosting.Cli;
using MPSec.Hosting.History;
using MPSec.Linux.Values;

namespace MPSec.Hosting.Api;

/// <summary>Series of a gateway over a time.</summary>
/// <param name="Gateway">Which.</param>
/// <param name="From">Begin.</param>
/// <param name="To">End.</param>
/// <param name="Series">What was asked for, in that order.</param>
public sealed record HistoryReply(string Gateway, DateTimeOffset From, DateTimeOffset To, IEnumerable<HistorySeriesReply> Series);

/// <summary>One series over a time.</summary>
/// <param name="Name">The series.</param>
/// <param name="Unit">Unit of its values.</param>
/// <param name="BucketSeconds">Length of a bucket.</param>
/// <param name="StepSeconds">Step of the stored points it was made of.</param>
/// <param name="Oldest">Begin of what is stored; null when nothing is.</param>
/// <param name="Empty">Nothing was measured in the range.</param>
/// <param name="Points">One per bucket with a measured value; what is missing is a gap.</param>
public sealed record HistorySeriesReply(string Name, string Unit, double BucketSeconds, int StepSeconds, DateTimeOffset? Oldest, bool Empty, IEnumerable<HistoryPointReply> Points);

/// <summary>A stored series.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Unit">Unit of its values.</param>
public sealed record HistorySeriesName(string Name, string Unit);

/// <summary>An event of a gateway.</summary>
/// <param name="Id">Number; a larger one came later.</param>
/// <param name="At">When.</param>
/// <param name="Kind">What happened.</param>
/// <param name="Token">Token of the connection, 8 hexadecimal digits; null where there is none.</param>
/// <param name="Interface">Interface; null where there is none.</param>
/// <param name="Local">Own address.</param>
/// <param name="Remote">Address of the other side.</param>
/// <param name="AddressId">MPTCP address id.</param>
/// <param name="Backup">Backup flag.</param>
/// <param name="Error">Error number of the kernel.</param>
/// <param name="ResetReason">Reason of an MPTCP reset (RFC 8684, MP_TCPRST).</param>
/// <param name="Count">How many, for lost events.</param>
/// <param name="BytesSent">Connection that ended: data it had sent by the last reading before, bytes; null where no reading saw it.</param>
/// <param name="BytesReceived">Connection that ended: data it had received by the last reading before, bytes.</param>
/// <param name="LastedSeconds">Connection that ended: how long it lasted, seconds; null when its begin was not heard.</param>
public sealed record HistoryEventReply(
    long Id, DateTimeOffset At, string Kind, string? Token, string? Interface, string? Local, string? Remote, int? AddressId, bool? Backup, int? Error, int? ResetReason, long? Count,
    long? BytesSent, long? BytesReceived, double? LastedSeconds);

/// <summary>A bucket.</summary>
public sealed record HistoryPointReply(DateTimeOffset At, double Min, double Mean, double Max, long Count);

/// <summary>History and events under <c>/api/v1/gateways/{name}</c>.</summary>
public static class HistoryApi
{
    private const int MostSeries = 32;
    private const int MostBuckets = 5000;
    private const int MostEvents = 5000;
    private static readonly SearchValues<char> s_unsafe = SearchValues.Create(",\"\n\r=+@");

    /// <summary>Maps the endpoints. They need a signed-in user.</summary>
    public static IEndpointRouteBuilder MapHistoryApi(this IEndpointRouteBuilder app)
    {
        var gateway = app.MapApi("gateways/{name}", "History");
        gateway.MapGet("history/series", (string name, HistoryStore store) => GatewaysApi.With(name, g => Answer(() =>
            TypedResults.Json(store.Series(g.Value).Select(s => new HistorySeriesName(s.Name, GatewaySeries.UnitOf(s.Name))), MPSecCommandLine.Json)))).WithSummary("Names and units of the stored series")
            .AnswersReading<IEnumerable<HistorySeriesName>>();
        gateway.MapGet("history", (string name, string? series, string? from, string? to, int? buckets, string? format, HistoryStore store, TimeProvider time, HttpRequest request) =>
            GatewaysApi.With(name, g => Answer(() => Read(g, series, from, to, buckets, IsCsv(format, request), store, time))))
            .WithSummary("Series in buckets with min, mean and max; series: names parted by commas; from, to: ISO 8601 or Unix seconds; format=csv for a table").AnswersReading<HistoryReply>();
        gateway.MapGet("events", (string name, string? kind, string? token, string? path, string? text, string? from, string? to, long? before, int? limit, string? format, HistoryStore store, HttpRequest request) =>
            GatewaysApi.With(name, g => Answer(() => Events(g, kind, token, path, text, from, to, before, limit, IsCsv(format, request), store))))
            .WithSummary("Events, newest first; kind: names parted by commas; token: 8 hexadecimal digits; path: an interface; before: read on after this id").AnswersReading<IEnumerable<HistoryEventReply>>();
        app.MapApi("history", "History").MapGet("", (HistoryStore store) => TypedResults.Json(store.Status, MPSecCommandLine.Json)).WithSummary("Whether history is written, and what was dropped or put aside").Answers<HistoryStatus>();
        var settings = app.MapApi("history/settings", "History");
        settings.MapGet("", (HistorySettingsService service) => TypedResults.Json(service.Settings, MPSecCommandLine.Json)).WithSummary("How much history is kept").Answers<HistorySettings>();
        settings.MapPut("", (HistorySettings wanted, HistorySettingsService service, ClaimsPrincipal user, CancellationToken aborted) => ApiProblem.TryAsync(async () =>
        {
            await service.SetAsync(wanted, ChangeActor.Of(user), aborted);
            return TypedResults.Json(service.Settings, MPSecCommandLine.Json);
        })).RequireAuthorization(UserRole.Administrator).WithSummary("Set how much history is kept; what is left out gets its usual value").Answers<HistorySettings>(StatusCodes.Status200OK, StatusCodes.Status400BadRequest);
        return app;
    }

    private static async Task<IResult> Answer(Func<IResult> make)
    {
        try
        {
            return await Task.Run(make);
        }
        catch (HistoryUnavailableException e)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status503ServiceUnavailable);
        }
    }

    private static IResult Read(GatewayName gateway, string? series, string? fromText, string? toText, int? buckets, bool csv, HistoryStore store, TimeProvider time)
    {
        var names = series?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
        if (names.Length is 0 or > MostSeries)
        {
            return Bad($"series: give 1 to {MostSeries} names parted by commas; /api/v1/gateways/{gateway}/history/series lists them");
        }

        var to = time.GetUtcNow();
        if (toText is not null && !TryTime(toText, out to))
        {
            return Bad("to: give a time such as 2026-11-24T12:00:00Z or Unix seconds");
        }

        var from = to.AddHours(-1);
        if (fromText is not null && !TryTime(fromText, out from))
        {
            return Bad("from: give a time such as 2026-11-24T12:00:00Z or Unix seconds");
        }

        if (from >= to)
        {
            return Bad("from: must be before to");
        }

        var count = buckets ?? 300;
        if (count is < 1 or > MostBuckets)
        {
            return Bad($"buckets: must be 1 to {MostBuckets}");
        }

        var ranges = new List<HistoryRange>();
        foreach (var name in names)
        {
            if (store.Range(gateway.Value, name, from, to, count) is not { } range)
            {
                return TypedResults.Problem($"series: '{Shown(name)}' is not known for gateway {gateway}; /api/v1/gateways/{gateway}/history/series lists those that are", statusCode: StatusCodes.Status404NotFound);
            }

            ranges.Add(range);
        }

        return csv
            ? Csv(Table(ranges), $"mpsec-history-{gateway}.csv")
            : TypedResults.Json(new HistoryReply(gateway.Value, from, to, ranges.Select(r => new HistorySeriesReply(
                r.Name, GatewaySeries.UnitOf(r.Name), r.BucketSeconds, r.TierSeconds, r.Oldest, r.IsEmpty,
                r.Buckets.OfType<HistoryPoint>().Select(b => new HistoryPointReply(DateTimeOffset.FromUnixTimeSeconds(b.Slot), b.Min, b.Mean, b.Max, b.Count))))), MPSecCommandLine.Json);
    }

    private static IResult Events(
        GatewayName gateway, string? kind, string? token, string? path, string? text, string? fromText, string? toText, long? before, int? limit, bool csv, HistoryStore store)
    {
        var kinds = kind?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
        if (kinds.FirstOrDefault(k => !HistoryEventKind.All.Contains(k)) is { } unknown)
        {
            return Bad($"kind: '{Shown(unknown)}' is none; choose from {string.Join(", ", HistoryEventKind.All)}");
        }

        uint? number = null;
        if (token is not null)
        {
            if (!uint.TryParse(token, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var parsed))
            {
                return Bad("token: give up to 8 hexadecimal digits");
            }

            number = parsed;
        }

        DateTimeOffset from = default, to = default;
        if (fromText is not null && !TryTime(fromText, out from))
        {
            return Bad("from: give a time such as 2026-11-24T12:00:00Z or Unix seconds");
        }

        if (toText is not null && !TryTime(toText, out to))
        {
            return Bad("to: give a time such as 2026-11-24T12:00:00Z or Unix seconds");
        }

        if (limit is < 1 or > MostEvents)
        {
            return Bad($"limit: must be 1 to {MostEvents}");
        }

        var events = store.Events(new(gateway.Value)
        {
            Kinds = kinds,
            Token = number,
            Interface = path,
            Text = text?[..Math.Min(text.Length, 200)],
            From = fromText is null ? null : from,
            To = toText is null ? null : to,
            Before = before,
            Limit = limit ?? 200,
        });
        return csv
            ? Csv(Table(events), $"mpsec-events-{gateway}.csv")
            : TypedResults.Json(events.Select(e => new HistoryEventReply(
                e.Id, e.At, e.Kind, e.Token?.ToString("x8", CultureInfo.InvariantCulture), e.Interface, e.Local?.ToString(), e.Remote?.ToString(), e.AddressId, e.Backup, e.Error, e.ResetReason, e.Count,
                e.BytesSent, e.BytesReceived, e.Lasted?.TotalSeconds)), MPSecCommandLine.Json);
    }

    private static bool TryTime(string text, out DateTimeOffset time)
    {
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var seconds) && seconds is > -60_000_000_000 and < 250_000_000_000)
        {
            time = DateTimeOffset.FromUnixTimeSeconds(seconds);
            return true;
        }

        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out time);
    }

    private static bool IsCsv(string? format, HttpRequest request) => format == "csv" || (format is null && request.GetTypedHeaders().Accept.Any(a => a.MediaType == "text/csv"));

    private static string Table(IEnumerable<HistoryRange> ranges)
    {
        var text = new StringBuilder("series,unit,time,min,mean,max,count\n");
        foreach (var range in ranges)
        {
            for (var i = 0; i < range.Buckets.Length; i++)
            {
                // A gap keeps its line, with nothing in it.
                var at = range.From.AddSeconds(i * range.BucketSeconds).UtcDateTime;
                var figures = range.Buckets[i] is { } b ? string.Create(CultureInfo.InvariantCulture, $"{b.Min:G6},{b.Mean:G6},{b.Max:G6},{b.Count}") : ",,,";
                text.Append(CultureInfo.InvariantCulture, $"{Cell(range.Name)},{GatewaySeries.UnitOf(range.Name)},{at:yyyy-MM-dd'T'HH:mm:ss'Z'},{figures}\n");
            }
        }

        return text.ToString();
    }

    private static string Table(IEnumerable<HistoryEvent> events)
    {
        var text = new StringBuilder("id,time,kind,token,interface,local,remote,address id,backup,error,reset reason,count,bytes sent,bytes received,lasted s\n");
        foreach (var e in events)
        {
            text.Append(CultureInfo.InvariantCulture, $"{e.Id},{e.At.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss.fff'Z'},{e.Kind},{e.Token:x8},{Cell(e.Interface)},{e.Local},{e.Remote},{e.AddressId},{e.Backup},{e.Error},{e.ResetReason},{e.Count},{e.BytesSent},{e.BytesReceived},{e.Lasted?.TotalSeconds}\n");
        }

        return text.ToString();
    }

    // The name of an interface may be anything; a table program must take it neither for two cells nor for a formula.
    private static string Cell(string? text) => text is null ? "" : text.AsSpan().IndexOfAny(s_unsafe) < 0 && !text.StartsWith('-') ? text : $"\"'{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private static FileContentHttpResult Csv(string table, string file) => TypedResults.File(Encoding.UTF8.GetBytes(table), "text/csv; charset=utf-8", file);

    private static string Shown(string text) => StatusCommand.Printable(text[..Math.Min(text.Length, 60)]);

    private static ProblemHttpResult Bad(string sentence) => TypedResults.Problem(sentence, statusCode: StatusCodes.Status400BadRequest);
}
