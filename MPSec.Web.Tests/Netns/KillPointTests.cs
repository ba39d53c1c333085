using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Changes.Kernel;
using MPSec.Data;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;
using MPSec.Tests.Changes;
using MPSec.Tests.Data;

namespace MPSec.Tests.Netns;

/// <summary>
/// The process stops at a random one of all its steps (each look at the journal, each write, each call into the kernel) while it applies, confirms or undoes
/// on a real namespace; so may the one that recovers. In the end the state is exactly the one before or exactly the one after.
/// </summary>
public sealed class KillPointTests
{
    /// <summary>Number of kills; MPSEC_KILLS asks for more.</summary>
    private const int Kills = 250;

    private static readonly ChangeActor s_admin = new("ada", ChangeRole.Administrator);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ApplyAndRollback_StoppedAnywhere_StateIsBeforeOrAfter()
    {
        using var scope = new NamespaceScope();
        using var state = new TempState();
        await using var prepared = await state.StartAsync(s => s.AddSingleton(TimeProvider.System).AddMPSecChanges());
        var a = Prepare(scope);
        await prepared.GetRequiredService<GatewayModes>().SetAsync(a, GatewayMode.Managed, s_admin, Token);
        var operations = Operations(a);
        var kernel = new NetlinkHostKernel();
        var random = new Random(20261123);
        var kills = int.TryParse(Environment.GetEnvironmentVariable("MPSEC_KILLS"), out var wanted) ? wanted : Kills;
        var (forward, recovery) = await CountStepsAsync(state, prepared, operations);
        var (whileApplying, whileRecovering, kept, undone, tries) = (0, 0, 0, 0, 0);
        while (whileApplying + whileRecovering < kills)
        {
            Assert.True(++tries < kills * 3, "too few of the kills hit");
            var before = kernel.Facts(operations);
            var plan = new ChangePlan { TitleCode = "kill", Operations = [.. operations] };
            var fuse = new Fuse(random.Next(1, forward + 1));
            try
            {
                await ChangeAsync(state, plan, fuse, confirms: tries % 3 == 0);
            }
            catch (Exception) when (fuse.IsBlown)
            {
                whileApplying++;
            }

            // What follows may be stopped too, twice; whoever comes last finds it.
            for (var again = 0; again < 3; again++)
            {
                await BuryAsync(prepared);
                var second = new Fuse(again < 2 ? random.Next(1, recovery + 1) : int.MaxValue);
                try
                {
                    await RecoverAsync(state, second);
                }
                catch (Exception) when (second.IsBlown)
                {
                    whileRecovering++;
                }
            }

            var now = kernel.Facts(operations);
            var outcome = await prepared.GetRequiredService<ChangeJournal>().FindAsync(plan.Id, Token);
            if (outcome is { Outcome: ChangeOutcome.Applied })
            {
                kept++;
                Assert.All(operations, o => Assert.Empty(kernel.InverseOf(o)));
                await UndoByTheJournalAsync(prepared, plan.Id, kernel);
                Assert.Equal(before, kernel.Facts(operations));
                continue;
            }

            undone++;
            Assert.True(outcome is null or { Outcome: ChangeOutcome.RolledBack }, outcome?.Sentence);
            Assert.Equal(before, now);
        }

        Assert.Null(await prepared.GetRequiredService<AuditLog>().VerifyAsync(Token));
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{whileApplying + whileRecovering} kills ({whileApplying} while applying, confirming or undoing at any of {forward} steps, {whileRecovering} while recovering) in {tries} changes: {kept} kept, {undone} undone");
    }

    private static GatewayName Prepare(NamespaceScope scope)
    {
        var (a, b) = (scope.Add("a"), scope.Add("b"));
        scope.Veth(a, "p1", "10.55.1.1/24", b, "p1", "10.55.1.2/24");
        scope.Veth(a, "p2", "10.55.2.1/24", b, "p2", "10.55.2.2/24");
        NamespaceScope.Ip(a, "route", "add", "default", "via", "10.55.1.2");
        NamespaceScope.Ip(a, "route", "add", "default", "via", "10.55.1.2", "table", "101", "mtu", "1400");
        NamespaceScope.Ip(a, "rule", "add", "pref", "101", "from", "10.55.1.1", "table", "101");
        NamespaceScope.Ip(a, "addr", "add", "10.55.2.8/24", "dev", "p2");
        NamespaceScope.Ip(a, "addr", "add", "fd00:55::1/64", "dev", "p2", "nodad");
        NamespaceScope.Ip(a, "-6", "route", "add", "fd00:56::/64", "via", "fd00:55::2", "mtu", "1400");
        NamespaceScope.In(a, "sysctl", "-qw", "net.ipv6.conf.p2.accept_ra=0", "net.ipv4.conf.p2.forwarding=1");
        return a;
    }

    // Several segments: the setting, the removed address, the MTU and the link each alter what others read.
    private static HostOperation[] Operations(GatewayName a)
    {
        var (p1, p2) = (InterfaceName.Parse("p1"), InterfaceName.Parse("p2"));
        return
        [
            new AddAddress(a, p2, IpPrefix.Parse("10.55.3.1/24")),
            new ReplaceRoute(a, new() { Destination = IpPrefix.Parse("0.0.0.0/0"), Interface = p2, NextHop = System.Net.IPAddress.Parse("10.55.2.2") }),
            new RemoveRule(a, 101, IpPrefix.Parse("10.55.1.1/32"), 101),
            new WriteSysctl(a, SysctlKey.Parse("net.ipv4.ip_forward"), "1"),
            new SetMptcpLimits(a, 3, 3),
            new AddEndpoint(a, 4, System.Net.IPAddress.Parse("10.55.2.1"), MptcpEndpointFlags.Subflow, p2),
            SetShaper.ForPath(a, p2, 20_000_000, TimeSpan.FromMilliseconds(50), TimeSpan.Zero),
            new BlockInterface(a, p2, true),
            new SetMtu(a, p2, 1000),
            new RemoveAddress(a, p2, IpPrefix.Parse("10.55.2.1/24")),
            new SetLinkState(a, p1, false),
            new RemoveRoute(a, new() { Destination = IpPrefix.Parse("0.0.0.0/0"), Interface = p1, NextHop = System.Net.IPAddress.Parse("10.55.1.2"), Table = 101 }),
        ];
    }

