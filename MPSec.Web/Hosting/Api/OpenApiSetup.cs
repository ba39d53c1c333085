using System.Net;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using MPSec.Hosting.Auth;
using MPSec.Hosting.Cli;
using MPSec.Linux.Values;

namespace MPSec.Hosting.Api;

/// <summary>The description of the API at <c>/openapi/v1.json</c>, made from the endpoints themselves.</summary>
public static class OpenApiSetup
{
    /// <summary>Name of the document.</summary>
    public const string Document = "v1";

    private const string Bearer = "bearer";
    private const string Session = "session";

    // One place for the words: the same name means the same everywhere.
    private static readonly Dictionary<string, string> s_parameters = new(StringComparer.Ordinal)
    {
        ["name"] = "Name: of the gateway (host, or a network namespace such as lab-a), of the lab below /labs, of the token below /tokens",
        ["run"] = "Number of the job that built the kernel",
        ["file"] = "Name of one of its files",
        ["link"] = "Name of the interface",
        ["id"] = "Number or GUID of the object",
        ["filter"] = "Words as on the page, for example path:2 rtt>50",
        ["interval"] = "Shortest time between two snapshots in milliseconds, 100 to 60000; the program's own when left out",
        ["peers"] = "Peers to ask about, IP addresses separated by commas",
        ["timeoutSeconds"] = "Time to confirm, 10 to 600 seconds; 60 when left out",
        ["count"] = "How many at most, 1 to 200; 50 when left out",
        ["version"] = "Number of the version, from 1",
        ["before"] = "Number of the earlier version; for jobs and events, only those with a smaller number",
        ["after"] = "Number of the later version",
        ["preset"] = "Aggregate, Survive, LowLatency or Original",
        ["side"] = "Accepts, OpensToGateway or OpensToServer; found out when left out",
        ["ownersAccepted"] = "Do it although another program manages endpoints",
        ["kind"] = "Only this kind; for events, kinds parted by commas",
        ["state"] = "Only this state",
        ["limit"] = "How many at most",
        ["series"] = "Names of series parted by commas, as /api/v1/gateways/{name}/history/series lists them",
        ["from"] = "Begin: ISO 8601 such as 2026-11-24T12:00:00Z, or Unix seconds; an hour before the end when left out of a history",
        ["to"] = "End, likewise; now when left out",
        ["buckets"] = "Number of buckets, 1 to 5000; 300 when left out",
        ["format"] = "csv for a table; JSON when left out",
        ["token"] = "Token of the connection, up to 8 hexadecimal digits",
        ["path"] = "Name of the interface",
        ["text"] = "Text that must occur in the event",
        ["If-Match"] = "Version that the configuration was made from, such as \"3\"; \"0\" when none is saved",
    };

    /// <summary>Registers it, with the JSON that the API speaks.</summary>
    public static IServiceCollection AddApi(this IServiceCollection services)
    {
        services.ConfigureHttpJsonOptions(o =>
        {
            foreach (var converter in MPSecCommandLine.Json.Converters)
            {
                o.SerializerOptions.Converters.Add(converter);
            }
        });
        services.AddProblemDetails();
        return services.AddOpenApi(Document, o =>
        {
            o.ShouldInclude = d => d.RelativePath?.StartsWith("api/", StringComparison.Ordinal) == true;
            o.AddDocumentTransformer(DescribeDocument);
            o.AddOperationTransformer(DescribeOperation);
            o.AddSchemaTransformer(DescribeSchema);
        });
    }

    /// <summary>Gives errors below <c>/api</c> a body; before routing.</summary>
    public static WebApplication UseApiProblems(this WebApplication app)
    {
        app.UseWhen(c => c.Request.Path.StartsWithSegments("/api"), api => api.UseExceptionHandler().UseStatusCodePages());
        return app;
    }

    /// <summary>Maps the document; only for signed-in users and tokens.</summary>
    public static WebApplication MapApiDescription(this WebApplication app)
    {
        app.MapOpenApi("/openapi/{documentName}.json").RequireAuthorization();
        return app;
    }

    private static Task DescribeDocument(OpenApiDocument document, OpenApiDocumentTransformerContext context, CancellationToken cancellationToken)
    {
        document.Info = new()
        {
            Title = "MPSec",
            Version = Document,
            Description = "Everything that a page of MPSec can do. Errors are problem documents (RFC 9457) whose detail is one sentence. Rates are bits per second, times are UTC, what is not known is null.",
        };
        document.Components ??= new();
        document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
        {
            [Bearer] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", Description = "A token from the Settings page or from 'mpsec token add'" },
            [Session] = new OpenApiSecurityScheme
            {
                Type = SecuritySchemeType.ApiKey, In = ParameterLocation.Cookie, Name = "mpsec-session", Description = "A signed-in browser; requests that change something must come from the program's own origin",
            },
        };
        document.Security =
        [
            new() { [new OpenApiSecuritySchemeReference(Bearer, document)] = [] },
            new() { [new OpenApiSecuritySchemeReference(Session, document)] = [] },
        ];
        return Task.CompletedTask;
    }

    private static Task DescribeOperation(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        if (context.Description.RelativePath?.EndsWith("network/configuration", StringComparison.Ordinal) == true && context.Description.HttpMethod == "PUT")
        {
            (operation.Parameters ??= []).Add(new OpenApiParameter { Name = "If-Match", In = ParameterLocation.Header, Required = true, Schema = new OpenApiSchema { Type = JsonSchemaType.String } });
        }

        foreach (var parameter in operation.Parameters?.OfType<OpenApiParameter>() ?? [])
        {
            parameter.Description = s_parameters.GetValueOrDefault(parameter.Name ?? "");
        }

        var role = context.Description.ActionDescriptor.EndpointMetadata.OfType<Microsoft.AspNetCore.Authorization.IAuthorizeData>().Select(a => a.Policy).LastOrDefault(p => p is not null);
        operation.Description = role is null ? "Needs a signed-in user or a token; a change needs the role that the page needs." : $"Needs the role {role}.";
        operation.OperationId = Identifier(context.Description.HttpMethod, context.Description.RelativePath ?? "");
        return Task.CompletedTask;
    }

    /// <summary>Names for generated clients: getGatewaysByNameLive.</summary>
    private static string Identifier(string? method, string path) => (method ?? "").ToLowerInvariant() + string.Concat(path.Split('/').Skip(2).Select(part =>
        part is ['{', .. var inside, '}'] ? "By" + Capital(inside.Split(':')[0]) : string.Concat(part.Split('-').Select(Capital))));

    private static string Capital(string word) => word.Length == 0 ? "" : char.ToUpperInvariant(word[0]) + word[1..];

    // Values that are text in JSON, whatever they hold inside.
    private static Task DescribeSchema(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellationToken)
    {
        var type = Nullable.GetUnderlyingType(context.JsonTypeInfo.Type) ?? context.JsonTypeInfo.Type;
        if (type == typeof(IPAddress) || type == typeof(IPEndPoint) || type == typeof(GatewayName) || type == typeof(InterfaceName) || type == typeof(IpPrefix) || type == typeof(SysctlKey))
        {
            (schema.Type, schema.Properties, schema.Required) = (JsonSchemaType.String, null, null);
        }

        return Task.CompletedTask;
    }
}
