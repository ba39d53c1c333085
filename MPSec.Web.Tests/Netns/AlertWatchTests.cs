using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Features.Lab;
using MPSec.Features.Settings;
using MPSec.Tests.Hosting.Auth;

namespace MPSec.Tests.Netns;

public sealed class AlertWatchTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Path_TakenDownInALab_IsRaisedAndClears()
    {
        LongProofs.SkipUsually();
        using var scope = new NamespaceScope();
        await using var app = await RunningApp.StartAsync();
        var alerts = app.Program.Services.GetRequiredService<AlertService>();
        var labs = app.Program.Services.GetRequiredService<LabService>();
        var spec = LabSpec.Default with { Name = "mpl" + Guid.NewGuid().ToString("N")[..6] };
        await labs.UpAsync(spec, ChangeActor.System, Token);
        try
        {
            await Task.Delay(TimeSpan.FromSeconds(8), Token); // the roster has found it and a sample has come
            Assert.Empty(alerts.Raised);
            NamespaceScope.Ip(spec.A, "link", "set", "path2", "down");
            await UntilAsync(() => alerts.Raised.Any(a => a is { Rule: AlertRule.PathDown, Subject: "path2" } && a.Gateway == spec.A.Value));
            NamespaceScope.Ip(spec.A, "link", "set", "path2", "up");
            await UntilAsync(() => alerts.Raised.Count == 0);
        }
        finally
        {
            await labs.DownAsync(spec.Name, ChangeActor.System, CancellationToken.None);
        }
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (var i = 0; i < 600; i++)
        {
            if (condition())
            {
                return;
            }

            await Task.Delay(100, Token);
        }

        Assert.Fail("did not come within a minute");
    }
}
