using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using MPSec.Changes;
using MPSec.Features.Settings;
using MPSec.Linux.Gateways;
using MPSec.Live;
using MPSec.Tests.Hosting.Auth;

namespace MPSec.Tests.Hosting;

public sealed class LiveApiTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Live_Host_SendsSnapshotsAndEndsCleanlyAtShutdown()
    {
        await using var app = await RunningApp.StartAsync(change: o => o.SampleIntervalMs = 100);
        using var client = ApiTokenTests.Client(app, await SecretAsync(app));
        Assert.Equal(HttpStatusCode.BadRequest, (await client.GetAsync("/api/v1/gateways/host/live?interval=1", Token)).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await client.GetAsync("/api/v1/gateways/-x/live", Token)).StatusCode);
        using var answer = await client.GetAsync("/api/v1/gateways/host/live?interval=100", HttpCompletionOption.ResponseHeadersRead, Token);
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType!.MediaType);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(Token));
        var times = new List<DateTimeOffset>();
        while (times.Count < 3)
        {
            var line = await reader.ReadLineAsync(Token) ?? throw new InvalidOperationException("the stream ended early");
            if (line.StartsWith("data: ", StringComparison.Ordinal))
            {
                using var data = JsonDocument.Parse(line[6..]);
                times.Add(data.RootElement.GetProperty("at").GetDateTimeOffset());
                Assert.Contains(data.RootElement.GetProperty("links").EnumerateArray(), l => l.GetProperty("name").GetString() == "lo");
            }
        }

        Assert.Equal(times.Distinct().Order(), times);
        var rest = reader.ReadToEndAsync(Token);
        app.Program.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();
        await rest; // the end of the body, not a reset
    }

    [Fact]
    public async Task Live_ClientThatStopsReading_DisturbsNobody()
    {
        await using var app = await RunningApp.StartAsync(change: o => o.SampleIntervalMs = 100);
        var secret = await SecretAsync(app);
        var stalled = new List<TcpClient>();
        for (var i = 0; i < 10; i++)
        {
            var tcp = new TcpClient { ReceiveBufferSize = 2048 };
            await tcp.ConnectAsync(IPAddress.Loopback, app.Address.Port, Token);
            await tcp.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"GET /api/v1/gateways/host/live HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {secret}\r\n\r\n"), Token);
            stalled.Add(tcp);
        }

        using var client = ApiTokenTests.Client(app, secret);
        using var answer = await client.GetAsync("/api/v1/gateways/host/live", HttpCompletionOption.ResponseHeadersRead, Token);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(Token));
        var seen = 0;
        while (seen < 20)
        {
            seen += (await reader.ReadLineAsync(Token) ?? throw new InvalidOperationException("the stream ended")).StartsWith("data: ", StringComparison.Ordinal) ? 1 : 0;
        }

        var store = app.Program.Services.GetRequiredService<ILiveFeeds<GatewaySnapshot, RatePoint>>().Get("host").Store;
        Assert.True(store.SubscriberCount >= 1);
        foreach (var tcp in stalled)
        {
            tcp.Client.LingerState = new(true, 0);
            tcp.Dispose();
        }

        answer.Dispose();
        for (var i = 0; i < 200 && store.SubscriberCount > 0; i++)
        {
            await Task.Delay(100, Token);
        }

        Assert.Equal(0, store.SubscriberCount);
    }

    private static async Task<string> SecretAsync(RunningApp app) => (await app.Program.Services.GetRequiredService<ApiTokenService>()
        .CreateAsync("live", ChangeRole.Viewer, 1, new("adam", ChangeRole.Administrator), Token)).Secret;
}
