using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Threading.Channels;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Linux.Values;

namespace MPSec.Features.Settings;

/// <summary>What a webhook gets, as JSON.</summary>
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
/// and no log has it. What cannot be delivered is tried again twice; at most 100 messages wait.
/// </summary>
public sealed partial class AlertWebhook(StateFolder folder, AuditLog audit, TimeProvider time, ILogger<AlertWebhook> logger) : BackgroundService
{
    private const int Tries = 3;
    private const int LongestAddress = 2000;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) } };

    private readonly Channel<AlertMessage> _waiting = Channel.CreateBounded<AlertMessage>(new BoundedChannelOptions(100) { FullMode = BoundedChannelFullMode.DropOldest });
    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { Timeout = s_patience };

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

        var temporary = folder.WebhookFile + ".new";
        File.Delete(temporary);
        await using (var writer = new StreamWriter(temporary, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
        {
            await writer.WriteAsync(uri.AbsoluteUri.AsMemory(), cancellationToken);
        }

        File.Move(temporary, folder.WebhookFile, overwrite: true);
        await audit.AppendAsync(actor.Name, "alert webhook", GatewayName.Host.Value, uri.Authority, "done", cancellationToken);
    }

    /// <summary>Sends a test now; null when it was taken, else one sentence why not.</summary>
    /// <exception cref="ChangeException">Not permitted, or no address is set.</exception>
    public Task<string?> TestAsync(ChangeActor actor, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(actor);
        actor.Require(ChangeRole.Administrator);
        return Address() is { } address
            ? SendAsync(address, new(Environment.MachineName, "test", null, GatewayName.Host.Value, "", null, time.GetUtcNow()), cancellationToken)
            : throw new ChangeException(ChangeFault.NotFound, "webhook: no address is set");
    }

    /// <summary>Has a change sent soon; never waits.</summary>
    public void Tell(AlertChange change)
    {
        ArgumentNullException.ThrowIfNull(change);
        _waiting.Writer.TryWrite(new(Environment.MachineName, change.Raised ? "raised" : "cleared", change.Key.Rule, change.Key.Gateway, change.Key.Subject, change.Value, change.At));
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _http.Dispose();
        base.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var message in _waiting.Reader.ReadAllAsync(stoppingToken))
        {
            for (var attempt = 1; attempt <= Tries && Address() is { } address; attempt++)
            {
                if (await SendAsync(address, message, stoppingToken) is not { } problem)
                {
                    break;
                }

                LogNotSent(logger, address.Authority, attempt, problem);
                await Task.Delay(TimeSpan.FromSeconds(attempt == Tries ? 0 : 5 * attempt), time, stoppingToken);
            }
        }
    }

    [LoggerMessage(EventId = 3020, Level = LogLevel.Warning, Message = "An alert was not taken by {Host} (try {Attempt}): {Problem}")]
    private static partial void LogNotSent(ILogger logger, string host, int attempt, string problem);

    private Uri? Address()
    {
        try
        {
            return Uri.TryCreate(File.ReadAllText(folder.WebhookFile).Trim(), UriKind.Absolute, out var uri) ? uri : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private async Task<string?> SendAsync(Uri address, AlertMessage message, CancellationToken cancellationToken)
    {
        try
        {
            using var answer = await _http.PostAsJsonAsync(address, message, s_json, cancellationToken);
            return answer.IsSuccessStatusCode ? null : $"it answered {(int)answer.StatusCode}";
        }
        catch (HttpRequestException e)
        {
            return e.HttpRequestError == HttpRequestError.Unknown ? e.InnerException?.Message ?? "the connection failed" : e.HttpRequestError.ToString();
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return $"it did not answer within {s_patience.TotalSeconds:0} s";
        }
    }
}
