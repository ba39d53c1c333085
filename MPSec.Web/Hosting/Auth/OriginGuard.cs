namespace MPSec.Hosting.Auth;

/// <summary>
/// Refuses requests that another site makes in the name of a signed-in user: every request to the circuit endpoint and every request that
/// alters something must come from exactly this origin. WebSockets have no same-origin rule of their own. A request that is judged by its bearer token
/// passes: no site can add a token that it does not know, and the cookies of such a request count for nothing.
/// </summary>
public sealed partial class OriginGuard(RequestDelegate next, ILogger<OriginGuard> logger)
{
    /// <summary>Lets the request through or answers 403.</summary>
    public Task InvokeAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var request = context.Request;
        var reads = HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) || HttpMethods.IsOptions(request.Method);
        var circuit = request.Path.StartsWithSegments("/_blazor");
        // The list of start-up scripts is the same for everybody, and over plain HTTP a browser sends neither of the headers below with it.
        var startUp = request.Path.StartsWithSegments("/_blazor/initializers");
        if ((reads && (!circuit || startUp)) || BearerScheme.Judges(request) || IsOwn(request, reads))
        {
            return next(context);
        }

        LogRefused(logger, request.Method, request.Path, request.Headers.Origin.ToString());
        context.Response.StatusCode = StatusCodes.Status403Forbidden;
        return Task.CompletedTask;
    }

    private static bool IsOwn(HttpRequest request, bool reads)
    {
        var origins = request.Headers.Origin;
        if (origins.Count > 0)
        {
            // Compared as text, exactly: no parsing that an odd origin could slip through.
            return origins.Count == 1 && string.Equals(origins[0], $"{request.Scheme}://{request.Host.Value}", StringComparison.OrdinalIgnoreCase);
        }

        // A same-origin GET (long polling) has no Origin; the browser says so in a header that no page can set.
        // A program that is no browser has neither header, and no cookie to abuse.
        return request.Headers["Sec-Fetch-Site"] == "same-origin" && reads && !request.HttpContext.WebSockets.IsWebSocketRequest
            || (!request.Path.StartsWithSegments("/_blazor") && request.Headers.Authorization.Count > 0 && request.Headers.Cookie.Count == 0);
    }

    [LoggerMessage(EventId = 3001, Level = LogLevel.Warning, Message = "Refused {Method} {Path} from origin '{Origin}'")]
    private static partial void LogRefused(ILogger logger, string method, string path, string origin);
}
