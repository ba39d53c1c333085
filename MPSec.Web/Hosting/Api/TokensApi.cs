using System.Security.Claims;
using MPSec.Changes;
using MPSec.Features.Settings;
using MPSec.Hosting.Auth;
using MPSec.Hosting.Cli;

namespace MPSec.Hosting.Api;

/// <summary>A token to make by the API.</summary>
/// <param name="Name">What it is for: letters, digits and - . _</param>
/// <param name="Role">viewer, operator or administrator; viewer when left out.</param>
/// <param name="Days">How long it is good, 1 to 3650; 90 when left out.</param>
public sealed record TokenRequest(string? Name, ChangeRole? Role, int? Days);

/// <summary>Bearer tokens under <c>/api/v1/tokens</c>: list, make, revoke.</summary>
public static class TokensApi
{
    /// <summary>Maps the endpoints; all are for administrators.</summary>
    public static IEndpointRouteBuilder MapTokensApi(this IEndpointRouteBuilder app)
    {
        var tokens = app.MapApi("tokens", "Tokens").RequireAuthorization(UserRole.Administrator);
        tokens.MapGet("", async (ApiTokenService service, CancellationToken aborted) => TypedResults.Json(await service.ListAsync(aborted), MPSecCommandLine.Json))
            .WithSummary("All bearer tokens, without their secrets").Answers<IReadOnlyList<ApiTokenFacts>>();
        tokens.MapPost("", (TokenRequest request, ApiTokenService service, ClaimsPrincipal user, HttpResponse response, CancellationToken aborted) => ApiProblem.TryAsync(async () =>
        {
            response.Headers.CacheControl = "no-store";
            var made = await service.CreateAsync(request.Name, request.Role ?? ChangeRole.Viewer, request.Days ?? ApiTokenService.UsualDays, ChangeActor.Of(user), aborted);
            return TypedResults.Json(made, MPSecCommandLine.Json, statusCode: StatusCodes.Status201Created);
        })).WithSummary("Make a bearer token; its secret is in this answer only").Answers<NewApiToken>(StatusCodes.Status201Created, StatusCodes.Status400BadRequest);
        tokens.MapDelete("{name}", (string name, ApiTokenService service, ClaimsPrincipal user, CancellationToken aborted) => ApiProblem.TryAsync(async () =>
        {
            await service.RevokeAsync(name, ChangeActor.Of(user), aborted);
            return TypedResults.NoContent();
        })).WithSummary("Revoke a bearer token").Answers(StatusCodes.Status204NoContent, StatusCodes.Status404NotFound);
        return app;
    }
}
