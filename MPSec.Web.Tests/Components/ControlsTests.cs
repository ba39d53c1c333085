using Bunit;
using Microsoft.AspNetCore.Components;
using MPSec.Components.Controls;
using Microsoft.Extensions.DependencyInjection;
using MudBlazor;

namespace MPSec.Tests.Components;

public sealed class ControlsTests : ShellContext
{
    [Theory]
    [InlineData(StateKind.Up, "en", "Up", "ok")]
    [InlineData(StateKind.Down, "en", "Down", "bad")]
    [InlineData(StateKind.Degraded, "ko", "주의", "warn")]
    [InlineData(StateKind.InClear, "ko", "평문", "bad")]
    [InlineData(StateKind.Unknown, "ko", "알 수 없음", "unknown")]
    public void StateChip_Kind_HasIconWordAndColour(StateKind kind, string language, string word, string css)
    {
        Speak(language);
        var chip = Render<StateChip>(p => p.Add(c => c.Kind, kind));
        Assert.Equal(word, chip.Find("span").TextContent.Trim());
        Assert.Contains(css, chip.Find("span").ClassList);
        Assert.NotNull(chip.Find("svg path"));
    }

    [Theory]
    [InlineData("en")]
    [InlineData("ko")]
    public void StateChip_EveryKind_HasAWord(string language)
    {
        Speak(language);
        foreach (var kind in Enum.GetValues<StateKind>())
        {
            var text = Render<StateChip>(p => p.Add(c => c.Kind, kind)).Find("span").TextContent;
            Assert.DoesNotContain("State_", text);
        }
    }

    [Theory]
    [InlineData(1, "p1")]
    [InlineData(8, "p8")]
    [InlineData(9, "p1")]
    [InlineData(17, "p1")]
    [InlineData(0, "cpu")]
    public void PathBadge_Number_KeepsItsNumberAndTakesAColour(int number, string css)
    {
        var badge = Render<PathBadge>(p => p.Add(b => b.Number, number).Add(b => b.Name, "<b>x</b>"));
        Assert.Contains(css, badge.Find("span").ClassList);
        Assert.Equal(number.ToString(System.Globalization.CultureInfo.InvariantCulture), badge.Find("span").GetAttribute("data-n"));
        Assert.Equal("<b>x</b>", badge.Find("span").TextContent);
    }

    [Fact]
    public void MpIcons_EveryName_HasAShapeAndUnknownOnesToo()
    {
        Assert.All(MpIcons.Names, n => Assert.NotEmpty(MpIcons.Find(n).Outline));
        Assert.Same(MpIcons.Find("unknown"), MpIcons.Find("no such icon"));
    }

    [Fact]
    public void Segmented_Click_RaisesOnlyForAnotherChoice()
    {
        var chosen = new List<string>();
        var segmented = Render<Segmented<string>>(p => p
            .Add(s => s.Choices, [new("up", "IP Up"), new("down", "IP Down"), new("no", "No", Disabled: true, Hint: "why")])
            .Add(s => s.Value, "up").Add(s => s.Label, "path1").Add(s => s.ValueChanged, chosen.Add));
        segmented.FindAll("button")[0].Click();
        segmented.FindAll("button")[1].Click();
        Assert.Equal(["down"], chosen);
        Assert.Equal("true", segmented.FindAll("button")[0].GetAttribute("aria-pressed"));
        Assert.True(segmented.FindAll("button")[2].HasAttribute("disabled"));
    }

    [Theory]
    [InlineData(PanelCondition.Loading, "en", "Waiting for the first data")]
    [InlineData(PanelCondition.Loading, "ko", "첫 데이터를 기다리고 있습니다")]
    [InlineData(PanelCondition.Error, "ko", "다시 시도")]
    [InlineData(PanelCondition.Paused, "ko", "다시 시작")]
    [InlineData(PanelCondition.Paused, "en", "Resume")]
    [InlineData(PanelCondition.Stale, "en", "content")]
    [InlineData(PanelCondition.Ready, "en", "content")]
    [InlineData(PanelCondition.NotAvailable, "en", "title")]
    [InlineData(PanelCondition.NoPermission, "en", "title")]
    [InlineData(PanelCondition.Empty, "en", "title")]
    public void PanelState_Condition_SaysIt(PanelCondition condition, string language, string expected)
    {
        Speak(language);
        var panel = Render<PanelState>(p => p.Add(s => s.Condition, condition).Add(s => s.Title, "title").Add(s => s.Code, "E-1")
            .Add(s => s.At, DateTimeOffset.UnixEpoch).Add(s => s.OnRetry, () => { }).AddChildContent("content"));
        Assert.Contains(expected, panel.Markup);
    }

