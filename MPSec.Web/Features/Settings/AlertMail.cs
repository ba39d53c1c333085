using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization;
using MailKit;
using MailKit.Net.Smtp;
using MailKit.Security;
using Microsoft.Extensions.Localization;
using MimeKit;
using MPSec.Changes;
using MPSec.Components.Controls;
using MPSec.Data;
using MPSec.Linux.Values;

namespace MPSec.Features.Settings;

/// <summary>How the connection to the mail server is protected.</summary>
public enum MailSecurity
{
    /// <summary>Not at all; only without a password.</summary>
    None,

    /// <summary>STARTTLS, refused where the server has none; usually port 587.</summary>
    StartTls,

    /// <summary>TLS from the first byte; usually port 465.</summary>
    Tls,
}

/// <summary>A mail server and whom alerts go to.</summary>
/// <param name="Host">Name or address of the server.</param>
/// <param name="Port">1 to 65535.</param>
/// <param name="Security">Protection of the connection.</param>
/// <param name="User">Name to sign in with; null when the server asks for none.</param>
/// <param name="Password">Password; never told again. Left out, the one before stays while host and user stay.</param>
/// <param name="From">Sender.</param>
/// <param name="To">Recipient.</param>
public sealed record MailSettings(string? Host, int Port, MailSecurity Security, string? User, string? Password, string? From, string? To);

/// <summary>Sends alerts by SMTP (RFC 5321). Settings with their password are in a file of mode 0600; pages, API and logs have them without it.</summary>
public sealed class AlertMail(StateFolder folder, AuditLog audit, TimeProvider time, IStringLocalizer<SettingsTexts> texts) : IAlertChannel
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(15);
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) } };

    /// <inheritdoc/>
    public string? Target => Read() is { } mail ? $"{mail.To} ({mail.Host}:{mail.Port.ToString(CultureInfo.InvariantCulture)})" : null;

    /// <summary>The settings without the password; null when there are none.</summary>
    public MailSettings? Settings => Read() is { } mail ? mail with { Password = null } : null;

    /// <summary>Saves the settings, or takes them away.</summary>
    /// <exception cref="ChangeException">Not permitted, or a field is wrong.</exception>
    public async Task SetAsync(MailSettings? settings, ChangeActor actor, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(actor);
        actor.Require(ChangeRole.Administrator);
        if (settings is null)
        {
            File.Delete(folder.MailFile);
            await audit.AppendAsync(actor.Name, "alert mail", GatewayName.Host.Value, "none", "done", cancellationToken);
            return;
        }

        var user = string.IsNullOrWhiteSpace(settings.User) ? null : settings.User.Trim();
        var before = Read();
        var password = !string.IsNullOrEmpty(settings.Password) ? settings.Password : user is not null && before?.Host == settings.Host && before?.User == user ? before?.Password : null;
        var checkedSettings = settings with { User = user, Password = user is null ? null : password };
        if (Fault(checkedSettings) is { } fault)
        {
            throw new ChangeException(ChangeFault.Invalid, fault);
        }

        await SecretFile.WriteAsync(folder.MailFile, JsonSerializer.Serialize(checkedSettings, s_json), cancellationToken);
        await audit.AppendAsync(actor.Name, "alert mail", GatewayName.Host.Value, Target ?? "", "done", cancellationToken);
    }

    /// <summary>Sends a test now; null when it was taken, else one sentence why not.</summary>
    /// <exception cref="ChangeException">Not permitted, or nothing is set up.</exception>
    public Task<string?> TestAsync(ChangeActor actor, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(actor);
        actor.Require(ChangeRole.Administrator);
        return Read() is null
            ? throw new ChangeException(ChangeFault.NotFound, "mail: no server is set")
            : SendAsync(new(Environment.MachineName, "test", null, GatewayName.Host.Value, "", null, time.GetUtcNow()), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<string?> SendAsync(AlertMessage message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (Read() is not { } mail)
        {
            return "no server is set";
        }

        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(s_patience);
        try
        {
            // Asking whether a certificate was revoked would ask servers that nobody named.
            using var client = new SmtpClient { CheckCertificateRevocation = false, Timeout = (int)s_patience.TotalMilliseconds };
            await client.ConnectAsync(
                mail.Host!, mail.Port, mail.Security switch { MailSecurity.Tls => SecureSocketOptions.SslOnConnect, MailSecurity.StartTls => SecureSocketOptions.StartTls, _ => SecureSocketOptions.None }, patience.Token);
            if (mail.User is not null)
            {
                await client.AuthenticateAsync(mail.User, mail.Password ?? "", patience.Token);
            }

            using var letter = Letter(mail, message);
            await client.SendAsync(letter, patience.Token);
            await client.DisconnectAsync(quit: true, patience.Token);
            return null;
        }
        catch (AuthenticationException)
        {
            return "the server refused user or password";
        }
        catch (Exception e) when (e is SocketException or IOException or SslHandshakeException or ProtocolException or CommandException or NotSupportedException or ServiceNotConnectedException or ServiceNotAuthenticatedException)
        {
            return e is SslHandshakeException ? "the certificate of the server is not trusted, or it speaks no TLS" : OneLine(e.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return $"the server did not answer within {s_patience.TotalSeconds:0} s";
        }
    }

    private static string? Fault(MailSettings s) => s switch
    {
        _ when Uri.CheckHostName(s.Host ?? "") == UriHostNameType.Unknown => "host: must be the name or address of a mail server",
        { Port: < 1 or > 65535 } => "port: must be 1 to 65535",
        _ when !Enum.IsDefined(s.Security) => $"security: must be one of {string.Join(", ", Enum.GetNames<MailSecurity>())}",
        _ when !IsAddress(s.From) => "from: must be an e-mail address",
        _ when !IsAddress(s.To) => "to: must be an e-mail address",
        { User: not null, Security: MailSecurity.None } => "security: a password is sent over TLS only; choose StartTls or Tls, or leave the user out",
        { User: not null, Password: null } => "password: is missing",
        _ => null,
    };

    private static bool IsAddress(string? text) => text is { Length: > 2 and < 255 } && !text.Any(char.IsControl) && MailboxAddress.TryParse(text, out var address) && address.Address.Contains('@', StringComparison.Ordinal);

    private static string OneLine(string text) => string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));

    private MailSettings? Read()
    {
        try
        {
            return SecretFile.TryRead(folder.MailFile) is { } text ? JsonSerializer.Deserialize<MailSettings>(text, s_json) : null;
        }
        catch (JsonException)
        {
            return null; // altered by hand; the page shows that nothing is set
        }
    }

    private MimeMessage Letter(MailSettings mail, AlertMessage message)
    {
        var what = message.Rule is { } rule ? texts[$"Alert_{rule}", message.Subject, Figures.Short(message.Value)].Value : texts["MailTestText"].Value;
        var letter = new MimeMessage
        {
            // Names of interfaces and mount points may hold anything.
            Subject = OneLine($"[MPSec {message.Machine}] {message.State}: {what}"),
            Body = new TextPart("plain")
            {
                Text = string.Create(CultureInfo.InvariantCulture, $"{what}\n\nstate: {message.State}\nmachine: {message.Machine}\ngateway: {message.Gateway}\nat: {message.At:u}\n"),
            },
            Date = message.At,
        };
        letter.From.Add(MailboxAddress.Parse(mail.From!));
        letter.To.Add(MailboxAddress.Parse(mail.To!));
        letter.Headers.Add("Auto-Submitted", "auto-generated");
        return letter;
    }
}
