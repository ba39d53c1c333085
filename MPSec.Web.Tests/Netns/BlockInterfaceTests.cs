using System.Net;
using System.Net.Sockets;
using MPSec.Changes;
using MPSec.Changes.Kernel;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Values;

namespace MPSec.Tests.Netns;

/// <summary>The silent block of an interface, as nft lists it and as packets meet it; and the MTU that the kernel refuses.</summary>
public sealed class BlockInterfaceTests : IDisposable
{
    private static readonly NetlinkHostKernel s_kernel = new();
    private static readonly InterfaceName s_p1 = InterfaceName.Parse("p1");
    private static readonly InterfaceName s_p2 = InterfaceName.Parse("p2");
    private readonly NamespaceScope _scope = new();
    private readonly GatewayName _a;
    private readonly GatewayName _b;

    public BlockInterfaceTests()
    {
        (_a, _b) = (_scope.Add("a"), _scope.Add("b"));
        _scope.Veth(_a, "p1", "10.9.1.1/24", _b, "p1", "10.9.1.2/24");
        _scope.Veth(_a, "p2", "10.9.2.1/24", _b, "p2", "10.9.2.2/24");
        NamespaceScope.Ip(_a, "addr", "add", "fd00:9::1/64", "dev", "p1", "nodad");
        NamespaceScope.Ip(_b, "addr", "add", "fd00:9::2/64", "dev", "p1", "nodad");
    }

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Apply_Blocked_IsThreeRulesInAllWordsOfNft()
    {
        s_kernel.Apply(new BlockInterface(_a, s_p1, true));

        var listed = NamespaceScope.Parse(NamespaceScope.In(_a, "nft", "-j", "list", "ruleset")).GetProperty("nftables").EnumerateArray().ToList();
        var chains = listed.Where(o => o.TryGetProperty("chain", out _)).Select(o => o.GetProperty("chain")).Select(c =>
            $"{c.GetProperty("family")} {c.GetProperty("table")} {c.GetProperty("name")} {c.GetProperty("type")} {c.GetProperty("hook")} {c.GetProperty("prio")}");
        Assert.Equal(
            ["inet mpsec prerouting filter prerouting -300", "inet mpsec forward filter forward -300", "inet mpsec output filter output -300"],
            chains);
        var rules = listed.Where(o => o.TryGetProperty("rule", out _)).Select(o => o.GetProperty("rule")).Select(r => $"{r.GetProperty("chain")} {r.GetProperty("comment")} {r.GetProperty("expr").GetRawText().Replace(" ", "", StringComparison.Ordinal)}");
        Assert.Equal(
            new[] { ("prerouting", "iifname"), ("forward", "oifname"), ("output", "oifname") }.Select(x =>
                $$$"""{{{x.Item1}}} mpsec: blocked [{"match":{"op":"==","left":{"meta":{"key":"{{{x.Item2}}}"}},"right":"p1"}},{"drop":null}]"""),
            rules);
    }

    [Fact]
    public async Task Apply_Blocked_NothingGetsThroughAndTheLinkStaysUp()
    {
        using var receiver = Bound(_b, "10.9.1.2");
        using var receiver6 = Bound(_b, "fd00:9::2");
        using var other = Bound(_b, "10.9.2.2");
        using var back = Bound(_a, "10.9.1.1");
        Assert.True(await ArrivesInTimeAsync(_a, "10.9.1.1", receiver));
        s_kernel.Apply(new BlockInterface(_a, s_p1, true));

        Assert.False(await ArrivesAsync(_a, "10.9.1.1", receiver));
        Assert.False(await ArrivesAsync(_a, "fd00:9::1", receiver6));
        Assert.False(await ArrivesAsync(_b, "10.9.1.2", back));
        Assert.True(await ArrivesInTimeAsync(_a, "10.9.2.1", other));
        Assert.Contains("state UP", NamespaceScope.Ip(_a, "link", "show", "p1"));
        Assert.Contains("10.9.1.0/24 dev p1", NamespaceScope.Ip(_a, "route"));

        s_kernel.Apply(new BlockInterface(_a, s_p1, false));
        Assert.True(await ArrivesInTimeAsync(_a, "10.9.1.1", receiver));
        Assert.True(await ArrivesInTimeAsync(_b, "10.9.1.2", back));
    }

