using System.Security.Claims;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.HttpResults;
using MPSec.Changes;
using MPSec.Features.Lab;
using MPSec.Hosting.Auth;

namespace MPSec.Hosting.Api;

/// <summary>A lab to make by the API.</summary>
/// <param name="Name">Name; <c>lab</c> when absent.</param>
/// <param name="Paths">Paths.</param>
/// <param name="BufferMs">Queue of each path in milliseconds; 50 when absent.</param>
public sealed record LabUpRequest(string? Name, LabPathSpec[]? Paths, double? BufferMs);

/// <summary>Labs under <c>/api/v1/labs</c>: list, make, drop, transfer.</summary>
public static class LabsApi
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) } };

    /// <summary>Maps the endpoints. The services ask for the role again.</summary>
    public static IEndpointRouteBuilder MapLabsApi(this IEndpointRouteBuilder app)
    {
        var labs = app.MapApi("labs", "Labs");
        labs.MapGet("", async (LabService service, CancellationToken cancellationToken) => TypedResults.Json(await service.StatusAsync(cancellationToken), s_json)).WithSummary("All labs with paths and states").Answers<IReadOnlyList<LabStatus>>();
        labs.MapPost("", UpAsync).RequireAuthorization(UserRole.Administrator).WithSummary("Make a lab").Answers<LabStatus>(StatusCodes.Status201Created, StatusCodes.Status400BadRequest, StatusCodes.Status409Conflict, StatusCodes.Status501NotImplemented);
        labs.MapDelete("{name}", DownAsync).RequireAuthorization(UserRole.Administrator).WithSummary("Drop a lab and everything in it").Answers(StatusCodes.Status204NoContent, StatusCodes.Status400BadRequest, StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);
        labs.MapGet("{name}/transfer", Transfer).WithSummary("State of the built-in transfer, measured at the receiver").Answers<LabTransferSnapshot>(StatusCodes.Status200OK, StatusCodes.Status404NotFound);
        labs.MapPut("{name}/transfer", StartAsync).RequireAuthorization(UserRole.Operator).WithSummary("Start the transfer, in place of a running one; body: direction, connections, congestion").Accepts<LabTransferSettings>("application/json")
            .Answers(StatusCodes.Status204NoContent, StatusCodes.Status400BadRequest, StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);
        labs.MapDelete("{name}/transfer", StopAsync).RequireAuthorization(UserRole.Operator).WithSummary("Stop the transfer").Answers(StatusCodes.Status204NoContent, StatusCodes.Status400BadRequest, StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);
        return app;
    }

    private static Task<IResult> UpAsync(LabService service, ClaimsPrincipal user, LabUpRequest request, CancellationToken cancellationToken) => TryAsync(async () =>
    {
        var spec = new LabSpec { Name = request.Name ?? "lab", Paths = [.. request.Paths ?? []], BufferMs = request.BufferMs ?? 50 };
        return TypedResults.Json(await service.UpAsync(spec, ChangeActor.Of(user), cancellationToken), s_json, statusCode: StatusCodes.Status201Created);
    });

    private static Task<IResult> DownAsync(LabService service, ClaimsPrincipal user, string name, CancellationToken cancellationToken) => TryAsync(async () =>
    {
        await service.DownAsync(name, ChangeActor.Of(user), cancellationToken);
        return TypedResults.NoContent();
    });

    private static IResult Transfer(LabTransferService service, string name) =>
        service.FindStore(name)?.Current is { } snapshot ? TypedResults.Json(snapshot, s_json) : TypedResults.Problem($"lab {name}: no transfer has run since MPSec started", statusCode: StatusCodes.Status404NotFound);

    private static Task<IResult> StartAsync(LabTransferService service, ClaimsPrincipal user, string name, HttpRequest request, CancellationToken cancellationToken) => TryAsync(async () =>
    {
        LabTransferSettings settings;
        try
        {
            settings = await request.ReadFromJsonAsync<LabTransferSettings>(s_json, cancellationToken) ?? new();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new ChangeException(ChangeFault.Invalid, "transfer: the body must be JSON such as {\"direction\":\"a-to-b\",\"connections\":1}", e);
        }

        await service.StartAsync(name, settings, ChangeActor.Of(user), cancellationToken);
        return TypedResults.NoContent();
    });

    private static Task<IResult> StopAsync(LabTransferService service, ClaimsPrincipal user, string name, CancellationToken cancellationToken) => TryAsync(async () =>
    {
        await service.StopAsync(name, ChangeActor.Of(user), cancellationToken);
        return TypedResults.NoContent();
    });

    private static async Task<IResult> TryAsync(Func<Task<IResult>> act)
    {
        try
        {
            return await act();
        }
        catch (ChangeException e)
        {
            return Problem(e);
        }
    }

    private static ProblemHttpResult Problem(ChangeException e) => TypedResults.Problem(e.Message, statusCode: e.Fault switch
    {
        ChangeFault.Invalid => StatusCodes.Status400BadRequest,
        ChangeFault.NotPermitted => StatusCodes.Status403Forbidden,
        ChangeFault.NotFound => StatusCodes.Status404NotFound,
        ChangeFault.Busy or ChangeFault.Foreign or ChangeFault.Observed => StatusCodes.Status409Conflict,
        ChangeFault.NotAvailable => StatusCodes.Status501NotImplemented,
        _ => StatusCodes.Status500InternalServerError,
    });
}
