// What the kernel takes away by itself: net/ipv4/fib_frontend.c (fib_disable_ip, fib_sync_down_addr), devinet.c (secondary addresses, inet_forward_change),
// net/ipv6/addrconf.c (addrconf_notify, addrconf_ifdown, addrconf_disable_ipv6), route.c (rt6_mtu_change, rt6_remove_prefsrc), net/8021q/vlan.c.
using System.Net;
using System.Net.Sockets;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Changes.Kernel;

/// <summary>Operations that bring back what the kernel drops along with what was asked for. Reads only.</summary>
internal static class KernelLosses
{
    private const byte ProtocolKernel = 2;
    private const byte ProtocolRouterAdvertisement = 9;
    private const byte ScopeLink = 253;
    private const uint MainTable = 254;
    private const uint KernelMetricIPv6 = 256;
    private const uint NoPrefixRoute = 0x200;

    /// <summary>
    /// When an interface goes down: its IPv6 addresses (unless keep_addr_on_down), and its routes, of every table. VLANs go down with it.
    /// </summary>
    public static IEnumerable<HostOperation> ByLinkDown(GatewayHandle gateway, LinkReading link, InterfaceName name)
    {
        foreach (var operation in (IEnumerable<HostOperation>)[.. AddressesIPv6(gateway, link, name), .. Routes(gateway, r => r.LeavesBy(link.Index))])
        {
            yield return operation;
        }

        foreach (var child in gateway.ChildrenOf(link).Where(c => c.Kind == "vlan"))
        {
            if (gateway.NameOf(child.Index) is { } inner)
            {
                yield return new SetLinkState(gateway.Name, inner, child.IsUp);
                foreach (var operation in child.IsUp ? ByLinkDown(gateway, child, inner) : [])
                {
                    yield return operation;
                }
            }
        }
    }

    /// <summary>
    /// When an interface gets another MTU: below 1280 everything of IPv6, its settings included; else the sizes of IPv6 routes that have one of their own. What
    /// stands on the interface never gets larger packets than it.
    /// </summary>
    public static IEnumerable<HostOperation> ByMtu(GatewayHandle gateway, LinkReading link, InterfaceName name, uint mtu)
    {
        var setting = SysctlKey.TryParse($"net.ipv6.conf.{SettingFiles.Name(name.Value)}.mtu", out var key, out _) ? key : (SysctlKey?)null;
        if (setting is { } own && link.Mtu >= SetMtu.IPv6Minimum && Linux.Sysctl.SysctlReader.Read(gateway.Name, own) is { } ipv6 && ipv6 != $"{link.Mtu}")
        {
            yield return new WriteSysctl(gateway.Name, own, ipv6);
        }

        var losesIPv6 = mtu < SetMtu.IPv6Minimum && link.Mtu >= SetMtu.IPv6Minimum;
        foreach (var (lost, value) in losesIPv6 ? SettingFiles.OwnOfIPv6(gateway.Name, name) : [])
        {
            yield return new WriteSysctl(gateway.Name, lost, value);
        }

        foreach (var address in losesIPv6 ? AddressesIPv6(gateway, link, name) : [])
        {
            yield return address;
        }

        foreach (var route in Routes(gateway, r => r.LeavesBy(link.Index) && IsIPv6(r)
            && (losesIPv6 || r.Options.Metrics?.Any(m => m.Name == RouteMetricName.Mtu && !m.IsLocked) == true)))
        {
            yield return route;
        }

        foreach (var child in gateway.ChildrenOf(link).Where(c => c.Mtu > mtu))
        {
            if (gateway.NameOf(child.Index) is { } inner)
            {
                yield return new SetMtu(gateway.Name, inner, child.Mtu);
                foreach (var operation in ByMtu(gateway, child, inner, mtu))
                {
                    yield return operation;
                }
            }
        }
    }

