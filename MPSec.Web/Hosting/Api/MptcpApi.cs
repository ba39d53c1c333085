using System.Collections.Immutable;
using System.Security.Claims;
using System.Text.Json;
using MPSec.Changes;
using MPSec.Features.Network;
using MPSec.Hosting.Cli;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Hosting.Api;

/// <summary>An MPTCP setting in the API.</summary>
public sealed record MptcpSettingReply(
    string Name, string? Value, string? Default, string? Unit, string? Range, string? Since, bool Present, bool Writable, ImmutableArray<string> Choices, ImmutableArray<string> NotAllowed);

/// <summary>An endpoint to add by the API.</summary>
/// <param name="Address">One of the gateway's addresses.</param>
/// <param name="Flags">signal, subflow, backup, fullmesh, laminar.</param>
/// <param name="Id">1 to 255; the lowest free one when absent.</param>
/// <param name="Interface">Interface to bind to.</param>
/// <param name="Port">Port to announce.</param>
/// <param name="OwnersAccepted">Add it although another program manages endpoints.</param>
public sealed record MptcpEndpointRequest(string? Address, string[]? Flags, int? Id, string? Interface, int? Port, bool OwnersAccepted);

/// <summary>Flags of an endpoint that can be changed.</summary>
public sealed record MptcpFlagsRequest(bool Backup, bool Fullmesh);

/// <summary>Limits, 0 to 8 each.</summary>
public sealed record MptcpLimitsRequest(int? Subflows, int? AddAddrAccepted);

/// <summary>MPTCP of a gateway under <c>/api/v1/gateways/{name}/mptcp</c>: settings, endpoints, limits, presets. Reading needs a signed-in user, the door asks for the role of a change.</summary>
public static class MptcpApi
{
    /// <summary>Maps the endpoints.</summary>
    public static IEndpointRouteBuilder MapMptcpApi(this IEndpointRouteBuilder app)
    {
        var mptcp = app.MapApi("gateways/{name}/mptcp", "MPTCP");
        mptcp.MapGet("settings", (string name, MptcpSettingsService service) => Read(name, service, now => now.Settings.Select(Reply))).WithSummary("All MPTCP settings, missing ones too")
            .AnswersReading<IEnumerable<MptcpSettingReply>>();
        mptcp.MapPut("settings", (string name, MptcpSettingsService service, ChangeService changes, ClaimsPrincipal user, HttpRequest request) =>
            Change<Dictionary<string, string>>(name, service, changes, user, request, "{\"net.mptcp.enabled\":\"1\"}", MptcpSettingsService.Write)).WithSummary("Write settings, all or none")
            .Accepts<Dictionary<string, string>>("application/json").AnswersChange();
        mptcp.MapGet("endpoints", (string name, MptcpSettingsService service) => Read(name, service, now => now.Endpoints)).WithSummary("MPTCP endpoints").AnswersReading<IEnumerable<MptcpEndpoint>>();
        mptcp.MapPost("endpoints", (string name, MptcpSettingsService service, ChangeService changes, ClaimsPrincipal user, HttpRequest request) =>
            Change<MptcpEndpointRequest>(name, service, changes, user, request, "{\"address\":\"192.0.2.1\",\"flags\":[\"signal\"]}", (now, wish) =>
                MptcpEndpointPlans.Add(now, new(wish.Address, Flags(wish.Flags), wish.Id, wish.Interface, wish.Port), wish.OwnersAccepted))).WithSummary("Add an endpoint").Accepts<MptcpEndpointRequest>("application/json").AnswersChange();
        mptcp.MapPut("endpoints/{id:int}", (string name, int id, MptcpSettingsService service, ChangeService changes, ClaimsPrincipal user, HttpRequest request) =>
            Change<MptcpFlagsRequest>(name, service, changes, user, request, "{\"backup\":true,\"fullmesh\":false}", (now, flags) =>
                MptcpEndpointPlans.Change(now, id, flags.Backup, flags.Fullmesh))).WithSummary("Change backup and fullmesh of an endpoint").Accepts<MptcpFlagsRequest>("application/json").AnswersChange();
        mptcp.MapDelete("endpoints/{id:int}", (string name, int id, MptcpSettingsService service, ChangeService changes, ClaimsPrincipal user) =>
            GatewaysApi.With(name, gateway => GatewaysApi.ChangeAsync(changes, user, async () => MptcpEndpointPlans.Remove(await service.ReadAsync(gateway), id)))).WithSummary("Remove an endpoint")
            .AnswersChange();
        mptcp.MapGet("limits", (string name, MptcpSettingsService service) => Read(name, service, now => now.Limits)).WithSummary("Limits of the path manager").AnswersReading<MptcpLimits>();
        mptcp.MapPut("limits", (string name, MptcpSettingsService service, ChangeService changes, ClaimsPrincipal user, HttpRequest request) =>
            Change<MptcpLimitsRequest>(name, service, changes, user, request, "{\"subflows\":8,\"addAddrAccepted\":8}", (now, limits) =>
                MptcpEndpointPlans.Limits(now, limits.Subflows ?? -1, limits.AddAddrAccepted ?? -1))).WithSummary("Set the limits").Accepts<MptcpLimitsRequest>("application/json").AnswersChange();
        mptcp.MapPost("presets/{preset}", (string name, string preset, string? side, bool? ownersAccepted, MptcpSettingsService service, ChangeService changes, ClaimsPrincipal user) =>
            GatewaysApi.With(name, gateway => GatewaysApi.ChangeAsync(changes, user, async () => Preset(await service.ReadAsync(gateway), preset, side, ownersAccepted == true))))
            .WithSummary("Apply a preset: Aggregate, Survive, LowLatency, Original; side: Accepts, OpensToGateway, OpensToServer").AnswersChange();
        return app;
    }

