using MPSec.Hosting;
using MPSec.Live;

namespace MPSec.Tests.Netns;

public sealed class WatchedGatewayTests
{
    [Fact]
    public async Task Read_NamespaceGoneAndBack_SaysGoneThenReadsTheNewOne()
    {
        using var scope = new NamespaceScope();
        var name = scope.Add("a");
        await using var gateway = new WatchedGateway(name, TimeProvider.System);
        Assert.Equal("lo", Assert.Single(gateway.Read().Links).Name);

        NamespaceScope.Run("ip", "netns", "del", name.Value);
        Assert.Equal("gone", Assert.Throws<SampleException>(gateway.Read).Code);
        Assert.Equal("gone", Assert.Throws<SampleException>(gateway.Read).Code);

        NamespaceScope.Run("ip", "netns", "add", name.Value);
        Assert.False(Assert.Single(gateway.Read().Links).IsUp);
    }

    [Fact]
    public async Task Read_InterfaceDeletedInBetween_ReadingGoesOnWithoutIt()
    {
        using var scope = new NamespaceScope();
        var (a, b) = (scope.Add("a"), scope.Add("b"));
        scope.Veth(a, "p1", "10.9.1.1/24", b, "p1", "10.9.1.2/24");
        await using var gateway = new WatchedGateway(a, TimeProvider.System);
        Assert.Contains(gateway.Read().Links, l => l.Name == "p1");
        NamespaceScope.Ip(a, "link", "del", "p1");
        var reading = gateway.Read();
        Assert.DoesNotContain(reading.Links, l => l.Name == "p1");
        Assert.Empty(reading.Faults);
    }

    [Fact]
    public async Task Changed_ThreeHundredInterfacesAtOnce_IsRaisedAndEverythingIsRead()
    {
        using var scope = new NamespaceScope();
        var a = scope.Add("a");
        await using var gateway = new WatchedGateway(a, TimeProvider.System);
        gateway.Read();
        var changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        gateway.Changed += () => changed.TrySetResult();

        var batch = Path.GetTempFileName();
        try
        {
            await File.WriteAllLinesAsync(batch, Enumerable.Range(0, 150).Select(i => $"link add v{i} type veth peer name w{i}"), TestContext.Current.CancellationToken);
            NamespaceScope.Ip(a, "-batch", batch);
        }
        finally
        {
            File.Delete(batch);
        }

        await changed.Task.WaitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(301, gateway.Read().Links.Length);
    }

    [Fact]
    public async Task Feed_UnknownGateway_SaysThatItIsGone()
    {
        await using var feeds = new GatewayFeeds(new MPSecOptions(), TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance);
        var feed = feeds.Get("mpt-no-such-gateway");
        var told = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var subscription = feed.Store.Subscribe(sample =>
        {
            told.TrySetResult(sample.Failure?.Code ?? "none");
            return Task.CompletedTask;
        });
        feed.Wake();
        Assert.Equal("gone", await told.Task.WaitAsync(TestContext.Current.CancellationToken));
    }
}