    /// <summary>The way back of an address that is removed: secondary addresses go or move up with a primary one, routes that prefer one of them go as well.</summary>
    public static IEnumerable<HostOperation> ByAddress(GatewayHandle gateway, LinkReading link, InterfaceName name, HeldAddress address)
    {
        List<HeldAddress> secondaries = address.IsIPv6 || address.IsSecondary ? [] :
        [
            .. gateway.HeldAddresses.Where(a => a.Reading.InterfaceIndex == link.Index && a.IsSecondary && a.Reading.Prefix.Length == address.Reading.Prefix.Length
                && a.Reading.Prefix.Network == address.Reading.Prefix.Network && a.Options.Peer is null && address.Options.Peer is null),
        ];
        if (secondaries.Count > 0 && Promotes(gateway.Name, name))
        {
            // Meanwhile the first of them is the primary one; it must make room to become secondary again.
            foreach (var one in secondaries)
            {
                yield return new RemoveAddress(gateway.Name, name, one.Reading.Prefix);
            }
        }

        yield return address.Again(gateway.Name, name);
        foreach (var one in secondaries)
        {
            yield return one.Again(gateway.Name, name);
        }

        var gone = secondaries.Select(a => a.Reading.Prefix.Address).Append(address.Reading.Prefix.Address).ToHashSet();
        foreach (var route in Routes(gateway, r => r.LeavesBy(link.Index) || (r.Reading.PreferredSource is { } source && gone.Contains(source))))
        {
            yield return route;
        }
    }

    /// <summary>What else a setting alters: the one of all interfaces those of each, and IPv6 switched off takes addresses and routes.</summary>
    public static IEnumerable<HostOperation> BySetting(GatewayHandle gateway, WriteSysctl write, string before)
    {
        if (FarReach(write.Key) is not { } reach)
        {
            yield break;
        }

        var (family, device, name) = reach;
        if (device == "all")
        {
            // Each of them, also where the kernel sets the same: an undoing that was interrupted is begun again from its first step.
            foreach (var (folder, (key, value)) in SettingFiles.OfEveryInterface(gateway.Name, family, name))
            {
                if (folder != "all")
                {
                    yield return new WriteSysctl(gateway.Name, key, value);
                }
            }

            if (family == "ipv4")
            {
                var redirects = SysctlKey.Parse("net.ipv4.conf.all.accept_redirects");
                yield return new WriteSysctl(gateway.Name, redirects, SettingFiles.Read(gateway.Name, redirects));
            }
        }

        if (name != "disable_ipv6" || before != "0" || device == "default")
        {
            yield break;
        }

        foreach (var link in gateway.Links.Where(l => device == "all" || l.Name == device))
        {
            foreach (var operation in gateway.NameOf(link.Index) is { } one ? AddressesIPv6(gateway, link, one) : [])
            {
                yield return operation;
            }
        }

        foreach (var route in Routes(gateway, r => IsIPv6(r) && gateway.Links.Any(l => (device == "all" || l.Name == device) && r.LeavesBy(l.Index))))
        {
            yield return route;
        }
    }

    /// <summary>Family, interface (or <c>all</c>, <c>default</c>) and name of a setting that alters more than itself; null for any other.</summary>
    public static (string Family, string Device, string Name)? FarReach(SysctlKey key) => key.Value.Split('.') switch
    {
        ["net", "ipv4", "ip_forward"] => ("ipv4", "all", "forwarding"),
        ["net", "ipv4" or "ipv6", "conf", "all", "forwarding"] parts => (parts[1], "all", "forwarding"),
        ["net", "ipv6", "conf", var device, "disable_ipv6"] => ("ipv6", device.Replace('/', '.'), "disable_ipv6"),
        _ => null,
    };

