using System.Security.Claims;
using MPSec.Changes;
using MPSec.Features.Settings;
using MPSec.Hosting.Auth;
using MPSec.Hosting.Cli;

namespace MPSec.Hosting.Api;

/// <summary>Where alerts are sent.</summary>
/// <param name="Address">http or https; null takes it away. It is never told again.</param>
public sealed record WebhookRequest(string? Address);

/// <summary>Whether alerts are sent, and where to.</summary>
/// <param name="Host">Host of the address; null when none is set.</param>
public sealed record WebhookReply(string? Host);

/// <summary>Alerts under <c>/api/v1/alerts</c>: list, webhook, test.</summary>
public static class AlertsApi
{
    /// <summary>Maps the endpoints.</summary>
    public static IEndpointRouteBuilder MapAlertsApi(this IEndpointRouteBuilder app)
    {
        var alerts = app.MapApi("alerts", "Alerts");
        alerts.MapGet("", async (int? count, AlertService service, CancellationToken aborted) => TypedResults.Json(await service.RecentAsync(Math.Clamp(count ?? 50, 1, 200), aborted), MPSecCommandLine.Json))
            .WithSummary("Alerts, raised ones first, then the newest").Answers<IReadOnlyList<AlertFacts>>();
        alerts.MapGet("webhook", (AlertWebhook webhook) => TypedResults.Json(new WebhookReply(webhook.Host), MPSecCommandLine.Json))
            .RequireAuthorization(UserRole.Administrator).WithSummary("Where alerts are sent: the host only").Answers<WebhookReply>();
        alerts.MapPut("webhook", (WebhookRequest request, AlertWebhook webhook, ClaimsPrincipal user, CancellationToken aborted) => ApiProblem.TryAsync(async () =>
        {
            await webhook.SetAsync(request.Address, ChangeActor.Of(user), aborted);
            return TypedResults.Json(new WebhookReply(webhook.Host), MPSecCommandLine.Json);
        })).RequireAuthorization(UserRole.Administrator).WithSummary("Set or take away the address that alerts are sent to").Answers<WebhookReply>(StatusCodes.Status200OK, StatusCodes.Status400BadRequest);
        alerts.MapPost("webhook/test", (AlertWebhook webhook, ClaimsPrincipal user, CancellationToken aborted) => ApiProblem.TryAsync(async () =>
            await webhook.TestAsync(ChangeActor.Of(user), aborted) is { } problem
                ? TypedResults.Problem($"webhook: {problem}", statusCode: StatusCodes.Status502BadGateway)
                : TypedResults.NoContent())).RequireAuthorization(UserRole.Administrator).WithSummary("Send a test to the webhook now")
            .Answers(StatusCodes.Status204NoContent, StatusCodes.Status404NotFound, StatusCodes.Status502BadGateway);
        return app;
    }
}
