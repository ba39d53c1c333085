using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Features.Settings;
using MPSec.Hosting;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;
using MPSec.Tests.Data;

namespace MPSec.Tests.Features.Settings;

public sealed class AlertServiceTests
{
    private static readonly ChangeActor s_admin = new("adam", ChangeRole.Administrator);
    private static readonly HashSet<AlertRule> s_rules = [AlertRule.Blackhole];
    private static readonly AlertKey s_key = new(AlertRule.Blackhole, "host", "");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Observe_AcrossARestart_RaisesOnceAndClearsOnce()
    {
        using var state = new TempState();
        await using (var services = await StartAsync(state))
        {
            var alerts = services.GetRequiredService<AlertService>();
            await alerts.ObserveAsync("host", [new(s_key, 1)], s_rules, Token);
            Assert.Equal(AlertRule.Blackhole, Assert.Single(alerts.Raised).Rule);
        }

        await using (var services = await StartAsync(state))
        {
            var alerts = services.GetRequiredService<AlertService>();
            await alerts.ObserveAsync("host", [new(s_key, 1)], s_rules, Token);
            Assert.Single(alerts.Raised);
            await alerts.ObserveAsync("host", [new(s_key, 0)], s_rules, Token);
            Assert.Empty(alerts.Raised);
            Assert.NotNull(Assert.Single(await alerts.RecentAsync(10, Token)).ClearedAt);
        }
    }

    [Fact]
    public async Task Webhook_GetsWhatChangedAndItsAddressStaysSecret()
    {
        using var state = new TempState();
        await using var services = await StartAsync(state);
        var webhook = services.GetRequiredService<AlertWebhook>();
        Assert.Null(webhook.Host);
        await Assert.ThrowsAsync<ChangeException>(() => webhook.TestAsync(s_admin, Token));
        foreach (var wrong in new[] { "ftp://x/y", "not an address", "file:///etc/passwd", "https://" + new string('a', 3000) })
        {
            Assert.Equal(ChangeFault.Invalid, (await Assert.ThrowsAsync<ChangeException>(() => webhook.SetAsync(wrong, s_admin, Token))).Fault);
        }

        Assert.Equal(ChangeFault.NotPermitted, (await Assert.ThrowsAsync<ChangeException>(() => webhook.SetAsync("http://x/", new("olga", ChangeRole.Operator), Token))).Fault);

        using var listener = Listen(out var address);
        await webhook.SetAsync(address + "hook/secret-key", s_admin, Token);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(state.Folder.WebhookFile));
        Assert.Equal(new Uri(address).Authority, webhook.Host);
        Assert.DoesNotContain(await services.GetRequiredService<AuditLog>().RecentAsync(10, Token), e => e.Arguments.Contains("secret-key", StringComparison.Ordinal));

        var test = webhook.TestAsync(s_admin, Token);
        Assert.Equal("test", (await AnswerAsync(listener, 200)).GetProperty("state").GetString());
        Assert.Null(await test);
        test = webhook.TestAsync(s_admin, Token);
        await AnswerAsync(listener, 302);
        Assert.Equal("it answered 302", await test);

        await webhook.StartAsync(Token);
        await services.GetRequiredService<AlertService>().ObserveAsync("host", [new(s_key, 1)], s_rules, Token);
        var message = await AnswerAsync(listener, 204);
        Assert.Equal(("raised", "blackhole", "host", 1.0), (message.GetProperty("state").GetString(), message.GetProperty("rule").GetString(), message.GetProperty("gateway").GetString(), message.GetProperty("value").GetDouble()));
        await webhook.StopAsync(Token);
        await webhook.SetAsync(null, s_admin, Token);
        Assert.False(File.Exists(state.Folder.WebhookFile));
    }

    [Fact]
    public void Counters_OverAMinute_GiveRatiosAndEndBlackholes()
    {
        var counters = new AlertCounters();
        counters.Add(Reading(10, 0, 0, 0), TimeSpan.Zero);
        Assert.Null(counters.JoinFailurePercent);
        Assert.Equal(0, counters.Blackhole);
        Assert.False(counters.Add(Reading(10, 0, 0, 0), TimeSpan.Zero));
        counters.Add(Reading(12, 1, 0, 0), TimeSpan.FromSeconds(5));
        Assert.Equal(50, counters.JoinFailurePercent);
        counters.Add(Reading(20, 2, 3, 1), TimeSpan.FromSeconds(10));
        Assert.Equal((20, 3, 1), (counters.JoinFailurePercent, counters.Stale, counters.Blackhole));
        counters.Add(Reading(20, 2, 3, 1), TimeSpan.FromSeconds(80));
        Assert.Null(counters.Stale); // only one reading is left in the window
        counters.Add(Reading(20, 2, 3, 1), TimeSpan.FromSeconds(309));
        Assert.Equal(1, counters.Blackhole);
        counters.Add(Reading(20, 2, 3, 1), TimeSpan.FromSeconds(310));
        Assert.Equal((0, 0, 0), (counters.JoinFailurePercent, counters.Stale, counters.Blackhole));
        counters.Add(Reading(0, 0, 0, 0), TimeSpan.FromSeconds(315)); // counters of another namespace
        Assert.Null(counters.JoinFailurePercent);
    }

    private static GatewayReading Reading(long joins, long rejected, long stale, long blackhole) => new()
    {
        Gateway = GatewayName.Host,
        MptcpSettings = System.Collections.Immutable.ImmutableSortedDictionary<string, string>.Empty.Add("net.mptcp.blackhole_timeout", "300"),
        Counters = CounterSet.From([new("MPTcpExtMPJoinSynTx", joins), new("MPTcpExtMPJoinRejected", rejected), new("MPTcpExtSubflowStale", stale), new("MPTcpExtBlackhole", blackhole)]),
    };

    private static Task<ServiceProvider> StartAsync(TempState state) => state.StartAsync(s => s.AddSingleton(TimeProvider.System).AddSingleton<AuditLog>().AddSingleton<AlertWebhook>().AddSingleton<AlertService>());

    private static HttpListener Listen(out string address)
    {
        for (var attempt = 0; ; attempt++)
        {
            var listener = new HttpListener();
            address = $"http://127.0.0.1:{Random.Shared.Next(20_000, 30_000)}/";
            listener.Prefixes.Add(address);
            try
            {
                listener.Start();
                return listener;
            }
            catch (HttpListenerException) when (attempt < 20)
            {
                listener.Close(); // the port is taken
            }
        }
    }

    private static async Task<JsonElement> AnswerAsync(HttpListener listener, int status)
    {
        var context = await listener.GetContextAsync().WaitAsync(TimeSpan.FromSeconds(60), Token);
        using var reader = new StreamReader(context.Request.InputStream, Encoding.UTF8);
        using var document = JsonDocument.Parse(await reader.ReadToEndAsync(Token));
        context.Response.StatusCode = status;
        context.Response.RedirectLocation = status == 302 ? "http://127.0.0.1:1/" : null;
        context.Response.Close();
        return document.RootElement.Clone();
    }
}
