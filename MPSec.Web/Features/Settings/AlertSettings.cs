using System.Collections.Immutable;
using System.Net;
using System.Net.Mail;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace MPSec.Features.Settings;

/// <summary>How the connection to a mail server is protected.</summary>
public enum MailProtection
{
    /// <summary>STARTTLS (RFC 3207), refused when the server does not offer it; usual on port 587.</summary>
    StartTls,

    /// <summary>TLS from the first byte (RFC 8314); usual on port 465.</summary>
    Tls,

    /// <summary>None; only towards this machine.</summary>
    None,
}

/// <summary>A program that is told of alerts by HTTP POST.</summary>
public sealed record AlertWebhook
{
    /// <summary>Where; http or https. It may hold a secret, so no page and no log shows more than its host.</summary>
    public required Uri Url { get; init; }

    /// <summary>Key of the signature in <c>X-MPSec-Signature</c> (HMAC-SHA256 over the body); null for none.</summary>
    public string? Secret { get; init; }

    internal string? Fault() =>
        !Url.IsAbsoluteUri || (Url.Scheme != Uri.UriSchemeHttp && Url.Scheme != Uri.UriSchemeHttps) || Url.UserInfo.Length > 0 || Url.OriginalString.Length > 2000
            ? "webhook: url: give an http or https address without a user name, 2000 characters at most"
        : Secret is { Length: < 8 or > 200 } ? "webhook: secret: give 8 to 200 characters, or none"
        : null;
}

/// <summary>A mail server and the mail that it is given.</summary>
public sealed partial record AlertMail
{
    /// <summary>Name or address of the server.</summary>
    public required string Host { get; init; }

    /// <summary>Port, 1 to 65535.</summary>
    public int Port { get; init; } = 587;

    /// <summary>Protection of the connection.</summary>
    public MailProtection Protection { get; init; }

    /// <summary>User; null when the server asks for none.</summary>
    public string? User { get; init; }

    /// <summary>Password of the user.</summary>
    public string? Password { get; init; }

    /// <summary>Sender.</summary>
    public required string From { get; init; }

    /// <summary>Receivers, 1 to 20.</summary>
    public required ImmutableArray<string> To { get; init; }

    internal string? Fault() =>
        !IPAddress.TryParse(Host, out _) && !HostName().IsMatch(Host) ? "mail: host: give a host name or an address"
        : Port is < 1 or > 65535 ? "mail: port: give 1 to 65535"
        : !Enum.IsDefined(Protection) ? "mail: protection: give startTls, tls or none"
        : Protection == MailProtection.None && !IsHere(Host) ? "mail: protection: none is for a server on this machine; choose startTls or tls"
        : !IsAddress(From) ? "mail: from: give one mail address"
        : To.IsDefaultOrEmpty || To.Length > 20 || !To.All(IsAddress) ? "mail: to: give 1 to 20 mail addresses"
        : User is { Length: 0 or > 200 } || Password is { Length: 0 or > 200 } ? "mail: user and password: give 1 to 200 characters, or leave them out"
        : (User is null) != (Password is null) ? "mail: user and password: give both or none"
        : null;

    private static bool IsHere(string host) => host == "localhost" || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));

    private static bool IsAddress(string? text) => text is { Length: > 2 and <= 254 } && !text.Any(c => char.IsControl(c) || c is ',' or ';') && MailAddress.TryCreate(text, out var parsed) && parsed.Address == text;

    [GeneratedRegex(@"^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$", RegexOptions.CultureInvariant)]
    private static partial Regex HostName();
}

/// <summary>What is watched, and who is told.</summary>
public sealed record AlertSettings
{
    /// <summary>The usual rules, nobody told.</summary>
    public static AlertSettings Usual { get; } = new();

    /// <summary>Counts up with every save; two who edit at once never overwrite each other.</summary>
    public int Version { get; init; }

    /// <summary>The rules; kinds that are missing are as usual.</summary>
    public ImmutableArray<AlertRule> Rules { get; init; } = AlertRule.Usual;

    /// <summary>The program that is told; null for none.</summary>
    public AlertWebhook? Webhook { get; init; }

    /// <summary>The mail that is sent; null for none.</summary>
    public AlertMail? Mail { get; init; }

    internal static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        IgnoreReadOnlyProperties = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
    };

    /// <summary>What is wrong, one sentence that names field and way out; null when nothing is.</summary>
    public string? Fault() =>
        Rules.IsDefault ? "rules: give a list"
        : Rules.GroupBy(r => r.Kind).FirstOrDefault(g => g.Count() > 1) is { } twice ? $"rules: {twice.Key} is there twice"
        : Rules.Select(r => r.Fault()).FirstOrDefault(f => f is not null) ?? Webhook?.Fault() ?? Mail?.Fault();

    internal AlertSettings Complete() => this with { Rules = [.. AlertRule.Usual.Select(usual => Rules.FirstOrDefault(r => r.Kind == usual.Kind) ?? usual)] };
}
