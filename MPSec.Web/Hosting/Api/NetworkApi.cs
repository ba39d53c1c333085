using System.Globalization;
using System.Security.Claims;
using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;
using MPSec.Changes;
using MPSec.Features.Network;
using MPSec.Hosting.Cli;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Hosting.Api;

/// <summary>A version of a gateway's configuration in the API.</summary>
/// <param name="Version">Number, from 1.</param>
/// <param name="Actor">Who saved it.</param>
/// <param name="At">When, UTC.</param>
/// <param name="TitleCode">Code of the change's title.</param>
/// <param name="TitleArguments">Its arguments.</param>
public sealed record NetworkVersionReply(int Version, string Actor, DateTimeOffset At, string TitleCode, IReadOnlyList<string> TitleArguments)
{
    internal static NetworkVersionReply Of(NetworkVersion version) => new(version.Version, version.Actor, version.At, version.TitleCode, version.TitleArguments);
}

/// <summary>
/// Paths, routing and the saved configuration of a gateway under <c>/api/v1/gateways/{name}/network</c>. An edit is applied with a check: it is undone unless
/// confirmed in time, as any change under <c>/api/v1/changes</c>.
/// </summary>
public static class NetworkApi
{
    private const int LargestDocument = 1 << 20;

    /// <summary>Maps the endpoints. Reading needs a signed-in user, the door asks for the role of a change.</summary>
    public static IEndpointRouteBuilder MapNetworkApi(this IEndpointRouteBuilder app)
    {
        var network = app.MapApi("gateways/{name}/network", "Network");
        network.MapGet("", (string name, string? peers, NetworkService service, CancellationToken aborted) => GatewaysApi.With(name, async gateway =>
            TypedResults.Json(await ReadAsync(service, gateway, peers, aborted), MPSecCommandLine.Json))).WithSummary("Paths, the kernel's answer for every source and peer, and findings")
            .AnswersReading<NetworkSnapshot>();
        network.MapGet("configuration", (string name, HttpResponse response, NetworkConfigurationService service, CancellationToken aborted) => GatewaysApi.With(name, async gateway =>
            await service.CurrentAsync(gateway, aborted) is { } saved ? Document(saved, response) : throw Missing(gateway))).WithSummary("The saved configuration; its version is the ETag").AnswersReading<NetworkDocument>();
        network.MapPut("configuration", (string name, double? timeoutSeconds, HttpRequest request, NetworkConfigurationService service, ChangeService changes, ClaimsPrincipal user, CancellationToken aborted) =>
            GatewaysApi.With(name, gateway => PutAsync(gateway, timeoutSeconds, request, service, changes, ChangeActor.Of(user), aborted)))
            .WithSummary("Apply another configuration with a check; If-Match names the version that it was made from, \"0\" when none is saved")
            .Accepts<NetworkDocument>("application/json").AnswersApplied().ProducesProblem(StatusCodes.Status412PreconditionFailed).ProducesProblem(StatusCodes.Status428PreconditionRequired);
        network.MapGet("history", (string name, int? count, NetworkConfigurationService service, CancellationToken aborted) => GatewaysApi.With(name, async gateway =>
            TypedResults.Json((await service.HistoryAsync(gateway, Math.Clamp(count ?? 50, 1, NetworkConfiguration.MostVersions), aborted)).Select(NetworkVersionReply.Of), MPSecCommandLine.Json)))
            .WithSummary("Versions of the configuration, newest first").AnswersReading<IEnumerable<NetworkVersionReply>>();
        network.MapGet("history/{version:int}", (string name, int version, HttpResponse response, NetworkConfigurationService service, CancellationToken aborted) => GatewaysApi.With(name, async gateway =>
            await service.FindAsync(gateway, version, aborted) is { } saved ? Document(saved, response) : throw Missing(gateway, version))).WithSummary("The document of a version").AnswersReading<NetworkDocument>();
        network.MapGet("history/{before:int}/diff/{after:int}", (string name, int before, int after, NetworkConfigurationService service, CancellationToken aborted) => GatewaysApi.With(name, async gateway =>
            TypedResults.Json(await service.DiffAsync(gateway, before, after, aborted), MPSecCommandLine.Json))).WithSummary("What differs between two versions").AnswersReading<NetworkDiff>();
        network.MapPost("history/{version:int}/revert", (string name, int version, double? timeoutSeconds, NetworkConfigurationService service, ChangeService changes, ClaimsPrincipal user, CancellationToken aborted) =>
            GatewaysApi.With(name, async gateway =>
            {
                var actor = ChangeActor.Of(user);
                actor.Require(ChangeRole.Administrator);
                var wanted = await service.FindAsync(gateway, version, aborted) ?? throw Missing(gateway, version);
                var plan = await service.RevertPlanAsync(gateway, version, aborted);
                return await ApplyAsync(gateway, wanted.Document, plan, timeoutSeconds, service, changes, actor, aborted);
            })).WithSummary("Go back to a version with a check; it becomes the newest one").AnswersApplied();
        network.MapPost("repair", (string name, NetworkService service, ChangeService changes, ClaimsPrincipal user, CancellationToken aborted) => GatewaysApi.With(name, gateway =>
            GatewaysApi.ChangeAsync(changes, user, async () => NetworkService.Plan(gateway, (await ReadAsync(service, gateway, null, aborted)).Repairs)))).WithSummary("Repair every routing fault that was found").AnswersChange();
        return app;
    }

