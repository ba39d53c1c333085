using System.Security.Claims;
using System.Text.Json;
using MPSec.Changes;
using MPSec.Hosting.Checked;
using MPSec.Hosting.Cli;

namespace MPSec.Hosting.Api;

/// <summary>
/// Checked changes under <c>/api/v1/changes</c>: apply, look, confirm, roll back. A confirmation counts only over a connection that was opened after the
/// change was applied: an older one may live on where new ones no longer get through.
/// </summary>
public static class ChangesApi
{
    /// <summary>Maps the endpoints. All need a signed-in user; the door asks for the role of a change.</summary>
    public static IEndpointRouteBuilder MapChangesApi(this IEndpointRouteBuilder app)
    {
        var changes = app.MapApi("changes", "Changes");
        changes.MapPost("", (ChangeRequest request, ChangeService service, ClaimsPrincipal user, CancellationToken aborted) => ApiProblem.TryAsync(async () =>
            TypedResults.Json(await service.ApplyCheckedAsync(request.ToPlan(), ChangeActor.Of(user), request.Timeout, aborted), MPSecCommandLine.Json, statusCode: StatusCodes.Status202Accepted)))
            .WithSummary("Apply operations; unless confirmed in time they are undone")
            .Answers<PendingChange>(StatusCodes.Status202Accepted, StatusCodes.Status400BadRequest, StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);
        changes.MapGet("pending", async (ChangeService service) => await service.PendingAsync() is { } pending ? (IResult)TypedResults.Json(pending, MPSecCommandLine.Json) : TypedResults.NoContent())
            .WithSummary("The change that waits to be confirmed").Answers<PendingChange>().Answers(StatusCodes.Status204NoContent);
        changes.MapPost("{id:guid}/confirm", (Guid id, HttpContext context, ChangeService service, ClaimsPrincipal user) => ApiProblem.TryAsync(async () =>
        {
            if (await service.PendingAsync() is { AppliedMs: { } applied } pending && pending.Id == id && !(context.Features.Get<ConnectionStart>()?.Milliseconds > applied))
            {
                return TypedResults.Problem(
                    "confirm: this connection was opened before the change was applied and proves nothing; confirm over a new connection", statusCode: StatusCodes.Status409Conflict);
            }

            return TypedResults.Json(await service.ConfirmAsync(id, ChangeActor.Of(user)), MPSecCommandLine.Json);
        })).WithSummary("Keep a change; only over a connection opened after it was applied").Answers<ChangeReport>(StatusCodes.Status200OK, StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);
        changes.MapPost("{id:guid}/rollback", (Guid id, ChangeService service, ClaimsPrincipal user) => ApiProblem.TryAsync(async () =>
            TypedResults.Json(await service.RollbackAsync(id, ChangeActor.Of(user)), MPSecCommandLine.Json))).WithSummary("Undo a change now")
            .Answers<ChangeReport>(StatusCodes.Status200OK, StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);
        changes.MapGet("{id:guid}", async (Guid id, ChangeJournal journal) => await journal.FindAsync(id) is { } report ? (IResult)TypedResults.Json(report, MPSecCommandLine.Json) : TypedResults.Problem($"there is no change {id}", statusCode: StatusCodes.Status404NotFound))
            .WithSummary("How a change ended").Answers<ChangeReport>(StatusCodes.Status200OK, StatusCodes.Status404NotFound);
        return app;
    }
}

/// <summary>Operations to apply with a check.</summary>
/// <param name="Operations">In this order, each with its <c>verb</c>.</param>
/// <param name="TimeoutSeconds">Time to confirm, 10 to 600; 60 when left out.</param>
public sealed record ChangeRequest(JsonElement Operations, double? TimeoutSeconds = null)
{
    internal TimeSpan? Timeout => TimeoutSeconds is null ? null
        : TimeoutSeconds is > 0 and < 1e6 ? TimeSpan.FromSeconds(TimeoutSeconds.Value)
        : TimeSpan.Zero; // out of range in any case; the door names the range

    internal ChangePlan ToPlan() => new()
    {
        TitleCode = "operations",
        Operations = [.. OperationJson.ReadMany(Operations.ValueKind == JsonValueKind.Array ? Operations.GetRawText() : "null")],
    };
}
