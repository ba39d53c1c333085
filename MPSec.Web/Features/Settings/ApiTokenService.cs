using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.EntityFrameworkCore;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Linux.Values;

namespace MPSec.Features.Settings;

/// <summary>
/// Bearer tokens: made, listed, revoked, checked. A token reads <c>mpsec_KEY_SECRET</c>: the key finds the row, the secret is compared in constant time.
/// What is made or revoked goes to the audit log in the same transaction.
/// </summary>
public sealed class ApiTokenService(IDbContextFactory<MPSecDbContext> contexts, AuditLog audit, TimeProvider time)
{
    /// <summary>Longest name, characters.</summary>
    public const int LongestName = 64;

    /// <summary>Longest life of a token, days.</summary>
    public const int MostDays = 3650;

    /// <summary>Life of a token for which nobody says another, days.</summary>
    public const int UsualDays = 90;

    /// <summary>How every token begins, so that a scanner for leaked secrets finds it.</summary>
    public const string Prefix = "mpsec_";

    private const int KeyLength = 12;
    private const int SecretLength = 43; // 256 bits in base64url
    private static readonly TimeSpan s_useStep = TimeSpan.FromMinutes(1);
    private static readonly byte[] s_nobody = new byte[SHA256.HashSizeInBytes];

    /// <summary>Raised after tokens were made or revoked in this process.</summary>
    public event Action? Changed;

    /// <summary>Makes a token.</summary>
    /// <param name="name">1 to 64 letters, digits and - . _</param>
    /// <param name="role">What it may do; nobody gives away more than they may themselves.</param>
    /// <param name="days">Life, 1 to 3650 days.</param>
    /// <param name="actor">Who asks; an administrator.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ChangeException">Not permitted, or a field is wrong.</exception>
    public async Task<NewApiToken> CreateAsync(string? name, ChangeRole role, int days, ChangeActor actor, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(actor);
        actor.Require(ChangeRole.Administrator);
        if (name is not { Length: >= 1 and <= LongestName } || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_'))
        {
            throw new ChangeException(ChangeFault.Invalid, $"name: must be 1 to {LongestName} letters, digits and - . _");
        }

        if (!Enum.IsDefined(role))
        {
            throw new ChangeException(ChangeFault.Invalid, $"role: must be one of {string.Join(", ", Enum.GetNames<ChangeRole>())}");
        }

        if (days is < 1 or > MostDays)
        {
            throw new ChangeException(ChangeFault.Invalid, $"days: must be 1 to {MostDays}");
        }

        var secret = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
        var now = time.GetUtcNow();
        var row = new ApiToken
        {
            Name = name,
            Key = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(KeyLength / 2)),
            Hash = Convert.ToHexStringLower(HashOf(secret)),
            Role = role,
            CreatedBy = actor.Name,
            CreatedAt = now,
            ExpiresAt = now.AddDays(days),
        };
        await InTransactionAsync(async context =>
        {
            if (await context.Set<ApiToken>().AnyAsync(t => t.Name == name && t.RevokedAt == null, cancellationToken))
            {
                throw new ChangeException(ChangeFault.Invalid, $"name: there is a token '{name}' already; revoke it or choose another name");
            }

            context.Add(row);
            await context.SaveChangesAsync(cancellationToken);
            await audit.AppendAsync(
                context, actor.Name, "token add", GatewayName.Host.Value, string.Create(CultureInfo.InvariantCulture, $"{name}, {role}, {days} days, key {row.Key}"), "done", cancellationToken);
        }, cancellationToken);
        return new(FactsOf(row), $"{Prefix}{row.Key}_{secret}");
    }

    /// <summary>All tokens: good ones first, then by name.</summary>
    public async Task<IReadOnlyList<ApiTokenFacts>> ListAsync(CancellationToken cancellationToken = default)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var rows = await context.Set<ApiToken>().AsNoTracking().ToListAsync(cancellationToken);
            return [.. rows.Select(FactsOf).OrderBy(t => t.State).ThenBy(t => t.Name, StringComparer.OrdinalIgnoreCase).ThenByDescending(t => t.CreatedAt)];
        }
    }

    /// <summary>Takes a token back. It is refused from the next request on; what it has open ends within 30 s.</summary>
    /// <exception cref="ChangeException">Not permitted, or there is no such token.</exception>
    public Task RevokeAsync(string name, ChangeActor actor, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(actor);
        actor.Require(ChangeRole.Administrator);
        return InTransactionAsync(async context =>
        {
            var row = await context.Set<ApiToken>().SingleOrDefaultAsync(t => t.Name == name && t.RevokedAt == null, cancellationToken)
                ?? throw new ChangeException(ChangeFault.NotFound, "name: there is no token of this name that is not revoked yet");
            (row.RevokedAt, row.RevokedBy) = (time.GetUtcNow(), actor.Name);
            await context.SaveChangesAsync(cancellationToken);
            await audit.AppendAsync(context, actor.Name, "token revoke", GatewayName.Host.Value, $"{row.Name}, key {row.Key}", "done", cancellationToken);
        }, cancellationToken);
    }

    /// <summary>The token that <paramref name="presented"/> is, when it is good now; null for anything else, without telling which.</summary>
    public async Task<ApiTokenFacts?> VerifyAsync(string presented, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(presented);
        if (presented.Length != Prefix.Length + KeyLength + 1 + SecretLength || !presented.StartsWith(Prefix, StringComparison.Ordinal) || presented[Prefix.Length + KeyLength] != '_')
        {
            return null;
        }

        var key = presented.Substring(Prefix.Length, KeyLength);
        var given = HashOf(presented[^SecretLength..]);
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var row = await context.Set<ApiToken>().AsNoTracking().SingleOrDefaultAsync(t => t.Key == key, cancellationToken);
            var same = CryptographicOperations.FixedTimeEquals(given, row is null ? s_nobody : Convert.FromHexString(row.Hash));
            if (row is null || !same || FactsOf(row) is not { State: ApiTokenState.Active } facts)
            {
                return null;
            }

            var now = time.GetUtcNow();
            if (row.LastUsedAt is not { } last || now - last >= s_useStep)
            {
                await context.Set<ApiToken>().Where(t => t.Id == row.Id).ExecuteUpdateAsync(set => set.SetProperty(t => t.LastUsedAt, now), cancellationToken);
            }

            return facts;
        }
    }

    /// <summary>Whether the token with this public part is still good: for answers that go on for long.</summary>
    public async Task<bool> IsActiveAsync(string key, CancellationToken cancellationToken = default)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            return await context.Set<ApiToken>().AsNoTracking().SingleOrDefaultAsync(t => t.Key == key, cancellationToken) is { } row && FactsOf(row).State == ApiTokenState.Active;
        }
    }

    private static byte[] HashOf(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));

    private ApiTokenFacts FactsOf(ApiToken t) => new(
        t.Name, t.Key, t.Role, t.RevokedAt is not null ? ApiTokenState.Revoked : t.ExpiresAt <= time.GetUtcNow() ? ApiTokenState.Expired : ApiTokenState.Active, t.CreatedBy, t.CreatedAt,
        t.ExpiresAt, t.LastUsedAt, t.RevokedAt, t.RevokedBy);

    private async Task InTransactionAsync(Func<MPSecDbContext, Task> act, CancellationToken cancellationToken)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            // Immediate, as SQLite's provider makes it: nobody takes the same name in between.
            var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
            await using (transaction)
            {
                await act(context);
                await transaction.CommitAsync(cancellationToken);
            }
        }

        Changed?.Invoke();
    }
}
