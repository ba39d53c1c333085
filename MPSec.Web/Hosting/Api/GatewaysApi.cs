using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using MPSec.Changes;
using MPSec.Components.Layout;
using MPSec.Features.Multipath;
using MPSec.Hosting.Cli;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Values;

namespace MPSec.Hosting.Api;

/// <summary>Gateways under <c>/api/v1/gateways</c>: list, one reading, links up and down, MPTCP on and off, observe or managed.</summary>
public static class GatewaysApi
{
    /// <summary>Maps the endpoints. All need a signed-in user; the door asks for the role of a change.</summary>
    public static IEndpointRouteBuilder MapGatewaysApi(this IEndpointRouteBuilder app)
    {
        var gateways = app.MapApi("gateways", "Gateways");
        gateways.MapGet("", (IShellState shell) => TypedResults.Json(shell.Gateways, MPSecCommandLine.Json)).WithSummary("All gateways of this machine").Answers<IReadOnlyList<ShellGateway>>();
        gateways.MapGet("{name}", (string name) => With(name, ReadAsync)).WithSummary("One reading of a gateway, as mpsec status --json prints it").AnswersReading<GatewayReading>();
        gateways.MapPost("{name}/links/{link}/up", (string name, string link, PathControl control, ChangeService changes, ClaimsPrincipal user) =>
            With(name, gateway => ChangeAsync(changes, user, () => control.UpAsync(gateway, InterfaceName.Parse(link))))).WithSummary("Take a link up, with the routes it lost").AnswersChange();
        gateways.MapPost("{name}/links/{link}/down", (string name, string link, PathControl control, ChangeService changes, ClaimsPrincipal user) =>
            With(name, gateway => ChangeAsync(changes, user, () => Task.FromResult(control.Down(gateway, InterfaceName.Parse(link)))))).WithSummary("Take a link down").AnswersChange();
        foreach (var on in new[] { true, false })
        {
            gateways.MapPost($"{{name}}/mptcp/{(on ? "on" : "off")}", (string name, PathControl control, ChangeService changes, ClaimsPrincipal user) =>
                With(name, gateway => ChangeAsync(changes, user, () => Task.FromResult(control.Multipath(gateway, on))))).WithSummary($"Switch MPTCP {(on ? "on" : "off")} for new connections").AnswersChange();
        }

        foreach (var mode in Enum.GetValues<GatewayMode>())
        {
            gateways.MapPost($"{{name}}/mode/{mode.ToString().ToLowerInvariant()}", (string name, GatewayModes modes, ClaimsPrincipal user) => With(name, async gateway =>
            {
                await modes.SetAsync(gateway, mode, ChangeActor.Of(user));
                return TypedResults.NoContent();
            })).WithSummary(mode == GatewayMode.Managed ? "Let MPSec change the gateway" : "Observe the gateway only").Answers(StatusCodes.Status204NoContent, StatusCodes.Status400BadRequest, StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);
        }

        return app;
    }

    private static Task<IResult> ReadAsync(GatewayName gateway) => Task.Run<IResult>(() =>
    {
        using var reader = GatewayReader.Open(gateway);
        return TypedResults.Json(reader.Read(), MPSecCommandLine.Json);
    });

    internal static async Task<IResult> ChangeAsync(ChangeService changes, ClaimsPrincipal user, Func<Task<ChangePlan>> plan)
    {
        var report = await changes.RunAsync(await plan(), ChangeActor.Of(user));
        return TypedResults.Json(report, MPSecCommandLine.Json, statusCode: report.Outcome == ChangeOutcome.Applied ? StatusCodes.Status200OK : StatusCodes.Status409Conflict);
    }

    /// <summary>Turns what can go wrong into a problem with one sentence.</summary>
    internal static async Task<IResult> With(string name, Func<GatewayName, Task<IResult>> act)
    {
        try
        {
            return await act(GatewayName.Parse(name));
        }
        catch (FormatException e)
        {
            return Problem(StatusCodes.Status400BadRequest, e.Message);
        }
        catch (NamespaceException e)
        {
            return Problem(e.IsGone ? StatusCodes.Status404NotFound : StatusCodes.Status503ServiceUnavailable, e.Message);
        }
        catch (ChangeException e)
        {
            return ApiProblem.Of(e);
        }
    }

    private static ProblemHttpResult Problem(int status, string sentence) => TypedResults.Problem(sentence, statusCode: status);
}
