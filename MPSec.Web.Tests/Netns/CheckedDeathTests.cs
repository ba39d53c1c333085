using System.Net;
using MPSec.Changes;
using MPSec.Linux.Values;

namespace MPSec.Tests.Netns;

/// <summary>Processes die while a change waits to be confirmed: the real server, the real dead-man, both.</summary>
public sealed class CheckedDeathTests
{
    private static readonly HostOperation[] s_harmless = [new AddAddress(GatewayName.Host, InterfaceName.Parse("eth1"), IpPrefix.Parse("10.66.1.7/24"))];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Wait_DeadManOrBothKilled_ChangeIsGuardedAnewOrUndone()
    {
        await using var served = await ServedNamespace.StartAsync();
        await DeadManKilledAsync(served);
        await BothKilledInTimeAsync(served);
        await BothKilledTooLateAsync(served);
    }

    // The server looks after a change that waits and gives it a new dead-man; its time does not begin anew.
    private static async Task DeadManKilledAsync(ServedNamespace served)
    {
        using var http = served.NewClient();
        Assert.Equal(HttpStatusCode.Accepted, (await ServedNamespace.ApplyAsync(http, s_harmless, 600)).StatusCode);
        var before = Assert.Single(await served.Journal.UnendedChecksAsync(Token));
        ServedNamespace.EndGuard(before);

        var after = await GuardedAsync(served, before);

        Assert.Equal(before.Check!.DeadlineMs, after.Check!.DeadlineMs);
        Assert.Equal(HttpStatusCode.OK, (await http.PostAsync($"/api/v1/changes/{before.Id}/rollback", null, Token)).StatusCode);
    }

    private static async Task BothKilledInTimeAsync(ServedNamespace served)
    {
        using var http = served.NewClient();
        Assert.Equal(HttpStatusCode.Accepted, (await ServedNamespace.ApplyAsync(http, s_harmless, 600)).StatusCode);
        var before = Assert.Single(await served.Journal.UnendedChecksAsync(Token));
        await served.KillServerAsync();
        ServedNamespace.EndGuard(before);

        await served.ServeAsync();
        var after = await GuardedAsync(served, before);

        Assert.Equal(before.Check!.DeadlineMs, after.Check!.DeadlineMs);
        using var again = served.NewClient();
        Assert.Equal(HttpStatusCode.OK, (await again.PostAsync($"/api/v1/changes/{before.Id}/confirm", null, Token)).StatusCode);
        Assert.Equal(ChangeOutcome.Applied, (await served.Journal.FindAsync(before.Id, Token))!.Outcome);
        Assert.Contains("10.66.1.7/24", NamespaceScope.Ip(served.Host, "addr"));
        NamespaceScope.Ip(served.Host, "addr", "del", "10.66.1.7/24", "dev", "eth1");
    }

    private static async Task BothKilledTooLateAsync(ServedNamespace served)
    {
        using var http = served.NewClient();
        Assert.Equal(HttpStatusCode.Accepted, (await ServedNamespace.ApplyAsync(http, s_harmless, 15)).StatusCode);
        var before = Assert.Single(await served.Journal.UnendedChecksAsync(Token));
        await served.KillServerAsync();
        ServedNamespace.EndGuard(before);
        while (new UptimeClock().Milliseconds < before.Check!.DeadlineMs)
        {
            await Task.Delay(50, Token);
        }

        Assert.Null(await served.Journal.FindAsync(before.Id, Token));
        await served.ServeAsync();
        ChangeReport? report;
        while ((report = await served.Journal.FindAsync(before.Id, Token)) is null)
        {
            await Task.Delay(50, Token);
        }

        Assert.Equal(ChangeOutcome.RolledBack, report.Outcome);
        Assert.StartsWith("nobody confirmed it within 15 s; the state before is back", report.Sentence, StringComparison.Ordinal);
        Assert.DoesNotContain("10.66.1.7/24", NamespaceScope.Ip(served.Host, "addr"));
    }

    private static async Task<ChangeIntent> GuardedAsync(ServedNamespace served, ChangeIntent before)
    {
        while (true)
        {
            var now = Assert.Single(await served.Journal.UnendedChecksAsync(Token));
            if (now.Check!.Guard != before.Check!.Guard && ProcessMark.Parse(now.Check.Guard) is { IsAlive: true })
            {
                return now;
            }

            await Task.Delay(50, Token);
        }
    }
}
