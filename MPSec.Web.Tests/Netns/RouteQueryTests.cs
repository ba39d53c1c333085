using System.Net;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;

namespace MPSec.Tests.Netns;

/// <summary>The kernel's answers about routes against those that iproute2 prints.</summary>
public sealed class RouteQueryTests
{
    [Fact]
    public void Ask_EveryPairOfTwoPaths_SaysWhatIpSays()
    {
        using var scope = new NamespaceScope();
        var a = Prepare(scope);
        using var query = RouteQuery.Open(a);

        foreach (var (source, destination) in new[]
        {
            ("10.99.1.1", "10.99.1.2"), ("10.99.1.1", "10.99.2.2"), ("10.99.1.1", "192.0.2.1"), ("10.99.2.1", "192.0.2.1"), ("10.99.2.1", "10.99.1.2"),
            ("2001:db8:1::1", "2001:db8:1::2"), ("2001:db8:1::1", "2001:db8:9::9"), ("2001:db8:2::1", "2001:db8:9::9"),
        })
        {
            var answer = query.Ask(IPAddress.Parse(source), IPAddress.Parse(destination));

            var ip = NamespaceScope.IpJson(a, "-j", "route", "get", destination, "from", source)[0];
            var device = NamespaceScope.IpJson(a, "-j", "link", "show", "dev", ip.GetProperty("dev").GetString()!)[0].GetProperty("ifindex").GetInt32();
            Assert.Equal((RouteRefusal.None, 0, device), (answer.Refusal, answer.Errno, answer.InterfaceIndex));
            Assert.Equal(ip.TryGetProperty("gateway", out var hop) ? IPAddress.Parse(hop.GetString()!) : null, answer.NextHop);
        }

        Assert.Equal(102u, query.Ask(IPAddress.Parse("10.99.2.1"), IPAddress.Parse("192.0.2.1")).Table);
    }

    [Fact]
    public void Ask_WhatCannotBeSent_IsRefusedWithTheKernelsErrno()
    {
        using var scope = new NamespaceScope();
        var a = Prepare(scope);
        NamespaceScope.Ip(a, "link", "set", "p2", "down");
        using var query = RouteQuery.Open(a);

        var closed = query.Ask(IPAddress.Parse("10.99.2.1"), IPAddress.Parse("192.0.2.1"));
        var nowhere = query.Ask(IPAddress.Parse("10.99.1.1"), IPAddress.Parse("203.0.113.1"));
        var foreign = query.Ask(IPAddress.Parse("224.0.0.7"), IPAddress.Parse("192.0.2.1"));
        var closed6 = query.Ask(IPAddress.Parse("2001:db8:1::1"), IPAddress.Parse("2001:db8:dead::1"));
        var prohibited = query.Ask(IPAddress.Parse("10.99.1.1"), IPAddress.Parse("198.51.100.1"));

        Assert.Equal((RouteRefusal.Unreachable, 113), (closed.Refusal, closed.Errno));
        Assert.Equal((RouteRefusal.Unreachable, 101), (nowhere.Refusal, nowhere.Errno));
        Assert.Equal((RouteRefusal.InvalidSource, 22), (foreign.Refusal, foreign.Errno));
        Assert.Equal(RouteRefusal.Unreachable, closed6.Refusal);
        Assert.Equal((RouteRefusal.Prohibited, 13), (prohibited.Refusal, prohibited.Errno));
        Assert.All([closed, nowhere, foreign, closed6, prohibited], r => Assert.Null(r.InterfaceIndex));

        // The conversation goes on after a refusal.
        Assert.Equal(RouteRefusal.None, query.Ask(IPAddress.Parse("10.99.1.1"), IPAddress.Parse("10.99.1.2")).Refusal);
    }

    private static GatewayName Prepare(NamespaceScope scope)
    {
        var (a, b) = (scope.Add("a"), scope.Add("b"));
        scope.Veth(a, "p1", "10.99.1.1/24", b, "p1", "10.99.1.2/24");
        scope.Veth(a, "p2", "10.99.2.1/24", b, "p2", "10.99.2.2/24");
        NamespaceScope.Ip(a, "addr", "add", "2001:db8:1::1/64", "dev", "p1", "nodad");
        NamespaceScope.Ip(a, "addr", "add", "2001:db8:2::1/64", "dev", "p2", "nodad");
        NamespaceScope.Ip(a, "route", "add", "192.0.2.0/24", "via", "10.99.1.2");
        NamespaceScope.Ip(a, "route", "add", "prohibit", "198.51.100.0/24");
        NamespaceScope.Ip(a, "route", "add", "default", "via", "10.99.2.2", "table", "102");
        NamespaceScope.Ip(a, "route", "add", "unreachable", "default", "metric", "4278198272", "table", "102");
        NamespaceScope.Ip(a, "rule", "add", "from", "10.99.2.1", "table", "102", "priority", "1002");
        NamespaceScope.Ip(a, "-6", "route", "add", "2001:db8:9::/48", "via", "2001:db8:1::2");
        NamespaceScope.Ip(a, "-6", "route", "add", "unreachable", "2001:db8:dead::/48");
        return a;
    }
}