    [Fact]
    public async Task Apply_Blocked_ForwardedPacketsVanishToo()
    {
        var c = _scope.Add("c");
        _scope.Veth(c, "lan", "10.9.3.2/24", _a, "lan", "10.9.3.1/24");
        NamespaceScope.In(_a, "sysctl", "-qw", "net.ipv4.ip_forward=1");
        NamespaceScope.Ip(c, "route", "add", "default", "via", "10.9.3.1");
        NamespaceScope.Ip(_b, "route", "add", "10.9.3.0/24", "via", "10.9.1.1");
        using var receiver = Bound(_b, "10.9.1.2");
        Assert.True(await ArrivesInTimeAsync(c, "10.9.3.2", receiver));

        s_kernel.Apply(new BlockInterface(_a, s_p1, true));

        Assert.False(await ArrivesAsync(c, "10.9.3.2", receiver));
    }

    [Fact]
    public void Apply_TwoInterfaces_TheTableGoesWithTheLastOne()
    {
        NamespaceScope.In(_a, "nft", "add table inet other; add chain inet other c { type filter hook input priority 0; }; add rule inet other c ip saddr 192.0.2.1 drop comment \"mpsec: blocked\"");
        var before = NamespaceScope.In(_a, "nft", "list", "ruleset");
        s_kernel.Apply(new BlockInterface(_a, s_p1, true));
        s_kernel.Apply(new BlockInterface(_a, s_p2, true));
        s_kernel.Apply(new BlockInterface(_a, s_p1, true));

        s_kernel.Apply(new BlockInterface(_a, s_p1, false));
        Assert.DoesNotContain("\"p1\"", NamespaceScope.In(_a, "nft", "list", "ruleset"));
        Assert.Equal(3, NamespaceScope.In(_a, "nft", "list", "ruleset").Split("\"p2\"").Length - 1);
        Assert.Empty(s_kernel.InverseOf(new BlockInterface(_a, s_p2, true)));

        s_kernel.Apply(new BlockInterface(_a, s_p2, false));
        s_kernel.Apply(new BlockInterface(_a, s_p2, false));
        Assert.Equal(before, NamespaceScope.In(_a, "nft", "list", "ruleset"));
    }

    [Theory]
    [InlineData("add rule inet mpsec prerouting ip saddr 192.0.2.1 drop")]
    [InlineData("add rule inet mpsec output oifname \"p1\" drop")]
    [InlineData("add rule inet mpsec prerouting iifname \"p1\" accept comment \"mpsec: blocked\"")]
    [InlineData("add rule inet mpsec prerouting iifname != \"p1\" drop comment \"mpsec: blocked\"")]
    [InlineData("add set inet mpsec s { type ipv4_addr; }")]
    [InlineData("add chain inet mpsec mine")]
    public void Apply_OpenedWithSomethingOfSomebodyElseInTheTable_LeavesIt(string foreign)
    {
        s_kernel.Apply(new BlockInterface(_a, s_p1, true));
        NamespaceScope.In(_a, "nft", foreign);

        s_kernel.Apply(new BlockInterface(_a, s_p1, false));

        var left = NamespaceScope.In(_a, "nft", "list", "ruleset");
        Assert.Contains(foreign.StartsWith("add rule", StringComparison.Ordinal) ? string.Join(' ', foreign.Split(' ')[5..]) : foreign.Split(' ')[4], left);
        Assert.DoesNotContain("oifname \"p1\" drop comment", left);
        Assert.Empty(s_kernel.InverseOf(new BlockInterface(_a, s_p1, false)));
    }

