using System.Net.Http.Headers;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.Options;
using MPSec.Features.Settings;

namespace MPSec.Hosting.Auth;

/// <summary>
/// Bearer tokens (RFC 6750) for programs: <c>/api</c>, <c>/metrics</c> and <c>/openapi</c>. A request with a token is judged by the token alone, its cookies
/// are not looked at; that is why it needs no guard against other sites.
/// </summary>
public sealed partial class BearerScheme(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder, ApiTokenService tokens, BearerThrottle throttle)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
{
    /// <summary>Name of the scheme.</summary>
    public const string Name = "Bearer";

    /// <summary>Scheme that picks this one or the cookie for each request.</summary>
    public const string Chooser = "mpsec";

    /// <summary>Claim that holds the public part of the token.</summary>
    public const string KeyClaim = "mpsec:token";

    private TimeSpan? _wait;

    /// <summary>Whether <paramref name="request"/> is judged by its token.</summary>
    public static bool Judges(HttpRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return IsForPrograms(request.Path) && request.Headers.Authorization is [{ } only] && only.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The scheme that judges <paramref name="context"/>.</summary>
    internal static string Choose(HttpContext context) => Judges(context.Request) ? Name : IdentityConstants.ApplicationScheme;

    /// <summary>Addresses that programs use; a refusal there is a problem document, never a page.</summary>
    internal static bool IsForPrograms(PathString path) => path.StartsWithSegments("/api") || path.StartsWithSegments("/metrics") || path.StartsWithSegments("/openapi");

    /// <summary>Answers 401 to a program: how to come in.</summary>
    internal static Task RefuseAsync(HttpContext context, bool wrong)
    {
        context.Response.Headers.WWWAuthenticate = wrong ? "Bearer realm=\"MPSec\", error=\"invalid_token\"" : "Bearer realm=\"MPSec\"";
        return TypedResults.Problem(
            wrong ? "Authorization: this token is unknown, expired or revoked; an administrator makes another one on the Settings page" : "Authorization: sign in, or send a bearer token from the Settings page",
            statusCode: StatusCodes.Status401Unauthorized).ExecuteAsync(context);
    }

    /// <summary>Answers 403 to a program.</summary>
    internal static Task ForbidAsync(HttpContext context) =>
        TypedResults.Problem($"role: {context.User.Identity?.Name ?? "this user"} may not do this", statusCode: StatusCodes.Status403Forbidden).ExecuteAsync(context);

    /// <inheritdoc/>
    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (!Judges(Request) || !AuthenticationHeaderValue.TryParse(Request.Headers.Authorization, out var header) || header.Parameter is not { Length: > 0 } presented)
        {
            return AuthenticateResult.NoResult();
        }

        if (await tokens.VerifyAsync(presented, Context.RequestAborted) is { } token)
        {
            var identity = new ClaimsIdentity(
                [new(ClaimTypes.Name, $"{token.Name} (token)"), new(ClaimTypes.Role, token.Role.ToString()), new(KeyClaim, token.Key)], Name);
            return AuthenticateResult.Success(new(new ClaimsPrincipal(identity), Name));
        }

        // A good token is never made to wait for what others behind the same address do: 256 bits cannot be guessed. Only failures are slowed down.
        _wait = throttle.Failed(Context.Connection.RemoteIpAddress);
        if (_wait is null)
        {
            LogRefused(Logger, Context.Connection.RemoteIpAddress);
        }

        return AuthenticateResult.Fail("token");
    }

    /// <inheritdoc/>
    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        if (_wait is { } wait)
        {
            Response.Headers.RetryAfter = Math.Ceiling(wait.TotalSeconds).ToString("0", System.Globalization.CultureInfo.InvariantCulture);
            return TypedResults.Problem("Authorization: too many wrong tokens came from this address; wait as Retry-After says", statusCode: StatusCodes.Status429TooManyRequests).ExecuteAsync(Context);
        }

        return RefuseAsync(Context, wrong: true);
    }

    /// <inheritdoc/>
    protected override Task HandleForbiddenAsync(AuthenticationProperties properties) => ForbidAsync(Context);

    [LoggerMessage(EventId = 3004, Level = LogLevel.Warning, Message = "A wrong bearer token came from {Address}")]
    private static partial void LogRefused(ILogger logger, System.Net.IPAddress? address);
}

/// <summary>Counts wrong tokens by address, apart from sign-in: a program with an old token must not keep people out.</summary>
public sealed class BearerThrottle(TimeProvider time)
{
    private readonly SignInThrottle _throttle = new(time);

    /// <summary>Notes a wrong token; null while there were few, otherwise the time to wait.</summary>
    public TimeSpan? Failed(System.Net.IPAddress? address) => _throttle.Take(address, "");
}