    /// <summary>Steps of a change with its rollback, and of a recovery that has everything to undo, when nothing stops them.</summary>
    private static async Task<(int Forward, int Recovery)> CountStepsAsync(TempState state, IServiceProvider prepared, HostOperation[] operations)
    {
        var (whole, part, recovery) = (new Fuse(int.MaxValue), new Fuse(int.MaxValue), new Fuse(int.MaxValue));
        await ChangeAsync(state, new ChangePlan { TitleCode = "count", Operations = [.. operations] }, whole, confirms: false);
        await using (var process = Process(state, part))
        {
            await process.GetRequiredService<ChangeService>().ApplyCheckedAsync(new ChangePlan { TitleCode = "count", Operations = [.. operations] }, s_admin, null, Token);
        }

        await BuryAsync(prepared);
        await RecoverAsync(state, recovery);
        return (whole.Steps, recovery.Steps);
    }

    private static async Task ChangeAsync(TempState state, ChangePlan plan, Fuse fuse, bool confirms)
    {
        await using var process = Process(state, fuse);
        var changes = process.GetRequiredService<ChangeService>();
        var pending = await changes.ApplyCheckedAsync(plan, s_admin, null, Token);
        await (confirms ? changes.ConfirmAsync(pending.Id, s_admin, Token) : changes.RollbackAsync(pending.Id, s_admin, Token));
    }

    private static async Task RecoverAsync(TempState state, Fuse fuse)
    {
        await using var process = Process(state, fuse);
        var changes = process.GetRequiredService<ChangeService>();
        await changes.RecoverAsync(Token);
        if (await changes.PendingAsync(Token) is { } open)
        {
            await changes.RollbackAsync(open.Id, s_admin, Token);
        }
    }

    /// <summary>What was confirmed is taken back with what the journal holds of it.</summary>
    private static async Task UndoByTheJournalAsync(IServiceProvider prepared, Guid change, NetlinkHostKernel kernel)
    {
        await using var context = TempState.Context(prepared);
        foreach (var inverse in await context.Set<ChangeStep>().Where(s => s.IntentId == change).OrderByDescending(s => s.Position).Select(s => s.Inverse!).ToListAsync(Token))
        {
            foreach (var operation in OperationJson.ReadMany(inverse).Where(o => kernel.InverseOf(o).Count > 0))
            {
                kernel.Apply(operation);
            }
        }
    }

    // The process that was "killed" is this one; the journal must take it for dead.
    private static async Task BuryAsync(IServiceProvider provider)
    {
        var dead = $"1/1/{ProcessMark.Current.Boot}";
        await using var context = TempState.Context(provider);
        await context.Set<ChangeCheck>().ExecuteUpdateAsync(c => c.SetProperty(x => x.Guard, dead), Token);
        await context.Set<ChangeIntent>().ExecuteUpdateAsync(i => i.SetProperty(x => x.Process, dead), Token);
    }

    private static ServiceProvider Process(TempState state, Fuse fuse) => state.Build(s => s
        .AddSingleton(TimeProvider.System)
        .AddMPSecChanges()
        .AddSingleton<FakeDeadMan>()
        .AddSingleton<IDeadManStart>(p => p.GetRequiredService<FakeDeadMan>())
        .AddSingleton<IHostKernel>(new FusedKernel(fuse))
        .AddSingleton<IDbContextFactory<MPSecDbContext>>(p => new FusedContexts(fuse, p.GetRequiredService<DbContextOptions<MPSecDbContext>>())));

    /// <summary>Lets a number of steps pass; after that nothing works any more, as in a process that is gone.</summary>
    private sealed class Fuse(int steps)
    {
        public bool IsBlown { get; private set; }

        public int Steps { get; private set; }

        public void Step()
        {
            if (++Steps >= steps)
            {
                IsBlown = true;
                throw new InvalidOperationException("this process is gone");
            }
        }
    }

    private sealed class FusedContexts(Fuse fuse, DbContextOptions<MPSecDbContext> options) : IDbContextFactory<MPSecDbContext>
    {
        public MPSecDbContext CreateDbContext()
        {
            fuse.Step();
            return new(options);
        }
    }

    private sealed class FusedKernel(Fuse fuse) : IHostKernel
    {
        private readonly NetlinkHostKernel _kernel = new();

        public IHostSession Open()
        {
            fuse.Step();
            return new FusedSession(fuse, _kernel.Open());
        }
    }

    private sealed class FusedSession(Fuse fuse, IHostSession session) : IHostSession
    {
        public IReadOnlyList<HostOperation> InverseOf(HostOperation operation)
        {
            fuse.Step();
            return session.InverseOf(operation);
        }

        public IReadOnlyList<IReadOnlyList<HostOperation>> InversesOf(IReadOnlyList<HostOperation> operations)
        {
            fuse.Step();
            return session.InversesOf(operations);
        }

        public void Apply(HostOperation operation)
        {
            fuse.Step();
            session.Apply(operation);
        }

        public IReadOnlyList<string> Facts(IReadOnlyCollection<HostOperation> operations)
        {
            fuse.Step();
            return session.Facts(operations);
        }

        public void Dispose() => session.Dispose();
    }
}
