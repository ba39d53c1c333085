using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using MPSec.Changes;
using MPSec.Changes.Kernel;
using MPSec.Data;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Values;
using MPSec.Tests.Data;

namespace MPSec.Tests.Changes;

/// <summary>The resident dead-man and its socket, inside this process, with a clock that the test moves.</summary>
public sealed class DeadManPostTests : IAsyncDisposable
{
    private static readonly ChangeActor s_admin = new("ada", ChangeRole.Administrator);
    private readonly TempState _state = new();
    private readonly FakeKernel _kernel = new();
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(56));
    private readonly FakeBootClock _boot = new();
    private readonly CancellationTokenSource _stop = new();
    private ServiceProvider? _services;
    private Task? _run;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private ChangeService Changes => _services!.GetRequiredService<ChangeService>();

    private string Socket => _state.Folder.DeadManSocket(NamespaceIdentity.OfThisThread(GatewayName.Host).Inode);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        if (_run is not null)
        {
            await UntilAsync(() => _run.IsCompleted);
        }

        if (_services is not null)
        {
            await _services.DisposeAsync();
        }

        foreach (var file in Directory.Exists(_state.Root) ? Directory.GetFiles(_state.Root, "dead-man-*.pid") : [])
        {
            File.Delete(file); // it names this process
        }

        _state.Dispose();
        _stop.Dispose();
    }

    [Fact]
    public async Task Call_NobodyThere_IsFalse() => Assert.False(await DeadManPost.CallAsync(_state.Folder, Guid.NewGuid(), Token));

    [Fact]
    public async Task Run_NextChange_IsGuardedByTheSameOneAndItLeavesWhenNotNeededForLong()
    {
        await StartAsync();
        var run = await RunAsync();

        for (var i = 0; i < 3; i++)
        {
            var change = await OpenAsync();
            Assert.True(await CallAsync(change));
            Assert.True(await Journal.IsGuardedAsync(change, Token));
            await EndAsync(change);
        }

        await AdvanceAsync(DeadMan.Stay - TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(10));
        Assert.False(run.IsCompleted);
        await UntilAsync(() => run.IsCompleted, TimeSpan.FromSeconds(10));
        Assert.True(await run);
        Assert.False(File.Exists(Socket));
        Assert.False(await DeadManPost.CallAsync(_state.Folder, Guid.NewGuid(), Token));
    }

    [Fact]
    public async Task Run_ChangeNotConfirmed_IsUndoneByTheResidentOne()
    {
        await StartAsync();
        await RunAsync();
        _kernel.Values["net.a"] = "1";
        var change = await OpenAsync(milliseconds: 1500);

        Assert.True(await CallAsync(change));
        _boot.Milliseconds += 1500;
        await UntilAsync(() => _kernel.Values["net.a"] == "0");
    }

    [Fact]
    public async Task Run_ToldToEnd_UndoesWhatItGuardsAndGoes()
    {
        await StartAsync();
        var run = await RunAsync(end: false);

        await _stop.CancelAsync();
        await UntilAsync(() => run.IsCompleted);

        Assert.True(await run);
        Assert.Null(await Changes.PendingAsync(Token));
    }

    [Fact]
    public async Task Answer_CallerOfAnotherBuild_GivesUpThePlaceButGuardsOn()
    {
        await StartAsync();
        var run = await RunAsync(end: false);
        var guarded = (await Changes.PendingAsync(Token))!.Id;

        Assert.Equal("other", await SayAsync($"{Guid.NewGuid():N} {Guid.NewGuid():N}-1\n"));
        using (var next = DeadManPost.TryTake(_state.Folder))
        {
            Assert.NotNull(next);
        }

        Assert.False(run.IsCompleted);
        Assert.True(await Journal.IsGuardedAsync(guarded, Token));
        await EndAsync(guarded);
        await UntilAsync(() => run.IsCompleted);
        Assert.True(await run);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    [InlineData("hello\n")]
    [InlineData("00000000000000000000000000000000\n")]
    [InlineData("x y z\n")]
    public async Task Answer_Nonsense_IsIgnored(string text)
    {
        await StartAsync();
        await RunAsync();

        Assert.Equal("", await SayAsync(text));

        Assert.True(await CallAsync(await OpenAsync()));
    }

    [Fact]
    public async Task Answer_ChangeThatHasEnded_IsNotTaken()
    {
        await StartAsync();
        await RunAsync();
        Assert.False(await DeadManPost.CallAsync(_state.Folder, Guid.NewGuid(), Token));
    }

    [Fact]
    public async Task TryTake_PlaceIsTaken_GetsNothingAndLeavesTheSocketAlone()
    {
        await StartAsync();
        using var first = DeadManPost.TryTake(_state.Folder);
        Assert.NotNull(first);

        Assert.Null(DeadManPost.TryTake(_state.Folder));

        Assert.True(first.IsStanding);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Socket));
    }

    [Fact]
    public async Task TryTake_SocketOfAKilledOne_IsReplaced()
    {
        await StartAsync();
        File.WriteAllText(Socket, "");
        Assert.False(await DeadManPost.CallAsync(_state.Folder, Guid.NewGuid(), Token));

        using var post = DeadManPost.TryTake(_state.Folder);

        Assert.NotNull(post);
    }

    [Fact]
    public async Task TryTake_FolderWithALongName_Works()
    {
        await StartAsync();
        var folder = new StateFolder(Path.Combine(_state.Root, new string('x', 120), new string('y', 120)));
        Directory.CreateDirectory(folder.Root);
        using var post = DeadManPost.TryTake(folder);
        Assert.NotNull(post);
        var answer = post.AnswerAsync(_ => Task.FromResult(true), Token);

        Assert.True(await DeadManPost.CallAsync(folder, Guid.NewGuid(), Token));
        Assert.True(await answer);
    }

    private ChangeJournal Journal => _services!.GetRequiredService<ChangeJournal>();

    private async Task StartAsync()
    {
        _services = await _state.StartAsync(s => s.AddSingleton<TimeProvider>(_time).AddMPSecChanges().AddSingleton<IHostKernel>(_kernel).AddSingleton<IBootClock>(_boot));
        await _services.GetRequiredService<GatewayModes>().SetAsync(GatewayName.Host, GatewayMode.Managed, s_admin, Token);
    }

    /// <summary>A dead-man that was started for a change; it has ended already, unless the test wants it.</summary>
    private async Task<Task<bool>> RunAsync(bool end = true)
    {
        var change = await OpenAsync();
        var run = Task.Run(() => _services!.GetRequiredService<DeadMan>().RunAsync(change, _stop.Token), Token);
        _run = run;
        while (!File.Exists(Socket) || !await Journal.IsGuardedAsync(change, Token))
        {
            await Task.Delay(10, Token);
        }

        if (end)
        {
            await EndAsync(change);
        }

        return run;
    }

    private async Task<Guid> OpenAsync(int milliseconds = 600_000)
    {
        var plan = new ChangePlan { TitleCode = "test", Operations = [new WriteSysctl(GatewayName.Host, SysctlKey.Parse("net.a"), "1")] };
        await Journal.OpenAsync(plan, s_admin, Token, Journal.NewCheck(plan, TimeSpan.FromMilliseconds(milliseconds), TimeSpan.FromMilliseconds(milliseconds)));
        await Journal.BeginAsync(plan.Id, ["host setting net.a 0"], Token);
        await Journal.IntendAsync(plan.Id, 0, [[new WriteSysctl(GatewayName.Host, SysctlKey.Parse("net.a"), "0")]], [], Token);
        Assert.NotNull(await Journal.PendAsync(plan.Id, Token));
        return plan.Id;
    }

    private async Task EndAsync(Guid change)
    {
        await Journal.CloseAsync(change, ChangePhase.Applied, null, null, Token);
        await AdvanceAsync(TimeSpan.FromSeconds(1), TimeSpan.FromMilliseconds(100));
    }

    /// <summary>Calls until it is heard: the answer of a busy machine may come too late, then the journal tells.</summary>
    private async Task<bool> CallAsync(Guid change)
    {
        for (var i = 0; i < 20; i++)
        {
            if (await DeadManPost.CallAsync(_state.Folder, change, Token) || await Journal.IsGuardedAsync(change, Token))
            {
                return true;
            }
        }

        return false;
    }

    private async Task<string> SayAsync(string text)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(Socket), Token);
        await socket.SendAsync(Encoding.ASCII.GetBytes(text), Token);
        socket.Shutdown(SocketShutdown.Send);
        var buffer = new byte[100];
        return Encoding.ASCII.GetString(buffer, 0, await socket.ReceiveAsync(buffer, Token));
    }

    private async Task AdvanceAsync(TimeSpan span, TimeSpan step)
    {
        for (var passed = TimeSpan.Zero; passed < span; passed += step)
        {
            _time.Advance(step);
            await Task.Delay(10, Token);
        }
    }

    /// <summary>Lets time go by until it is so, however slow this machine is.</summary>
    private async Task UntilAsync(Func<bool> condition, TimeSpan? step = null)
    {
        for (var i = 0; i < 6000 && !condition(); i++)
        {
            _time.Advance(step ?? TimeSpan.FromMilliseconds(100));
            await Task.Delay(10, Token);
        }

        Assert.True(condition());
    }
}
