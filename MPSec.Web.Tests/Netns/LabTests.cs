using MPSec.Changes;
using MPSec.Changes.Kernel;
using MPSec.Features.Lab;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Values;

namespace MPSec.Tests.Netns;

public sealed class LabTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task UpAndDown_FourPaths_StandAndLeaveNothing()
    {
        await using var lab = await LabScope.CreateAsync("20,30,50,40");

        var status = Assert.Single(await lab.Labs.StatusAsync(Token));
        Assert.Equal("standing", status.Stage);
        Assert.Null(status.Problem);
        var (a, b) = (lab.Read(lab.Spec.A), lab.Read(lab.Spec.B));
        Assert.Equal([20_000_000UL, 30_000_000UL, 50_000_000UL, 40_000_000UL], a.Qdiscs.Where(q => q.Kind == "tbf").OrderBy(q => q.InterfaceIndex).Select(q => q.RateBitsPerSecond!.Value));
        Assert.Equal(4, b.Qdiscs.Count(q => q.Kind == "tbf"));
        Assert.Equal([2, 3, 4], b.Endpoints.Select(e => (int)e.Id));
        Assert.All(b.Endpoints, e => Assert.Equal(MptcpEndpointFlags.Signal, e.Flags));
        Assert.Equal(new MptcpLimits(8, 8), a.Limits);
        Assert.Contains("10.99.3.2 from 10.99.3.1 dev path3 table 103", NamespaceScope.Ip(lab.Spec.A, "route", "get", "10.99.3.2", "from", "10.99.3.1"));

        await lab.Labs.DownAsync(lab.Name, LabScope.Admin, Token);

        Assert.False(NamespaceThread.Exists(lab.Spec.A));
        Assert.False(NamespaceThread.Exists(lab.Spec.B));
        Assert.Empty(await lab.Labs.StatusAsync(Token));
        Assert.Null(await lab.Get<AuditLog>().VerifyAsync(Token));
        Assert.Equal(["lab.down", "lab.up"], (await lab.Get<AuditLog>().RecentAsync(10, Token)).Select(e => e.Verb));
    }

    [Fact]
    public async Task Up_NameTaken_SaysSoAndTouchesNothing()
    {
        await using var lab = await LabScope.CreateAsync("10");

        var e = await Assert.ThrowsAsync<ChangeException>(() => lab.Labs.UpAsync(lab.Spec, LabScope.Admin, Token));

        Assert.Contains("stands already", e.Message);
        Assert.Equal("standing", Assert.Single(await lab.Labs.StatusAsync(Token)).Stage);
    }

    [Fact]
    public async Task Up_NamespaceOfSomebodyElse_IsNeverTouched()
    {
        await using var lab = await LabScope.CreateAsync();
        using var scope = new NamespaceScope();
        var foreign = scope.Add("a");
        var name = foreign.Value[..^2];

        var e = await Assert.ThrowsAsync<ChangeException>(() => lab.Labs.UpAsync(LabSpec.Parse(name, "10", null, 50, out _)!, LabScope.Admin, Token));

        Assert.Equal(ChangeFault.Foreign, e.Fault);
        Assert.True(NamespaceThread.Exists(foreign));
        Assert.False(NamespaceThread.Exists(GatewayName.Parse($"{name}-b")));
        Assert.Empty(await lab.Labs.StatusAsync(Token));
        Assert.Equal(ChangeFault.NotFound, (await Assert.ThrowsAsync<ChangeException>(() => lab.Labs.DownAsync(name, LabScope.Admin, Token))).Fault);
        Assert.True(NamespaceThread.Exists(foreign));
    }

    [Fact]
    public async Task Up_RttWithoutNetem_IsRefusedWithTheReason()
    {
        Assert.SkipWhen(TestbedProbe.Run().Netem, "this kernel has netem");
        await using var lab = await LabScope.CreateAsync();

        var e = await Assert.ThrowsAsync<ChangeException>(() => lab.Labs.UpAsync(LabSpec.Parse(lab.Name, "10,20", "5,10", 50, out _)!, LabScope.Admin, Token));

        Assert.Equal(ChangeFault.NotAvailable, e.Fault);
        Assert.Contains("netem", e.Message);
        Assert.Empty(await lab.Labs.StatusAsync(Token));
    }

    [Fact]
    public async Task Up_TwoLabs_StandSideBySideWithEqualAddresses()
    {
        await using var first = await LabScope.CreateAsync("10,20");
        await using var second = await LabScope.CreateAsync("10,20");

        Assert.Contains("10.99.2.1", NamespaceScope.Ip(first.Spec.A, "address"));
        Assert.Contains("10.99.2.1", NamespaceScope.Ip(second.Spec.A, "address"));
    }

    [Fact]
    public async Task Recover_NamespaceDeletedByHand_RemovesTheRest()
    {
        await using var lab = await LabScope.CreateAsync("10,20");
        NamespaceScope.Run("ip", "netns", "del", lab.Spec.A.Value);

        Assert.Equal("leftover", Assert.Single(await lab.Labs.StatusAsync(Token)).Stage);
        Assert.Contains(lab.Name, Assert.Single(await lab.Labs.RecoverAsync(resume: false, Token)));

        Assert.False(NamespaceThread.Exists(lab.Spec.B));
        Assert.Empty(await lab.Labs.StatusAsync(Token));
    }

    [Fact]
    public async Task Transfer_PathDownAndUp_GoesOnAndThePathComesBack()
    {
        await using var lab = await LabScope.CreateAsync("20,30,50,40");
        var (changes, plans, transfers) = (lab.Get<ChangeService>(), lab.Get<LinkPlans>(), lab.Get<LabTransferService>());
        var before = Routes();
        await transfers.StartAsync(lab.Name, new(), LabScope.Admin, Token);
        var store = transfers.Store(lab.Name);
        await LabScope.UntilAsync(() => store.Current?.Flows is [{ Subflows: 4, Multipath: true }], "four subflows");
        var path2 = LabLayout.Interface(2);

        await changes.RunAsync(plans.Down(lab.Spec.A, path2), LabScope.Admin, Token);

        Assert.False(lab.Read(lab.Spec.A).Links.Single(l => l.Name == path2.Value).IsUp);
        Assert.Contains("unreachable default", NamespaceScope.Ip(lab.Spec.A, "route", "show", "table", "102"));
        Assert.DoesNotContain("path2", NamespaceScope.Ip(lab.Spec.A, "route", "show", "table", "102"));
        var bytes = store.Current!.ReceivedBytes;
        await LabScope.UntilAsync(() => store.Current!.ReceivedBytes > bytes + 1_000_000, "bytes arrive without path 2");
        Assert.Equal(LabTransferState.Running, store.Current!.State);

        await changes.RunAsync(await plans.UpAsync(lab.Spec.A, path2, Token), LabScope.Admin, Token);

        var sent = Sent();
        await LabScope.UntilAsync(() => Sent() > sent + 500_000, "path 2 carries again");
        Assert.Equal(0, store.Current!.Reconnects);
        await transfers.StopAsync(lab.Name, LabScope.Admin, Token);
        await LabScope.UntilAsync(() => Routes() == before, "routes and rules as before");
        Assert.Null(await lab.Get<AuditLog>().VerifyAsync(Token));

        ulong Sent() => lab.Read(lab.Spec.A).Links.Single(l => l.Name == path2.Value).Counters!.TxBytes;

        string Routes() => string.Join('\n', (NamespaceScope.Ip(lab.Spec.A, "-4", "route", "show", "table", "all") + NamespaceScope.Ip(lab.Spec.A, "rule")).Split('\n').Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Transfer_SubflowClosedByTheKernel_IsBroughtBack(int path)
    {
        await using var lab = await LabScope.CreateAsync("20,30");
        var (changes, plans, transfers, keeper) = (lab.Get<ChangeService>(), lab.Get<LinkPlans>(), lab.Get<LabTransferService>(), lab.Get<LabPathKeeper>());
        NamespaceScope.In(lab.Spec.A, "sysctl", "-qw", "net.ipv4.tcp_retries2=2");
        await transfers.StartAsync(lab.Name, new(), LabScope.Admin, Token);
        var store = transfers.Store(lab.Name);
        await LabScope.UntilAsync(() => store.Current?.Flows is [{ Subflows: 2, Multipath: true }], "two subflows");
        await Task.Delay(1000, Token);

        await changes.RunAsync(plans.Down(lab.Spec.A, LabLayout.Interface(path)), LabScope.Admin, Token);
        await LabScope.UntilAsync(() => !lab.Read(lab.Spec.A).Subflows.Any(s => s.Local.Address.Equals(LabLayout.Address(path, true))), "the kernel closes the subflow", 30);
        await changes.RunAsync(await plans.UpAsync(lab.Spec.A, LabLayout.Interface(path), Token), LabScope.Admin, Token);

        // As the service does: it looks every two seconds and acts anew after half a minute. An announcement may be lost on a busy machine, a carrier be late.
        await keeper.StartAsync(Token);
        try
        {
            await LabScope.UntilAsync(
                () => lab.Read(lab.Spec.A).Subflows.Any(s => s.State == 1 && s.Local.Address.Equals(LabLayout.Address(path, true)))
                    && store.Current is { Flows: [{ Subflows: 2, Multipath: true }] } now && (now.Reconnects > 0) == (path == 1),
                "the path has a subflow again, " + (path == 1 ? "by a new connection" : "in the same connection"),
                120,
                () => NamespaceScope.In(lab.Spec.A, "ss", "-tiMnH") + NamespaceScope.Ip(lab.Spec.A, "-br", "link") + NamespaceScope.Ip(lab.Spec.B, "mptcp", "endpoint") + store.Current);
        }
        finally
        {
            await keeper.StopAsync(CancellationToken.None);
        }
    }

    [Theory]
    [InlineData("reno")]
    [InlineData(null)]
    public async Task Transfer_Congestion_IsUsedByEverySubflow(string? wanted)
    {
        await using var lab = await LabScope.CreateAsync("20,30");
        await lab.Get<LabTransferService>().StartAsync(lab.Name, new(LabDirection.Both, 1, wanted), LabScope.Admin, Token);
        var store = lab.Get<LabTransferService>().Store(lab.Name);
        await LabScope.UntilAsync(() => store.Current?.Flows is [{ Subflows: 2 }], "two subflows");

        var expected = LabTransfer.ChooseCongestion(wanted);
        Assert.All(lab.Read(lab.Spec.A).Subflows.Concat(lab.Read(lab.Spec.B).Subflows).Where(s => s.State == 1), s => Assert.Equal(expected ?? s.CongestionControl, s.CongestionControl));
    }

    [Fact]
    public async Task Transfer_UnknownCongestion_IsRefused()
    {
        await using var lab = await LabScope.CreateAsync("20");

        var e = await Assert.ThrowsAsync<ChangeException>(() => lab.Get<LabTransferService>().StartAsync(lab.Name, new(LabDirection.AToB, 1, "nosuch"), LabScope.Admin, Token));

        Assert.Contains("does not have nosuch", e.Message);
    }

    [Fact]
    public async Task Multipath_OffAndOn_NewConnectionsFollow()
    {
        await using var lab = await LabScope.CreateAsync("20,30");
        var (changes, plans, transfers) = (lab.Get<ChangeService>(), lab.Get<LinkPlans>(), lab.Get<LabTransferService>());
        var store = transfers.Store(lab.Name);

        await changes.RunAsync(plans.Multipath(lab.Spec.A, false), LabScope.Admin, Token);
        await transfers.StartAsync(lab.Name, new(), LabScope.Admin, Token);
        await LabScope.UntilAsync(() => store.Current is { State: LabTransferState.Running, Flows: [{ Multipath: false }] }, "plain TCP");
        Assert.DoesNotContain("ESTAB", NamespaceScope.In(lab.Spec.A, "ss", "-Mn"));
        Assert.Contains("ESTAB", NamespaceScope.In(lab.Spec.A, "ss", "-tn"));

        await changes.RunAsync(plans.Multipath(lab.Spec.A, true), LabScope.Admin, Token);
        await transfers.StartAsync(lab.Name, new(), LabScope.Admin, Token);
        await LabScope.UntilAsync(() => store.Current is { State: LabTransferState.Running, Flows: [{ Multipath: true, Subflows: 2 }] }, "MPTCP with two subflows");
        Assert.Contains("ESTAB", NamespaceScope.In(lab.Spec.A, "ss", "-Mn"));

        var verbs = (await lab.Get<AuditLog>().RecentAsync(10, Token)).Select(e => e.Verb).ToList();
        Assert.Contains("mptcp.off", verbs);
        Assert.Contains("mptcp.on", verbs);
    }

    [Fact]
    public async Task Run_Host_IsRefusedInObserveMode()
    {
        await using var lab = await LabScope.CreateAsync();

        var e = await Assert.ThrowsAsync<ChangeException>(() =>
            lab.Get<ChangeService>().RunAsync(lab.Get<LinkPlans>().Down(GatewayName.Host, InterfaceName.Parse("lo")), LabScope.Admin, Token));

        Assert.Equal(ChangeFault.Observed, e.Fault);
        Assert.Contains("Refused", Assert.Single(await lab.Get<AuditLog>().RecentAsync(5, Token)).Result);
    }
}
