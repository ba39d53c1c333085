using System.Collections.Immutable;
using System.Net;
using MPSec.Features.Network;
using MPSec.Linux.Gateways;
using MPSec.Linux.Sysctl;
using MPSec.Linux.Values;

namespace MPSec.Tests.Features.Network;

/// <summary>Made-up gateways for plans: three paths, as a lab has them.</summary>
internal static class MptcpFacts
{
    public static readonly GatewayName Gateway = GatewayName.Parse("lab-b");

    private static readonly Dictionary<string, string> s_kernel618 = new()
    {
        ["net.mptcp.enabled"] = "1",
        ["net.mptcp.path_manager"] = "kernel",
        ["net.mptcp.available_path_managers"] = "kernel userspace",
        ["net.mptcp.pm_type"] = "0",
        ["net.mptcp.scheduler"] = "default",
        ["net.mptcp.available_schedulers"] = "default",
        ["net.mptcp.checksum_enabled"] = "0",
        ["net.mptcp.stale_loss_cnt"] = "4",
        ["net.mptcp.syn_retrans_before_tcp_fallback"] = "2",
        ["net.mptcp.wonder"] = "7",
        ["net.ipv4.tcp_congestion_control"] = "bbr",
        ["net.ipv4.tcp_available_congestion_control"] = "reno bbr cubic",
        ["net.ipv4.tcp_allowed_congestion_control"] = "reno bbr",
        ["net.ipv4.tcp_rmem"] = "4096 131072 6291456",
    };

    public static MptcpSettingsSnapshot Snapshot(
        Dictionary<string, string?>? values = null, IEnumerable<MptcpEndpoint>? endpoints = null, double[]? rtts = null, string[]? owners = null, string release = "6.18.44",
        GatewayName? gateway = null, MptcpLimits? limits = null)
    {
        var settings = new Dictionary<string, string>(s_kernel618);
        foreach (var (name, value) in values ?? [])
        {
            if (value is null)
            {
                settings.Remove(name);
            }
            else
            {
                settings[name] = value;
            }
        }

        var entries = settings.Select(s => new SysctlEntry(s.Key, s.Value, !s.Key.Contains("available", StringComparison.Ordinal) && !s.Key.Contains("allowed", StringComparison.Ordinal))).ToList();
        return MptcpSettingsSnapshot.Of(Reading(gateway ?? Gateway, endpoints ?? [], rtts ?? [], limits ?? new(2, 0)), entries, owners ?? [], release);
    }

    private static GatewayReading Reading(GatewayName gateway, IEnumerable<MptcpEndpoint> endpoints, double[] rtts, MptcpLimits limits) => new()
    {
        Gateway = gateway,
        Links = [.. Enumerable.Range(1, 3).Select(i => new LinkReading { Index = i + 1, Name = $"path{i}", Flags = 0x11003, OperationalState = "up", Mtu = 1500 })],
        Addresses = [.. Enumerable.Range(1, 3).Select(i => new AddressReading(i + 1, IpPrefix.Parse($"10.99.{i}.2/24"), 0x80, 0, null))],
        Routes = [.. Enumerable.Range(1, 3).Select(i => new RouteReading(IpPrefix.Parse("0.0.0.0/0"), (uint)(100 + i), "unicast", IPAddress.Parse($"10.99.{i}.1"), i + 1, null, 0, 4, 0))],
        Qdiscs = [.. Enumerable.Range(1, 3).Select(i => new QdiscReading(i + 1, "tbf", 20_000_000, 0, 0))],
        Endpoints = [.. endpoints],
        Limits = limits,
        Subflows = [.. rtts.Select((rtt, i) => Subflow(i + 1, rtt))],
    };

    private static Subflow Subflow(int path, double rttMs) => new()
    {
        Local = IPEndPoint.Parse($"10.99.{path}.2:5001"),
        Remote = IPEndPoint.Parse($"10.99.{path}.1:40000"),
        State = 1,
        Inode = 1,
        BoundInterfaceIndex = 0,
        TokenLocal = 1,
        TokenRemote = 0,
        LocalId = 0,
        RemoteId = 0,
        Flags = 0,
        RttMicroseconds = (uint)(rttMs * 1000),
    };
}
