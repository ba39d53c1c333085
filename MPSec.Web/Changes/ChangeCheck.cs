using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace MPSec.Changes;

/// <summary>What a change that must be confirmed has beside its intent: until when, who guards it, and what the state before was.</summary>
public sealed class ChangeCheck
{
    /// <summary>The change.</summary>
    public Guid IntentId { get; set; }

    /// <summary>Boot that the deadline belongs to.</summary>
    public required string Boot { get; set; }

    /// <summary>End of the time to confirm, milliseconds of <see cref="IBootClock"/>.</summary>
    public long DeadlineMs { get; set; }

    /// <summary>Time to confirm, milliseconds.</summary>
    public int TimeoutMs { get; set; }

    /// <summary>When the last operation was applied, milliseconds of <see cref="IBootClock"/>; null before.</summary>
    public long? AppliedMs { get; set; }

    /// <summary>Network namespace that is called <c>host</c> in this change; a process elsewhere must not undo it.</summary>
    public required string HostNamespace { get; set; }

    /// <summary>Role that the plan needs, also to confirm it.</summary>
    public ChangeRole RequiredRole { get; set; }

    /// <summary>The dead-man (<see cref="ProcessMark"/>); null until it stands ready.</summary>
    public string? Guard { get; set; }

    /// <summary>Facts of the state before, JSON array; null until they were read.</summary>
    public string? Facts { get; set; }
}

internal sealed class ChangeCheckConfiguration : IEntityTypeConfiguration<ChangeCheck>
{
    public void Configure(EntityTypeBuilder<ChangeCheck> builder)
    {
        builder.ToTable("ChangeChecks").HasKey(c => c.IntentId);
        builder.Property(c => c.RequiredRole).HasConversion<string>();
    }
}
