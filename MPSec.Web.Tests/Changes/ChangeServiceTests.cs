using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Changes.Kernel;
using MPSec.Linux.Values;
using MPSec.Tests.Data;

namespace MPSec.Tests.Changes;

public sealed class ChangeServiceTests : IAsyncDisposable
{
    private static readonly ChangeActor Admin = new("ada", ChangeRole.Administrator);
    private readonly TempState _state = new();
    private readonly FakeKernel _kernel = new();
    private ServiceProvider? _services;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        if (_services is not null)
        {
            await _services.DisposeAsync();
        }

        _state.Dispose();
    }

    [Fact]
    public async Task RunAsync_ManagedGateway_AppliesAuditsAndTells()
    {
        var changes = await StartAsync();
        var told = new List<ChangeReport>();
        changes.Completed += told.Add;

        var report = await changes.RunAsync(Plan("a", "b"), Admin, Token);

        Assert.Equal(ChangeOutcome.Applied, report.Outcome);
        Assert.Equal(["net.a=1", "net.b=1"], _kernel.Applied);
        Assert.Equal(report.Id, Assert.Single(told).Id);
        var line = (await Get<AuditLog>().RecentAsync(1, Token))[0];
        Assert.Equal(("ada", "test", "host", "Applied"), (line.Actor, line.Verb, line.Gateway, line.Result));
        Assert.Contains("net.b", line.Arguments);
        Assert.Equal(report.Id, Assert.Single(await Get<ChangeJournal>().RecentAsync(5, Token)).Id);
    }

    [Theory]
    [InlineData(ChangeRole.Viewer)]
    [InlineData(ChangeRole.Operator)]
    public async Task RunAsync_RoleTooLow_IsRefusedAndAudited(ChangeRole role)
    {
        var changes = await StartAsync();

        var e = await Assert.ThrowsAsync<ChangeException>(() => changes.RunAsync(Plan("a"), new("eve", role), Token));

        Assert.Equal(ChangeFault.NotPermitted, e.Fault);
        Assert.Empty(_kernel.Applied);
        Assert.StartsWith("Refused", (await Get<AuditLog>().RecentAsync(1, Token))[0].Result, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RunAsync_ObservedGateway_IsRefused()
    {
        var changes = await StartAsync(managed: false);

        Assert.Equal(ChangeFault.Observed, (await Assert.ThrowsAsync<ChangeException>(() => changes.RunAsync(Plan("a"), Admin, Token))).Fault);
        Assert.Empty(_kernel.Applied);
    }

    [Fact]
    public async Task RunAsync_SecondOperationFails_FirstIsUndone()
    {
        var changes = await StartAsync();
        _kernel.Before = o =>
        {
            if (o.Key.Value == "net.b")
            {
                throw new ChangeException(ChangeFault.Refused, "the kernel says no");
            }
        };

        var e = await Assert.ThrowsAsync<ChangeException>(() => changes.RunAsync(Plan("a", "b", "c"), Admin, Token));

        Assert.Contains("the kernel says no", e.Message);
        Assert.Contains("undone", e.Message);
        Assert.All(_kernel.Values.Values, v => Assert.Equal("0", v));
        Assert.Equal(ChangeOutcome.RolledBack, (await Get<ChangeJournal>().RecentAsync(1, Token))[0].Outcome);
    }

    [Fact]
    public async Task RunAsync_UndoFailsToo_SaysWhatIsLeft()
    {
        var changes = await StartAsync();
        _kernel.Before = o =>
        {
            if (o.Key.Value == "net.b" || o.Value == "0")
            {
                throw new ChangeException(ChangeFault.Refused, $"no {o.Key}");
            }
        };

        var e = await Assert.ThrowsAsync<ChangeException>(() => changes.RunAsync(Plan("a", "b"), Admin, Token));

        Assert.Contains("undoing it failed too: no net.", e.Message);
        Assert.Equal(ChangeOutcome.Incomplete, (await Get<ChangeJournal>().RecentAsync(1, Token))[0].Outcome);
    }

    [Theory]
    [InlineData("net.a", "RolledBack")]
    [InlineData("net.b", "RolledBack")]
    [InlineData("net.c", "RolledBack")]
    [InlineData("after", "Applied")]
    public async Task RecoverAsync_ProcessKilledBefore_UndoesOrFinishes(string where, string expected)
    {
        var changes = await StartAsync();
        await InterruptAsync(Plan("a", "b", "c"), where);

        var report = Assert.Single(await changes.RecoverAsync(Token));

        Assert.Equal(expected, report.Outcome.ToString());
        var value = expected == "Applied" ? "1" : "0";
        Assert.All(_kernel.Values.Values, v => Assert.Equal(value, v));
        Assert.Empty(await changes.RecoverAsync(Token));
        Assert.Null(await Get<AuditLog>().VerifyAsync(Token));
    }

    [Fact]
    public async Task RecoverAsync_PlanThatRollsForward_IsFinished()
    {
        var changes = await StartAsync();
        await InterruptAsync(Plan("a", "b", "c") with { RollsForward = true }, "net.b");

        Assert.Equal(ChangeOutcome.Applied, Assert.Single(await changes.RecoverAsync(Token)).Outcome);
        Assert.All(_kernel.Values.Values, v => Assert.Equal("1", v));
    }

    [Fact]
    public async Task RunAsync_GatewayOfARunningChange_IsBusy()
    {
        var changes = await StartAsync();
        await Get<ChangeJournal>().OpenAsync(Plan("a"), Admin, Token);

        Assert.Equal(ChangeFault.Busy, (await Assert.ThrowsAsync<ChangeException>(() => changes.RunAsync(Plan("b"), Admin, Token))).Fault);
    }

    [Fact]
    public async Task PreviewAsync_ResultPartlyThere_ShowsOnlyWhatChangesAndTheWayBack()
    {
        var changes = await StartAsync();
        _kernel.Values["net.a"] = "1";

        var preview = await changes.PreviewAsync(Plan("a", "b", "c"), Token);

        Assert.Equal(["sysctl -w net.b=1", "sysctl -w net.c=1"], preview.Commands);
        Assert.Equal(["sysctl -w net.c=0", "sysctl -w net.b=0"], preview.Inverse);
        Assert.Empty(_kernel.Applied);
    }

    [Fact]
    public async Task VerifyAsync_LineAltered_NamesIt()
    {
        var changes = await StartAsync();
        await changes.RunAsync(Plan("a"), Admin, Token);
        await changes.RunAsync(Plan("b"), Admin, Token);
        Assert.Null(await Get<AuditLog>().VerifyAsync(Token));

        await using var context = TempState.Context(_services!);
        await context.Set<AuditEntry>().Where(l => l.Id == 2).ExecuteUpdateAsync(l => l.SetProperty(x => x.Actor, "mallory"), Token);
        Assert.Contains("line 2", await Get<AuditLog>().VerifyAsync(Token));

        await context.Set<AuditEntry>().Where(l => l.Id == 2).ExecuteDeleteAsync(Token);
        Assert.Contains("line 2", await Get<AuditLog>().VerifyAsync(Token));
    }

    [Fact]
    public async Task SetAsync_NotAdministrator_IsRefused()
    {
        await StartAsync(managed: false);

        await Assert.ThrowsAsync<ChangeException>(() => Get<GatewayModes>().SetAsync(GatewayName.Host, GatewayMode.Managed, new("op", ChangeRole.Operator), Token));
        Assert.Equal(GatewayMode.Observe, await Get<GatewayModes>().GetAsync(GatewayName.Host, Token));
    }

    private static ChangePlan Plan(params string[] keys) => new()
    {
        TitleCode = "test",
        Operations = [.. keys.Select(k => new WriteSysctl(GatewayName.Host, SysctlKey.Parse("net." + k), "1"))],
    };

    private T Get<T>()
        where T : notnull => _services!.GetRequiredService<T>();

    private async Task<ChangeService> StartAsync(bool managed = true)
    {
        _services = await _state.StartAsync(s => s.AddSingleton(TimeProvider.System).AddMPSecChanges().AddSingleton<IHostKernel>(_kernel));
        if (managed)
        {
            await Get<GatewayModes>().SetAsync(GatewayName.Host, GatewayMode.Managed, Admin, Token);
        }

        return Get<ChangeService>();
    }

    /// <summary>Leaves the journal and the kernel as a process does that is killed before it applies <paramref name="where"/>.</summary>
    private async Task InterruptAsync(ChangePlan plan, string where)
    {
        var journal = Get<ChangeJournal>();
        await journal.OpenAsync(plan, Admin, Token);
        for (var i = 0; i < plan.Operations.Length; i++)
        {
            await journal.IntendAsync(plan.Id, i, [_kernel.InverseOf(plan.Operations[i])], [], Token);
            if (((WriteSysctl)plan.Operations[i]).Key.Value == where)
            {
                break;
            }

            _kernel.Apply(plan.Operations[i]);
        }

        await using var context = TempState.Context(_services!);
        await context.Set<ChangeIntent>().ExecuteUpdateAsync(i => i.SetProperty(x => x.Process, $"1/1/{ProcessMark.Current.Boot}"), Token);
    }
}
