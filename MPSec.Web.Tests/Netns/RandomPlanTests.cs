using System.Collections.Immutable;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Changes.Kernel;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;
using MPSec.Tests.Changes;
using MPSec.Tests.Data;

namespace MPSec.Tests.Netns;

/// <summary>
/// Plans drawn at random, whose operations get in each other's way, fail at a random one of them or stand and are taken back: afterwards the tools show the
/// very same gateway as before. This is what holds the inverses of a segment together.
/// </summary>
public sealed class RandomPlanTests
{
    /// <summary>Number of plans; MPSEC_PLANS asks for more, MPSEC_SEED for others.</summary>
    private const int Plans = 25;

    private static readonly ChangeActor s_admin = new("ada", ChangeRole.Administrator);
    private static readonly InterfaceName s_p1 = InterfaceName.Parse("p1");
    private static readonly InterfaceName s_p2 = InterfaceName.Parse("p2");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Run_AnyPlanStoppedAnywhere_LeavesTheGatewayAsBefore()
    {
        using var scope = new NamespaceScope();
        using var state = new TempState();
        var kernel = new FailingKernel();
        await using var services = await state.StartAsync(s => s.AddSingleton(TimeProvider.System).AddMPSecChanges().AddSingleton<IHostKernel>(kernel)
            .AddSingleton<FakeDeadMan>().AddSingleton<IDeadManStart>(p => p.GetRequiredService<FakeDeadMan>()));
        var a = Prepare(scope);
        await services.GetRequiredService<GatewayModes>().SetAsync(a, GatewayMode.Managed, s_admin, Token);
        var (changes, journal) = (services.GetRequiredService<ChangeService>(), services.GetRequiredService<ChangeJournal>());
        var pool = Pool(a);
        var random = new Random(int.TryParse(Environment.GetEnvironmentVariable("MPSEC_SEED"), out var seed) ? seed : 20261124);
        var plans = int.TryParse(Environment.GetEnvironmentVariable("MPSEC_PLANS"), out var wanted) ? wanted : Plans;
        await HostKernelTests.SettledAsync(a, a);
        var before = HostKernelTests.Snapshot(a);
        var (stood, failed, segments) = (0, 0, 0);
        for (var i = 0; i < plans; i++)
        {
            ImmutableArray<HostOperation> operations = [.. Enumerable.Range(0, random.Next(2, 11)).Select(_ => pool[random.Next(pool.Length)])];

            // First it may stand and is taken back; then it fails at any of the operations that it took.
            kernel.Begin(int.MaxValue);
            await RunAsync(isChecked: true);
            segments += kernel.Segments;
            for (var again = 0; again < 2 && kernel.Applied > 0; again++)
            {
                var length = kernel.Applied;
                kernel.Begin(random.Next(length));
                await RunAsync(isChecked: again == 0);
                kernel.Applied = length;
            }

            async Task RunAsync(bool isChecked)
            {
                var plan = new ChangePlan { TitleCode = "random", Operations = operations };
                var told = "";
                try
                {
                    await (isChecked ? (Task)changes.ApplyCheckedAsync(plan, s_admin, null, Token) : changes.RunAsync(plan, s_admin, Token));
                    kernel.Stop();
                    told = (await changes.RollbackAsync(plan.Id, s_admin, Token)).Sentence!;
                    stood++;
                }
                catch (ChangeException e)
                {
                    told = e.Message;
                    failed++;
                }

                var after = "";
                for (var wait = 0; wait < 30 && (after = HostKernelTests.Snapshot(a)) != before; wait++)
                {
                    await Task.Delay(100, Token);
                }

                var outcome = (await journal.FindAsync(plan.Id, Token))?.Outcome;
                Assert.True(
                    before == after && outcome == ChangeOutcome.RolledBack,
                    $"plan {i}, {outcome}: {told}\n{string.Join('\n', plan.Operations.Select(o => o.ToShellText()))}\nasked for:\n{string.Join('\n', kernel.Log)}\nmissing:\n{string.Join('\n', before.Split('\n').Except(after.Split('\n')))}\nnew:\n{string.Join('\n', after.Split('\n').Except(before.Split('\n')))}");
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{plans} plans in {segments} segments: {stood} times they stood and were taken back, {failed} times they failed and were undone");
    }

    private static GatewayName Prepare(NamespaceScope scope)
    {
        var (a, b) = (scope.Add("a"), scope.Add("b"));
        NamespaceScope.In(a, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.default.dad_transmits=0");
        scope.Veth(a, "p1", "10.9.1.1/24", b, "p1", "10.9.1.2/24");
        scope.Veth(a, "p2", "10.9.2.1/24", b, "p2", "10.9.2.2/24");
        var batch = Path.GetTempFileName();
        File.WriteAllText(batch, """
            addr add 10.9.1.5/24 dev p1
            addr add 10.9.3.1/24 brd 10.9.3.255 dev p1 noprefixroute
            addr add fd00:9::1/64 dev p1 nodad
            addr add fd00:a::1/64 dev p2 nodad
            route add default via 10.9.1.2 metric 10
            route add default via 10.9.2.2 metric 20 src 10.9.1.5
            route add 10.50.0.0/16 via 10.9.1.2 mtu 1400 table 101
            route add 10.51.0.0/16 nexthop via 10.9.1.2 nexthop via 10.9.2.2
            route add fd00:50::/64 via fd00:9::2 dev p1 mtu 1400
            route add fd00:51::/64 via fd00:a::2 dev p2 src fd00:9::1 table 102
            rule add pref 101 from 10.9.1.1 table 101
            mptcp endpoint add 10.9.1.1 id 1 subflow
            """);
        NamespaceScope.Ip(a, "-batch", batch);
        File.Delete(batch);
        NamespaceScope.In(a, "sysctl", "-qw", "net.ipv6.conf.p1.accept_ra=0", "net.ipv4.conf.p2.forwarding=1", "net.ipv6.conf.p1.hop_limit=70");
        return a;
    }

    private static HostOperation[] Pool(GatewayName a)
    {
        RouteSpec table101 = new() { Destination = Prefix("10.50.0.0/16"), Interface = s_p1, NextHop = IPAddress.Parse("10.9.1.2"), Table = 101 };
        RouteSpec defaultRoute = new() { Destination = Prefix("0.0.0.0/0"), Interface = s_p1, NextHop = IPAddress.Parse("10.9.1.2"), Metric = 10 };
        RouteSpec connected = new() { Destination = Prefix("10.9.1.0/24"), Interface = s_p1, Source = IPAddress.Parse("10.9.1.1") };
        RouteSpec ipv6 = new() { Destination = Prefix("fd00:50::/64"), Interface = s_p1, NextHop = IPAddress.Parse("fd00:9::2"), Metric = 1024 };
        return
        [
            new SetLinkState(a, s_p1, false), new SetLinkState(a, s_p1, true), new SetLinkState(a, s_p2, false), new SetLinkState(a, s_p2, true),
            new SetMtu(a, s_p1, 1000), new SetMtu(a, s_p1, 1300), new SetMtu(a, s_p1, 1500), new SetMtu(a, s_p2, 600), new SetMtu(a, s_p2, 9000),
            new RemoveAddress(a, s_p1, Prefix("10.9.1.1/24")), new AddAddress(a, s_p1, Prefix("10.9.1.1/24")), new RemoveAddress(a, s_p1, Prefix("10.9.1.5/24")),
            new RemoveAddress(a, s_p1, Prefix("10.9.3.1/24")), new AddAddress(a, s_p1, Prefix("10.9.4.1/24")), new RemoveAddress(a, s_p2, Prefix("10.9.2.1/24")),
            new RemoveAddress(a, s_p1, Prefix("fd00:9::1/64")), new AddAddress(a, s_p2, Prefix("fd00:b::1/64")), new RemoveAddress(a, s_p2, Prefix("fd00:a::1/64")),
            new ReplaceRoute(a, defaultRoute with { NextHop = IPAddress.Parse("10.9.1.9") }), new RemoveRoute(a, defaultRoute), new ReplaceRoute(a, defaultRoute with { Interface = s_p2, NextHop = IPAddress.Parse("10.9.2.2") }),
            new RemoveRoute(a, table101), new ReplaceRoute(a, table101 with { Kind = RouteKind.Blackhole, Interface = null, NextHop = null }), new ReplaceRoute(a, table101 with { Metric = 7 }),
            new ReplaceRoute(a, connected), new RemoveRoute(a, connected), new ReplaceRoute(a, new() { Destination = Prefix("10.9.4.0/24"), Interface = s_p2 }),
            new ReplaceRoute(a, new() { Destination = Prefix("10.51.0.0/16"), Interface = s_p2, NextHop = IPAddress.Parse("10.9.2.2") }),
            new RemoveRoute(a, ipv6), new ReplaceRoute(a, ipv6 with { Interface = s_p2, NextHop = IPAddress.Parse("fd00:a::2") }),
            new RemoveRule(a, 101, Prefix("10.9.1.1/32"), 101), new AddRule(a, 101, Prefix("10.9.1.1/32"), 101), new AddRule(a, 102, Prefix("10.9.2.0/24"), 102),
            new SetShaper(a, s_p1, 20_000_000, 32_000, 150_000), new SetShaper(a, s_p1, 30_000_000, 32_000, 150_000), new RemoveShaper(a, s_p1),
            new AddEndpoint(a, 1, IPAddress.Parse("10.9.1.1"), MptcpEndpointFlags.Signal), new RemoveEndpoint(a, 1, IPAddress.Parse("10.9.1.1")), new AddEndpoint(a, 2, IPAddress.Parse("10.9.1.1"), MptcpEndpointFlags.Subflow, s_p1),
            new SetMptcpLimits(a, 5, 5), new SetMptcpLimits(a, 1, 1), new BlockInterface(a, s_p1, true), new BlockInterface(a, s_p1, false), new BlockInterface(a, s_p2, true),
            Write("net.ipv4.ip_forward", "1"), Write("net.ipv4.ip_forward", "0"), Write("net.ipv4.conf.p1.forwarding", "1"), Write("net.ipv4.conf.p1.rp_filter", "1"), Write("net.ipv4.conf.p1.promote_secondaries", "1"),
            Write("net.ipv6.conf.p1.disable_ipv6", "1"), Write("net.ipv6.conf.p1.disable_ipv6", "0"), Write("net.ipv6.conf.all.disable_ipv6", "1"), Write("net.ipv6.conf.p1.hop_limit", "71"), Write("net.ipv6.conf.all.forwarding", "1"),
            Write("net.mptcp.enabled", "0"),
        ];

        WriteSysctl Write(string key, string value) => new(a, SysctlKey.Parse(key), value);
    }

    private static IpPrefix Prefix(string text) => IpPrefix.Parse(text);

    /// <summary>The kernel, which refuses one operation of a plan on its way forward.</summary>
    private sealed class FailingKernel : IHostKernel
    {
        private readonly NetlinkHostKernel _kernel = new();
        private int _failsAt;
        private bool _counts;

        /// <summary>Operations that a plan took.</summary>
        public int Applied { get; set; }

        /// <summary>Times that inverses were asked for on the way forward.</summary>
        public int Segments { get; private set; }

        /// <summary>What the kernel was asked for, the way back included.</summary>
        public List<string> Log { get; } = [];

        public void Begin(int failsAt)
        {
            (Applied, Segments, _failsAt, _counts) = (0, 0, failsAt, true);
            Log.Clear();
        }

        public void Stop() => _counts = false;

        public IHostSession Open() => new Session(this, _kernel.Open());

        private sealed class Session(FailingKernel owner, IHostSession session) : IHostSession
        {
            public IReadOnlyList<HostOperation> InverseOf(HostOperation operation) => session.InverseOf(operation);

            public IReadOnlyList<IReadOnlyList<HostOperation>> InversesOf(IReadOnlyList<HostOperation> operations)
            {
                owner.Segments += owner._counts ? 1 : 0;
                return session.InversesOf(operations);
            }

            public void Apply(HostOperation operation)
            {
                if (owner._counts && owner.Applied++ == owner._failsAt)
                {
                    owner.Stop();
                    throw new ChangeException(ChangeFault.Refused, "the test says no");
                }

                owner.Log.Add((owner._counts ? "> " : "< ") + operation.ToShellText());

                try
                {
                    session.Apply(operation);
                }
                catch (ChangeException)
                {
                    owner.Stop();
                    throw;
                }
            }

            public IReadOnlyList<string> Facts(IReadOnlyCollection<HostOperation> operations) => session.Facts(operations);

            public void Dispose() => session.Dispose();
        }
    }
}
