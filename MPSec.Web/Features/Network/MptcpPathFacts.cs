using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using MPSec.Linux.Gateways;

namespace MPSec.Features.Network;

/// <summary>What a reading tells about the paths of a gateway that matters for MPTCP settings.</summary>
internal sealed class MptcpPathFacts
{
    private const uint MainTable = 254;
    private const uint Tentative = 0x40;
    private const byte Established = 1;

    public MptcpPathFacts(GatewayReading reading)
    {
        var links = reading.Links.Where(l => !l.IsLoopback).ToDictionary(l => l.Index);
        var defaults = reading.Routes.Where(r => r.Destination.Length == 0 && r.Kind == "unicast" && r.InterfaceIndex is not null).ToList();
        var leaving = defaults.Select(r => r.InterfaceIndex!.Value).ToHashSet();
        Addresses =
        [
            .. reading.Addresses.Where(a => a.Scope == 0 && (a.Flags & Tentative) == 0 && links.ContainsKey(a.InterfaceIndex))
                .OrderBy(a => a.InterfaceIndex).ThenBy(a => a.Prefix.Address.AddressFamily)
                .Select(a => new MptcpLocalAddress(a.Prefix.Address, links[a.InterfaceIndex].Name, links[a.InterfaceIndex].IsUp && leaving.Contains(a.InterfaceIndex))),
        ];
        var first = defaults.Where(r => r.Table == MainTable).OrderBy(r => r.Metric).Select(r => reading.Links.FirstOrDefault(l => l.Index == r.InterfaceIndex)?.Name).FirstOrDefault(n => n is not null);
        Primary = (Addresses.FirstOrDefault(a => a.IsPath && a.Link == first) ?? Addresses.FirstOrDefault(a => a.IsPath))?.Address;

        var linkOf = Addresses.GroupBy(a => a.Address).ToDictionary(g => g.Key, g => g.First().Link);
        var measured = reading.Subflows.Where(s => s.State == Established && s.RttMicroseconds is > 0)
            .Select(s => (Flow: s, Link: linkOf.GetValueOrDefault(Plain(s.Local.Address)))).Where(x => x.Link is not null)
            .GroupBy(x => x.Link!, x => x.Flow).ToList();
        RttMs = measured.ToImmutableDictionary(g => g.Key, g => g.Min(s => s.RttMicroseconds!.Value) / 1000.0);
        Buffer = measured.Count < 2 ? null : new(measured.Sum(g => Rate(reading, g)), RttMs.Values.Min(), RttMs.Values.Max());
    }

    public ImmutableArray<MptcpLocalAddress> Addresses { get; }

    public IPAddress? Primary { get; }

    public ImmutableDictionary<string, double> RttMs { get; }

    public MptcpBufferAdvice? Buffer { get; }

    // The shaper's rate where there is one; else the best that the kernel saw a subflow deliver.
    private static double Rate(GatewayReading reading, IGrouping<string, Subflow> path)
    {
        var index = reading.Links.First(l => l.Name == path.Key).Index;
        return reading.Qdiscs.FirstOrDefault(q => q.InterfaceIndex == index)?.RateBitsPerSecond is { } rate
            ? rate
            : path.Max(s => s.DeliveryRateBytes ?? 0) * 8.0;
    }

    private static IPAddress Plain(IPAddress address) => address is { AddressFamily: AddressFamily.InterNetworkV6, IsIPv4MappedToIPv6: true } ? address.MapToIPv4() : address;
}
