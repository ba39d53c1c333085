using System.Buffers.Text;
using System.Security.Cryptography;

namespace MPSec.Hosting.Auth;

/// <summary>
/// Headers that narrow what a browser does with our pages. Scripts come from files of this program only; the one inline script, the import map
/// that names fingerprinted modules, carries a nonce. Style attributes are allowed, because MudBlazor and Blazor
/// position elements with them; a style element needs the nonce too (ApexCharts makes one).
/// </summary>
public sealed class SecurityHeaders(RequestDelegate next)
{
    /// <summary>Adds the headers to every response, errors included.</summary>
    public Task InvokeAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var nonce = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));
        context.Items["csp-nonce"] = nonce;
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy =
            $"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
            + "connect-src 'self'; media-src 'self' blob:; manifest-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers["Referrer-Policy"] = "same-origin"; // no-referrer would also blank the Origin of our own forms
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()";
        if (context.Request.IsHttps)
        {
            headers.StrictTransportSecurity = "max-age=31536000";
        }

        return next(context);
    }
}
