using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using MPSec.Features.Settings;
using MPSec.Hosting;

namespace MPSec.Tests.Features.Settings;

/// <summary>Real bytes to a real listener on this machine.</summary>
public sealed class AlertSendersTests
{
    private static readonly AlertMessage s_message = new()
    {
        Event = "raised", Key = new(AlertKind.FallbackRatio, "host", null), Host = "gw", At = new(2026, 11, 24, 12, 0, 0, TimeSpan.Zero), Value = 25.04, Threshold = 20,
    };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Webhook_WithSecret_PostsSignedJson()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var got = ServeAsync(listener, "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n");
        using var http = AlertsSetup.NewClient();
        await new WebhookSender(http).SendAsync(Hook(listener, "key of the hook"), s_message, Token);

        var (head, body) = await got;
        Assert.StartsWith("POST /hook?key=1 HTTP/1.1", head, StringComparison.Ordinal);
        Assert.Contains("X-MPSec-Signature: sha256=" + Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes("key of the hook"), body)), head, StringComparison.Ordinal);
        var json = JsonDocument.Parse(body).RootElement;
        Assert.Equal(("raised", "fallbackRatio", "host", 25.04, 20), (json.GetProperty("event").GetString(), json.GetProperty("kind").GetString(), json.GetProperty("gateway").GetString(), json.GetProperty("value").GetDouble(), json.GetProperty("threshold").GetDouble()));
        Assert.Equal("MPSec on gw: gateway host, connections go on as plain TCP (25 %, threshold 20 %)", json.GetProperty("text").GetString());
    }

    [Theory]
    [InlineData("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "302", true)]
    [InlineData("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404", true)]
    [InlineData("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "503", false)]
    [InlineData("garbage\r\n\r\n", "cannot be reached", false)]
    public async Task Webhook_RefusedOrGarbage_SaysSoWithoutTheAddress(string answer, string said, bool isFinal)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var got = ServeAsync(listener, answer);
        using var http = AlertsSetup.NewClient();
        var problem = await Assert.ThrowsAsync<AlertSendException>(() => new WebhookSender(http).SendAsync(Hook(listener, null), s_message, Token));
        Assert.Contains(said, problem.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("key=1", problem.Message, StringComparison.Ordinal);
        Assert.Equal(isFinal, problem.IsFinal);
        await got;
    }

    [Fact]
    public async Task Mail_ServerOfThisMachine_GetsTheLetter()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var got = SmtpAsync(listener);
        await new MailSender().SendAsync(Mail(listener), s_message with { Key = new(AlertKind.PathDown, "host", "wan0"), Value = 1, Threshold = 1 }, Token);

        var lines = await got;
        Assert.Contains("MAIL FROM:<mpsec@example.org>", lines);
        Assert.Contains("RCPT TO:<ops@example.org>", lines);
        Assert.Contains("Subject: MPSec on gw: gateway host, path wan0: the path is down", lines);
    }

    [Fact]
    public async Task Mail_ServerThatIsNone_SaysSo()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var settings = Mail(listener);
        listener.Stop();
        var problem = await Assert.ThrowsAsync<AlertSendException>(() => new MailSender().SendAsync(settings, s_message, Token));
        Assert.StartsWith("mail: 127.0.0.1, port ", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Mail_ServerWithoutStartTls_IsNeverToldThePassword()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var got = SmtpAsync(listener);
        var settings = Mail(listener);
        settings = settings with { Mail = settings.Mail! with { Protection = MailProtection.StartTls, User = "mpsec", Password = "pw of the mail" } };
        var problem = await Assert.ThrowsAsync<AlertSendException>(() => new MailSender().SendAsync(settings, s_message, Token));
        Assert.Contains("STARTTLS", problem.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(await got, l => l.StartsWith("AUTH", StringComparison.Ordinal));
    }

    private static AlertSettings Hook(TcpListener listener, string? secret) => new() { Webhook = new() { Url = new($"http://{listener.LocalEndpoint}/hook?key=1"), Secret = secret } };

    private static AlertSettings Mail(TcpListener listener) => new()
    {
        Mail = new() { Host = "127.0.0.1", Port = ((IPEndPoint)listener.LocalEndpoint).Port, Protection = MailProtection.None, From = "mpsec@example.org", To = ["ops@example.org"] },
    };

    private static async Task<(string Head, byte[] Body)> ServeAsync(TcpListener listener, string answer)
    {
        using var client = await listener.AcceptTcpClientAsync(Token);
        var stream = client.GetStream();
        var bytes = new List<byte>();
        var buffer = new byte[4096];
        while (true)
        {
            var read = await stream.ReadAsync(buffer, Token);
            bytes.AddRange(buffer.AsSpan(0, read));
            var text = Encoding.Latin1.GetString([.. bytes]);
            var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (read == 0 || (end > 0 && bytes.Count - end - 4 >= Length(text)))
            {
                await stream.WriteAsync(Encoding.Latin1.GetBytes(answer), Token);
                return (text[..end], [.. bytes.Skip(end + 4)]);
            }
        }
    }

    private static int Length(string head) => int.Parse(head.Split("Content-Length: ")[1].Split('\r')[0], System.Globalization.CultureInfo.InvariantCulture);

    private static async Task<IReadOnlyCollection<string>> SmtpAsync(TcpListener listener)
    {
        var lines = new ConcurrentQueue<string>();
        using var client = await listener.AcceptTcpClientAsync(Token);
        using var reader = new StreamReader(client.GetStream(), Encoding.UTF8);
        await using var writer = new StreamWriter(client.GetStream(), new UTF8Encoding(false)) { NewLine = "\r\n", AutoFlush = true };
        await writer.WriteLineAsync("220 test ESMTP".AsMemory(), Token);
        var data = false;
        while (await reader.ReadLineAsync(Token) is { } line)
        {
            lines.Enqueue(line);
            data = data ? line != "." : line == "DATA";
            var answer = data ? (line == "DATA" ? "354 go on" : null) : line.Split(' ')[0] switch { "EHLO" => "250 test", "QUIT" => "221 bye", _ => "250 ok" };
            if (answer is not null)
            {
                await writer.WriteLineAsync(answer.AsMemory(), Token);
            }

            if (line == "QUIT")
            {
                break;
            }
        }

        return lines;
    }
}
