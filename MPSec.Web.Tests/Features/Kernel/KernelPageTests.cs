using Bunit;
using Bunit.TestDoubles;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Features.Kernel;
using MPSec.Hosting;
using MPSec.Jobs;
using MPSec.Linux.Processes;
using MPSec.Tests.Components;
using MPSec.Tests.Data;
using MPSec.Tests.Jobs;

namespace MPSec.Tests.Features.Kernel;

/// <summary>The Kernel page with the kernel of this machine.</summary>
public sealed class KernelPageTests : ShellContext
{
    private readonly TempState _state = new();
    private readonly BunitAuthorizationContext _user;
    private JobHost? _host;

    public KernelPageTests()
    {
        var commands = new CommandRunner(TimeProvider.System);
        Services.AddSingleton(new KernelReportService(commands)).AddSingleton<ICommandRunner>(commands).AddSingleton(_state.Folder)
            .AddSingleton(_ => _host!.Engine).AddSingleton(_ => _host!.Feed)
            .AddSingleton(_ => _host!.Services.GetRequiredService<KernelBuildStore>()).AddSingleton(_ => _host!.Services.GetRequiredService<AuditLog>())
            .AddSingleton(_ => _host!.Services.GetRequiredService<KernelBootService>());
        _user = this.AddAuthorization();
    }

    protected override async ValueTask DisposeAsyncCore()
    {
        await base.DisposeAsyncCore();
        _state.Dispose();
    }

    [Theory]
    [InlineData("en", "Mina", "asks first", "Proved in a virtual machine", "Start the build")]
    [InlineData("ko", "Mina", "먼저 묻습니다", "가상 머신에서 증명됨", "빌드 시작")]
    public async Task Page_WithAFailedBuildAndABuiltKernel_ShowsRoadReasonAndProof(string language, string by, string asks, string proved, string start)
    {
        Speak(language);
        await using var host = await HostAsync("Administrator", fails: true);
        var id = await host.Engine.StartAsync("kernel-build", KernelBuildParameters.Usual, JobHost.User(by, "Administrator"), Xunit.TestContext.Current.CancellationToken);
        await host.EndAsync(id);
        await KeepAsync(host, id + 1);
        var page = Render<KernelPage>();
        page.WaitForElement("[data-built]", TimeSpan.FromMinutes(1));
        Assert.Equal(["Failed", "Waiting"], page.FindAll("[data-stage]").Take(2).Select(s => s.GetAttribute("data-state")!));
        Assert.Contains(asks, page.Find("[data-stage=install]").TextContent, StringComparison.Ordinal);
        Assert.Contains("<b>hostile", page.Find("[data-failed]").TextContent, StringComparison.Ordinal);
        Assert.Contains(proved, page.Find("[data-built]").TextContent, StringComparison.Ordinal);
        Assert.Contains("Mbit/s", page.Find("[data-built]").TextContent, StringComparison.Ordinal);
        Assert.Contains(start, page.Find("[data-start]").TextContent, StringComparison.Ordinal);
        foreach (var key in (string[])["Stage_", "Profile_", "WayTo", "BuiltTitle", "FormTitle", "Source_", "Boot_"])
        {
            Assert.DoesNotContain($">{key}", page.Markup, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Form_WrongInput_NamesTheFieldAndStartsNothing()
    {
        Speak("en");
        await using var host = await HostAsync("Administrator", fails: true);
        var page = Render<KernelBuildForm>();
        page.Find("#kb-jobs").Change("many");
        await page.Find("form").SubmitAsync();
        page.WaitForAssertion(() => Assert.StartsWith("jobs:", page.Find("[data-fault]").TextContent, StringComparison.Ordinal));
        page.Find("#kb-jobs").Change("");
        page.Find("#kb-fragment").Input("CONFIG_A=y\nCONFIG_B=$(reboot)");
        page.WaitForAssertion(() => Assert.StartsWith("line 2:", page.Find("[data-fragment]").TextContent, StringComparison.Ordinal));
        await page.Find("form").SubmitAsync();
        page.WaitForAssertion(() => Assert.StartsWith("fragment: line 2:", page.Find("[data-fault]").TextContent, StringComparison.Ordinal));
        Assert.Empty(await host.Engine.ListAsync(null, null, null, 10, Xunit.TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Form_ForAViewer_CannotStart()
    {
        Speak("en");
        await using var host = await HostAsync("Viewer", fails: true);
        Assert.True(Render<KernelBuildForm>().Find("[data-start]").HasAttribute("disabled"));
    }

    private static async Task KeepAsync(JobHost host, long run)
    {
        var store = host.Services.GetRequiredService<KernelBuildStore>();
        var work = host.Services.GetRequiredService<StateFolder>().KernelWork(run);
        Directory.CreateDirectory(work);
        Directory.CreateDirectory(host.Services.GetRequiredService<StateFolder>().KernelsFolder);
        await File.WriteAllTextAsync(Path.Combine(work, "linux-image-6.9.1-mpsec2_1_amd64.deb"), "x");
        var proof = KernelProofTests.Passed("6.9.1-mpsec2");
        await store.KeepAsync(
            new(run, "6.9.1-mpsec2", "minimal-gateway", new("6.9.1", "/x", "linux-source", "signed", null, null), "", "gcc 12", "Debian", "mina", DateTimeOffset.UnixEpoch, 2, 1654, [new("linux-image-6.9.1-mpsec2_1_amd64.deb", 1, "00")], [new("compile", 60)], proof),
            work, CancellationToken.None);
    }

    private async Task<JobHost> HostAsync(string role, bool fails)
    {
        _host = await JobHost.StartAsync(_state.Folder, workers: true, services => services.AddMPSecChanges().AddSingleton<KernelBuildStore>().AddKernelBoot().AddSingleton<IJobKind>(new FailingBuild(fails)));
        _user.SetAuthorized("mina").SetRoles(role);
        return _host;
    }

    /// <summary>The steps of a build, the first of which fails.</summary>
    private sealed class FailingBuild(bool fails) : IJobKind
    {
        public string Key => "kernel-build";

        public Type Texts => typeof(KernelTexts);

        public string TitleKey => "BuildTitle";

        public IReadOnlyList<JobStep> Steps { get; } =
            [.. new[] { "preflight", "source", "configure", "compile", "package", "prove", "keep" }.Select(k => new JobStep(k, "StepCompile", _ => fails ? throw new JobFailedException("the disk is <b>hostile") : Task.CompletedTask))];

        public bool Resumable => true;

        public JobLane Lane => JobLane.Chores;

        public int MostAtOnce => 1;

        public IReadOnlyList<string> Roles => ["Administrator"];

        public Type ParameterType => typeof(KernelBuildParameters);

        public string? Check(object parameters) => (parameters as KernelBuildParameters)?.Check();
    }

    [Theory]
    [InlineData("en", "Multipath TCP v1", "netem")]
    [InlineData("ko", "다중 경로 TCP v1", "netem")]
    public async Task Page_OfThisMachine_HasEveryFeatureWithItsState(string language, string first, string filter)
    {
        Speak(language);
        await using var host = await HostAsync("Viewer", fails: false);
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
