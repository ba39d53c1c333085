using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Features.Settings;
using MPSec.Tests.Data;

namespace MPSec.Tests.Features.Settings;

public sealed class AlertMailTests
{
    private static readonly ChangeActor s_admin = new("adam", ChangeRole.Administrator);
    private static readonly MailSettings s_good = new("mail.example.org", 587, MailSecurity.StartTls, "mina", "secret-word", "mpsec@example.org", "admin@example.org");

    public static TheoryData<string, MailSettings> Wrong => new()
    {
        { "host", s_good with { Host = "no host/name" } },
        { "host", s_good with { Host = null } },
        { "port", s_good with { Port = 0 } },
        { "from", s_good with { From = "nobody" } },
        { "to", s_good with { To = "a@b\r\nBcc: evil@example.org" } },
        { "security", s_good with { Security = MailSecurity.None } },
        { "security", s_good with { Security = (MailSecurity)9 } },
        { "password", s_good with { Password = null } },
    };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task Set_WrongField_IsNamed(string field, MailSettings settings)
    {
        using var state = new TempState();
        await using var services = await StartAsync(state);
        var mail = services.GetRequiredService<AlertMail>();
        Assert.StartsWith(field + ":", (await Assert.ThrowsAsync<ChangeException>(() => mail.SetAsync(settings, s_admin, Token))).Message, StringComparison.Ordinal);
        Assert.Null(mail.Target);
    }

    [Fact]
    public async Task Set_Password_IsOnlyInItsFileAndStaysWithItsServer()
    {
        using var state = new TempState();
        await using var services = await StartAsync(state);
        var mail = services.GetRequiredService<AlertMail>();
        Assert.Equal(ChangeFault.NotPermitted, (await Assert.ThrowsAsync<ChangeException>(() => mail.SetAsync(s_good, new("olga", ChangeRole.Operator), Token))).Fault);
        await mail.SetAsync(s_good, s_admin, Token);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(state.Folder.MailFile));
        Assert.Null(mail.Settings!.Password);
        Assert.DoesNotContain(await services.GetRequiredService<AuditLog>().RecentAsync(10, Token), e => e.Arguments.Contains("secret-word", StringComparison.Ordinal));

        await mail.SetAsync(s_good with { Password = "", To = "other@example.org" }, s_admin, Token);
        Assert.Contains("secret-word", await File.ReadAllTextAsync(state.Folder.MailFile, Token), StringComparison.Ordinal);
        // Another server must not get the password of this one.
        await Assert.ThrowsAsync<ChangeException>(() => mail.SetAsync(s_good with { Password = "", Host = "evil.example" }, s_admin, Token));
    }

    [Fact]
    public async Task Send_OverSmtp_ArrivesAsOneLetterWhateverTheNamesHold()
    {
        using var state = new TempState();
        await using var services = await StartAsync(state);
        var mail = services.GetRequiredService<AlertMail>();
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var server = ServeAsync(listener);
        await mail.SetAsync(new("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port, MailSecurity.None, null, null, "mpsec@example.org", "admin@example.org"), s_admin, Token);
        Assert.Null(await mail.SendAsync(new("box", "raised", AlertRule.PathDown, "lab-a", "path2\r\nBcc: evil@example.org", 1, DateTimeOffset.UnixEpoch), Token));
        var (commands, letter) = await server;
        Assert.Equal("RCPT TO:<admin@example.org>", Assert.Single(commands, c => c.StartsWith("RCPT", StringComparison.Ordinal)));
        Assert.DoesNotContain(letter.Split("\r\n\r\n")[0].Split("\r\n"), h => h.StartsWith("Bcc:", StringComparison.OrdinalIgnoreCase));
        Assert.Contains("Subject: [MPSec box] raised: ", letter, StringComparison.Ordinal);
        Assert.Contains("gateway: lab-a", letter, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Send_ServerWithoutTlsOrNoServer_IsToldInOneSentence()
    {
        using var state = new TempState();
        await using var services = await StartAsync(state);
        var mail = services.GetRequiredService<AlertMail>();
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        var server = ServeAsync(listener);
        await mail.SetAsync(s_good with { Host = "127.0.0.1", Port = port }, s_admin, Token);
        var problem = await mail.TestAsync(s_admin, Token);
        Assert.False(string.IsNullOrWhiteSpace(problem));
        Assert.DoesNotContain("secret-word", problem, StringComparison.Ordinal);
        Assert.DoesNotContain((await server).Commands, c => c.StartsWith("AUTH", StringComparison.Ordinal)); // the password never went out in clear
        listener.Stop();
        Assert.False(string.IsNullOrWhiteSpace(await mail.TestAsync(s_admin, Token)));
    }

    private static Task<ServiceProvider> StartAsync(TempState state) => state.StartAsync(s => s.AddLocalization().AddSingleton(TimeProvider.System).AddSingleton<AuditLog>().AddSingleton<AlertMail>());

    /// <summary>A mail server for one letter, without TLS.</summary>
    private static async Task<(List<string> Commands, string Letter)> ServeAsync(TcpListener listener)
    {
        using var client = await listener.AcceptTcpClientAsync(Token);
        using var reader = new StreamReader(client.GetStream(), Encoding.UTF8);
        await using var writer = new StreamWriter(client.GetStream(), new UTF8Encoding(false)) { NewLine = "\r\n", AutoFlush = true };
        var (commands, letter) = (new List<string>(), new StringBuilder());
        await writer.WriteLineAsync("220 test");
        while (await reader.ReadLineAsync(Token) is { } line)
        {
            commands.Add(line);
            if (line == "DATA")
            {
                await writer.WriteLineAsync("354 go");
                while (await reader.ReadLineAsync(Token) is { } part and not ".")
                {
                    letter.Append(part).Append("\r\n");
                }
            }

            if (line == "QUIT")
            {
                await writer.WriteLineAsync("221 bye");
                break;
            }

            await writer.WriteLineAsync("250 ok");
        }

        return (commands, letter.ToString());
    }
}
