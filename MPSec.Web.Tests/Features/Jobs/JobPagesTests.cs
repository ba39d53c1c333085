using System.Globalization;
using Bunit;
using MPSec.Components;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Features.Jobs;
using MPSec.Features.Kernel;
using MPSec.Jobs;
using MPSec.Tests.Data;
using MPSec.Tests.Jobs;
using MudBlazor.Services;

namespace MPSec.Tests.Features.Jobs;

/// <summary>The pages in both languages on real rows, without a browser.</summary>
public sealed class JobPagesTests : BunitContext, IAsyncLifetime
{
    private readonly TempState _state = new();
    private readonly CultureInfo _before = CultureInfo.CurrentUICulture;
    private JobHost? _host;

    private static CancellationToken Token => Xunit.TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _host = await JobHost.StartAsync(_state.Folder, workers: true, new TitledKind());
        JSInterop.Mode = JSRuntimeMode.Loose;
        Services.AddLogging().AddLocalization().AddSingleton<Sentences>().AddMudServices();
        Services.AddSingleton(TimeProvider.System).AddSingleton(_host.Engine).AddSingleton(_host.Feed).AddScoped<JobTitles>().AddScoped<JobActions>();
    }

    public new async ValueTask DisposeAsync()
    {
        CultureInfo.CurrentUICulture = _before;
        await base.DisposeAsync();
        await (_host?.DisposeAsync() ?? ValueTask.CompletedTask);
        _state.Dispose();
    }

    [Theory]
    [InlineData("en", "Set up packages", "Failed", "Failed: it broke; mend it", "Asked for by mina", "Run again")]
    [InlineData("ko", "패키지(package) 설치", "실패", "실패: it broke; mend it", "요청자 mina", "다시 실행")]
    public async Task Run_Failed_IsToldInTheReadersLanguage(string language, string title, string state, string sentence, string mark, string again)
    {
        CultureInfo.CurrentUICulture = CultureInfo.GetCultureInfo(language);
        this.AddAuthorization().SetAuthorized("mina").SetRoles("Administrator");
        var id = await _host!.Engine.StartAsync("titled", new NoJobParameters(), JobHost.Admin, Token);
        await _host.EndAsync(id);

        var list = Render<JobsPage>();
        list.WaitForAssertion(() => Assert.Contains(title, list.Find($"tr[data-run='{id}']").TextContent, StringComparison.Ordinal));
        Assert.Contains(state, list.Find(".chip").TextContent, StringComparison.Ordinal);
        Assert.NotNull(list.Find("[data-start=titled]"));

        var page = Render<JobRunPage>(parameters => parameters.Add(p => p.Id, id));
        page.WaitForAssertion(() => Assert.Contains(sentence, page.Find("[role=alert]").TextContent, StringComparison.Ordinal));
        Assert.Contains(mark, page.Markup, StringComparison.Ordinal);
        Assert.Contains(again, page.Markup, StringComparison.Ordinal);
        Assert.Single(page.FindAll(".steps li.failed"));
    }

    [Fact]
    public async Task Run_LookedAtByViewer_HasNoButtons()
    {
        this.AddAuthorization().SetAuthorized("vera").SetRoles("Viewer");
        var id = await _host!.Engine.StartAsync("titled", new NoJobParameters(), JobHost.Admin, Token);
        await _host.EndAsync(id);
        var list = Render<JobsPage>();
        Assert.Empty(list.FindAll("[data-start]"));
        var page = Render<JobRunPage>(parameters => parameters.Add(p => p.Id, id));
        page.WaitForAssertion(() => Assert.NotNull(page.Find(".steps")));
        Assert.Empty(page.FindAll(".acts button"));
    }

    [Fact]
    public void Run_UnknownNumber_SaysSo()
    {
        this.AddAuthorization().SetAuthorized("vera").SetRoles("Viewer");
        var page = Render<JobRunPage>(parameters => parameters.Add(p => p.Id, 4711));
        page.WaitForAssertion(() => Assert.Contains("4711", page.Find(".panel-state").TextContent, StringComparison.Ordinal));
    }

    private sealed class TitledKind : IJobKind
    {
        public string Key => "titled";

        public Type Texts => typeof(SetUpPackagesTexts);

        public string TitleKey => "Title";

        public IReadOnlyList<JobStep> Steps { get; } = [new("check", "StepCheck", _ => throw new JobFailedException("it broke; mend it"))];

        public bool Resumable => false;

        public JobLane Lane => JobLane.Chores;

        public int MostAtOnce => 1;

        public IReadOnlyList<string> Roles => ["Administrator"];

        public object UsualParameters => new NoJobParameters();
    }
}