    // At once where nothing of the gateway changes, else waiting to be confirmed.
    private static RouteHandlerBuilder AnswersApplied(this RouteHandlerBuilder endpoint) => endpoint.Answers<NetworkVersionReply>()
        .Answers<PendingChange>(StatusCodes.Status202Accepted, StatusCodes.Status400BadRequest, StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);

    private static async Task<NetworkSnapshot> ReadAsync(NetworkService service, GatewayName gateway, string? peers, CancellationToken cancellationToken)
    {
        var given = NetworkService.ParsePeers(peers, out var wrong);
        if (wrong is not null)
        {
            throw new ChangeException(ChangeFault.Invalid, $"peers: '{StatusCommand.Printable(wrong)}' is no IP address; write 192.0.2.1 or 2001:db8::1");
        }

        var reading = await Task.Run(() =>
        {
            using var reader = GatewayReader.Open(gateway);
            return reader.Read();
        }, cancellationToken);
        return await service.ReadAsync(reading, given, cancellationToken);
    }

    private static ContentHttpResult Document(SavedNetwork saved, HttpResponse response)
    {
        response.Headers.ETag = string.Create(CultureInfo.InvariantCulture, $"\"{saved.Version}\"");
        return TypedResults.Text(saved.Document.ToJson(), "application/json", Encoding.UTF8);
    }

    private static async Task<IResult> PutAsync(
        GatewayName gateway, double? timeoutSeconds, HttpRequest request, NetworkConfigurationService service, ChangeService changes, ChangeActor actor, CancellationToken cancellationToken)
    {
        actor.Require(ChangeRole.Administrator);
        var match = request.Headers.IfMatch.ToString();
        if (match.Length == 0)
        {
            return TypedResults.Problem("If-Match: name the version that this configuration was made from, such as If-Match: \"3\"; \"0\" when none is saved", statusCode: StatusCodes.Status428PreconditionRequired);
        }

        if (match.Length < 3 || match[0] != '"' || match[^1] != '"' || !int.TryParse(match.AsSpan(1, match.Length - 2), NumberStyles.None, CultureInfo.InvariantCulture, out var version))
        {
            throw new ChangeException(ChangeFault.Invalid, "If-Match: must be the ETag of the configuration such as \"3\", in quotes");
        }

        NetworkDocument document;
        try
        {
            document = NetworkDocument.Parse(await TextAsync(request, cancellationToken));
        }
        catch (FormatException e)
        {
            throw new ChangeException(ChangeFault.Invalid, e.Message, e);
        }

        try
        {
            return await ApplyAsync(gateway, document, await service.PlanAsync(gateway, document, version, cancellationToken: cancellationToken), timeoutSeconds, service, changes, actor, cancellationToken);
        }
        catch (ChangeException e) when (e.Fault == ChangeFault.Outdated)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status412PreconditionFailed);
        }
    }

    /// <summary>Applies with a check; what changes nothing of the gateway is saved at once.</summary>
    private static async Task<IResult> ApplyAsync(
        GatewayName gateway, NetworkDocument document, ChangePlan plan, double? timeoutSeconds, NetworkConfigurationService service, ChangeService changes, ChangeActor actor, CancellationToken cancellationToken)
    {
        if (plan.Operations.IsEmpty)
        {
            var saved = await service.SaveWithoutChangeAsync(gateway, document, plan.Configuration!.BaseVersion ?? 0, actor, plan.TitleCode, plan.TitleArguments, cancellationToken);
            return TypedResults.Json(NetworkVersionReply.Of(saved), MPSecCommandLine.Json);
        }

        TimeSpan? timeout = timeoutSeconds is null ? null : timeoutSeconds is > 0 and < 1e6 ? TimeSpan.FromSeconds(timeoutSeconds.Value) : TimeSpan.Zero; // the door names the range
        return TypedResults.Json(await changes.ApplyCheckedAsync(plan, actor, timeout, cancellationToken), MPSecCommandLine.Json, statusCode: StatusCodes.Status202Accepted);
    }

    private static async Task<string> TextAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        var bytes = new byte[LargestDocument + 1];
        var length = await request.Body.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken);
        return length <= LargestDocument ? Encoding.UTF8.GetString(bytes, 0, length).TrimStart('\uFEFF') : throw new FormatException($"body: is larger than {LargestDocument / 1024} KiB");
    }

    private static ChangeException Missing(GatewayName gateway, int? version = null) => new(ChangeFault.NotFound, version is null
        ? $"configuration of gateway {gateway}: none is saved yet"
        : $"configuration of gateway {gateway}: there is no version {version}");
}
