using System.Diagnostics;
using System.Globalization;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Changes.Kernel;
using MPSec.Linux.Values;
using MPSec.Tests.Data;

namespace MPSec.Tests.Netns;

/// <summary>The dead-man as the process that it is, on a real namespace: called again, killed, stopped.</summary>
public sealed class ResidentDeadManTests : IAsyncDisposable
{
    private static readonly ChangeActor s_admin = new("ada", ChangeRole.Administrator);
    private readonly NamespaceScope _scope = new();
    private readonly TempState _state = new();
    private readonly GatewayName _gateway;
    private ServiceProvider? _services;
    private int _changes;

    public ResidentDeadManTests() => _gateway = _scope.Add("a");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private ChangeService Changes => _services!.GetRequiredService<ChangeService>();

    public async ValueTask DisposeAsync()
    {
        if (_services is not null)
        {
            await _services.DisposeAsync();
        }

        _state.Dispose();
        _scope.Dispose();
    }

    [Fact]
    public async Task Apply_ChangeAfterChange_IsGuardedByTheSameProcess()
    {
        await StartAsync();
        var (first, cold) = await ApplyAsync();
        var warm = new List<double>();
        for (var i = 0; i < 8; i++)
        {
            var (guard, took) = await ApplyAsync();
            Assert.Equal(first, guard);
            warm.Add(took);
        }

        Assert.True(first.IsAlive);
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture, $"whole change, started: {cold:0} ms; called: {warm.Order().ElementAt(4):0.0} ms (median of 8)"));
    }

    [Theory]
    [InlineData("KILL")]
    [InlineData("STOP")]
    [InlineData("TERM")]
    public async Task Apply_ResidentOneWasEndedOrHangsWhileIdle_AnotherGuards(string signal)
    {
        await StartAsync();
        var (first, _) = await ApplyAsync();
        NamespaceScope.Run("kill", $"-{signal}", $"{first.Pid}");
        while (signal != "STOP" && first.IsAlive)
        {
            await Task.Delay(20, Token);
        }

        var (second, _) = await ApplyAsync(); // it was alive until the change was confirmed

        Assert.NotEqual(first, second);
        if (signal == "STOP")
        {
            NamespaceScope.Run("kill", "-KILL", $"{first.Pid}");
        }
    }

    [Fact]
    public async Task Recover_ResidentOneKilledWhileAChangeWaits_AnotherGuardsItUntilTheSameMoment()
    {
        await StartAsync();
        var pending = await Changes.ApplyCheckedAsync(Plan(), s_admin, TimeSpan.FromSeconds(30), Token);
        var before = await CheckAsync(pending.Id);
        Kill(before);

        Assert.Empty(await Changes.RecoverChecksAsync(Token));

        var after = await CheckAsync(pending.Id);
        Assert.Equal(before.DeadlineMs, after.DeadlineMs);
        Assert.NotEqual(before.Guard, after.Guard);
        Assert.True(ProcessMark.Parse(after.Guard)!.IsAlive);
        while (await _services!.GetRequiredService<ChangeJournal>().FindAsync(pending.Id, Token) is not { } report)
        {
            await Task.Delay(50, Token);
        }

        Assert.DoesNotContain("10.1.1.1", NamespaceScope.Ip(_gateway, "addr"));
    }

    [Fact]
    public async Task Apply_ResidentOneDiesBetweenStandingReadyAndTheFirstOperation_AnotherGuards()
    {
        var killer = new KillingKernel(this, 2);
        await StartAsync(s => s.AddSingleton<IHostKernel>(killer));
        var (guard, _) = await ApplyAsync();
        Assert.True(guard.IsAlive);
        Assert.Equal(2, killer.Killed);
    }

    [Fact]
    public async Task Apply_EveryDeadManDiesAtOnce_NothingIsDone()
    {
        await StartAsync(s => s.AddSingleton<IHostKernel>(new KillingKernel(this, int.MaxValue)));
        var e = await Assert.ThrowsAsync<ChangeException>(() => ApplyAsync());
        Assert.EndsWith("ends again and again; nothing was changed", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("10.1.1.1", NamespaceScope.Ip(_gateway, "addr"));
    }

    private async Task StartAsync(Action<IServiceCollection>? add = null)
    {
        _services = await _state.StartAsync(s =>
        {
            s.AddSingleton(TimeProvider.System).AddMPSecChanges();
            add?.Invoke(s);
        });
        await _services.GetRequiredService<GatewayModes>().SetAsync(_gateway, GatewayMode.Managed, s_admin, Token);
        _services.GetRequiredService<MPSec.Data.DatabaseStart>().Dispose(); // the dead-man looks at the folder too
    }

    private async Task<(ProcessMark Guard, double Milliseconds)> ApplyAsync()
    {
        var begun = Stopwatch.GetTimestamp();
        var pending = await Changes.ApplyCheckedAsync(Plan(), s_admin, null, Token);
        var took = Stopwatch.GetElapsedTime(begun).TotalMilliseconds;
        var guard = ProcessMark.Parse((await CheckAsync(pending.Id)).Guard)!;
        Assert.True(guard.IsAlive);
        await Changes.ConfirmAsync(pending.Id, s_admin, Token);
        return (guard, took);
    }

    private ChangePlan Plan() => new() { TitleCode = "test", Operations = [new AddAddress(_gateway, InterfaceName.Parse("lo"), IpPrefix.Parse($"10.1.1.{++_changes}/32"))] };

    private async Task<ChangeCheck> CheckAsync(Guid change)
    {
        await using var context = TempState.Context(_services!);
        return await context.Set<ChangeCheck>().AsNoTracking().SingleAsync(c => c.IntentId == change, Token);
    }

    private static void Kill(ChangeCheck check)
    {
        var guard = ProcessMark.Parse(check.Guard)!;
        NamespaceScope.Run("kill", "-KILL", $"{guard.Pid}");
        while (guard.IsAlive)
        {
            Thread.Yield();
        }
    }

    /// <summary>Kills the dead-man when the state before is read: it stands ready, and nothing is done yet.</summary>
    private sealed class KillingKernel(ResidentDeadManTests test, int deaths) : IHostKernel
    {
        private readonly NetlinkHostKernel _kernel = new();

        public int Killed { get; private set; }

        public IHostSession Open() => new Session(this, _kernel.Open());

        private void Kill()
        {
            using var context = TempState.Context(test._services!);
            if (Killed < deaths && context.Set<ChangeCheck>().AsNoTracking().OrderByDescending(c => c.IntentId).FirstOrDefault() is { AppliedMs: null } check)
            {
                ResidentDeadManTests.Kill(check);
                Killed++;
            }
        }

        private sealed class Session(KillingKernel killer, IHostSession session) : IHostSession
        {
            public IReadOnlyList<HostOperation> InverseOf(HostOperation operation) => session.InverseOf(operation);

            public IReadOnlyList<IReadOnlyList<HostOperation>> InversesOf(IReadOnlyList<HostOperation> operations) => session.InversesOf(operations);

            public void Apply(HostOperation operation) => session.Apply(operation);

            public IReadOnlyList<string> Facts(IReadOnlyCollection<HostOperation> operations)
            {
                killer.Kill();
                return session.Facts(operations);
            }

            public void Dispose() => session.Dispose();
        }
    }
}
