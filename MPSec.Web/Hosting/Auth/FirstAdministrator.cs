using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Identity;
using MPSec.Data;

namespace MPSec.Hosting.Auth;

/// <summary>How a claim of the first administrator ended.</summary>
public enum FirstAdministratorOutcome
{
    /// <summary>The administrator exists now.</summary>
    Created,

    /// <summary>The token is wrong, used, too old, or an administrator exists.</summary>
    Refused,

    /// <summary>Name or password break a rule; the link stays good.</summary>
    Invalid,
}

/// <summary>
/// The one-time link that makes the first administrator. It exists only while there is none: 128 random bits, 30 minutes, one winner. Only its
/// hash is kept in memory; the link itself goes to the console and to a file that only the owner of the state folder can read.
/// </summary>
public sealed class FirstAdministrator(StateFolder folder, IServiceScopeFactory scopes, TimeProvider time) : IDisposable
{
    /// <summary>Life of a link.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromMinutes(30);

    private readonly SemaphoreSlim _claim = new(1);
    private byte[]? _hash;
    private long _issued;

    /// <summary>File that holds the link while it is good.</summary>
    public string LinkFile => Path.Combine(folder.Root, "first-administrator-link");

    /// <summary>Makes a link when there is no administrator; the link made before is void.</summary>
    /// <param name="address">Address of the program, with path base.</param>
    /// <param name="gateway">Gateway that the page after set-up shows; null for the default.</param>
    /// <returns>The link, or null when an administrator exists.</returns>
    public async Task<string?> IssueAsync(string address, string? gateway, CancellationToken cancellationToken)
    {
        await _claim.WaitAsync(cancellationToken);
        try
        {
            _hash = null;
            File.Delete(LinkFile);
            await using var scope = scopes.CreateAsyncScope();
            if (await scope.ServiceProvider.GetRequiredService<UserAccounts>().HasAdministratorAsync())
            {
                return null;
            }

            var token = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));
            var link = $"{address.TrimEnd('/')}/setup?token={token}{(gateway is null ? "" : "&gateway=" + Uri.EscapeDataString(gateway))}";
            var file = new FileStreamOptions
            {
                Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            };
            await using (var writer = new StreamWriter(LinkFile, file))
            {
                await writer.WriteLineAsync(link.AsMemory(), cancellationToken);
            }

            _issued = time.GetTimestamp();
            _hash = Hash(token);
            return link;
        }
        finally
        {
            _claim.Release();
        }
    }

    /// <summary>Whether <paramref name="token"/> would be taken now.</summary>
    public bool IsGood(string? token) =>
        _hash is { } hash && token is { Length: > 0 and < 100 } && time.GetElapsedTime(_issued) < Life
        && CryptographicOperations.FixedTimeEquals(hash, Hash(token));

    /// <summary>Makes the first administrator. Of any number of claims at once exactly one wins.</summary>
    public async Task<(FirstAdministratorOutcome Outcome, IEnumerable<IdentityError> Errors)> ClaimAsync(
        string? token, string name, string password, CancellationToken cancellationToken)
    {
        if (!IsGood(token))
        {
            return (FirstAdministratorOutcome.Refused, []);
        }

        await _claim.WaitAsync(cancellationToken);
        try
        {
            await using var scope = scopes.CreateAsyncScope();
            var accounts = scope.ServiceProvider.GetRequiredService<UserAccounts>();
            if (!IsGood(token) || await accounts.HasAdministratorAsync())
            {
                return (FirstAdministratorOutcome.Refused, []);
            }

            var result = await accounts.AddAsync(name, password, UserRole.Administrator, cancellationToken);
            if (!result.Succeeded)
            {
                return (FirstAdministratorOutcome.Invalid, result.Errors);
            }

            _hash = null;
            File.Delete(LinkFile);
            return (FirstAdministratorOutcome.Created, []);
        }
        finally
        {
            _claim.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _claim.Dispose();

    private static byte[] Hash(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token));
}
