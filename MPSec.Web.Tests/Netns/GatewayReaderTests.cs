using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;

namespace MPSec.Tests.Netns;

public sealed class GatewayReaderTests
{
    [Fact]
    public void Read_FreshNamespace_HasLoopbackAndNoFaults()
    {
        using var scope = new NamespaceScope();
        using var reader = GatewayReader.Open(scope.Add("a"));

        var reading = reader.Read();

        Assert.Empty(reading.Faults);
        var lo = Assert.Single(reading.Links);
        Assert.Equal("lo", lo.Name);
        Assert.True(lo.IsUp);
        Assert.Equal(3, reading.Rules.Count(r => !r.IsIPv6));
        Assert.NotNull(reading.Limits);
        Assert.True(reading.MptcpEnabled);
        Assert.True(reading.Counters.ContainsKey("MPTcpExtMPCapableSYNTX"));
        Assert.Empty(reading.Connections);
        Assert.Equal(0, reading.PlainTcpEstablished);
    }

    [Fact]
    public void Read_NamespaceDeleted_ThrowsThatItIsGone()
    {
        using var scope = new NamespaceScope();
        var name = scope.Add("a");
        using var reader = GatewayReader.Open(name);
        reader.Read();

        scope.Delete(name);

        Assert.True(Assert.Throws<NamespaceException>(() => reader.Read()).IsGone);
    }

    [Fact]
    public void Read_NamespaceReplacedBySameName_ThrowsThatItIsGone()
    {
        using var scope = new NamespaceScope();
        var name = scope.Add("a");
        using var reader = GatewayReader.Open(name);

        NamespaceScope.Run("ip", "netns", "del", name.Value);
        NamespaceScope.Run("ip", "netns", "add", name.Value);

        Assert.True(Assert.Throws<NamespaceException>(() => reader.Read()).IsGone);
        using var second = GatewayReader.Open(name);
        Assert.False(Assert.Single(second.Read().Links).IsUp);
    }
}
