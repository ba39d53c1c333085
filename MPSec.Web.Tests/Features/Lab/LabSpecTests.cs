using MPSec.Changes;
using MPSec.Features.Lab;

namespace MPSec.Tests.Features.Lab;

public sealed class LabSpecTests
{
    [Theory]
    [InlineData("lab", "", null, 50, "0 were given")]
    [InlineData("lab", "1,2,3,4,5,6,7,8,9", null, 50, "9 were given")]
    [InlineData("lab", "20,x", null, 50, "'x' is no number")]
    [InlineData("lab", "20,,30", null, 50, "'' is no number")]
    [InlineData("lab", "20,-5", null, 50, "'-5' is no number")]
    [InlineData("lab", "1e9", null, 50, "'1e9' is no number")]
    [InlineData("lab", "20,NaN", null, 50, "rate of path 2")]
    [InlineData("lab", "0.09", null, 50, "rate of path 1")]
    [InlineData("lab", "20,10001", null, 50, "rate of path 2")]
    [InlineData("lab", "20,30", "10", 50, "1 round-trip times were given for 2 paths")]
    [InlineData("lab", "20", "2001", 50, "0 to 2,000 ms")]
    [InlineData("lab", "20", "soon", 50, "'soon' is no number")]
    [InlineData("lab", "20", null, 0, "buffer-ms")]
    [InlineData("", "20", null, 50, "name: is empty")]
    [InlineData("-lab", "20", null, 50, "must begin with")]
    [InlineData("la b", "20", null, 50, "may only have")]
    [InlineData("../x", "20", null, 50, "must begin with")]
    public void Parse_BadInput_NamesTheField(string name, string paths, string? rtt, double buffer, string words)
    {
        Assert.Null(LabSpec.Parse(name, paths, rtt, buffer, out var faults));
        Assert.Contains(words, string.Join('\n', faults));
    }

    [Fact]
    public void Parse_Good_ComputesTheCeiling()
    {
        var spec = LabSpec.Parse("lab", "20, 30,50,40", "10,20,30,40", 50, out var faults);

        Assert.Empty(faults);
        Assert.Equal(133.9, spec!.HeaderLimitedMbit, 1);
        Assert.Equal("lab-b", spec.B.Value);
        Assert.Equal(spec, LabSpec.FromJson(spec.ToJson()));
    }

    [Fact]
    public void Up_TwoPaths_IsTheWholeRecipe()
    {
        var plan = LabLayout.Up(LabSpec.Parse("lab", "20,30", null, 50, out _)!, capsRetries: true);

        Assert.All(plan.Operations, o => o.Validate());
        Assert.Equal(
            """
            ip netns add lab-a
            ip netns add lab-b
            ip -n lab-a link set dev lo up
            ip netns exec lab-a sysctl -w net.mptcp.enabled=1
            ip netns exec lab-a sysctl -w net.ipv4.ip_forward=1
            ip netns exec lab-a sysctl -w net.ipv4.conf.all.rp_filter=2
            ip netns exec lab-a sysctl -w net.ipv4.conf.default.rp_filter=2
            ip netns exec lab-a sysctl -w net.ipv4.tcp_rto_max_ms=1000
            ip netns exec lab-a sysctl -w net.ipv4.tcp_retries2=255
            ip -n lab-a mptcp limits set subflows 8 add_addr_accepted 8
            ip -n lab-b link set dev lo up
            ip netns exec lab-b sysctl -w net.mptcp.enabled=1
            ip netns exec lab-b sysctl -w net.ipv4.ip_forward=1
            ip netns exec lab-b sysctl -w net.ipv4.conf.all.rp_filter=2
            ip netns exec lab-b sysctl -w net.ipv4.conf.default.rp_filter=2
            ip netns exec lab-b sysctl -w net.ipv4.tcp_rto_max_ms=1000
            ip netns exec lab-b sysctl -w net.ipv4.tcp_retries2=255
            ip -n lab-b mptcp limits set subflows 8 add_addr_accepted 8
            ip link add path1 netns lab-a type veth peer name path1 netns lab-b
            ip -n lab-a address add 10.99.1.1/24 dev path1
            tc -n lab-a qdisc replace dev path1 root handle 1: tbf rate 20000000bit burst 25000b limit 150000b
            ip -n lab-a link set dev path1 up
            ip -n lab-b address add 10.99.1.2/24 dev path1
            tc -n lab-b qdisc replace dev path1 root handle 1: tbf rate 20000000bit burst 25000b limit 150000b
            ip -n lab-b link set dev path1 up
            ip link add path2 netns lab-a type veth peer name path2 netns lab-b
            ip -n lab-a address add 10.99.2.1/24 dev path2
            tc -n lab-a qdisc replace dev path2 root handle 1: tbf rate 30000000bit burst 37500b limit 225000b
            ip -n lab-a link set dev path2 up
            ip -n lab-b address add 10.99.2.2/24 dev path2
            tc -n lab-b qdisc replace dev path2 root handle 1: tbf rate 30000000bit burst 37500b limit 225000b
            ip -n lab-b link set dev path2 up
            ip -n lab-a rule add pref 1001 from 10.99.1.1 table 101
            ip -n lab-a route replace 10.99.1.0/24 dev path1 src 10.99.1.1 table 101
            ip -n lab-a route replace default via 10.99.1.2 dev path1 table 101
            ip -n lab-a route replace unreachable default metric 4278198272 table 101
            ip -n lab-b rule add pref 1001 from 10.99.1.2 table 101
            ip -n lab-b route replace 10.99.1.0/24 dev path1 src 10.99.1.2 table 101
            ip -n lab-b route replace default via 10.99.1.1 dev path1 table 101
            ip -n lab-b route replace unreachable default metric 4278198272 table 101
            ip -n lab-a rule add pref 1002 from 10.99.2.1 table 102
            ip -n lab-a route replace 10.99.2.0/24 dev path2 src 10.99.2.1 table 102
            ip -n lab-a route replace default via 10.99.2.2 dev path2 table 102
            ip -n lab-a route replace unreachable default metric 4278198272 table 102
            ip -n lab-b rule add pref 1002 from 10.99.2.2 table 102
            ip -n lab-b route replace 10.99.2.0/24 dev path2 src 10.99.2.2 table 102
            ip -n lab-b route replace default via 10.99.2.1 dev path2 table 102
            ip -n lab-b route replace unreachable default metric 4278198272 table 102
            ip -n lab-b mptcp endpoint add 10.99.2.2 dev path2 id 2 signal
            """,
            string.Join('\n', plan.Commands));
    }

    [Theory]
    [InlineData(0, null, "connections")]
    [InlineData(65, null, "connections")]
    [InlineData(1, "cu bic", "congestion")]
    [InlineData(1, "averyveryverylongname", "congestion")]
    public void Faults_BadTransfer_NameTheField(int connections, string? congestion, string field) =>
        Assert.StartsWith(field, Assert.Single(new LabTransferSettings(LabDirection.AToB, connections, congestion).Faults()), StringComparison.Ordinal);
}
