using System.Security.Claims;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.HttpResults;
using MPSec.Jobs;

namespace MPSec.Hosting.Api;

/// <summary>A start by the API.</summary>
/// <param name="Kind">Key of the kind.</param>
/// <param name="Parameters">Its parameters; the usual ones when absent.</param>
public sealed record JobStartRequest(string Kind, JsonElement? Parameters);

/// <summary>A run that was queued or asked to end.</summary>
/// <param name="Id">Its number.</param>
public sealed record JobStarted(long Id);

/// <summary>Jobs under <c>/api/v1/jobs</c>: list, one, log, start, cancel, run again.</summary>
public static class JobsApi
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    /// <summary>Maps the endpoints. All need a signed-in user; the engine asks for the kind's role.</summary>
    public static IEndpointRouteBuilder MapJobsApi(this IEndpointRouteBuilder app)
    {
        var jobs = app.MapApi("jobs", "Jobs");
        jobs.MapGet("", ListAsync).WithSummary("Runs, the newest first; kind, state, before (a run's number) and limit (1 to 500) narrow the list")
            .Answers<IReadOnlyList<JobRunAnswer>>(StatusCodes.Status200OK, StatusCodes.Status400BadRequest);
        jobs.MapGet("{id:long}", FindAsync).WithSummary("One run with its steps and history").Answers<JobRunAnswer>(StatusCodes.Status200OK, StatusCodes.Status404NotFound);
        jobs.MapGet("{id:long}/log", LogAsync).WithSummary("The log of a run as text").AnswersText("text/plain", StatusCodes.Status404NotFound);
        jobs.MapPost("", StartAsync).WithSummary("Start a run")
            .Answers<JobStarted>(StatusCodes.Status202Accepted, StatusCodes.Status400BadRequest, StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);
        jobs.MapPost("{id:long}/cancel", CancelAsync).WithSummary("Ask a run to end")
            .Answers<JobStarted>(StatusCodes.Status202Accepted, StatusCodes.Status400BadRequest, StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);
        jobs.MapPost("{id:long}/again", AgainAsync).WithSummary("Run again with the same parameters")
            .Answers<JobStarted>(StatusCodes.Status202Accepted, StatusCodes.Status400BadRequest, StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);
        return app;
    }

    private static async Task<Results<JsonHttpResult<IReadOnlyList<JobRunAnswer>>, ProblemHttpResult>> ListAsync(JobEngine engine, string? kind, string? state, long? before, int? limit, CancellationToken cancellationToken)
    {
        JobState? wanted = null;
        if (state is not null)
        {
            if (!Enum.TryParse<JobState>(state, ignoreCase: true, out var parsed) || !Enum.IsDefined(parsed))
            {
                return Problem(StatusCodes.Status400BadRequest, $"state: must be one of {string.Join(", ", Enum.GetNames<JobState>())}");
            }

            wanted = parsed;
        }

        if (limit is < 1 or > 500)
        {
            return Problem(StatusCodes.Status400BadRequest, "limit: must be 1 to 500");
        }

        var runs = await engine.ListAsync(kind, wanted, before, limit ?? 50, cancellationToken);
        return TypedResults.Json<IReadOnlyList<JobRunAnswer>>([.. runs.Select(JobRunAnswer.Of)], s_json);
    }

    private static async Task<Results<JsonHttpResult<JobRunAnswer>, ProblemHttpResult>> FindAsync(JobEngine engine, long id, CancellationToken cancellationToken) =>
        await engine.FindAsync(id, cancellationToken) is { } run ? TypedResults.Json(JobRunAnswer.Of(run), s_json) : NoRun(id);

    private static async Task<Results<PhysicalFileHttpResult, ProblemHttpResult>> LogAsync(JobEngine engine, HttpResponse response, long id, CancellationToken cancellationToken)
    {
        if (await engine.FindAsync(id, cancellationToken) is null)
        {
            return NoRun(id);
        }

        if (!File.Exists(engine.LogPath(id)))
        {
            return Problem(StatusCodes.Status404NotFound, $"run {id} has no log yet");
        }

        response.Headers.XContentTypeOptions = "nosniff";
        return TypedResults.PhysicalFile(engine.LogPath(id), "text/plain; charset=utf-8", $"mpsec-job-{id}.log");
    }

    private static Task<IResult> StartAsync(JobEngine engine, ClaimsPrincipal user, JobStartRequest request, CancellationToken cancellationToken) => TryAsync(async () =>
    {
        var kind = engine.FindKind(request.Kind ?? "") ?? throw new JobRefusedException(JobRefusal.UnknownKind, $"kind: must be one of {string.Join(", ", engine.Kinds.Select(known => known.Key))}");
        return await engine.StartAsync(kind.Key, Parameters(kind, request.Parameters), user, cancellationToken);
    });

    private static Task<IResult> CancelAsync(JobEngine engine, ClaimsPrincipal user, long id, CancellationToken cancellationToken) => TryAsync(async () =>
    {
        await engine.CancelAsync(id, user, cancellationToken);
        return id;
    });

    private static Task<IResult> AgainAsync(JobEngine engine, ClaimsPrincipal user, long id, CancellationToken cancellationToken) =>
        TryAsync(() => engine.RunAgainAsync(id, user, cancellationToken));

    private static object Parameters(IJobKind kind, JsonElement? given)
    {
        if (given is not { ValueKind: not JsonValueKind.Null } parameters)
        {
            return kind.UsualParameters ?? throw new JobRefusedException(JobRefusal.BadParameters, $"parameters: {kind.Key} needs them");
        }

        try
        {
            return JobEngine.ReadParameters(kind, parameters.GetRawText());
        }
        catch (JsonException e)
        {
            throw new JobRefusedException(JobRefusal.BadParameters, $"parameters: do not fit {kind.Key} ({e.Message})");
        }
    }

    private static async Task<IResult> TryAsync(Func<Task<long>> act)
    {
        try
        {
            var id = await act();
            return TypedResults.Accepted($"/api/v1/jobs/{id}", new JobStarted(id));
        }
        catch (JobRefusedException e)
        {
            return Problem(
                e.Refusal switch
                {
                    JobRefusal.NotPermitted => StatusCodes.Status403Forbidden,
                    JobRefusal.UnknownRun => StatusCodes.Status404NotFound,
                    JobRefusal.AlreadyEnded or JobRefusal.NotNow => StatusCodes.Status409Conflict,
                    _ => StatusCodes.Status400BadRequest,
                },
                e.Message);
        }
    }

    private static ProblemHttpResult NoRun(long id) => Problem(StatusCodes.Status404NotFound, $"there is no run {id}");

    private static ProblemHttpResult Problem(int status, string sentence) => TypedResults.Problem(sentence, statusCode: status);
}

