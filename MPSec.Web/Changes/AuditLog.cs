using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.EntityFrameworkCore;
using MPSec.Data;

namespace MPSec.Changes;

/// <summary>
/// Who did what, when, with which result. Rows are only added; each holds the hash of the one before, so a row that was altered or taken out
/// shows in <see cref="VerifyAsync"/>.
/// </summary>
public sealed class AuditLog(IDbContextFactory<MPSecDbContext> contexts, TimeProvider time)
{
    private static readonly string s_beginning = new('0', 64);

    /// <summary>Adds a line and waits until it is on disk.</summary>
    public async Task AppendAsync(string actor, string verb, string gateway, string arguments, string result, CancellationToken cancellationToken = default)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            // The transaction is immediate (the default of Microsoft.Data.Sqlite): nobody else can take the same number.
            var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
            await using (transaction)
            {
                await AppendAsync(context, actor, verb, gateway, arguments, result, cancellationToken);
                await transaction.CommitAsync(cancellationToken);
            }
        }
    }

    /// <summary>Checks the chain; null when it is whole, else a sentence that names the first broken line.</summary>
    public async Task<string?> VerifyAsync(CancellationToken cancellationToken = default)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            var previous = s_beginning;
            var number = 0L;
            await foreach (var entry in context.Set<AuditEntry>().AsNoTracking().OrderBy(e => e.Id).AsAsyncEnumerable().WithCancellation(cancellationToken))
            {
                if (entry.Id != ++number)
                {
                    return $"audit log: line {number} is missing";
                }

                if (entry.PreviousHash != previous || HashOf(entry) != entry.Hash)
                {
                    return $"audit log: line {number} was altered";
                }

                previous = entry.Hash;
            }

            return null;
        }
    }

    /// <summary>The newest lines, newest first.</summary>
    public async Task<IReadOnlyList<AuditEntry>> RecentAsync(int count, CancellationToken cancellationToken = default)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            return await context.Set<AuditEntry>().AsNoTracking().OrderByDescending(e => e.Id).Take(count).ToListAsync(cancellationToken);
        }
    }

    /// <summary>Adds a line inside the caller's transaction.</summary>
    internal async Task AppendAsync(
        MPSecDbContext context, string actor, string verb, string gateway, string arguments, string result, CancellationToken cancellationToken)
    {
        var last = await context.Set<AuditEntry>().AsNoTracking().OrderByDescending(e => e.Id).FirstOrDefaultAsync(cancellationToken);
        var now = time.GetUtcNow();
        var entry = new AuditEntry
        {
            Id = (last?.Id ?? 0) + 1,
            At = now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMillisecond)),
            Actor = actor,
            Verb = verb,
            Gateway = gateway,
            Arguments = arguments,
            Result = result,
            PreviousHash = last?.Hash ?? s_beginning,
            Hash = "",
        };
        entry.Hash = HashOf(entry);
        context.Add(entry);
        await context.SaveChangesAsync(cancellationToken);
    }

    // Every field with its length before it, so that text cannot move from one field into the next unseen.
    private static string HashOf(AuditEntry entry)
    {
        var text = new StringBuilder();
        foreach (var field in (string[])
            [entry.Id.ToString(CultureInfo.InvariantCulture), entry.At.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture), entry.Actor, entry.Verb, entry.Gateway, entry.Arguments, entry.Result, entry.PreviousHash])
        {
            text.Append(CultureInfo.InvariantCulture, $"{field.Length}:{field};");
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }
}
