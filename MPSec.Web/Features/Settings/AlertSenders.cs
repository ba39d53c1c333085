using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using MailKit;
using MailKit.Net.Smtp;
using MailKit.Security;
using MimeKit;

namespace MPSec.Features.Settings;

/// <summary>Tells a program or a person of an alert.</summary>
public interface IAlertSender
{
    /// <summary>Name of the way: webhook or mail.</summary>
    string Way { get; }

    /// <summary>Whether these settings ask for it.</summary>
    bool IsWanted(AlertSettings settings);

    /// <summary>Sends one message.</summary>
    /// <exception cref="AlertSendException">It did not arrive; the sentence says why and holds no secret.</exception>
    Task SendAsync(AlertSettings settings, AlertMessage message, CancellationToken cancellationToken);
}

/// <summary>A message did not arrive.</summary>
/// <param name="sentence">Why, in one sentence without any secret.</param>
/// <param name="isFinal">Another try would fail the same way.</param>
/// <param name="cause">The cause.</param>
public sealed class AlertSendException(string sentence, bool isFinal = false, Exception? cause = null) : Exception(sentence, cause)
{
    /// <summary>Another try would fail the same way.</summary>
    public bool IsFinal => isFinal;
}

/// <summary>HTTP POST of the message as JSON, signed with HMAC-SHA256 where there is a secret. No redirects are followed.</summary>
public sealed class WebhookSender(HttpClient http) : IAlertSender
{
    /// <summary>Header of the signature: <c>sha256=</c> and 64 hexadecimal digits, over the body.</summary>
    public const string SignatureHeader = "X-MPSec-Signature";

    /// <inheritdoc/>
    public string Way => "webhook";

    /// <inheritdoc/>
    public bool IsWanted(AlertSettings settings) => settings?.Webhook is not null;

    /// <inheritdoc/>
    public async Task SendAsync(AlertSettings settings, AlertMessage message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var hook = settings.Webhook!;
        var body = JsonSerializer.SerializeToUtf8Bytes(message, AlertMessageJson);
        using var request = new HttpRequestMessage(HttpMethod.Post, hook.Url) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.UserAgent.ParseAdd("MPSec");
        if (hook.Secret is { } secret)
        {
            request.Headers.Add(SignatureHeader, "sha256=" + Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), body)));
        }

        try
        {
            using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            if (!answer.IsSuccessStatusCode)
            {
                throw new AlertSendException($"webhook: {hook.Url.Host} answered {(int)answer.StatusCode}", (int)answer.StatusCode is >= 300 and < 500 and not 408 and not 429);
            }
        }
        catch (HttpRequestException e)
        {
            throw new AlertSendException($"webhook: {hook.Url.Host} cannot be reached: {e.HttpRequestError}", cause: e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new AlertSendException($"webhook: {hook.Url.Host} did not answer in time", cause: e);
        }
    }

    private static JsonSerializerOptions AlertMessageJson { get; } = new(AlertSettings.Json) { WriteIndented = false, IgnoreReadOnlyProperties = false };
}

/// <summary>A mail by SMTP.</summary>
public sealed class MailSender : IAlertSender
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(15);

    /// <inheritdoc/>
    public string Way => "mail";

    /// <inheritdoc/>
    public bool IsWanted(AlertSettings settings) => settings?.Mail is not null;

    /// <inheritdoc/>
    public async Task SendAsync(AlertSettings settings, AlertMessage message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(message);
        var mail = settings.Mail!;
        using var letter = new MimeMessage();
        letter.From.Add(MailboxAddress.Parse(mail.From));
        letter.To.AddRange(mail.To.Select(MailboxAddress.Parse));
        letter.Subject = message.Text;
        letter.Date = message.At;
        letter.Body = new TextPart("plain") { Text = $"{message.Text}\n\nevent: {message.Event}\nkind: {message.Kind}\ngateway: {message.Gateway}\nsubject: {message.Subject}\nat: {message.At:O}\n" };
        using var client = new SmtpClient { Timeout = (int)s_patience.TotalMilliseconds };
        try
        {
            var protection = mail.Protection switch { MailProtection.StartTls => SecureSocketOptions.StartTls, MailProtection.Tls => SecureSocketOptions.SslOnConnect, _ => SecureSocketOptions.None };
            await client.ConnectAsync(mail.Host, mail.Port, protection, cancellationToken);
            if (mail.User is { } user)
            {
                await client.AuthenticateAsync(user, mail.Password!, cancellationToken);
            }

            await client.SendAsync(letter, cancellationToken);
            await client.DisconnectAsync(quit: true, cancellationToken);
        }
        catch (AuthenticationException e)
        {
            throw new AlertSendException($"mail: {mail.Host} refused the user or the password", true, e);
        }
        catch (NotSupportedException e)
        {
            throw new AlertSendException($"mail: {mail.Host} offers no STARTTLS or no sign-in", true, e);
        }
        catch (Exception e) when (e is SslHandshakeException or CommandException or ProtocolException or ServiceNotConnectedException or IOException or SocketException or TimeoutException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw new AlertSendException($"mail: {mail.Host}, port {mail.Port}: {(e is SslHandshakeException ? "its certificate is not trusted or it speaks no TLS" : e.Message.ReplaceLineEndings(" "))}", cause: e);
        }
    }
}
