using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Data.History;
using MPSec.Hosting;
using MPSec.Hosting.History;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Sockets;
using MPSec.Linux.Values;
using MPSec.Live;
using MPSec.Tests.Hosting.Auth;

namespace MPSec.Tests.Netns;

/// <summary>MPTCP connections that open and close as fast as the machine makes them, in a gateway that MPSec watches.</summary>
public sealed class ConnectionStormTests
{
    private static readonly TimeSpan s_length = LongProofs.Wanted ? TimeSpan.FromSeconds(30) : TimeSpan.FromSeconds(4);

    [Fact]
    public async Task Storm_OfConnections_LeavesTheViewLiveAndTheTimelineShort()
    {
        using var scope = new NamespaceScope();
        var a = scope.Add("a");
        await using var app = await RunningApp.StartAsync();
        var store = app.Program.Services.GetRequiredService<HistoryStore>();
        var feed = app.Program.Services.GetRequiredService<ILiveFeeds<GatewaySnapshot, RatePoint>>().Get(a.Value);
        var samples = new List<Sample<GatewaySnapshot>>();
        using var watching = feed.Store.Subscribe(sample =>
        {
            lock (samples)
            {
                samples.Add(sample);
            }

            return Task.CompletedTask;
        });
        await LabScope.UntilAsync(() => feed.Store.Current?.Value is not null, "the gateway is read");
        NamespaceScope.Ip(a, "link", "set", "lo", "up");

        var before = GC.GetTotalMemory(forceFullCollection: true);
        lock (samples)
        {
            samples.Clear();
        }

        var made = await Task.Run(() => NamespaceThread.Run(a, () => Storm(s_length)), TestContext.Current.CancellationToken);
        await LabScope.UntilAsync(() => samples.Count >= 3, "readings went on");
        await LabScope.UntilAsync(
            () => feed.Store.Current?.Value is { } s && s.Reading.Counters["MPTcpExtMPCapableSYNRX"] == made && s.Reading.Connections.All(c => c.State is not 1), "all were counted and the last one is gone");
        await store.FlushAsync(TestContext.Current.CancellationToken);
        var after = GC.GetTotalMemory(forceFullCollection: true);

        Sample<GatewaySnapshot>[] seen;
        lock (samples)
        {
            seen = [.. samples];
        }

        Assert.All(seen, s => Assert.Null(s.Failure));
        Assert.Equal(0, store.Status.Dropped);
        var kept = store.Events(new(a.Value) { Limit = 5000 });
        var skipped = kept.Where(e => e.Kind == HistoryEventKind.Skipped).Sum(e => e.Count ?? 0);
        var lost = kept.Count(e => e.Kind == HistoryEventKind.Lost);
        TestContext.Current.TestOutputHelper?.WriteLine($"{made / s_length.TotalSeconds:0} connections/s over {s_length.TotalSeconds:0} s, {seen.Length} readings, {kept.Count} events kept, {skipped} left out, {lost} times lost by the kernel, {(after - before) / 1048576.0:0.0} MiB more");
        Assert.True(skipped > 0 || lost > 0 || made < GatewayEventLog.MostAtOnce / 2, "what is not there is told");
        Assert.InRange(kept.Count(e => e.Kind.StartsWith("connection-", StringComparison.Ordinal)), 1, GatewayEventLog.MostAtOnce + (GatewayEventLog.MostPerSecond * 60));
        Assert.InRange((after - before) / 1048576.0, double.MinValue, LongProofs.Wanted ? 64 : 256); // the heap is shared with the tests beside it
    }

    /// <summary>One connection after another until <paramref name="length"/> is over; the number made.</summary>
    private static long Storm(TimeSpan length)
    {
        using var listener = MptcpSocket.OpenHere(AddressFamily.InterNetwork);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(128);
        var to = (IPEndPoint)listener.LocalEndPoint!;
        var until = Environment.TickCount64 + (long)length.TotalMilliseconds;
        var made = 0L;
        while (Environment.TickCount64 < until)
        {
            using var client = MptcpSocket.OpenHere(AddressFamily.InterNetwork);
            client.LingerState = new(true, 0);
            client.Connect(to);
            using var server = listener.Accept();
            made++;
        }

        return made;
    }
}
