using System.Text;
using MPSec.Linux.Gateways;
using MPSec.Linux.Procfs;
using MPSec.Linux.Sysctl;
using MPSec.Linux.Values;

namespace MPSec.Tests.Linux.Procfs;

public sealed class ProcCountersTests : IDisposable
{
    private static readonly string Root = Path.Combine(AppContext.BaseDirectory, "Fixtures", "Linux", "proc");
    private readonly ProcCounters _counters = new(Path.Combine(Root, "thread-self/net"));

    public void Dispose() => _counters.Dispose();

    [Fact]
    public void Read_Recorded_FindsCountersByGroupAndName()
    {
        var counters = _counters.Read();

        Assert.Equal(1, counters["MPTcpExtMPCapableSYNTX"]);
        Assert.Equal(-1, counters["TcpMaxConn"]);
        Assert.True(counters["IpExtOutOctets"] > 1000);
        Assert.True(counters.ContainsKey("Ip6OutRequests"));
        Assert.Equal(76, counters.Keys.Count(k => k.StartsWith("MPTcpExt", StringComparison.Ordinal)));
        Assert.False(counters.TryGetValue("NoSuchCounter", out _));
        Assert.Equal(counters.Count, counters.Select(c => c.Key).Distinct().Count());
    }

    [Fact]
    public void Parse_ColumnsMovedBetweenReadings_StayWithTheirNames()
    {
        var first = Parse("Tcp: A B\nTcp: 1 2\n", "Ip6In 5\n");
        var second = Parse("Tcp: B New A\nTcp: 3 4 5\nUdp: X\nUdp: 6\n", "Ip6Out 7\nIp6In 8\n");

        Assert.Equal((1, 2, 5), (first["TcpA"], first["TcpB"], first["Ip6In"]));
        Assert.Equal((5, 3, 4, 6, 7, 8), (second["TcpA"], second["TcpB"], second["TcpNew"], second["UdpX"], second["Ip6Out"], second["Ip6In"]));
    }

    [Fact]
    public void Parse_SameNames_ShareOneTable()
    {
        var first = Parse("Tcp: A B\nTcp: 1 2\n", "");
        var second = Parse("Tcp: A B\nTcp: 3 18446744073709551615\n", "");

        Assert.Same(first.Keys, second.Keys);
        Assert.Equal((1, 3), (first["TcpA"], second["TcpA"]));
        Assert.Equal(-1, second["TcpB"]);
    }

    [Theory]
    [InlineData("Tcp: A B\nTcp: 1\n", "")]
    [InlineData("Tcp: A\nTcp: 1 2\n", "")]
    [InlineData("Tcp: A\nUdp: 1\n", "")]
    [InlineData("Tcp: A\n", "")]
    [InlineData("Tcp: A\nTcp: x\n", "")]
    [InlineData("Tcp: A\nTcp: 123456789012345678901\n", "")]
    [InlineData("Tcp: A A\nTcp: 1 2\n", "")]
    [InlineData("Tcp A\nTcp 1\n", "")]
    [InlineData("", "Ip6In\n")]
    [InlineData("", "\n")]
    [InlineData("", "Ip6In -\n")]
    public void Parse_Malformed_IsAFormatError(string tables, string list) => Assert.ThrowsAny<FormatException>(() => Parse(tables, list));

    [Fact]
    public void Parse_TruncatedOrAltered_IsASetOrAFormatError()
    {
        var text = File.ReadAllBytes(Path.Combine(Root, "thread-self/net/snmp"));
        var list = File.ReadAllBytes(Path.Combine(Root, "thread-self/net/snmp6"))[..200];
        var random = new Random(3);
        for (var i = 0; i < 20_000; i++)
        {
            var altered = text.ToArray();
            altered[random.Next(altered.Length)] = (byte)random.Next(256);
            try
            {
                _counters.Parse(altered.AsSpan(0, random.Next(4) == 0 ? random.Next(altered.Length) : altered.Length), list);
            }
            catch (FormatException e)
            {
                Assert.NotEmpty(e.Message);
            }
        }
    }

    [Fact]
    public void Settings_Recorded_AreNamedInFull()
    {
        using var reader = new SysctlReader(Path.Combine(Root, "sys/net/mptcp"), "net.mptcp.");

        var settings = reader.Read();

        Assert.Equal(13, settings.Count);
        Assert.Equal("1", settings["net.mptcp.enabled"]);
        Assert.Equal("kernel userspace", settings["net.mptcp.available_path_managers"]);
        Assert.Same(settings, reader.Read());
        Assert.Equal("4", SysctlReader.Read(Path.Combine(Root, "sys"), SysctlKey.Parse("net.mptcp.stale_loss_cnt")));
        Assert.Null(SysctlReader.Read(Path.Combine(Root, "sys"), SysctlKey.Parse("net.mptcp.no_such_setting")));
    }

    [Fact]
    public void Settings_FolderMissing_SaysSo()
    {
        using var reader = new SysctlReader("/nowhere", "net.mptcp.");

        Assert.False(reader.IsPresent);
        Assert.Empty(reader.Read());
    }

    [Fact]
    public void From_SameNameTwice_Throws() => Assert.Throws<ArgumentException>(() => CounterSet.From([new("A", 1), new("A", 2)]));

    private CounterSet Parse(string tables, string list) => _counters.Parse(Encoding.UTF8.GetBytes(tables), Encoding.UTF8.GetBytes(list));
}
