using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using MPSec.Changes;

namespace MPSec.Features.Settings;

/// <summary>
/// Row of a bearer token. The secret itself is nowhere: it has 256 random bits, so its SHA-256 alone tells nobody anything and needs no salt.
/// A revoked token stays, so that the list tells what once had access.
/// </summary>
public sealed class ApiToken
{
    /// <summary>Row id.</summary>
    public long Id { get; set; }

    /// <summary>What it is for; unique among the tokens that are not revoked.</summary>
    public required string Name { get; set; }

    /// <summary>Public part of the token by which it is found and recognised, 12 hexadecimal digits.</summary>
    public required string Key { get; set; }

    /// <summary>SHA-256 of the secret part, 64 hexadecimal digits.</summary>
    public required string Hash { get; set; }

    /// <summary>What it may do.</summary>
    public ChangeRole Role { get; set; }

    /// <summary>Who made it.</summary>
    public required string CreatedBy { get; set; }

    /// <summary>When it was made, UTC.</summary>
    public DateTimeOffset CreatedAt { get; set; }

    /// <summary>From when on it is good no more, UTC.</summary>
    public DateTimeOffset ExpiresAt { get; set; }

    /// <summary>When it was used last, UTC, exact to a minute; null when never.</summary>
    public DateTimeOffset? LastUsedAt { get; set; }

    /// <summary>When it was revoked, UTC; null when it was not.</summary>
    public DateTimeOffset? RevokedAt { get; set; }

    /// <summary>Who revoked it.</summary>
    public string? RevokedBy { get; set; }
}

internal sealed class ApiTokenConfiguration : IEntityTypeConfiguration<ApiToken>
{
    public void Configure(EntityTypeBuilder<ApiToken> builder)
    {
        builder.ToTable("ApiTokens");
        builder.Property(t => t.Name).HasMaxLength(ApiTokenService.LongestName);
        builder.Property(t => t.Key).HasMaxLength(12);
        builder.Property(t => t.Hash).HasMaxLength(64);
        builder.Property(t => t.Role).HasConversion<string>().HasMaxLength(16);
        builder.HasIndex(t => t.Key).IsUnique();
        builder.HasIndex(t => t.Name).IsUnique().HasFilter("\"RevokedAt\" IS NULL");
    }
}

/// <summary>Whether a token is good.</summary>
public enum ApiTokenState
{
    /// <summary>Good.</summary>
    Active,

    /// <summary>Its time is over.</summary>
    Expired,

    /// <summary>Somebody took it back.</summary>
    Revoked,
}

/// <summary>A token as lists show it, without anything secret.</summary>
/// <param name="Name">What it is for.</param>
/// <param name="Key">Its public part.</param>
/// <param name="Role">What it may do.</param>
/// <param name="State">Whether it is good now.</param>
/// <param name="CreatedBy">Who made it.</param>
/// <param name="CreatedAt">When it was made, UTC.</param>
/// <param name="ExpiresAt">From when on it is good no more, UTC.</param>
/// <param name="LastUsedAt">When it was used last, UTC, exact to a minute; null when never.</param>
/// <param name="RevokedAt">When it was revoked, UTC; null when it was not.</param>
/// <param name="RevokedBy">Who revoked it.</param>
public sealed record ApiTokenFacts(
    string Name, string Key, ChangeRole Role, ApiTokenState State, string CreatedBy, DateTimeOffset CreatedAt, DateTimeOffset ExpiresAt, DateTimeOffset? LastUsedAt,
    DateTimeOffset? RevokedAt, string? RevokedBy);

/// <summary>A token that was just made. The secret is shown now or never.</summary>
/// <param name="Token">Its facts.</param>
/// <param name="Secret">What a client sends after <c>Authorization: Bearer</c>.</param>
public sealed record NewApiToken(ApiTokenFacts Token, string Secret);
