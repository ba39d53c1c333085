using System.Net;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Linux.Values;
using MPSec.Tests.Changes;
using MPSec.Tests.Data;

namespace MPSec.Tests.Netns;

/// <summary>Somebody deletes a gateway or an interface between preview, apply and rollback: the sentence says so, and nothing hangs.</summary>
public sealed class VanishingGatewayTests : IAsyncDisposable
{
    private static readonly ChangeActor s_admin = new("ada", ChangeRole.Administrator);
    private static readonly InterfaceName s_p1 = InterfaceName.Parse("p1");
    private readonly NamespaceScope _scope = new();
    private readonly TempState _state = new();
    private readonly GatewayName _a;
    private readonly GatewayName _b;
    private ServiceProvider? _services;

    public VanishingGatewayTests()
    {
        (_a, _b) = (_scope.Add("a"), _scope.Add("b"));
        _scope.Veth(_a, "p1", "10.9.1.1/24", _b, "p1", "10.9.1.2/24");
        _scope.Veth(_a, "p2", "10.9.2.1/24", _b, "p2", "10.9.2.2/24");
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private ChangeService Changes => _services!.GetRequiredService<ChangeService>();

    private ChangePlan Plan => new()
    {
        TitleCode = "test",
        Operations =
        [
            new WriteSysctl(_a, SysctlKey.Parse("net.ipv4.ip_forward"), "1"),
            new AddAddress(_a, s_p1, IpPrefix.Parse("10.9.7.1/24")),
            new ReplaceRoute(_a, new() { Destination = IpPrefix.Parse("10.50.0.0/16"), Interface = s_p1, NextHop = IPAddress.Parse("10.9.1.2") }),
            new SetMtu(_a, InterfaceName.Parse("p2"), 1400),
        ],
    };

    public async ValueTask DisposeAsync()
    {
        if (_services is not null)
        {
            await _services.DisposeAsync();
        }

        _state.Dispose();
        _scope.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Apply_GatewayGoneAfterThePreview_SaysSoAndChangesNothing(bool isChecked)
    {
        await StartAsync();
        Assert.Equal(4, (await Changes.PreviewAsync(Plan, Token)).Commands.Length);
        _scope.Delete(_a);

        var e = await Assert.ThrowsAsync<ChangeException>(() => ApplyAsync(isChecked));

        Assert.Equal(ChangeFault.NotFound, e.Fault);
        Assert.Equal($"gateway {_a}: there is no network namespace of this name; nothing was changed", e.Message);
        Assert.Null(await Changes.PendingAsync(Token));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Apply_InterfaceGoneAfterThePreview_SaysSoAndUndoesTheRest(bool isChecked)
    {
        await StartAsync();
        await Changes.PreviewAsync(Plan, Token);
        NamespaceScope.Ip(_a, "link", "del", "p1");

        var e = await Assert.ThrowsAsync<ChangeException>(() => ApplyAsync(isChecked));

        Assert.Equal(ChangeFault.NotFound, e.Fault);
        Assert.StartsWith($"gateway {_a}: there is no interface p1; ", e.Message, StringComparison.Ordinal);
        Assert.Equal("0\n", NamespaceScope.In(_a, "cat", "/proc/sys/net/ipv4/ip_forward"));
        Assert.Null(await Changes.PendingAsync(Token));
    }

    [Fact]
    public async Task Rollback_GatewayGone_SaysThatAndNothingElse()
    {
        await StartAsync();
        var pending = await Changes.ApplyCheckedAsync(Plan, s_admin, null, Token);
        _scope.Delete(_a);

        var report = await Changes.RollbackAsync(pending.Id, s_admin, Token);

        Assert.Equal(ChangeOutcome.Incomplete, report.Outcome);
        Assert.Equal($"ada asked for it; it was undone, but the state is not the one before: gateway {_a} does not exist any more", report.Sentence);
    }

    [Fact]
    public async Task Rollback_InterfaceGone_UndoesTheRestAndNamesIt()
    {
        await StartAsync();
        var pending = await Changes.ApplyCheckedAsync(Plan, s_admin, null, Token);
        NamespaceScope.Ip(_a, "link", "del", "p1");

        var report = await Changes.RollbackAsync(pending.Id, s_admin, Token);

        Assert.Equal(ChangeOutcome.Incomplete, report.Outcome);
        Assert.Contains($"missing: {_a} link p1 up", report.Sentence);
        Assert.Equal("0\n", NamespaceScope.In(_a, "cat", "/proc/sys/net/ipv4/ip_forward"));
        Assert.Contains("mtu 1500", NamespaceScope.Ip(_a, "link", "show", "p2"));
        Assert.Null(await Changes.PendingAsync(Token));
    }

    private async Task StartAsync()
    {
        _services = await _state.StartAsync(s => s.AddSingleton(TimeProvider.System).AddMPSecChanges().AddSingleton<FakeDeadMan>().AddSingleton<IDeadManStart>(p => p.GetRequiredService<FakeDeadMan>()));
        await _services.GetRequiredService<GatewayModes>().SetAsync(_a, GatewayMode.Managed, s_admin, Token);
    }

    private Task ApplyAsync(bool isChecked) => isChecked ? Changes.ApplyCheckedAsync(Plan, s_admin, null, Token) : Changes.RunAsync(Plan, s_admin, Token);
}
