using System.Diagnostics;
using MPSec.Changes;
using MPSec.Features.Lab;
using MPSec.Linux.Namespaces;

namespace MPSec.Tests.Netns;

/// <summary>A process that makes a lab is killed at many points; what it leaves must always be found and removed.</summary>
public sealed class LabCrashTests
{
    private static readonly int s_cuts = LongProofs.Wanted ? 16 : 6;

    [Fact]
    public async Task Up_KilledAnywhere_NextUpOrDownEndsClean()
    {
        await using var lab = await LabScope.CreateAsync();
        var token = TestContext.Current.CancellationToken;
        var spec = LabSpec.Parse(lab.Name, "20,30,50,40", null, 50, out _)!;
        var random = new Random(20260214);
        var half = 0;
        for (var cut = 0; cut < s_cuts; cut++)
        {
            using var child = Process.Start(new ProcessStartInfo("dotnet",
                [typeof(Program).Assembly.Location, "lab", "up", "--paths", "20,30,50,40", "--name", lab.Name, "--state", lab.StateRoot]) { RedirectStandardOutput = true, RedirectStandardError = true })!;

            // The interesting part: from its record (even cuts) or its first namespace (odd cuts) on, for the tenth of a second that it takes.
            var waiting = Stopwatch.StartNew();
            while (!child.HasExited && waiting.Elapsed < TimeSpan.FromSeconds(20) && (cut % 2 == 0 ? (await lab.Labs.StatusAsync(token)).Count == 0 : !NamespaceThread.Exists(spec.A)))
            {
                await Task.Delay(1, token);
            }

            await Task.Delay(random.Next(0, cut % 2 == 0 ? 20 : 60), token);
            child.Kill();
            await child.WaitForExitAsync(token);
            half += NamespaceThread.Exists(spec.A) && (await lab.Labs.StatusAsync(token)) is not [{ Stage: "standing" }] ? 1 : 0;

            if (cut % 3 == 0 && (await lab.Labs.StatusAsync(token)) is not [{ Stage: "standing" }])
            {
                Assert.Null((await lab.Labs.UpAsync(spec, LabScope.Admin, token)).Problem);
            }
            else if (cut % 3 == 1)
            {
                await lab.Labs.RecoverAsync(resume: false, token);
                Assert.All(await lab.Labs.StatusAsync(token), l => Assert.Equal("standing", l.Stage));
            }

            if ((await lab.Labs.StatusAsync(token)).Count > 0)
            {
                await lab.Labs.DownAsync(lab.Name, LabScope.Admin, token);
            }

            Assert.False(NamespaceThread.Exists(spec.A));
            Assert.False(NamespaceThread.Exists(spec.B));
            Assert.Empty(await lab.Labs.StatusAsync(token));
            Assert.Empty(await lab.Get<ChangeService>().RecoverAsync(token));
        }

        Assert.Null(await lab.Get<AuditLog>().VerifyAsync(token));
        TestContext.Current.TestOutputHelper?.WriteLine($"{half} of {s_cuts} cuts left namespaces of an unfinished lab");
    }
}
