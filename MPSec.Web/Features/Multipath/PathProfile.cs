using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace MPSec.Features.Multipath;

/// <summary>
/// What MPSec keeps of a path and the kernel cannot: its number, which also picks its colour. Number and name belong to the path and never change
/// when another path goes away.
/// </summary>
public sealed class PathProfile
{
    /// <summary>Row id.</summary>
    public int Id { get; set; }

    /// <summary>Gateway that the path leaves from.</summary>
    public required string Gateway { get; set; }

    /// <summary>Interface of the path; also its name.</summary>
    public required string InterfaceName { get; set; }

    /// <summary>1 and up, unique within the gateway. Colours repeat after eight.</summary>
    public int Number { get; set; }
}

/// <summary>Table of <see cref="PathProfile"/>.</summary>
public sealed class PathProfileConfiguration : IEntityTypeConfiguration<PathProfile>
{
    /// <inheritdoc/>
    public void Configure(EntityTypeBuilder<PathProfile> builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Property(p => p.Gateway).HasMaxLength(63);
        builder.Property(p => p.InterfaceName).HasMaxLength(15);
        builder.HasIndex(p => new { p.Gateway, p.InterfaceName }).IsUnique();
        builder.HasIndex(p => new { p.Gateway, p.Number }).IsUnique();
    }
}