    /// <summary>Routes that are lost, those on the link first: a next hop must be reachable when the route by it is set.</summary>
    public static IEnumerable<HostOperation> Routes(GatewayHandle gateway, Func<HeldRoute, bool> which) =>
        gateway.Routes
            .Where(r => r.Reading is { Kind: "unicast", Protocol: not ProtocolRouterAdvertisement } && r.Reading.Destination.Address is { IsIPv6LinkLocal: false, IsIPv6Multicast: false } && which(r))
            .OrderBy(r => r.Reading.Gateway is not null || r.Hops is not null)
            .Select(r => new ReplaceRoute(gateway.Name, Describe(gateway, r) is var spec && IsMadeByKernel(gateway, r) ? spec with { Options = spec.Options! with { IsImplied = true } } : spec));

    /// <summary>The route as an operation takes it.</summary>
    /// <exception cref="ChangeException">MPSec cannot make such a route.</exception>
    public static RouteSpec Describe(GatewayHandle gateway, HeldRoute route)
    {
        var (reading, kind) = (route.Reading, route.Kind ?? RouteKind.Unicast);
        if (route.IsEncapsulated)
        {
            throw new ChangeException(ChangeFault.Foreign, $"gateway {gateway.Name}: the route {reading.Destination} of table {reading.Table} wraps its packets, which MPSec could not bring back; it is left alone");
        }

        return new()
        {
            Destination = reading.Destination,
            Table = reading.Table,
            Kind = kind,
            Interface = kind == RouteKind.Unicast && route.Hops is null ? gateway.NameOf(reading.InterfaceIndex) : null,
            NextHop = reading.Gateway,
            Source = reading.PreferredSource,
            Metric = reading.Metric,
            Protocol = reading.Protocol,
            Scope = reading.Scope,
            Options = route.Hops is not { } hops ? route.Options
                : route.Options with { Hops = [.. hops.Select(h => new RouteHop(gateway.NameOf(h.InterfaceIndex) ?? default, h.NextHop, h.Weight, h.IsOnLink))] },
        };
    }

    private static IEnumerable<HostOperation> AddressesIPv6(GatewayHandle gateway, LinkReading link, InterfaceName name) =>
        gateway.HeldAddresses
            .Where(a => a.Reading.InterfaceIndex == link.Index && a.IsIPv6 && a.IsPermanent && !IsMadeByKernel(gateway, a))
            .Select(a => a.Again(gateway.Name, name));

    /// <summary>A link-local address that the kernel makes by itself; older kernels do not tell, and most are.</summary>
    public static bool IsMadeByKernel(GatewayHandle gateway, HeldAddress address) => address.IsLinkLocal && (address.Origin != 0 || !gateway.TellsOrigins);

    /// <summary>Whether an address of the interface makes the kernel set this route.</summary>
    public static bool IsImplied(GatewayHandle gateway, int? interfaceIndex, IpPrefix destination, uint metric) => gateway.HeldAddresses.Any(a =>
        a.Reading.InterfaceIndex == interfaceIndex && (a.Options.Flags & NoPrefixRoute) == 0
        && metric == (a.Options.Metric == 0 && a.IsIPv6 ? KernelMetricIPv6 : a.Options.Metric)
        && new IpPrefix(a.Options.Peer ?? a.Reading.Prefix.Address, a.Reading.Prefix.Length).Network == destination);

    private static bool IsMadeByKernel(GatewayHandle gateway, HeldRoute route) =>
        route.Reading is { Protocol: ProtocolKernel, Table: MainTable } reading && IsImplied(gateway, reading.InterfaceIndex, reading.Destination, reading.Metric);

    private static bool IsIPv6(HeldRoute route) => route.Reading.Destination.Address.AddressFamily == AddressFamily.InterNetworkV6;

    private static bool Promotes(GatewayName gateway, InterfaceName name) =>
        new[] { "all", SettingFiles.Name(name.Value) }.Any(d => SysctlKey.TryParse($"net.ipv4.conf.{d}.promote_secondaries", out var key, out _) && Linux.Sysctl.SysctlReader.Read(gateway, key) == "1");
}
