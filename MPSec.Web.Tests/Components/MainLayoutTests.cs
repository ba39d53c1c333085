using Bunit;
using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Components;
using MPSec.Components.Layout;

namespace MPSec.Tests.Components;

public sealed class MainLayoutTests : ShellContext
{
    public MainLayoutTests()
    {
        Services.AddSingleton(new MenuEntry(MenuOrder.Jobs, "jobs", "jobs", typeof(UiTexts), "JobsWord", s => s.RunningJobs));
        Services.AddSingleton(new MenuEntry(MenuOrder.Overview, "", "overview", typeof(UiTexts), "Pages"));
        this.AddAuthorization().SetAuthorized("mina.jung").SetRoles("Operator");
    }

    [Fact]
    public void Menu_WithGateway_KeepsItOnEveryLinkInOrder()
    {
        Speak("en");
        Services.GetRequiredService<NavigationManager>().NavigateTo("jobs/12?gateway=lab-a");
        var layout = Render<MainLayout>();
        var links = layout.FindAll(".drawer a");
        Assert.Equal(["./?gateway=lab-a", "jobs?gateway=lab-a"], links.Select(l => l.GetAttribute("href")));
        Assert.Equal("page", links[1].GetAttribute("aria-current"));
        Assert.Null(links[0].GetAttribute("aria-current"));
    }

    [Theory]
    [InlineData("en", "Lab, managed", "Sign out", "Operator")]
    [InlineData("ko", "실험실, 관리 중", "로그아웃", "운영자(Operator)")]
    public void Bar_InLanguage_SaysGatewayAndUser(string language, string kind, string signOut, string role)
    {
        Speak(language);
        Services.GetRequiredService<NavigationManager>().NavigateTo("?gateway=lab-a");
        var layout = Render<MainLayout>();
        Assert.Contains(kind, layout.Find(".switcher").TextContent);
        var menu = layout.Find(".avatar").ParentElement!;
        Assert.Contains(signOut, menu.TextContent);
        Assert.Contains(role, menu.TextContent);
        Assert.Contains("MJ", menu.TextContent);
    }

    [Fact]
    public async Task Badges_ChangedFromAnotherThread_FollowInTheUsersLanguage()
    {
        Speak("ko");
        Shell.RunningJobs = 1;
        var layout = Render<MainLayout>();
        Assert.Equal("1", layout.Find(".drawer .n").TextContent);
        Shell.RunningJobs = 3;
        Task raised;
        using (ExecutionContext.SuppressFlow())
        {
            // Awaited outside: the flow must be restored on the thread that suppressed it.
            raised = Task.Factory.StartNew(Shell.Raise, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }

        await raised;
        layout.WaitForAssertion(() => Assert.Equal("3", layout.Find(".drawer .n").TextContent));
        Assert.Equal("대기 중이거나 실행 중인 작업: 3개", layout.Find("a.tool").GetAttribute("title"));
    }

    [Fact]
    public async Task Dispose_Layout_StopsListening()
    {
        Speak("en");
        Render<MainLayout>();
        Assert.Equal(1, Shell.Listeners);
        await DisposeComponentsAsync();
        Assert.Equal(0, Shell.Listeners);
    }

    [Fact]
    public void Badges_NullCounts_AreNotShown()
    {
        Speak("en");
        var layout = Render<MainLayout>();
        Assert.Empty(layout.FindAll("a.tool"));
        Assert.DoesNotContain("pending", layout.Find(".tools").TextContent);
    }

    [Fact]
    public void Gateway_HostileName_StaysText()
    {
        Speak("en");
        Services.GetRequiredService<NavigationManager>().NavigateTo("?gateway=%3Cscript%3Ealert(1)%3C%2Fscript%3E");
        var layout = Render<MainLayout>();
        Assert.Contains("&lt;script&gt;", layout.Find(".switcher").InnerHtml);
        Assert.Empty(layout.FindAll("script"));
    }

    [Fact]
    public void Body_Throws_ShowsACodeAndKeepsTheShell()
    {
        Speak("en");
        var layout = Render<MainLayout>(p => p.Add(l => l.Body, b => throw new InvalidOperationException("secret detail")));
        Assert.Contains("This page failed", layout.Find("main").TextContent);
        Assert.Matches("E-UI-[0-9A-F]{8}", layout.Find("[data-copy]").GetAttribute("data-copy")!);
        Assert.DoesNotContain("secret detail", layout.Markup);
        Assert.NotNull(layout.Find(".drawer"));
    }
}
