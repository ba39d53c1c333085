using Microsoft.AspNetCore.WebUtilities;

namespace MPSec.Hosting.Auth;

/// <summary>Ways to the sign-in page and back, inside this program only.</summary>
public static class SignInRedirect
{
    /// <summary>The local address that <paramref name="returnUrl"/> names (path and query, without path base); <c>/</c> when it names anything else.</summary>
    public static string Local(string? returnUrl)
    {
        // A browser reads "//host", "/\host" and addresses with tabs or line breaks inside as another host.
        var local = returnUrl is { Length: > 0 and <= 2000 } && returnUrl[0] == '/'
            && (returnUrl.Length == 1 || returnUrl[1] is not ('/' or '\\'))
            && !returnUrl.Any(c => char.IsControl(c) || c == '\\' || char.IsSurrogate(c))
            && !PathPart(returnUrl).Contains("//", StringComparison.Ordinal);
        return local ? returnUrl! : "/";
    }

    /// <summary>Sends the browser to <paramref name="localUrl"/> inside the path base, by GET.</summary>
    public static IResult To(HttpContext context, string localUrl)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.Response.Headers.Location = context.Request.PathBase.ToUriComponent() + Encode(localUrl);
        return Results.StatusCode(StatusCodes.Status303SeeOther);
    }

    /// <summary>Answers a request that needs a user: a page goes to sign-in, anything else gets 401.</summary>
    public static Task ChallengeAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var request = context.Request;
        if (BearerScheme.IsForPrograms(request.Path))
        {
            return BearerScheme.RefuseAsync(context, wrong: false);
        }

        var wantsPage = HttpMethods.IsGet(request.Method) && request.GetTypedHeaders().Accept.Any(a => a.MediaType.Value is "text/html") && !request.Path.StartsWithSegments("/_blazor");
        if (!wantsPage)
        {
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            return Task.CompletedTask;
        }

        var here = request.Path.ToUriComponent() + request.QueryString.ToUriComponent();
        if (request.Headers["Sec-Fetch-Site"] == "cross-site")
        {
            // The cookie is SameSite=Strict, so a link from elsewhere comes without it. Asked again by our own page, the browser sends it.
            context.Response.Headers["Refresh"] = "0;url=" + request.PathBase.ToUriComponent() + Encode(Local(here));
            return Task.CompletedTask;
        }

        context.Response.Redirect(QueryHelpers.AddQueryString(request.PathBase.ToUriComponent() + "/sign-in", "returnUrl", Local(here)));
        return Task.CompletedTask;
    }

    private static string PathPart(string url) => url.Split('?', '#')[0];

    private static string Encode(string localUrl) => string.Concat(localUrl.Select(c => c > 0x7e || c == ' ' ? Uri.EscapeDataString(c.ToString()) : c.ToString()));
}
