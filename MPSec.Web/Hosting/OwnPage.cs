using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using MPSec.Features.Kernel;

namespace MPSec.Hosting;

/// <summary>Asks this web program for its own health over the loopback interface: a kernel on which that fails is none to keep.</summary>
public sealed class OwnPage(IServer server) : IOwnPage
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    public async Task<(bool Passed, string Detail)?> AskAsync(CancellationToken cancellationToken)
    {
        if (server.Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault() is not { } address || !Uri.TryCreate(address.Replace("://+", "://any", StringComparison.Ordinal).Replace("://*", "://any", StringComparison.Ordinal), UriKind.Absolute, out var uri))
        {
            return null;
        }

        // One that listens on everything listens on loopback; one that has an address of its own is asked there.
        var host = uri.Host is "any" or "0.0.0.0" ? "127.0.0.1" : uri.Host is "[::]" ? "[::1]" : uri.Host;
        var asked = new UriBuilder(uri.Scheme, host, uri.Port, "/healthz/live").Uri;
        try
        {
            // The certificate is this program's own and may be for another name: nothing secret is sent, and only an answer is wanted.
#pragma warning disable CA5359
            using var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true } };
#pragma warning restore CA5359
            using var client = new HttpClient(handler) { Timeout = s_limit };
            using var answer = await client.GetAsync(asked, cancellationToken);
            return (answer.IsSuccessStatusCode, $"{asked} answered {(int)answer.StatusCode}");
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return (false, $"{asked} did not answer: {e.Message}");
        }
    }
}
