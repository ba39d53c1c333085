using System.Text.Json;
using MPSec.Changes;
using MPSec.Data;

namespace MPSec.Features.Settings;

/// <summary>
/// The alert settings in a file of their own below the state folder, readable by its owner only: it holds a password and the address of a webhook, which
/// shall stand in no database that is backed up or looked at. Safe for any thread.
/// </summary>
public sealed class AlertSettingsFile(StateFolder folder, AuditLog audit)
{
    private readonly Lock _lock = new();
    private AlertSettings? _current;

    /// <summary>Somebody saved; raised on any thread.</summary>
    public event Action? Changed;

    /// <summary>Why the file could not be read; the usual rules hold then, and nobody is told. Null when all is well.</summary>
    public string? Problem { get; private set; }

    /// <summary>What holds now.</summary>
    public AlertSettings Current
    {
        get
        {
            lock (_lock)
            {
                return _current ??= Read();
            }
        }
    }

    /// <summary>Saves. Secrets that are left out stay what they are, as long as they go to the same host.</summary>
    /// <param name="settings">What shall hold; its version is the one that the editor began with.</param>
    /// <param name="actor">Who; an administrator.</param>
    /// <param name="cancellationToken">Ends the audit entry.</param>
    /// <returns>What holds now.</returns>
    /// <exception cref="ChangeException">A field is wrong, the role does not suffice, somebody else saved meanwhile, or the disk refused.</exception>
    public async Task<AlertSettings> SaveAsync(AlertSettings settings, ChangeActor actor, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(actor);
        actor.Require(ChangeRole.Administrator);
        AlertSettings saved;
        lock (_lock)
        {
            var before = _current ??= Read();
            if (before.Version != settings.Version)
            {
                throw new ChangeException(ChangeFault.Outdated, $"alerts: somebody else saved version {before.Version} meanwhile; look at it and edit again");
            }

            saved = WithSecrets(settings, before);
            if (saved.Fault() is { } fault)
            {
                throw new ChangeException(ChangeFault.Invalid, fault);
            }

            saved = saved.Complete() with { Version = before.Version + 1 };
            Write(saved);
            (_current, Problem) = (saved, null);
        }

        var told = string.Join(", ", new[] { saved.Webhook is { } hook ? "webhook " + hook.Url.Host : null, saved.Mail is { } mail ? "mail by " + mail.Host : null }.OfType<string>());
        await audit.AppendAsync(actor.Name, "alerts.save", "", JsonSerializer.Serialize(new[] { told.Length == 0 ? "nobody is told" : told }), "done", cancellationToken);
        Changed?.Invoke();
        return saved;
    }

    /// <summary>An editor never sees secrets, so it cannot send them back; and one kept for a host is never sent to another.</summary>
    internal static AlertSettings WithSecrets(AlertSettings edited, AlertSettings before) => edited with
    {
        Webhook = edited.Webhook is { Secret: null } hook && before.Webhook is { } old && old.Url == hook.Url ? hook with { Secret = old.Secret } : edited.Webhook,
        Mail = edited.Mail is { Password: null, User: not null } mail && before.Mail is { } sent && (sent.Host, sent.Port, sent.User) == (mail.Host, mail.Port, mail.User)
            ? mail with { Password = sent.Password } : edited.Mail,
    };

    private AlertSettings Read()
    {
        try
        {
            var read = JsonSerializer.Deserialize<AlertSettings>(File.ReadAllBytes(folder.AlertSettings), AlertSettings.Json)!.Complete();
            Problem = read.Fault();
            return Problem is null ? read : AlertSettings.Usual with { Version = read.Version };
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return AlertSettings.Usual;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or NullReferenceException or UriFormatException)
        {
            Problem = $"{folder.AlertSettings}: {e.Message}";
            return AlertSettings.Usual;
        }
    }

    private void Write(AlertSettings settings)
    {
        var fresh = folder.AlertSettings + ".new";
        try
        {
            File.Delete(fresh);
            using (var file = new FileStream(fresh, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
            {
                JsonSerializer.Serialize(file, settings, AlertSettings.Json);
                file.Flush(flushToDisk: true);
            }

            File.Move(fresh, folder.AlertSettings, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ChangeException(ChangeFault.Refused, $"alerts: the settings could not be written: {e.Message}", e);
        }
    }
}
