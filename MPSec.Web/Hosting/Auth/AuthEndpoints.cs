using System.Globalization;
using Microsoft.AspNetCore.Identity;
using Microsoft.AspNetCore.Localization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.WebUtilities;
using MPSec.Components.Layout;
using MPSec.Hosting.Shell;

namespace MPSec.Hosting.Auth;

/// <summary>
/// Where the plain forms post to. Every one needs the antiforgery token of its page (the framework checks it for form parameters) and answers
/// with a redirect inside this program. What went wrong goes back as a code in the address; the page makes the sentence.
/// </summary>
public static partial class AuthEndpoints
{
    /// <summary>Maps the endpoints.</summary>
    public static void MapAuth(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.MapPost("/account/sign-in", SignInAsync).AllowAnonymous();
        app.MapPost("/account/setup", SetUpAsync).AllowAnonymous();
        app.MapPost("/account/sign-out", SignOutAsync);
        app.MapPost("/culture", SetCulture).AllowAnonymous();
    }

    private static async Task<IResult> SignInAsync(
        HttpContext context, [FromForm] string? name, [FromForm] string? password, [FromForm] string? returnUrl,
        UserAccounts accounts, SignInManager<IdentityUser> signIn, SignInThrottle throttle, ILogger<SignInThrottle> logger)
    {
        var back = SignInRedirect.Local(returnUrl);
        if (string.IsNullOrEmpty(name) || string.IsNullOrEmpty(password) || name.Length > 256 || password.Length > 1024)
        {
            return Again(context, "wrong", back);
        }

        var address = context.Connection.RemoteIpAddress;
        if (throttle.Take(address, name) is { } wait)
        {
            LogThrottled(logger, address);
            return Again(context, "wait", back, (int)Math.Ceiling(wait.TotalSeconds));
        }

        if (await accounts.VerifyAsync(name, password) is not { } user)
        {
            throttle.Failed(name);
            LogFailed(logger, address);
            return Again(context, "wrong", back);
        }

        throttle.Succeeded(address, name);
        await signIn.SignInAsync(user, isPersistent: false);
        return SignInRedirect.To(context, back);
    }

    private static async Task<IResult> SetUpAsync(
        HttpContext context, [FromForm] string? token, [FromForm] string? name, [FromForm] string? password, [FromForm] string? repeated, [FromForm] string? gateway,
        FirstAdministrator first, UserManager<IdentityUser> users, SignInManager<IdentityUser> signIn, CancellationToken cancellationToken)
    {
        if (!first.IsGood(token))
        {
            return SignInRedirect.To(context, "/setup");
        }

        if (password != repeated)
        {
            return Back("differs");
        }

        if (string.IsNullOrEmpty(name) || string.IsNullOrEmpty(password) || name.Length > 64 || password.Length > 1024)
        {
            return Back(string.IsNullOrEmpty(name) || name.Length > 64 ? "InvalidUserName" : "PasswordTooShort");
        }

        var (outcome, errors) = await first.ClaimAsync(token, name, password, cancellationToken);
        if (outcome == FirstAdministratorOutcome.Refused)
        {
            return SignInRedirect.To(context, "/setup");
        }

        if (outcome == FirstAdministratorOutcome.Invalid)
        {
            return Back(errors.First().Code);
        }

        await signIn.SignInAsync((await users.FindByNameAsync(name))!, isPersistent: false);
        return SignInRedirect.To(context, string.IsNullOrEmpty(gateway) ? "/" : QueryHelpers.AddQueryString("/", GatewayLink.Parameter, gateway));

        IResult Back(string error)
        {
            var query = new Dictionary<string, string?> { ["token"] = token, ["error"] = error };
            if (!string.IsNullOrEmpty(gateway))
            {
                query[GatewayLink.Parameter] = gateway;
            }

            return SignInRedirect.To(context, QueryHelpers.AddQueryString("/setup", query));
        }
    }

    // Signing out ends the user's sessions everywhere: a new stamp makes every cookie and every open page of this user worthless.
    private static async Task<IResult> SignOutAsync(HttpContext context, [FromForm] string? unused, UserManager<IdentityUser> users, SignInManager<IdentityUser> signIn)
    {
        _ = unused; // a form parameter is what makes the framework check the antiforgery token
        if (await users.GetUserAsync(context.User) is { } user)
        {
            await users.UpdateSecurityStampAsync(user);
        }

        await signIn.SignOutAsync();
        return SignInRedirect.To(context, "/sign-in");
    }

    private static IResult SetCulture(HttpContext context, [FromForm] string? culture, [FromForm] string? returnUrl)
    {
        if (ShellSetup.Cultures.FirstOrDefault(c => c.Name == culture) is { } known)
        {
            context.Response.Cookies.Append(
                ShellSetup.CultureCookie,
                CookieRequestCultureProvider.MakeCookieValue(new RequestCulture(known)),
                new CookieOptions
                {
                    HttpOnly = true,
                    SameSite = SameSiteMode.Lax,
                    Secure = context.Request.IsHttps,
                    IsEssential = true,
                    MaxAge = TimeSpan.FromDays(365),
                    Path = context.Request.PathBase.HasValue ? context.Request.PathBase.Value : "/",
                });
        }

        return SignInRedirect.To(context, SignInRedirect.Local(returnUrl));
    }

    private static IResult Again(HttpContext context, string error, string returnUrl, int? seconds = null)
    {
        var query = new Dictionary<string, string?> { ["error"] = error, ["returnUrl"] = returnUrl };
        if (seconds is { } s)
        {
            query["seconds"] = s.ToString(CultureInfo.InvariantCulture);
        }

        return SignInRedirect.To(context, QueryHelpers.AddQueryString("/sign-in", query));
    }

    [LoggerMessage(EventId = 3002, Level = LogLevel.Warning, Message = "Sign-in failed from {Address}")]
    private static partial void LogFailed(ILogger logger, System.Net.IPAddress? address);

    [LoggerMessage(EventId = 3003, Level = LogLevel.Warning, Message = "Sign-in from {Address} refused for a while: too many attempts")]
    private static partial void LogThrottled(ILogger logger, System.Net.IPAddress? address);
}
