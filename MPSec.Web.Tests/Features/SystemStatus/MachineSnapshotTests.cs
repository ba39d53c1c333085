using MPSec.Features.SystemStatus;
using MPSec.Linux.Gateways;
using MPSec.Linux.Netlink;
using MPSec.Linux.Procfs;

namespace MPSec.Tests.Features.SystemStatus;

public sealed class MachineSnapshotTests
{
    private static readonly MachineIdentity s_identity = new("box", null, null, null, "x64");

    [Fact]
    public void Derive_TwoReadings_HasSharesAndRates()
    {
        var before = Reading(new(-1, 100, 50, 800, 40, 5, 5), new("sda", 1000, 2000, 100), Process(1, 10, 100), Process(2, 5, 900));
        var now = Reading(new(-1, 130, 60, 850, 45, 8, 7), new("sda", 3000, 2000, 600), Process(1, 110, 100), Process(3, 40, 50));
        var s = MachineSnapshot.Derive(before, now, TimeSpan.FromSeconds(2));
        Assert.Equal(new CpuUse(-1, 30, 13, 5, 2), s.Cpu);
        Assert.Equal(45, s.Cpu!.Busy, 9);
        Assert.Equal(new DiskRate("sda", 1000, 0, 25), Assert.Single(s.Disks));
        Assert.Equal([(1, 50.0), (3, 20.0)], s.Busiest.Select(u => (u.Process.Pid, u.CpuPercent!.Value)));
        Assert.Equal(1, s.Largest[0].Process.Pid);
        Assert.Equal(2, s.States['S']);
    }

    [Fact]
    public void Derive_FirstReadingOrCountersThatWentBack_HasNone()
    {
        var reading = Reading(new(-1, 100, 50, 800, 40, 5, 5), new("sda", 1000, 2000, 100), Process(1, 10, 100));
        var first = MachineSnapshot.Derive(null, reading, TimeSpan.Zero);
        Assert.Null(first.Cpu);
        Assert.Equal(new DiskRate("sda", null, null, null), Assert.Single(first.Disks));
        Assert.Null(Assert.Single(first.Busiest).CpuPercent);

        var back = MachineSnapshot.Derive(reading, Reading(new(-1, 200, 60, 900, 39, 6, 6), new("sda", 10, 10, 10), Process(1, 5, 100)), TimeSpan.FromSeconds(1));
        Assert.Null(back.Cpu);
        Assert.Null(Assert.Single(back.Disks).BusyPercent);
        Assert.Null(Assert.Single(back.Busiest).CpuPercent);
    }

    [Theory]
    [InlineData("veth", 0x10043u, 10000u, null, SpeedReason.Virtual)]
    [InlineData(null, 0x10049u, null, null, SpeedReason.Virtual)]
    [InlineData(null, 0x10043u, 1000u, 1000u, SpeedReason.None)]
    [InlineData("bond", 0x10043u, 2000u, 2000u, SpeedReason.None)]
    [InlineData(null, 0x3u, null, null, SpeedReason.NoCarrier)]
    [InlineData(null, 0x10043u, null, null, SpeedReason.NotTold)]
    public void Speed_OfEveryKindOfLink_IsTrueOrHasAReason(string? kind, uint flags, uint? told, uint? expected, SpeedReason reason)
    {
        var link = new LinkReading { Index = 2, Name = "x", Flags = flags, OperationalState = "up", Mtu = 1500, Kind = kind };
        var hardware = SystemService.Of(link, told is null ? null : new LinkMode(2, told, "full"), "driver");
        Assert.Equal((expected, reason, expected is null ? null : "full"), (hardware.SpeedMbit, hardware.Reason, hardware.Duplex));
    }

    private static MachineReading Reading(CpuTimes cpu, DiskReading disk, params ProcessReading[] processes) => new()
    {
        Identity = s_identity,
        Cpu = cpu,
        Disks = [disk],
        Processes = [.. processes],
    };

    private static ProcessReading Process(int pid, ulong ticks, ulong memory) => new(pid, "p" + pid, 'S', ticks, 1, 7, memory);
}
