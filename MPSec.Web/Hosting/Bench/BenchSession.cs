using System.Net;
using System.Text.RegularExpressions;

namespace MPSec.Hosting.Bench;

/// <summary>The first administrator of a server of the bench, signed in.</summary>
internal sealed partial class BenchSession : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly CookieContainer _cookies = new();
    private readonly Uri _address;

    private BenchSession(Uri address)
    {
        _address = address;
        Client = new(new SocketsHttpHandler { CookieContainer = _cookies, AllowAutoRedirect = false }) { BaseAddress = address, Timeout = s_patience };
        Client.DefaultRequestHeaders.Add("Origin", address.GetLeftPart(UriPartial.Authority));
        Client.DefaultRequestHeaders.Add("Accept", "text/html");
    }

    /// <summary>Asks as the administrator.</summary>
    public HttpClient Client { get; }

    /// <summary>The cookies as a header has them.</summary>
    public string Cookies => _cookies.GetCookieHeader(_address);

    /// <summary>The cookies by name.</summary>
    public IEnumerable<Cookie> CookieList => _cookies.GetCookies(_address);

    /// <summary>Makes the first administrator by the link that the server told, and signs in.</summary>
    /// <exception cref="IOException">The server refused.</exception>
    public static async Task<BenchSession> SignInAsync(Uri address, string link, CancellationToken cancellationToken)
    {
        var session = new BenchSession(address);
        try
        {
            await session.SignInAsync(new Uri(address, new Uri(link).PathAndQuery), cancellationToken);
            return session;
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Client.Dispose();

    [GeneratedRegex("name=\"__RequestVerificationToken\"[^>]* value=\"([^\"]+)\"")]
    private static partial Regex FormToken();

    private async Task SignInAsync(Uri setup, CancellationToken cancellationToken)
    {
        var token = Regex.Match(setup.Query, "token=([^&]+)").Groups[1].Value;
        var password = Guid.NewGuid().ToString();
        using var form = new FormUrlEncodedContent(new Dictionary<string, string>
        {
            ["__RequestVerificationToken"] = FormToken().Match(await Client.GetStringAsync(setup, cancellationToken)).Groups[1].Value,
            ["token"] = token,
            ["name"] = "bench",
            ["password"] = password,
            ["repeated"] = password,
            ["gateway"] = "host",
        });
        using var answer = await Client.PostAsync(new Uri(_address, "/account/setup"), form, cancellationToken);
        if (answer.Headers.Location?.ToString().StartsWith("/setup", StringComparison.Ordinal) != false)
        {
            throw new IOException($"the first administrator could not sign in: {(int)answer.StatusCode}");
        }
    }
}
