namespace MPSec.Hosting.Api;

/// <summary>How endpoints say what they answer, for <c>/openapi/v1.json</c>.</summary>
internal static class ApiDescription
{
    /// <summary>What every call can answer besides its own: not signed in, role too weak, too many wrong tokens.</summary>
    public static readonly IReadOnlyList<int> Common = [StatusCodes.Status401Unauthorized, StatusCodes.Status403Forbidden, StatusCodes.Status429TooManyRequests];

    /// <summary>A group below <c>/api/v1/</c>: for signed-in users and tokens, with the problems that every call can end in.</summary>
    /// <param name="app">Where endpoints are mapped.</param>
    /// <param name="path">Rest of the path.</param>
    /// <param name="tag">Heading in the description.</param>
    public static RouteGroupBuilder MapApi(this IEndpointRouteBuilder app, string path, string tag)
    {
        var group = app.MapGroup("/api/v1/" + path).RequireAuthorization().WithTags(tag);
        foreach (var status in Common)
        {
            group.ProducesProblem(status);
        }

        return group;
    }

    /// <summary>Answers JSON with <paramref name="status"/>, or one of <paramref name="problems"/> as a problem document.</summary>
    public static RouteHandlerBuilder Answers<T>(this RouteHandlerBuilder endpoint, int status = StatusCodes.Status200OK, params ReadOnlySpan<int> problems) =>
        endpoint.Produces<T>(status, "application/json").AndProblems(problems);

    /// <summary>Answers <paramref name="status"/> without a body, or one of <paramref name="problems"/>.</summary>
    public static RouteHandlerBuilder Answers(this RouteHandlerBuilder endpoint, int status, params ReadOnlySpan<int> problems) =>
        endpoint.Produces(status).AndProblems(problems);

    /// <summary>Answers text of <paramref name="contentType"/>, or one of <paramref name="problems"/>.</summary>
    public static RouteHandlerBuilder AnswersText(this RouteHandlerBuilder endpoint, string contentType, params ReadOnlySpan<int> problems) =>
        endpoint.Produces<string>(StatusCodes.Status200OK, contentType).AndProblems(problems);

    /// <summary>Applies a change to a gateway: how it ended, also with 409 when it was undone; or a problem.</summary>
    public static RouteHandlerBuilder AnswersChange(this RouteHandlerBuilder endpoint) => endpoint
        .Answers<Changes.ChangeReport>(StatusCodes.Status200OK, StatusCodes.Status400BadRequest, StatusCodes.Status404NotFound, StatusCodes.Status409Conflict, StatusCodes.Status503ServiceUnavailable);

    /// <summary>Reads a gateway, or tells that its name is none, that it is gone or that it cannot be read.</summary>
    public static RouteHandlerBuilder AnswersReading<T>(this RouteHandlerBuilder endpoint) => endpoint
        .Answers<T>(StatusCodes.Status200OK, StatusCodes.Status400BadRequest, StatusCodes.Status404NotFound, StatusCodes.Status503ServiceUnavailable);

    private static RouteHandlerBuilder AndProblems(this RouteHandlerBuilder endpoint, ReadOnlySpan<int> problems)
    {
        foreach (var problem in problems)
        {
            endpoint.ProducesProblem(problem);
        }

        return endpoint;
    }
}
