using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Changes.Kernel;
using MPSec.Features.Network;
using MPSec.Linux.Values;
using MPSec.Tests.Changes;
using MPSec.Tests.Data;

namespace MPSec.Tests.Features.Network;

public sealed class ConfigurationVersionsTests : IAsyncDisposable
{
    private static readonly ChangeActor s_ada = new("ada", ChangeRole.Administrator);
    private static readonly ChangeActor s_bob = new("bob", ChangeRole.Administrator);
    private static readonly GatewayName s_host = GatewayName.Host;
    private readonly TempState _state = new();
    private readonly FakeKernel _kernel = new();
    private ServiceProvider? _services;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private NetworkConfigurationService Versions => Get<NetworkConfigurationService>();

    private ChangeService Changes => Get<ChangeService>();

    public async ValueTask DisposeAsync()
    {
        if (_services is not null)
        {
            await _services.DisposeAsync();
        }

        _state.Dispose();
    }

    [Fact]
    public async Task RunAsync_EditedDocument_IsVersionOneWithWhoAndWhatAndTellsOnce()
    {
        await StartAsync();
        var told = new List<GatewayName>();
        Versions.Changed += told.Add;

        var report = await Changes.RunAsync(Edit("1", 0), s_ada, Token);

        await UntilAsync(() => told.Count == 1);
        var saved = (await Versions.CurrentAsync(s_host, Token))!;
        Assert.Equal((1, "ada", "test", report.Id), (saved.Version, saved.About.Actor, saved.About.TitleCode, saved.About.ChangeId));
        Assert.Equal("1", saved.Document.Settings["net.a"]);
        Assert.Equal("LTE", Versions.NameOf(s_host, "eth0"));
        Assert.Null(Versions.NameOf(s_host, "eth1"));
        Assert.Equal([s_host], told);
    }

    [Fact]
    public async Task RunAsync_PlanThatDoesNotSayHow_IsFoldedIntoTheSavedDocument()
    {
        await StartAsync();
        await Changes.RunAsync(Edit("1", null), s_ada, Token);
        await Changes.RunAsync(Plan("net.b", "7") with { Configuration = new() }, s_bob, Token);
        await Changes.RunAsync(Plan("net.c", "7"), s_bob, Token); // may be forgotten
        var saved = (await Versions.CurrentAsync(s_host, Token))!;
        Assert.Equal((2, "bob"), (saved.Version, saved.About.Actor));
        Assert.Equal([("net.a", "1"), ("net.b", "7")], saved.Document.Settings.Select(s => (s.Key, s.Value)));
        Assert.Equal("LTE", Assert.Single(saved.Document.Paths).Name);
    }

    [Fact]
    public async Task RunAsync_BasedOnAnOlderVersion_IsRefusedWithWhoSavedWhichAndNothingIsDone()
    {
        await StartAsync();
        await Changes.RunAsync(Edit("1", 0), s_ada, Token);

        var refused = await Assert.ThrowsAsync<ChangeException>(() => Changes.RunAsync(Edit("2", 0), s_bob, Token));

        Assert.Equal(ChangeFault.Outdated, refused.Fault);
        Assert.Matches("^configuration of gateway host: ada saved version 1 at \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d UTC, and this edit is based on version 0; nothing was overwritten, compare the two and repeat the edit$", refused.Message);
        Assert.Equal("1", _kernel.Values["net.a"]);
        Assert.Null(await Get<ChangeJournal>().PendingAsync(Token));
        await Changes.RunAsync(Edit("2", 1), s_bob, Token);
        Assert.Equal(2, (await Versions.CurrentAsync(s_host, Token))!.Version);
    }

