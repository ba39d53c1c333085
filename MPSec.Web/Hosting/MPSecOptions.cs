using System.Net;
using Microsoft.Extensions.Options;
using MPSec.Data.History;

namespace MPSec.Hosting;

/// <summary>
/// Settings of <c>mpsec serve</c>: <c>/etc/mpsec/appsettings.json</c>, then <c>MPSEC__…</c> environment variables, then the command line;
/// the later one wins.
/// </summary>
public sealed class MPSecOptions
{
    /// <summary>Folder that holds everything MPSec writes.</summary>
    public string State { get; set; } = "/var/lib/mpsec";

    /// <summary>Addresses to listen on, separated by semicolons.</summary>
    public string Urls { get; set; } = "http://127.0.0.1:8080";

    /// <summary>Path under which a reverse proxy shows MPSec, for example <c>/mpsec</c>; empty for the root.</summary>
    public string PathBase { get; set; } = "";

    /// <summary>Addresses of reverse proxies whose X-Forwarded-* headers are believed; loopback only when empty.</summary>
    public string[] KnownProxies { get; set; } = [];

    /// <summary>Time between two readings of a gateway while somebody looks, in milliseconds: 100 to 60,000.</summary>
    public int SampleIntervalMs { get; set; } = 1000;

    /// <summary>Time to confirm a change that may cut the browser off, in seconds: ConfirmSecondsMinimum to 600.</summary>
    public int ConfirmSeconds { get; set; } = 60;

    /// <summary>Shortest time to confirm a checked change that may be asked for, in seconds: 1 to 60.</summary>
    public int ConfirmSecondsMinimum { get; set; } = 10;

    /// <summary>How much history is kept.</summary>
    public HistorySettings History { get; set; } = new();

    /// <summary>
    /// Whether <c>/metrics</c> answers programs on this machine without a token: requests from a loopback address to a loopback name. A reverse proxy on this
    /// machine must then send X-Forwarded-For, or whoever it lets through reads them too.
    /// </summary>
    public bool MetricsForLoopback { get; set; }

    /// <summary>Bring up the lab <c>lab</c> with four paths and traffic when no lab stands.</summary>
    public bool StartLab { get; set; }
}

/// <summary>Checks all settings at once, so that one start shows every fault.</summary>
public sealed class MPSecOptionsValidator : IValidateOptions<MPSecOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, MPSecOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var faults = new List<string>();
        if (string.IsNullOrWhiteSpace(options.State) || !Path.IsPathFullyQualified(options.State))
        {
            faults.Add("State: must be an absolute path such as /var/lib/mpsec");
        }

        foreach (var url in options.Urls.Split(';', StringSplitOptions.TrimEntries))
        {
            if (!Uri.TryCreate(url.Replace("://*", "://any").Replace("://+", "://any"), UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || uri.PathAndQuery != "/")
            {
                faults.Add($"Urls: '{url}' is no address such as http://127.0.0.1:8080");
            }
        }

        if (options.PathBase.Length > 0 && (options.PathBase[0] != '/' || options.PathBase.EndsWith('/') || options.PathBase.Any(c => !(char.IsAsciiLetterOrDigit(c) || c is '/' or '-' or '_' or '.'))))
        {
            faults.Add("PathBase: must begin with / and not end with it, letters, digits and - _ . / only, for example /mpsec");
        }

        foreach (var proxy in options.KnownProxies)
        {
            if (!IPAddress.TryParse(proxy, out _))
            {
                faults.Add($"KnownProxies: '{proxy}' is no IP address");
            }
        }

        if (options.SampleIntervalMs is < 100 or > 60_000)
        {
            faults.Add("SampleIntervalMs: must be 100 to 60000");
        }

        if (options.ConfirmSecondsMinimum is < 1 or > 60)
        {
            faults.Add("ConfirmSecondsMinimum: must be 1 to 60");
        }

        if (options.ConfirmSeconds < options.ConfirmSecondsMinimum || options.ConfirmSeconds > 600)
        {
            faults.Add($"ConfirmSeconds: must be {options.ConfirmSecondsMinimum} to 600");
        }

        faults.AddRange(options.History.Faults());
        if (string.Equals(Environment.GetEnvironmentVariable("ASPNETCORE_FORWARDEDHEADERS_ENABLED"), "true", StringComparison.OrdinalIgnoreCase))
        {
            faults.Add("ASPNETCORE_FORWARDEDHEADERS_ENABLED: must not be set, because it makes every sender a trusted proxy; name the proxy in KnownProxies instead");
        }

        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
    }
}
