using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Features.Settings;
using MPSec.Tests.Hosting.Auth;

namespace MPSec.Tests.Hosting;

public sealed class OpenApiTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Document_EveryEndpoint_IsDescribed()
    {
        await using var app = await RunningApp.StartAsync();
        using var nobody = ApiTokenTests.Client(app);
        Assert.Equal(HttpStatusCode.Unauthorized, (await nobody.GetAsync("/openapi/v1.json", Token)).StatusCode);

        var made = await app.Program.Services.GetRequiredService<ApiTokenService>().CreateAsync("docs", ChangeRole.Viewer, 1, new("adam", ChangeRole.Administrator), Token);
        using var client = ApiTokenTests.Client(app, made.Secret);
        using var document = JsonDocument.Parse(await client.GetStringAsync("/openapi/v1.json", Token));
        var paths = document.RootElement.GetProperty("paths");
        var faults = new List<string>();
        var identifiers = new HashSet<string>();
        foreach (var endpoint in app.Program.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>().Where(e => e.RoutePattern.RawText!.TrimStart('/').StartsWith("api/v1", StringComparison.Ordinal)))
        {
            // As the document writes it: without constraints and without a slash at the end.
            var path = "/" + Regex.Replace(endpoint.RoutePattern.RawText!, @"\{(\w+):[^}]+\}", "{$1}").Trim('/');
            foreach (var method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods)
            {
                var name = $"{method} {path}";
                if (!paths.TryGetProperty(path, out var item) || !item.TryGetProperty(method.ToLowerInvariant(), out var operation))
                {
                    faults.Add($"{name}: is not in the document");
                    continue;
                }

                if (!operation.TryGetProperty("summary", out var summary) || string.IsNullOrWhiteSpace(summary.GetString()))
                {
                    faults.Add($"{name}: has no summary");
                }

                if (!operation.TryGetProperty("tags", out _) || !identifiers.Add(operation.GetProperty("operationId").GetString()!))
                {
                    faults.Add($"{name}: has no heading, or its identifier occurs twice");
                }

                var responses = operation.GetProperty("responses").EnumerateObject().Select(r => r.Name).ToArray();
                if (!responses.Any(r => r[0] == '2') || !responses.Contains("401") || !responses.Contains("403"))
                {
                    faults.Add($"{name}: declares only {string.Join(", ", responses)}");
                }

                foreach (var response in operation.GetProperty("responses").EnumerateObject().Where(r => r.Name[0] == '4' && r.Name != "409" && r.Value.TryGetProperty("content", out _)))
                {
                    Assert.True(response.Value.GetProperty("content").TryGetProperty("application/problem+json", out _), name);
                }

                foreach (var parameter in operation.TryGetProperty("parameters", out var all) ? all.EnumerateArray() : default)
                {
                    if (!parameter.TryGetProperty("description", out var description) || string.IsNullOrWhiteSpace(description.GetString()))
                    {
                        faults.Add($"{name}: parameter {parameter.GetProperty("name")} is not described");
                    }
                }
            }
        }

        Assert.True(faults.Count == 0, string.Join("\n", faults));
        Assert.True(identifiers.Count > 40);
        var schemes = document.RootElement.GetProperty("components").GetProperty("securitySchemes");
        Assert.Equal("bearer", schemes.GetProperty("bearer").GetProperty("scheme").GetString());
        Assert.Equal("cookie", schemes.GetProperty("session").GetProperty("in").GetString());
        Assert.Equal(2, document.RootElement.GetProperty("security").GetArrayLength());
    }

    [Fact]
    public async Task Api_UnknownAddressOrBrokenBody_IsAProblem()
    {
        await using var app = await RunningApp.StartAsync();
        var made = await app.Program.Services.GetRequiredService<ApiTokenService>().CreateAsync("docs", ChangeRole.Administrator, 1, new("adam", ChangeRole.Administrator), Token);
        using var client = ApiTokenTests.Client(app, made.Secret);
        using var broken = new StringContent("{", System.Text.Encoding.UTF8, "application/json");
        foreach (var (answer, status) in new[] { (await client.GetAsync("/api/v1/nothing/here", Token), HttpStatusCode.NotFound), (await client.PostAsync("/api/v1/tokens", broken, Token), HttpStatusCode.BadRequest) })
        {
            Assert.Equal(status, answer.StatusCode);
            Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        }
    }
}
