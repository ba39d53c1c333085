using System.Net;
using MPSec.Changes;
using MPSec.Features.Network;
using MPSec.Linux.Gateways;

namespace MPSec.Tests.Features.Network;

public sealed class MptcpEndpointPlansTests
{
    private const MptcpEndpointFlags Signal = MptcpEndpointFlags.Signal;
    private const MptcpEndpointFlags Subflow = MptcpEndpointFlags.Subflow;

    private static readonly MptcpSettingsSnapshot s_now = MptcpFacts.Snapshot(endpoints: [new(2, IPAddress.Parse("10.99.2.2"), 0, Signal, null)]);

    [Theory]
    [InlineData("10.99.3.2", Signal, null, null, null, "ip -n lab-b mptcp endpoint add 10.99.3.2 id 1 signal")]
    [InlineData("10.99.3.2", Signal, 9, "path3", 7000, "ip -n lab-b mptcp endpoint add 10.99.3.2 dev path3 id 9 port 7000 signal")]
    [InlineData("10.99.3.2", Subflow | MptcpEndpointFlags.Fullmesh | MptcpEndpointFlags.Backup, null, "", null, "ip -n lab-b mptcp endpoint add 10.99.3.2 id 1 subflow backup fullmesh")]
    public void Add_WithinTheRules_IsOneCommand(string address, MptcpEndpointFlags flags, int? id, string? link, int? port, string command) =>
        Assert.Equal([command], MptcpEndpointPlans.Add(s_now, new(address, flags, id, link, port), false).Commands);

    [Theory]
    [InlineData("", Signal, null, null, null, "endpoint address")]
    [InlineData("10.99.3.2/24", Signal, null, null, null, "endpoint address")]
    [InlineData("192.0.2.1", Signal, null, null, null, "is no address of gateway")]
    [InlineData("10.99.2.2", Signal, null, null, null, "already")]
    [InlineData("10.99.3.2", Signal, 0, null, null, "endpoint id: must be 1 to 255")]
    [InlineData("10.99.3.2", Signal, 256, null, null, "endpoint id: must be 1 to 255")]
    [InlineData("10.99.3.2", Signal, 2, null, null, "endpoint id: 2 is in use")]
    [InlineData("10.99.3.2", Subflow, null, null, 80, "needs the flag signal")]
    [InlineData("10.99.3.2", Signal, null, null, 0, "endpoint port: must be 1")]
    [InlineData("10.99.3.2", Signal, null, null, 65536, "endpoint port: must be 1")]
    [InlineData("10.99.3.2", Signal | MptcpEndpointFlags.Fullmesh, null, null, null, "exclude each other")]
    [InlineData("10.99.3.2", MptcpEndpointFlags.Backup, null, null, null, "choose signal, subflow or laminar")]
    [InlineData("10.99.3.2", Signal, null, "path9", null, "has no interface path9")]
    [InlineData("10.99.3.2", Signal, null, "path1", null, "does not have the address")]
    [InlineData("10.99.3.2", Signal, null, "-x", null, "endpoint interface name")]
    [InlineData("10.99.3.2", Signal, null, "a/b", null, "endpoint interface name")]
    [InlineData("10.99.3.2", Signal, null, "경로", null, "endpoint interface name")]
    [InlineData("10.99.3.2", Signal, null, "sixteencharacter", null, "endpoint interface name")]
    public void Add_AgainstTheRules_IsRefusedInOneSentence(string address, MptcpEndpointFlags flags, int? id, string? link, int? port, string words)
    {
        var e = Assert.Throws<ChangeException>(() => MptcpEndpointPlans.Add(s_now, new(address, flags, id, link, port), false));

        Assert.Equal(ChangeFault.Invalid, e.Fault);
        Assert.Contains(words, e.Message);
    }

    [Fact]
    public void Add_NinthSubflowEndpoint_IsRefused()
    {
        var full = MptcpFacts.Snapshot(endpoints: Enumerable.Range(1, 8).Select(i => new MptcpEndpoint((byte)i, IPAddress.Parse($"10.0.0.{i}"), 0, Subflow, null)));

        Assert.Contains("at most 8", Assert.Throws<ChangeException>(() => MptcpEndpointPlans.Add(full, new("10.99.3.2", Subflow), false)).Message);
        Assert.Single(MptcpEndpointPlans.Add(full, new("10.99.3.2", Signal), false).Operations);
    }

    [Fact]
    public void Add_LaminarOnAnOlderKernel_SaysSince()
    {
        var e = Assert.Throws<ChangeException>(() => MptcpEndpointPlans.Add(MptcpFacts.Snapshot(release: "6.12.9"), new("10.99.3.2", MptcpEndpointFlags.Laminar), false));
        Assert.Equal(ChangeFault.NotAvailable, e.Fault);
        Assert.Contains("6.18", e.Message);
    }

    [Fact]
    public void Add_WhereAnotherProgramOwnsTheEndpoints_NeedsAcceptance()
    {
        var owned = MptcpFacts.Snapshot(owners: ["NetworkManager"]);

        var e = Assert.Throws<ChangeException>(() => MptcpEndpointPlans.Add(owned, new("10.99.3.2", Signal), false));
        Assert.Equal(ChangeFault.Foreign, e.Fault);
        Assert.Contains("NetworkManager", e.Message);
        Assert.Single(MptcpEndpointPlans.Add(owned, new("10.99.3.2", Signal), true).Operations);
    }

    [Fact]
    public void Change_FullmeshOnASignalEndpoint_IsRefused() =>
        Assert.Contains("exclude", Assert.Throws<ChangeException>(() => MptcpEndpointPlans.Change(s_now, 2, false, true)).Message);

    [Fact]
    public void Remove_UnknownId_IsNotFound() => Assert.Equal(ChangeFault.NotFound, Assert.Throws<ChangeException>(() => MptcpEndpointPlans.Remove(s_now, 7)).Fault);

    [Theory]
    [InlineData(9, 0, "subflows")]
    [InlineData(-1, 0, "subflows")]
    [InlineData(0, 9, "accepted")]
    public void Limits_OutOfRange_NameTheField(int subflows, int accepted, string word) =>
        Assert.Contains(word, Assert.Throws<ChangeException>(() => MptcpEndpointPlans.Limits(s_now, subflows, accepted)).Message);

    [Fact]
    public void Pitfalls_OfRiskyWishes_AreTold()
    {
        Assert.Equal(["client-signal"], MptcpEndpointPlans.Pitfalls(s_now, new("10.99.3.2", Signal)));
        Assert.Equal(["bound-subflow"], MptcpEndpointPlans.Pitfalls(s_now, new("10.99.3.2", Subflow, null, "path3")));
        Assert.Equal(["userspace"], MptcpEndpointPlans.Pitfalls(MptcpFacts.Snapshot(new() { ["net.mptcp.path_manager"] = "userspace" }), new("10.99.3.2", Subflow)));
    }
}
