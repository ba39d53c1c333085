using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Features.Settings;
using MPSec.Tests.Data;

namespace MPSec.Tests.Features.Settings;

/// <summary>The file that holds what is watched and who is told.</summary>
public sealed class AlertSettingsTests : IDisposable
{
    private static readonly ChangeActor s_ada = new("ada", ChangeRole.Administrator);
    private static readonly AlertWebhook s_hook = new() { Url = new("https://hooks.example.org/services/T0/secret"), Secret = "0123456789" };
    private static readonly AlertMail s_mail = new() { Host = "mail.example.org", User = "mpsec", Password = "pw of the mail", From = "mpsec@example.org", To = ["ops@example.org"] };
    private readonly TempState _state = new();

    public static TheoryData<string, string> Faults => new()
    {
        { """{ "rules": [ { "kind": "disk", "raise": 101, "clear": 1, "seconds": 1 } ] }""", "Disk: raise" },
        { """{ "rules": [ { "kind": "disk", "raise": 50, "clear": 50, "seconds": 1 } ] }""", "Disk: clear" },
        { """{ "rules": [ { "kind": "disk", "raise": 50, "clear": 40, "seconds": -1 } ] }""", "Disk: seconds" },
        { """{ "rules": [ { "kind": "pathDown", "raise": 2, "clear": 0, "seconds": 1 } ] }""", "yes or no" },
        { """{ "rules": [ { "kind": "disk", "raise": 50, "clear": 40, "seconds": 1 }, { "kind": "disk", "raise": 50, "clear": 40, "seconds": 1 } ] }""", "twice" },
        { """{ "webhook": { "url": "ftp://example.org/x" } }""", "webhook: url" },
        { """{ "webhook": { "url": "https://user:pw@example.org/x" } }""", "webhook: url" },
        { """{ "webhook": { "url": "relative" } }""", "webhook: url" },
        { """{ "webhook": { "url": "https://example.org/", "secret": "short" } }""", "webhook: secret" },
        { """{ "mail": { "host": "-x", "from": "a@b.org", "to": ["a@b.org"] } }""", "mail: host" },
        { """{ "mail": { "host": "mail.example.org", "port": 0, "from": "a@b.org", "to": ["a@b.org"] } }""", "mail: port" },
        { """{ "mail": { "host": "mail.example.org", "protection": "none", "from": "a@b.org", "to": ["a@b.org"] } }""", "mail: protection" },
        { """{ "mail": { "host": "mail.example.org", "from": "a@b.org\r\nBcc: x@y.org", "to": ["a@b.org"] } }""", "mail: from" },
        { """{ "mail": { "host": "mail.example.org", "from": "a@b.org", "to": [] } }""", "mail: to" },
        { """{ "mail": { "host": "mail.example.org", "user": "u", "from": "a@b.org", "to": ["a@b.org"] } }""", "mail: user and password" },
    };

    public void Dispose() => _state.Dispose();

    [Theory, MemberData(nameof(Faults))]
    public void Fault_WrongField_IsNamed(string json, string field) =>
        Assert.Contains(field, System.Text.Json.JsonSerializer.Deserialize<AlertSettings>(json, AlertSettings.Json)!.Fault(), StringComparison.Ordinal);

    [Fact]
    public async Task Save_ThenRead_IsTheSameAndForItsOwnerOnly()
    {
        await using var services = await _state.StartAsync(s => s.AddSingleton(TimeProvider.System).AddMPSecChanges());
        var file = New(services);
        var saved = await file.SaveAsync(file.Current with { Webhook = s_hook, Mail = s_mail, Rules = [AlertRule.Usual[5] with { Raise = 70, Clear = 60 }] }, s_ada, Token);

        Assert.Equal((1, 7, 70), (saved.Version, saved.Rules.Length, saved.Rules.Single(r => r.Kind == AlertKind.Disk).Raise));
        var path = services.GetRequiredService<StateFolder>().AlertSettings;
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        var again = New(services).Current;
        Assert.Equal((1, s_hook, "pw of the mail"), (again.Version, again.Webhook, again.Mail!.Password));
        Assert.Null(await services.GetRequiredService<AuditLog>().VerifyAsync(Token));
    }

    [Fact]
    public async Task Save_OutdatedWrongOrNotPermitted_ChangesNothing()
    {
        await using var services = await _state.StartAsync(s => s.AddSingleton(TimeProvider.System).AddMPSecChanges());
        var file = New(services);
        await file.SaveAsync(file.Current, s_ada, Token);

        Assert.Equal(ChangeFault.Outdated, (await Assert.ThrowsAsync<ChangeException>(() => file.SaveAsync(AlertSettings.Usual, s_ada, Token))).Fault);
        Assert.Equal(ChangeFault.Invalid, (await Assert.ThrowsAsync<ChangeException>(() => file.SaveAsync(file.Current with { Mail = s_mail with { Port = -1 } }, s_ada, Token))).Fault);
        Assert.Equal(ChangeFault.NotPermitted, (await Assert.ThrowsAsync<ChangeException>(() => file.SaveAsync(file.Current, new("otto", ChangeRole.Operator), Token))).Fault);
        Assert.Equal(1, New(services).Current.Version);
    }

    [Fact]
    public void WithSecrets_LeftOut_AreKeptForTheSameHostOnly()
    {
        var before = new AlertSettings { Webhook = s_hook, Mail = s_mail };
        var same = AlertSettingsFile.WithSecrets(new() { Webhook = s_hook with { Secret = null }, Mail = s_mail with { Password = null, From = "other@example.org" } }, before);
        Assert.Equal((s_hook.Secret, s_mail.Password), (same.Webhook!.Secret, same.Mail!.Password));
        var other = AlertSettingsFile.WithSecrets(new() { Webhook = s_hook with { Url = new("https://evil.example.org/"), Secret = null }, Mail = s_mail with { Password = null, Host = "evil.example.org" } }, before);
        Assert.Equal((null, null), (other.Webhook!.Secret, other.Mail!.Password));
    }

    [Theory]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("""{ "version": 3, "unknown": 1 }""")]
    [InlineData("""{ "version": 3, "webhook": { "url": "ftp://x/" } }""")]
    public async Task Current_DamagedFile_UsualRulesAndTheReason(string content)
    {
        await using var services = await _state.StartAsync(s => s.AddSingleton(TimeProvider.System).AddMPSecChanges());
        await File.WriteAllTextAsync(services.GetRequiredService<StateFolder>().AlertSettings, content, Token);
        var file = New(services);
        Assert.Equal(AlertRule.Usual, file.Current.Rules);
        Assert.Null(file.Current.Webhook);
        Assert.NotNull(file.Problem);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static AlertSettingsFile New(IServiceProvider services) => new(services.GetRequiredService<StateFolder>(), services.GetRequiredService<AuditLog>());
}