    private static Task<IResult> Read<T>(string name, MptcpSettingsService service, Func<MptcpSettingsSnapshot, T> select) =>
        GatewaysApi.With(name, async gateway => TypedResults.Json(select(await service.ReadAsync(gateway)), MPSecCommandLine.Json));

    private static Task<IResult> Change<T>(
        string name, MptcpSettingsService service, ChangeService changes, ClaimsPrincipal user, HttpRequest request, string example, Func<MptcpSettingsSnapshot, T, ChangePlan> plan)
        where T : class => GatewaysApi.With(name, gateway => GatewaysApi.ChangeAsync(changes, user, async () =>
    {
        ChangeActor.Of(user).Require(ChangeRole.Administrator);
        T? body;
        try
        {
            body = await request.ReadFromJsonAsync<T>(MPSecCommandLine.Json);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new ChangeException(ChangeFault.Invalid, $"body: must be JSON such as {example}", e);
        }

        return plan(await service.ReadAsync(gateway), body ?? throw new ChangeException(ChangeFault.Invalid, $"body: must be JSON such as {example}"));
    }));

    private static ChangePlan Preset(MptcpSettingsSnapshot now, string preset, string? side, bool ownersAccepted)
    {
        var which = Name<MptcpPreset>(preset) ?? throw new ChangeException(ChangeFault.Invalid, $"preset: must be one of {string.Join(", ", Enum.GetNames<MptcpPreset>())}");
        var where = side is null ? MptcpSettingsService.Side(now) : Name<MptcpSide>(side) ?? throw new ChangeException(ChangeFault.Invalid, $"side: must be one of {string.Join(", ", Enum.GetNames<MptcpSide>())}");
        var computed = MptcpSettingsService.Preset(now, which, where);
        var plan = computed.Plan ?? throw new ChangeException(ChangeFault.NotAvailable, $"preset {which}: cannot be had on gateway {now.Gateway} now ({string.Join(", ", computed.Remarks.Select(r => r.Code))})");
        MptcpEndpointPlans.RequireOwnersAccepted(now, ownersAccepted || !plan.Operations.OfType<AddEndpoint>().Any());
        return plan;
    }

    private static MptcpEndpointFlags Flags(string[]? words) => (words ?? []).Aggregate(MptcpEndpointFlags.None, (sum, word) =>
        sum | (Name<MptcpEndpointFlags>(word) is { } flag and not (MptcpEndpointFlags.None or MptcpEndpointFlags.Implicit) ? flag
            : throw new ChangeException(ChangeFault.Invalid, "endpoint flags: must be of signal, subflow, backup, fullmesh, laminar")));

    // By name only: a number or a list would pass Enum.Parse.
    private static TWord? Name<TWord>(string text)
        where TWord : struct, Enum => Enum.GetValues<TWord>().Where(v => string.Equals(v.ToString(), text, StringComparison.OrdinalIgnoreCase)).Select(v => (TWord?)v).FirstOrDefault();

    private static MptcpSettingReply Reply(MptcpSettingState s) =>
        new(s.Name, s.Value, s.Known?.Default, s.Known?.Unit, s.Known?.Range, s.Known?.Since, s.IsPresent, s.IsWritable, s.Choices, s.Barred);
}