    [Fact]
    public void PageHead_Pause_TellsTheNewState()
    {
        Speak("en");
        bool? paused = null;
        var head = Render<PageHead>(p => p.Add(h => h.Title, "Multipath").Add(h => h.State, "3 of 4 paths").Add(h => h.StateKind, StateKind.Up)
            .Add(h => h.OnPausedChanged, v => paused = v));
        head.Find("button").Click();
        Assert.True(paused);
        Assert.Equal("Multipath", head.Find("h1").TextContent);
    }

    [Theory]
    [InlineData("en", "updated {0} ago")]
    [InlineData("ko", "{0} 전 갱신")]
    public void RelativeAge_OfAMoment_GivesTheBrowserAgeAndSentence(string language, string sentence)
    {
        Speak(language);
        var age = Render<RelativeAge>(p => p.Add(a => a.At, TimeProvider.System.GetUtcNow().AddSeconds(-5))).Find(".age");
        Assert.InRange(double.Parse(age.GetAttribute("data-age")!, System.Globalization.CultureInfo.InvariantCulture), 5000, 60_000);
        Assert.Equal(sentence, age.GetAttribute("data-age-text"));
        Assert.Equal(4, age.GetAttribute("data-age-units")!.Split('|').Length);
    }

    [Fact]
    public void CommandBlock_HostileLines_StayText()
    {
        Speak("en");
        var block = Render<CommandBlock>(p => p.Add(b => b.Lines, ["ip link show '<img src=x onerror=alert(1)>'", "second"]));
        Assert.Empty(block.FindAll("img"));
        Assert.Equal("ip link show '<img src=x onerror=alert(1)>'\nsecond", block.Find("button").GetAttribute("data-copy"));
    }

    [Fact]
    public async Task ChangeDialog_Irreversible_OpensTheButtonOnlyForTheTypedName()
    {
        Speak("en");
        var provider = Render<MudDialogProvider>();
        var dialogs = Services.GetRequiredService<IDialogService>();
        Task<bool>? answer = null;
        await provider.InvokeAsync(() => { answer = ChangeDialog.AskAsync(dialogs, new("Delete the lab demo?", "Gone for good.", "Delete lab demo", DangerLevel.Irreversible)
        {
            TypedName = "demo",
            Operations = ["delete demo-a"],
            Inverse = ["none"],
            Commands = ["ip netns delete demo-a"],
        }); });
        provider.WaitForAssertion(() => provider.Find(".dialog .foot"));
        Assert.True(provider.FindAll(".foot button")[1].HasAttribute("disabled"));
        Assert.True(provider.FindAll(".foot button")[1].HasAttribute("data-no-enter"));
        await provider.Find(".dialog input").InputAsync(new ChangeEventArgs { Value = "dem" });
        Assert.True(provider.FindAll(".foot button")[1].HasAttribute("disabled"));
        await provider.Find(".dialog input").InputAsync(new ChangeEventArgs { Value = "demo" });
        await provider.FindAll(".foot button")[1].ClickAsync(new());
        Assert.True(await answer!);
    }

    [Fact]
    public async Task ChangeDialog_Cancel_IsNo()
    {
        Speak("ko");
        var provider = Render<MudDialogProvider>();
        var dialogs = Services.GetRequiredService<IDialogService>();
        Task<bool>? answer = null;
        await provider.InvokeAsync(() => { answer = ChangeDialog.AskAsync(dialogs, new("?", "x", "path3 IPsec 켜기", DangerLevel.Disturbs)); });
        provider.WaitForAssertion(() => provider.Find(".dialog .foot"));
        Assert.Equal("취소", provider.FindAll(".foot button")[0].TextContent);
        Assert.False(provider.FindAll(".foot button")[1].HasAttribute("data-no-enter"));
        await provider.FindAll(".foot button")[0].ClickAsync(new());
        Assert.False(await answer!);
    }
}