    [Fact]
    public async Task RunAsync_ManyEditorsAtOnce_ExactlyOneWins()
    {
        await StartAsync();
        for (var round = 0; round < 5; round++)
        {
            var results = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => Task.Run(async () =>
            {
                try
                {
                    await (i % 3 == 0
                        ? Versions.SaveWithoutChangeAsync(s_host, Document("0") with { Paths = [new() { Interface = InterfaceName.Parse("eth0"), Name = $"name {round} {i}" }], Settings = (await CurrentSettingsAsync()) }, round, new($"editor{i}", ChangeRole.Administrator), cancellationToken: Token)
                        : (Task)Changes.RunAsync(Edit($"{round}{i}", round), new($"editor{i}", ChangeRole.Administrator), Token));
                    return (Won: true, Fault: (ChangeFault?)null);
                }
                catch (ChangeException e)
                {
                    return (false, e.Fault);
                }
            })));
            Assert.Single(results, r => r.Won);
            Assert.All(results.Where(r => !r.Won), r => Assert.Contains(r.Fault!.Value, (ChangeFault[])[ChangeFault.Outdated, ChangeFault.Busy]));
            Assert.Equal(round + 1, (await Versions.CurrentAsync(s_host, Token))!.Version);
        }
    }

    [Fact]
    public async Task RunAsync_ChangeThatFails_LeavesTheVersionBefore()
    {
        await StartAsync();
        await Changes.RunAsync(Edit("1", 0), s_ada, Token);
        _kernel.Before = o => throw new ChangeException(ChangeFault.Refused, "no");
        await Assert.ThrowsAsync<ChangeException>(() => Changes.RunAsync(Edit("2", 1), s_ada, Token));
        Assert.Equal(1, (await Versions.CurrentAsync(s_host, Token))!.Version);
        Assert.Single(await Versions.HistoryAsync(s_host, 10, Token));
        _kernel.Before = _ => { };
        await Changes.RunAsync(Edit("3", 1), s_ada, Token);
        Assert.Equal([2, 1], (await Versions.HistoryAsync(s_host, 10, Token)).Select(v => v.Version));
    }

    [Fact]
    public async Task ApplyCheckedAsync_Version_CountsOnlyWhenConfirmed()
    {
        await StartAsync();
        await Changes.RunAsync(Edit("1", 0), s_ada, Token);
        var pending = await Changes.ApplyCheckedAsync(Edit("2", 1), s_ada, null, Token);
        Assert.Equal(1, (await Versions.CurrentAsync(s_host, Token))!.Version);

        var renamed = Document("1") with { Paths = [new() { Interface = InterfaceName.Parse("eth0"), Name = "5G" }] };
        Assert.Equal(ChangeFault.Busy, (await Assert.ThrowsAsync<ChangeException>(() => Versions.SaveWithoutChangeAsync(s_host, renamed, 1, s_bob, cancellationToken: Token))).Fault);

        await Changes.RollbackAsync(pending.Id, s_ada, Token);
        Assert.Equal(1, (await Versions.CurrentAsync(s_host, Token))!.Version);
        pending = await Changes.ApplyCheckedAsync(Edit("2", 1), s_ada, null, Token);
        await Changes.ConfirmAsync(pending.Id, s_ada, Token);
        Assert.Equal((2, "2"), ((await Versions.CurrentAsync(s_host, Token))!.Version, (await Versions.CurrentAsync(s_host, Token))!.Document.Settings["net.a"]));
    }

    [Fact]
    public async Task SaveWithoutChangeAsync_NewName_IsAVersionAndInTheAuditLog()
    {
        await StartAsync();
        await Changes.RunAsync(Edit("1", 0), s_ada, Token);
        var renamed = Document("1") with { Paths = [new() { Interface = InterfaceName.Parse("eth0"), Name = "5G" }] };

        var version = await Versions.SaveWithoutChangeAsync(s_host, renamed, 1, s_bob, cancellationToken: Token);

        Assert.Equal((2, "bob", null), (version.Version, version.Actor, version.ChangeId));
        Assert.Equal("5G", Versions.NameOf(s_host, "eth0"));
        Assert.Equal(("bob", "network.save", "[2]"), (await Get<AuditLog>().RecentAsync(1, Token))[0] is var line ? (line.Actor, line.Verb, line.Arguments) : default);
        Assert.Equal(ChangeFault.NotPermitted, (await Assert.ThrowsAsync<ChangeException>(() => Versions.SaveWithoutChangeAsync(s_host, renamed, 2, new("olga", ChangeRole.Operator), cancellationToken: Token))).Fault);
        Assert.Equal(ChangeFault.Outdated, (await Assert.ThrowsAsync<ChangeException>(() => Versions.SaveWithoutChangeAsync(s_host, Document("1"), 1, s_ada, cancellationToken: Token))).Fault);
        Assert.Equal(ChangeFault.Invalid, (await Assert.ThrowsAsync<ChangeException>(() => Versions.SaveWithoutChangeAsync(s_host, renamed with { Version = 9 }, 2, s_ada, cancellationToken: Token))).Fault);
    }

    [Fact]
    public async Task RunAsync_MoreThanTwoHundredVersions_KeepsTheNewest()
    {
        await StartAsync();
        await using (var context = TempState.Context(_services!))
        {
            context.AddRange(Enumerable.Range(1, NetworkConfiguration.MostVersions).Select(i => new NetworkConfiguration
            {
                Gateway = "host",
                Version = i,
                Document = Document($"{i}").ToJson(),
                Actor = "ada",
                TitleCode = "test",
                TitleArguments = "[]",
            }));
            await context.SaveChangesAsync(Token);
        }

        await Changes.RunAsync(Edit("new", NetworkConfiguration.MostVersions), s_ada, Token);

        var history = await Versions.HistoryAsync(s_host, 1000, Token);
        Assert.Equal((NetworkConfiguration.MostVersions, 201, 2), (history.Count, history[0].Version, history[^1].Version));
        Assert.Null(await Versions.FindAsync(s_host, 1, Token));
    }

    [Fact]
    public async Task RunAsync_SameDocumentAgain_IsNoNewVersion()
    {
        await StartAsync();
        await Changes.RunAsync(Edit("1", 0), s_ada, Token);
        await Changes.RunAsync(Edit("1", 1), s_bob, Token);
        Assert.Equal((1, "ada"), ((await Versions.CurrentAsync(s_host, Token))!.Version, (await Versions.CurrentAsync(s_host, Token))!.About.Actor));
    }

    [Theory]
    [InlineData("{", "file: ")]
    [InlineData("""{ "version": 1, "paths": [ { "interface": "a", "mtu": 1 } ] }""", "path a: mtu 1")]
    public async Task RunAsync_DocumentWithAFault_IsRefusedBeforeAnythingIsDone(string json, string sentence)
    {
        await StartAsync();
        var refused = await Assert.ThrowsAsync<ChangeException>(() => Changes.RunAsync(Plan("net.a", "1") with { Configuration = new(json) }, s_ada, Token));
        Assert.Equal(ChangeFault.Invalid, refused.Fault);
        Assert.StartsWith(sentence, refused.Message, StringComparison.Ordinal);
        Assert.Equal("0", _kernel.Values["net.a"]);
        Assert.Empty(await Versions.GatewaysAsync(Token));
    }

    [Fact]
    public async Task RefreshAsync_VersionOfAnotherProcess_IsTold()
    {
        await StartAsync();
        Assert.Null(Versions.NameOf(s_host, "eth0"));
        var told = 0;
        Versions.Changed += _ => told++;
        await using (var other = Build())
        {
            await other.GetRequiredService<ChangeService>().RunAsync(Edit("1", 0), s_ada, Token);
        }

        await Versions.RefreshAsync(Token);
        await Versions.RefreshAsync(Token);
        Assert.Equal((1, "LTE"), (told, Versions.NameOf(s_host, "eth0")));
    }

    [Fact]
    public async Task DiffAsync_TwoVersions_TellsFieldsAndTexts()
    {
        await StartAsync();
        await Changes.RunAsync(Edit("1", 0), s_ada, Token);
        await Changes.RunAsync(Edit("2", 1), s_ada, Token);
        var diff = await Versions.DiffAsync(s_host, 1, 2, Token);
        Assert.Equal(new NetworkDiffLine(NetworkDiffKind.Changed, null, "setting", "net.a", "1", "2"), Assert.Single(diff.Lines));
        Assert.StartsWith("--- version 1\n+++ version 2\n@@ -9,6 +9,6 @@\n", diff.Text, StringComparison.Ordinal);
        Assert.Contains("\n-    \"net.a\": \"1\"\n+    \"net.a\": \"2\"\n", diff.Text, StringComparison.Ordinal);
        Assert.Equal(ChangeFault.NotFound, (await Assert.ThrowsAsync<ChangeException>(() => Versions.DiffAsync(s_host, 1, 7, Token))).Fault);
    }

    private static NetworkDocument Document(string value) => NetworkDocument.Empty with
    {
        Paths = [new() { Interface = InterfaceName.Parse("eth0"), Name = "LTE" }],
        Settings = NetworkDocument.Empty.Settings.Add("net.a", value),
    };

    private static ChangePlan Plan(string key, string value) => new() { TitleCode = "test", TitleArguments = ["host"], Operations = [new WriteSysctl(s_host, SysctlKey.Parse(key), value)] };

    private static ChangePlan Edit(string value, int? baseVersion) => Plan("net.a", value) with { Configuration = new(Document(value).ToJson(), baseVersion) };

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (var i = 0; i < 600 && !condition(); i++)
        {
            await Task.Delay(50, Token);
        }

        Assert.True(condition());
    }

    private async Task<System.Collections.Immutable.ImmutableSortedDictionary<string, string>> CurrentSettingsAsync() => (await Versions.CurrentAsync(s_host, Token))?.Document.Settings ?? NetworkDocument.Empty.Settings;

    private ServiceProvider Build() => _state.Build(Add);

    private void Add(IServiceCollection services) => services.AddSingleton(TimeProvider.System).AddMPSecChanges().AddNetworkConfigurations()
        .AddSingleton<FakeDeadMan>().AddSingleton<IDeadManStart>(p => p.GetRequiredService<FakeDeadMan>()).AddSingleton<IHostKernel>(_kernel);

    private async Task StartAsync()
    {
        _services = await _state.StartAsync(Add);
        await Get<GatewayModes>().SetAsync(s_host, GatewayMode.Managed, s_ada, Token);
    }

    private T Get<T>()
        where T : notnull => _services!.GetRequiredService<T>();
}
