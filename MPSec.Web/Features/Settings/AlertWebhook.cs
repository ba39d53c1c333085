using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Linux.Values;

namespace MPSec.Features.Settings;

/// <summary>What is sent; a webhook gets it as JSON.</summary>
/// <param name="Machine">Name of the machine that tells.</param>
/// <param name="State">raised, cleared or test.</param>
/// <param name="Rule">Rule; null in a test.</param>
/// <param name="Gateway">Gateway.</param>
/// <param name="Subject">Path, mount point or nothing.</param>
/// <param name="Value">Value in the unit of the rule; null when its subject is gone.</param>
/// <param name="At">When, UTC.</param>
public sealed record AlertMessage(string Machine, string State, AlertRule? Rule, string Gateway, string Subject, double? Value, DateTimeOffset At);

/// <summary>
/// Sends alerts to an address that an administrator named. Such an address often holds a key: it is kept in a file of mode 0600, pages and the API show its host only,
/// and no log has it.
/// </summary>
public sealed class AlertWebhook(StateFolder folder, AuditLog audit, TimeProvider time) : IAlertChannel, IDisposable
{
    private const int LongestAddress = 2000;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) } };

    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { Timeout = s_patience };

    /// <inheritdoc/>
    public string? Target => Host;

    /// <summary>Host of the address; null when none is set.</summary>
    public string? Host => Address()?.Authority;

    /// <summary>Sets the address, or takes it away.</summary>
    /// <param name="address">http or https; nothing takes it away.</param>
    /// <param name="actor">Who asks; an administrator.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ChangeException">Not permitted, or no address.</exception>
    public async Task SetAsync(string? address, ChangeActor actor, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(actor);
        actor.Require(ChangeRole.Administrator);
        if (string.IsNullOrWhiteSpace(address))
        {
            File.Delete(folder.WebhookFile);
            await audit.AppendAsync(actor.Name, "alert webhook", GatewayName.Host.Value, "none", "done", cancellationToken);
            return;
        }

        if (address.Length > LongestAddress || !Uri.TryCreate(address.Trim(), UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
        {
            throw new ChangeException(ChangeFault.Invalid, "webhook: must be an address such as https://example.org/hook");
        }

        await SecretFile.WriteAsync(folder.WebhookFile, uri.AbsoluteUri, cancellationToken);
        await audit.AppendAsync(actor.Name, "alert webhook", GatewayName.Host.Value, uri.Authority, "done", cancellationToken);
    }

    /// <summary>Sends a test now; null when it was taken, else one sentence why not.</summary>
    /// <exception cref="ChangeException">Not permitted, or no address is set.</exception>
    public Task<string?> TestAsync(ChangeActor actor, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(actor);
        actor.Require(ChangeRole.Administrator);
        return Address() is not null
            ? SendAsync(new(Environment.MachineName, "test", null, GatewayName.Host.Value, "", null, time.GetUtcNow()), cancellationToken)
            : throw new ChangeException(ChangeFault.NotFound, "webhook: no address is set");
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    /// <inheritdoc/>
    public async Task<string?> SendAsync(AlertMessage message, CancellationToken cancellationToken)
    {
        if (Address() is not { } address)
        {
            return "no address is set";
        }

        try
        {
            using var answer = await _http.PostAsJsonAsync(address, message, s_json, cancellationToken);
            return answer.IsSuccessStatusCode ? null : $"it answered {(int)answer.StatusCode}";
        }
        catch (HttpRequestException e)
        {
            // The message of the exception itself may hold the address.
            return e.InnerException?.Message ?? e.HttpRequestError.ToString();
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return $"it did not answer within {s_patience.TotalSeconds:0} s";
        }
    }

    private Uri? Address() => Uri.TryCreate(SecretFile.TryRead(folder.WebhookFile)?.Trim(), UriKind.Absolute, out var uri) ? uri : null;
}