    [Fact]
    public void Apply_OneRuleWasTakenAway_ItIsPutBackAndNoneTwice()
    {
        s_kernel.Apply(new BlockInterface(_a, s_p1, true));
        NamespaceScope.In(_a, "nft", "flush chain inet mpsec output");
        Assert.Equal([new BlockInterface(_a, s_p1, false)], s_kernel.InverseOf(new BlockInterface(_a, s_p1, true)));

        s_kernel.Apply(new BlockInterface(_a, s_p1, true));

        Assert.Equal(3, NamespaceScope.In(_a, "nft", "list", "ruleset").Split("drop").Length - 1);
    }

    [Fact]
    public async Task Apply_SomebodyElseAltersRulesAllTheTime_BothGetWhatTheyWant()
    {
        NamespaceScope.In(_a, "nft", "add table inet other; add set inet other s { type ipv4_addr; }");
        using var stop = new CancellationTokenSource();
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var noise = Task.Run(() =>
        {
            for (var i = 0; i < 250 && !stop.IsCancellationRequested; i++)
            {
                NamespaceScope.In(_a, "nft", $"add element inet other s {{ 10.0.0.{i} }}");
                begun.TrySetResult();
            }
        }, TestContext.Current.CancellationToken);
        await begun.Task;
        for (var i = 0; i < 200; i++)
        {
            s_kernel.Apply(new BlockInterface(_a, s_p1, i % 2 == 0));
        }

        await stop.CancelAsync();
        await noise;
        Assert.DoesNotContain("mpsec", NamespaceScope.In(_a, "nft", "list", "ruleset"));
        Assert.Contains("10.0.0.0", NamespaceScope.In(_a, "nft", "list", "ruleset"));
    }

    [Fact]
    public void Inverse_UnknownInterface_IsRefusedWhenBlockedAndFineWhenOpened()
    {
        var nowhere = InterfaceName.Parse("nope");
        Assert.Equal(ChangeFault.NotFound, Assert.Throws<ChangeException>(() => s_kernel.InverseOf(new BlockInterface(_a, nowhere, true))).Fault);
        Assert.Empty(s_kernel.InverseOf(new BlockInterface(_a, nowhere, false)));
    }

    [Fact]
    public void Apply_MtuThatTheDriverDoesNotAllow_GivesTheKernelsReason()
    {
        NamespaceScope.Ip(_a, "link", "add", "m1", "link", "p1", "type", "macvlan");

        var e = Assert.Throws<ChangeException>(() => s_kernel.Apply(new SetMtu(_a, InterfaceName.Parse("m1"), 9000)));

        Assert.Equal(ChangeFault.Refused, e.Fault);
        Assert.StartsWith($"gateway {_a}: interface m1 cannot get the MTU 9000: ", e.Message, StringComparison.Ordinal);
    }

    private static Socket Bound(GatewayName gateway, string address) => NamespaceThread.Run(gateway, () =>
    {
        var ip = IPAddress.Parse(address);
        var socket = new Socket(ip.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(ip, 7777));
        return socket;
    });

    /// <summary>What is to arrive may take its time: a request for a neighbour that is lost is repeated after a second.</summary>
    private static Task<bool> ArrivesInTimeAsync(GatewayName from, string source, Socket receiver) => ArrivesAsync(from, source, receiver, 300);

    private static async Task<bool> ArrivesAsync(GatewayName from, string source, Socket receiver, int tries = 5)
    {
        var buffer = new byte[10];
        while (receiver.Available > 0)
        {
            receiver.Receive(buffer); // of an earlier try
        }

        using var sender = NamespaceThread.Run(from, () =>
        {
            var ip = IPAddress.Parse(source);
            var socket = new Socket(ip.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            socket.Bind(new IPEndPoint(ip, 0));
            return socket;
        });
        for (var i = 0; i < tries; i++)
        {
            try
            {
                sender.SendTo([1], receiver.LocalEndPoint!);
            }
            catch (SocketException)
            {
                // What is dropped on its way out is told to the sender (EPERM).
            }

            await Task.Delay(60, TestContext.Current.CancellationToken);
            if (receiver.Available > 0)
            {
                return true;
            }
        }

        return false;
    }
}
