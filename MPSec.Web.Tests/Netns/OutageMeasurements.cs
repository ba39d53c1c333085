using System.Diagnostics;
using MPSec.Changes;
using MPSec.Features.Lab;

namespace MPSec.Tests.Netns;

/// <summary>How long a path needs to carry again after IP Up. Measures, asserts nothing; run with <c>-explicit only</c>.</summary>
public sealed class OutageMeasurements(ITestOutputHelper output)
{
    [Theory(Explicit = true)]
    [InlineData(1, 3)]
    [InlineData(3, 3)]
    [InlineData(1, 20)]
    [InlineData(3, 20)]
    [InlineData(1, 90)]
    [InlineData(3, 90)]
    public async Task LinkDown_ThenUp_TimeUntilThePathCarries(int path, int seconds)
    {
        var token = TestContext.Current.CancellationToken;
        await using var lab = await LabScope.CreateAsync("20,30,50,40");
        var (changes, plans, transfers) = (lab.Get<ChangeService>(), lab.Get<LinkPlans>(), lab.Get<LabTransferService>());
        await transfers.StartAsync(lab.Name, new(), LabScope.Admin, token);
        var store = transfers.Store(lab.Name);
        await LabScope.UntilAsync(() => store.Current?.Flows is [{ Subflows: 4 }], "four subflows");
        await Task.Delay(2000, token);
        var name = LabLayout.Interface(path);

        await changes.RunAsync(plans.Down(lab.Spec.A, name), LabScope.Admin, token);
        await Task.Delay(TimeSpan.FromSeconds(seconds), token);
        var during = (store.Current!.AToBMbit, Stall: store.Current.LongestStall.TotalMilliseconds);
        var clock = Stopwatch.StartNew();
        await changes.RunAsync(await plans.UpAsync(lab.Spec.A, name, token), LabScope.Admin, token);
        var applied = clock.Elapsed.TotalSeconds;
        var sent = Sent();
        await LabScope.UntilAsync(() => Sent() > sent + 200_000, "the path carries", 130);
        var carries = clock.Elapsed.TotalSeconds;
        await Task.Delay(5000, token);

        output.WriteLine($"path {path}, down {seconds} s: goodput {during.AToBMbit:0.0} Mbit/s and longest stall {during.Stall:0} ms during; up applied in {applied:0.00} s, carries after {carries:0.00} s, "
            + $"{store.Current!.AToBMbit:0.0} Mbit/s at 5 s more, reconnects {store.Current.Reconnects}, longest stall {store.Current.LongestStall.TotalMilliseconds:0} ms");

        ulong Sent() => lab.Read(lab.Spec.A).Links.Single(l => l.Name == name.Value).Counters!.TxBytes;
    }
}