/// <summary>A run as the API shows it. Times are UTC.</summary>
internal sealed record JobRunAnswer(
    long Id,
    string Kind,
    JobState State,
    string RequestedBy,
    DateTimeOffset RequestedAt,
    DateTimeOffset? StartedAt,
    DateTimeOffset? FinishedAt,
    int Attempt,
    double? Percent,
    string? Activity,
    string? Result,
    long? AgainOf,
    JsonElement Parameters,
    IReadOnlyList<JobStepAnswer> Steps,
    IReadOnlyList<JobMarkAnswer> History)
{
    public static JobRunAnswer Of(JobRun run) => new(
        run.Id,
        run.Kind,
        run.State,
        run.RequestedBy,
        run.RequestedAt,
        run.StartedAt,
        run.FinishedAt,
        run.Attempt,
        run.Percent,
        run.Activity,
        run.Result,
        run.AgainOf,
        JsonSerializer.Deserialize<JsonElement>(run.Parameters),
        [.. run.Steps.Select(step => new JobStepAnswer(step.Key, step.State, step.Outcome, step.StartedAt, step.FinishedAt))],
        [.. run.Marks.Select(mark => new JobMarkAnswer(mark.Kind, mark.At, mark.Step, mark.Who))]);
}

/// <summary>A step as the API shows it.</summary>
internal sealed record JobStepAnswer(string Key, JobStepState State, string? Outcome, DateTimeOffset? StartedAt, DateTimeOffset? FinishedAt);

/// <summary>An event of a run's history as the API shows it.</summary>
internal sealed record JobMarkAnswer(JobMarkKind What, DateTimeOffset At, int? Step, string? Who);
