using Bunit;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Features.Kernel;
using MPSec.Linux.Processes;
using MPSec.Tests.Components;

namespace MPSec.Tests.Features.Kernel;

/// <summary>The Kernel page with the kernel of this machine.</summary>
public sealed class KernelPageTests : ShellContext
{
    public KernelPageTests() => Services.AddSingleton(new KernelReportService(new CommandRunner(TimeProvider.System)));

    [Theory]
    [InlineData("en", "Multipath TCP v1", "netem")]
    [InlineData("ko", "다중 경로 TCP v1", "netem")]
    public void Page_OfThisMachine_HasEveryFeatureWithItsState(string language, string first, string filter)
    {
        Speak(language);
        var page = Render<KernelPage>();
        page.WaitForElement("[data-features]", TimeSpan.FromMinutes(1));

        var rows = page.FindAll("tr[data-feature]");
        Assert.Equal(KernelFeatureTable.All.Select(f => f.Key), rows.Select(r => r.GetAttribute("data-feature")!));
        Assert.StartsWith(first, rows[0].QuerySelector("td")!.TextContent, StringComparison.Ordinal);
        Assert.All(rows, row => Assert.All(row.QuerySelectorAll("td"), cell => Assert.False(string.IsNullOrWhiteSpace(cell.TextContent))));
        Assert.DoesNotContain("Feature_", page.Markup, StringComparison.Ordinal);
        Assert.DoesNotContain("Verdict_", page.Markup, StringComparison.Ordinal);
        Assert.Contains(File.ReadAllText("/proc/sys/kernel/osrelease").Trim(), page.Find(".live-state").TextContent, StringComparison.Ordinal);

        page.Find("input[type=search]").Input(filter);
        page.WaitForAssertion(() => Assert.Equal(["netem"], page.FindAll("tr[data-feature]").Select(r => r.GetAttribute("data-feature")!)));
        page.Find("input[type=search]").Input("no such word");
        page.WaitForAssertion(() => Assert.Empty(page.FindAll("tr[data-feature]")));
    }
}
