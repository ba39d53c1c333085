using System.Net;
using MPSec.Changes;
using MPSec.Features.Network;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;
using static MPSec.Tests.Features.Network.NetworkStates;

namespace MPSec.Tests.Features.Network;

public sealed class NetworkProposalsTests
{
    [Fact]
    public void Complete_NothingSaved_HasWhatTheKernelShows()
    {
        var state = new NetworkStates().Path(1).Path(2).Link("eth9", up: false, mtu: 1400).Address("eth9", "192.168.9.1/24").State();
        var document = NetworkProposals.Complete(NetworkDocument.Empty, Snapshot(state), state.Reading);
        Assert.Equal(
            Documents(Document(1), Document(2), new NetworkDocumentPath { Interface = InterfaceName.Parse("eth9"), Up = false, Mtu = 1400, Addresses = [IpPrefix.Parse("192.168.9.1/24")] }).ToJson(),
            document.ToJson());
        Assert.Empty(document.Faults());
    }

    [Fact]
    public void Complete_SavedPath_StaysAsItIsAndOthersCome()
    {
        var state = new NetworkStates().Path(1).Path(2).State();
        var saved = Documents(Document(1) with { Name = "DSL", Role = NetworkPathRole.Backup, Addresses = [IpPrefix.Parse("10.99.1.77/24")] });
        Assert.Equal((saved with { Paths = saved.Paths.Add(Document(2)) }).ToJson(), NetworkProposals.Complete(saved, Snapshot(state), state.Reading).ToJson());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Complete_PathOfDhcpOrAnotherProgram_LeavesItsAddressesToIt(bool dhcp)
    {
        var state = new NetworkStates().Link("eth0", mtu: 1400).Address("eth0", "192.168.1.7/24", dhcp ? 0u : 0x80).Route("0.0.0.0/0", "eth0", "192.168.1.1", metric: 100, protocol: dhcp ? (byte)16 : (byte)4)
            .Rule(7, "192.168.1.7/32", 77);
        if (!dhcp)
        {
            state.Owner("eth0", InterfaceOwnerKind.NetworkManager, "/run/NetworkManager/devices/2");
        }

        var document = NetworkProposals.Complete(NetworkDocument.Empty, Snapshot(state.State()), state.State().Reading);
        Assert.Equal(Documents(new NetworkDocumentPath { Interface = InterfaceName.Parse("eth0") }).ToJson(), document.ToJson());
    }

    [Fact]
    public void Complete_RulesAndRoutesThatWereKeptBeforeTheirPath_AreThePaths()
    {
        var state = new NetworkStates().Path(1).State();
        var saved = NetworkDocument.Empty with { More = [.. NetworkWants.Of(Documents(Document(1)), GatewayName.Host).Rules, .. NetworkWants.TableRoutes(Document(1)).Select(r => new ReplaceRoute(GatewayName.Host, r))] };
        Assert.Equal(Documents(Document(1)).ToJson(), NetworkProposals.Complete(saved, Snapshot(state), state.Reading).ToJson());
    }

    [Fact]
    public void Complete_WhatTheKernelBearsButNoDocumentMaySay_IsLeftOutOfThePath()
    {
        var state = new NetworkStates().Path(1).Link("eth5").Address("eth5", "10.99.1.200/24").Link("eth6").Address("eth6", "10.66.0.1/24").Rule(9, "10.66.0.1/32", 101).State();
        var document = NetworkProposals.Complete(NetworkDocument.Empty, Snapshot(state), state.Reading);
        Assert.Empty(document.Faults());
        Assert.Empty(document.FindPath("eth5")!.Addresses);
        Assert.Equal((1, null), (document.FindPath("eth6")!.Addresses.Length, document.FindPath("eth6")!.Table));
    }

    private static NetworkSnapshot Snapshot(NetworkKernelState state)
    {
        var paths = PathDiscovery.Discover(state.Reading, new(new Dictionary<string, int>(), state.Owners, new Dictionary<string, int>(), new Dictionary<(string Name, bool IsIPv6), IPAddress?>()));
        return new() { Gateway = state.Reading.Gateway.Value, Paths = paths, Peers = [], Cells = [], Findings = [] };
    }
}
