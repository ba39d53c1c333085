using System.Security.Claims;
using MPSec.Changes;
using MPSec.Features.Kernel;
using MPSec.Hosting.Cli;

namespace MPSec.Hosting.Api;

/// <summary>
/// Trying a kernel, under <c>/api/v1/kernel/boots</c>. Installing and removing one are jobs: <c>kernel-install</c> and <c>kernel-remove</c> under <c>/api/v1/jobs</c>.
/// The machine is never started anew over HTTP.
/// </summary>
public static class KernelBootApi
{
    /// <summary>Maps the endpoints.</summary>
    public static IEndpointRouteBuilder MapKernelBootApi(this IEndpointRouteBuilder app)
    {
        var boots = app.MapApi("kernel/boots", "Kernel");
        boots.MapGet("", (KernelBootService service) => TryAsync(() => Task.FromResult<object?>(service.Read())))
            .WithSummary("Which kernel runs, which one starts next, and what became of those that MPSec installed, as mpsec kernel boots --json prints it").Answers<KernelBootSnapshot>(StatusCodes.Status200OK, StatusCodes.Status409Conflict);
        boots.MapPost("plan", (KernelInstallParameters wanted, KernelBootService service, ClaimsPrincipal user, CancellationToken aborted) => TryAsync(user, async _ => await service.PlanAsync(wanted, aborted)))
            .WithSummary("What installing a package would change, and why it would be refused; nothing is changed").Answers<KernelInstallPlan>(StatusCodes.Status200OK, StatusCodes.Status400BadRequest, StatusCodes.Status409Conflict);
        boots.MapPost("try", (KernelBootService service, ClaimsPrincipal user, CancellationToken aborted) => TryAsync(user, async who => await service.ArmAsync(who, aborted)))
            .WithSummary("Make the next start, and only that one, one with the installed kernel; the machine is not started anew").AnswersRecord();
        boots.MapPost("cancel-try", (KernelBootService service, ClaimsPrincipal user, CancellationToken aborted) => TryAsync(user, async who => await service.DisarmAsync(who, aborted)))
            .WithSummary("Take that back").AnswersRecord();
        boots.MapPost("confirm", (KernelBootService service, ClaimsPrincipal user, CancellationToken aborted) => TryAsync(user, async who => await service.ConfirmAsync(who, aborted)))
            .WithSummary("Say that the kernel on trial is good; it is kept once it passes every check").AnswersRecord();
        boots.MapPost("keep", (KernelBootService service, ClaimsPrincipal user, CancellationToken aborted) => TryAsync(user, async who => await service.KeepAsync(who, aborted)))
            .WithSummary("Check the kernel on trial now and make it the default when no check fails").AnswersRecord();
        return app;
    }

    private static void AnswersRecord(this RouteHandlerBuilder endpoint) => endpoint.Answers<KernelBootRecord>(StatusCodes.Status200OK, StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);

    private static Task<IResult> TryAsync(ClaimsPrincipal user, Func<string, Task<object?>> act) => TryAsync(async () =>
    {
        var actor = ChangeActor.Of(user);
        actor.Require(ChangeRole.Administrator);
        return await act(actor.Name);
    });

    private static Task<IResult> TryAsync(Func<Task<object?>> act) => ApiProblem.TryAsync(async () =>
    {
        try
        {
            return TypedResults.Json(await act() ?? throw new ChangeException(ChangeFault.NotFound, "no kernel was installed by MPSec"), MPSecCommandLine.Json);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ChangeException(ChangeFault.Refused, e.Message, e);
        }
    });
}
