using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using MPSec.Data;
using MPSec.Features.Kernel;
using MPSec.Tests.Data;
using MPSec.Tests.Features.Kernel;

namespace MPSec.Tests.Browser;

[Collection(nameof(BrowserTests))]
public sealed class KernelPageTests(BrowserFixture fixture)
{
    [Theory]
    [InlineData(1440, "light", "en")]
    [InlineData(1440, "dark", "ko")]
    [InlineData(390, "light", "ko")]
    public async Task Page_OfThisMachine_ShowsItsKernel(int width, string theme, string language)
    {
        LongProofs.SkipUsually(width == 390 || theme == "light");
        await using var page = await fixture.OpenAsync(new(width, width == 390 ? 844 : 1000, theme, language), "/kernel");
        await Assertions.Expect(page.Page.Locator("tr[data-feature]")).ToHaveCountAsync(KernelFeatureTable.All.Length);
        Assert.Equal(1, await page.Page.Locator(".drawer a[href*=kernel]").CountAsync());
        await page.Page.Locator(".filter input").FillAsync("netem");
        await Assertions.Expect(page.Page.Locator("tr[data-feature]")).ToHaveCountAsync(1);
        await page.Page.Locator(".filter input").FillAsync("");
        await page.ShotAsync($"kernel-{width}-{theme}-{language}");
        await page.AssertAccessibleAsync();
    }

    [Fact]
    public async Task Build_FromTheForm_IsFollowedOnThePageToItsEnd()
    {
        KernelBuildCrashTests.Skip();
        using var state = new TempState();
        Directory.CreateDirectory(state.Root);
        var archive = FakeKernelTree.Write(state.Root, state.Root, 0.6);
        await using var page = await fixture.OpenAsync(new(1440, 1000), "/kernel");
        var open = page.Page.Locator("[data-open]");
        await Assertions.Expect(open.Or(page.Page.Locator("[data-kernel-form]"))).ToBeVisibleAsync();
        if (await open.CountAsync() > 0)
        {
            await open.ClickAsync();
        }

        // A wrong version is found before anything is unpacked, and told on the page.
        await FillAsync(page, archive, "6.9.2");
        await Assertions.Expect(page.Page.Locator("[data-failed]")).ToContainTextAsync("6.9.2");
        await page.ShotAsync("kernel-failed");
        await FillAsync(page, archive, FakeKernelTree.Version);
        var compile = page.Page.Locator("[data-stage=compile]");
        await Assertions.Expect(compile).ToHaveAttributeAsync("data-state", "Now");
        await Assertions.Expect(page.Page.Locator(".now-row")).ToContainTextAsync("of 40 objects");
        await Assertions.Expect(page.Page.Locator(".lines")).ToContainTextAsync("part/o");
        await page.AssertAccessibleAsync();
        foreach (var look in (BrowserLook[])[new(1440, 1000), new(1440, 1000, "dark", "ko"), new(390, 844, "light", "ko"), new(390, 844, "dark")])
        {
            await using var other = await fixture.OpenAsync(look, "/kernel");
            await Assertions.Expect(other.Page.Locator("[data-stage=compile]")).ToBeVisibleAsync();
            await other.ShotAsync($"kernel-building-{look.Width}-{look.Theme}-{look.Language}");
        }

        await Assertions.Expect(page.Page.Locator("[data-built]").First).ToContainTextAsync("6.9.1-mpsec", new() { Timeout = 120_000 });
        await Assertions.Expect(page.Page.Locator("[data-stage=prove]")).ToHaveAttributeAsync("data-state", "LeftOut");
        var kernel = fixture.App.Services.GetRequiredService<KernelBuildStore>().All()[0];
        var answer = await page.Page.APIRequest.GetAsync($"{fixture.Url}/api/v1/kernel/built/{kernel.Run}/{kernel.ImagePackage}");
        Assert.Equal((200, kernel.Files.First(f => f.Name == kernel.ImagePackage).Bytes), (answer.Status, (await answer.BodyAsync()).LongLength));
        Assert.Equal(404, (await page.Page.APIRequest.GetAsync($"{fixture.Url}/api/v1/kernel/built/{kernel.Run}/..%2fprovenance.json")).Status);
        await page.ShotAsync("kernel-built");
    }

    [Theory]
    [InlineData(1440, "light", "en", "checked that it is the distribution's own")]
    [InlineData(1440, "dark", "ko", "배포판의 패키지이며")]
    [InlineData(390, "light", "ko", "배포판의 패키지이며")]
    public async Task Proof_OfAKernelThatWasBuilt_IsShownWithEveryCheck(int width, string theme, string language, string vouched)
    {
        LongProofs.SkipUsually(width == 390 || theme == "light");
        var file = await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "Fixtures/Kernels/built-6.12.117.json"), TestContext.Current.CancellationToken);
        var kernel = JsonSerializer.Deserialize<KernelProvenance>(file, JsonSerializerOptions.Web)!;
        var (store, folder) = (fixture.App.Services.GetRequiredService<KernelBuildStore>(), fixture.App.Services.GetRequiredService<StateFolder>());
        Directory.CreateDirectory(folder.KernelsFolder);
        Directory.CreateDirectory(folder.KernelWork(kernel.Run));
        foreach (var made in kernel.Files)
        {
            await File.WriteAllTextAsync(Path.Combine(folder.KernelWork(kernel.Run), made.Name), "", TestContext.Current.CancellationToken);
        }

        await store.KeepAsync(kernel, folder.KernelWork(kernel.Run), TestContext.Current.CancellationToken);
        try
        {
            await using var page = await fixture.OpenAsync(new(width, width == 390 ? 844 : 1000, theme, language), "/kernel");
            var built = page.Page.Locator($"[data-built='{kernel.Release}']");
            await built.Locator("summary").First.ClickAsync();
            await Assertions.Expect(built.Locator("[data-proof] tr")).ToHaveCountAsync(kernel.Proof!.Checks.Length - 1);
            await Assertions.Expect(built.Locator("summary").First).ToContainTextAsync("37");
            await Assertions.Expect(built).ToContainTextAsync(vouched);
            await page.ShotAsync($"kernel-proof-{width}-{theme}-{language}");
            await page.AssertAccessibleAsync();
        }
        finally
        {
            store.Remove(kernel.Run);
            Directory.Delete(folder.KernelWork(kernel.Run), recursive: true);
        }
    }

    private static async Task FillAsync(BrowserPage page, string archive, string version)
    {
        await page.Page.Locator("[data-kernel-form] .seg button").Last.ClickAsync();
        await page.Page.Locator("#kb-file").FillAsync(archive);
        await page.Page.Locator("#kb-version").FillAsync(version);
        await page.Page.Locator("#kb-jobs").FillAsync("1");
        if (!await page.Page.Locator("[data-kernel-form] details").EvaluateAsync<bool>("d => d.open"))
        {
            await page.Page.Locator("[data-kernel-form] summary").ClickAsync();
        }

        foreach (var box in await page.Page.Locator("[data-kernel-form] input[type=checkbox]").AllAsync())
        {
            await box.SetCheckedAsync(await box.EvaluateAsync<bool>("b => !['keep', 'rpm'].includes(b.name)"));
        }

        await page.Page.Locator("[data-start]").ClickAsync();
    }
}
