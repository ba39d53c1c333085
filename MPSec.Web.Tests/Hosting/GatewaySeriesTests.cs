using MPSec.Hosting.History;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;
using MPSec.Live;

namespace MPSec.Tests.Hosting;

public sealed class GatewaySeriesTests
{
    [Fact]
    public void Collect_TwoReadings_GivesRatesAndLeavesOutWhatIsNotMeasured()
    {
        var before = Reading(1000, 5, 10);
        var now = Reading(3000, 9, 4); // the second counter went back: a gap
        var set = new SeriesSet();
        new GatewaySeries().Collect(GatewaySnapshot.Derive(before, now, TimeSpan.FromSeconds(2)), set);
        var values = set.Values.ToDictionary();
        Assert.Equal((8000.0, 0.0, 8000.0), (values["interface/p1/tx"], values["interface/p1/rx"], values["interface/p1/sum"]));
        Assert.Equal(2.0, values["counter/MPTcpExtMPCapableSYNTX"]);
        Assert.DoesNotContain("counter/MPTcpExtMPTCPRetrans", values.Keys);
        Assert.DoesNotContain("counter/MPTcpExtAddAddr", values.Keys); // never counted
        Assert.Equal(0.0, values["connections/mptcp"]);
        Assert.Equal(("bit/s", "1/s", "1/s", "ms", ""), (GatewaySeries.UnitOf("interface/p1/tx"), GatewaySeries.UnitOf("interface/p1/tx-packets"), GatewaySeries.UnitOf("counter/x"), GatewaySeries.UnitOf("path/p1/rtt"), GatewaySeries.UnitOf("connections/mptcp")));

        var first = new SeriesSet();
        new GatewaySeries().Collect(GatewaySnapshot.Derive(null, now, TimeSpan.Zero), first);
        Assert.DoesNotContain(first.Values, v => v.Key.StartsWith("interface/", StringComparison.Ordinal) || v.Key.StartsWith("counter/", StringComparison.Ordinal));
    }

    [Fact]
    public void Collect_OfTheMachine_NamesWhatIsMeasuredOnly()
    {
        var set = new SeriesSet();
        new MachineSeries().Collect(
            new(
                new()
                {
                    Identity = new("box", null, null, null, "x64"),
                    Load = new(0.5, 0, 0, 1, 90),
                    Memory = new(1000, 400, 100, 0, 0, 0),
                    FileSystems = [new("/", "/dev/sda1", "ext4", 100, 60, 40), new("/var/lib", "/dev/sdb1", "xfs", 100, 0, 0)],
                },
                TimeSpan.FromSeconds(1)),
            set);
        Assert.Equal(
            [("machine/load", 0.5), ("machine/tasks", 90), ("machine/memory", 60), ("machine/memory-used", 600), ("machine/disk/full", 60)],
            set.Values.Select(v => (v.Key, v.Value)));
        Assert.Equal(("", "%", "byte", "%", "°C"), (GatewaySeries.UnitOf("machine/load"), GatewaySeries.UnitOf("machine/cpu/0"), GatewaySeries.UnitOf("machine/memory-used"), GatewaySeries.UnitOf("machine/disk/var/full"), GatewaySeries.UnitOf("machine/temperature/x86")));
    }

    private static GatewayReading Reading(ulong sent, long opened, long again) => new()
    {
        Gateway = GatewayName.Host,
        Links = [new() { Index = 2, Name = "p1", Flags = 0x10001, OperationalState = "up", Mtu = 1500, Counters = new(0, 0, 0, sent, 0, 0, 0, 0, 0, 0) }],
        Counters = CounterSet.From([new("MPTcpExtMPCapableSYNTX", opened), new("MPTcpExtMPTCPRetrans", again), new("MPTcpExtAddAddr", 0)]),
    };
}
