using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Features.Settings;
using MPSec.Tests.Data;

namespace MPSec.Tests.Features.Settings;

/// <summary>Alerts from facts to rows and messages, with a clock that the test moves.</summary>
public sealed class AlertServiceTests : IAsyncLifetime
{
    private static readonly ChangeActor s_ada = new("ada", ChangeRole.Administrator);
    private readonly TempState _state = new();
    private readonly FakeTimeProvider _time = new(new(2026, 11, 24, 12, 0, 0, TimeSpan.Zero));
    private readonly Facts _facts = new();
    private readonly Sender _sender = new();
    private ServiceProvider? _services;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _services = await _state.StartAsync(s => s.AddSingleton<TimeProvider>(_time).AddMPSecChanges());

    public async ValueTask DisposeAsync()
    {
        await (_services?.DisposeAsync() ?? ValueTask.CompletedTask);
        _state.Dispose();
    }

    [Fact]
    public async Task Look_PathGoesDownAndComesBack_IsKeptToldAndEnds()
    {
        using var service = New();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var sending = service.SendAsync(stop.Token);
        _facts.Set(new AlertFact(AlertKind.PathDown, "host", "wan0", 1));
        await LookAsync(service, 0);
        Assert.Empty(service.Standing);
        await LookAsync(service, 10);
        var standing = Assert.Single(service.Standing);
        Assert.Equal((AlertKind.PathDown, "wan0", _time.GetUtcNow()), (standing.Kind, standing.Subject, standing.RaisedAt));
        Assert.Equal(standing, Assert.Single(service.Of("host")));
        Assert.Empty(service.Of("lab-a"));

        // Another program that begins now knows what stands, and tells nobody again.
        using (var second = New())
        {
            await second.RestoreAsync(Token);
            await second.LookAsync(Token);
            Assert.Equal(standing, Assert.Single(second.Standing));
        }

        _facts.Set(new AlertFact(AlertKind.PathDown, "host", "wan0", 0));
        await LookAsync(service, 0);
        await LookAsync(service, 10);
        Assert.Empty(service.Standing);
        Assert.Equal(_time.GetUtcNow(), Assert.Single(await service.HistoryAsync(10, Token)).ClearedAt);
        Assert.Equal(["raised", "cleared"], [(await _sender.NextAsync()).Event, (await _sender.NextAsync()).Event]);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
    }

    [Fact]
    public async Task Send_RefusedForGood_IsNotedOnTheAlert()
    {
        _sender.Problem = new("webhook: hooks.example.org answered 404", isFinal: true);
        using var service = New();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var noted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        service.Changed += () => _ = service.Standing.Any(a => a.SendProblem is not null) && noted.TrySetResult();
        var sending = service.SendAsync(stop.Token);
        _facts.Set(new AlertFact(AlertKind.Blackhole, "host", null, 3));
        await service.LookAsync(Token);
        await noted.Task.WaitAsync(TimeSpan.FromSeconds(60), Token);
        Assert.Equal("webhook: hooks.example.org answered 404", Assert.Single(await service.HistoryAsync(10, Token)).SendProblem);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
    }

    [Fact]
    public async Task Look_DatabaseCannotBeWritten_IsStillTold()
    {
        await using (var context = await _services!.GetRequiredService<IDbContextFactory<MPSecDbContext>>().CreateDbContextAsync(Token))
        {
            await context.Database.ExecuteSqlRawAsync("DROP TABLE Alerts", Token);
        }

        using var service = New();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var sending = service.SendAsync(stop.Token);
        _facts.Set(new AlertFact(AlertKind.Blackhole, "host", null, 3));
        await service.LookAsync(Token);
        Assert.Single(service.Standing);
        Assert.Equal("raised", (await _sender.NextAsync()).Event);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
    }

    [Fact]
    public async Task Test_OfAnOperatorOrWithoutAnyWay_IsRefused()
    {
        using var service = New();
        Assert.Equal(ChangeFault.NotPermitted, (await Assert.ThrowsAsync<ChangeException>(() => service.TestAsync(new("otto", ChangeRole.Operator), Token))).Fault);
        _sender.Wanted = false;
        Assert.Equal(ChangeFault.Invalid, (await Assert.ThrowsAsync<ChangeException>(() => service.TestAsync(s_ada, Token))).Fault);
        (_sender.Wanted, _sender.Problem) = (true, new("no"));
        Assert.Equal("no", (await service.TestAsync(s_ada, Token))["test"]);
        _sender.Problem = null;
        Assert.Null((await service.TestAsync(s_ada, Token))["test"]);
    }

    private async Task LookAsync(AlertService service, int seconds)
    {
        _time.Advance(TimeSpan.FromSeconds(seconds));
        await service.LookAsync(Token);
    }

    private AlertService New() => new(
        _facts, new(_services!.GetRequiredService<StateFolder>(), _services!.GetRequiredService<AuditLog>()), [_sender], _services!.GetRequiredService<IDbContextFactory<MPSecDbContext>>(), _time, NullLogger<AlertService>.Instance);

    private sealed class Facts : IAlertFacts
    {
        private AlertFact[] _facts = [];

        public void Set(params AlertFact[] facts) => _facts = facts;

        public IReadOnlyList<AlertFact> Read() => _facts;
    }

    private sealed class Sender : IAlertSender
    {
        private readonly System.Threading.Channels.Channel<AlertMessage> _sent = System.Threading.Channels.Channel.CreateUnbounded<AlertMessage>();

        public AlertSendException? Problem { get; set; }

        public bool Wanted { get; set; } = true;

        public string Way => "test";

        public bool IsWanted(AlertSettings settings) => Wanted;

        public Task SendAsync(AlertSettings settings, AlertMessage message, CancellationToken cancellationToken)
        {
            _sent.Writer.TryWrite(message);
            return Problem is null ? Task.CompletedTask : Task.FromException(Problem);
        }

        public async Task<AlertMessage> NextAsync() => await _sent.Reader.ReadAsync(Token).AsTask().WaitAsync(TimeSpan.FromSeconds(60), Token);
    }
}
