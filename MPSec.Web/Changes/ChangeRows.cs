using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace MPSec.Changes;

/// <summary>State of a change in the journal.</summary>
public enum ChangePhase
{
    /// <summary>Running, or its process died.</summary>
    Open,

    /// <summary>Done.</summary>
    Applied,

    /// <summary>Undone.</summary>
    RolledBack,

    /// <summary>Neither; a person must look.</summary>
    Incomplete,

    /// <summary>Applied, waits to be confirmed.</summary>
    Pending,

    /// <summary>Being undone because nobody confirmed it, or by request.</summary>
    Reverting,
}

/// <summary>State of one operation of a change.</summary>
public enum StepPhase
{
    /// <summary>Not begun.</summary>
    Planned,

    /// <summary>Its inverse is written; it may have been applied.</summary>
    Intended,

    /// <summary>Applied.</summary>
    Applied,

    /// <summary>Undone.</summary>
    Reverted,
}

/// <summary>One change, written before its first operation.</summary>
public sealed class ChangeIntent
{
    /// <summary>Id of the plan.</summary>
    public Guid Id { get; set; }

    /// <summary>Code of the title.</summary>
    public required string TitleCode { get; set; }

    /// <summary>Arguments of the title, JSON array.</summary>
    public required string TitleArguments { get; set; }

    /// <summary>Gateways touched, separated by spaces, with a space before the first and after the last.</summary>
    public required string Gateways { get; set; }

    /// <summary>Who asked.</summary>
    public required string Actor { get; set; }

    /// <summary>Whether an interrupted run is finished instead of undone.</summary>
    public bool RollsForward { get; set; }

    /// <summary>State.</summary>
    public ChangePhase Phase { get; set; }

    /// <summary>Process that runs it (<see cref="ProcessMark"/>).</summary>
    public required string Process { get; set; }

    /// <summary>Begun, UTC.</summary>
    public DateTimeOffset StartedAt { get; set; }

    /// <summary>Ended, UTC.</summary>
    public DateTimeOffset? FinishedAt { get; set; }

    /// <summary>Why it did not apply.</summary>
    public string? Sentence { get; set; }

    /// <summary>Operations in order.</summary>
    public List<ChangeStep> Steps { get; set; } = [];

    /// <summary>What a change has that must be confirmed; null for one that need not.</summary>
    public ChangeCheck? Check { get; set; }
}

/// <summary>One operation of a change.</summary>
public sealed class ChangeStep
{
    /// <summary>The change.</summary>
    public Guid IntentId { get; set; }

    /// <summary>Place in the order, from 0.</summary>
    public int Position { get; set; }

    /// <summary>Gateway, to search by.</summary>
    public required string Gateway { get; set; }

    /// <summary>Interface of a link operation, to search by.</summary>
    public string? Interface { get; set; }

    /// <summary>The operation, JSON.</summary>
    public required string Operation { get; set; }

    /// <summary>What undoes it, JSON array; null before it was intended.</summary>
    public string? Inverse { get; set; }

    /// <summary>State.</summary>
    public StepPhase Phase { get; set; }
}

/// <summary>A network namespace that MPSec made.</summary>
public sealed class OwnedNamespace
{
    /// <summary>Name of the gateway.</summary>
    public required string Gateway { get; set; }

    /// <summary>Alias of its loopback interface.</summary>
    public required string Marker { get; set; }
}

/// <summary>Whether MPSec may change a gateway, where an administrator said so.</summary>
public sealed class GatewayModeRow
{
    /// <summary>Name of the gateway.</summary>
    public required string Gateway { get; set; }

    /// <summary>Mode.</summary>
    public GatewayMode Mode { get; set; }
}

/// <summary>One line of the audit log; each holds the hash of the one before.</summary>
public sealed class AuditEntry
{
    /// <summary>Number, from 1 without gaps.</summary>
    public long Id { get; set; }

    /// <summary>When, UTC, milliseconds.</summary>
    public DateTimeOffset At { get; set; }

    /// <summary>Who.</summary>
    public required string Actor { get; set; }

    /// <summary>What was done.</summary>
    public required string Verb { get; set; }

    /// <summary>Gateways touched, separated by spaces; empty when none.</summary>
    public required string Gateway { get; set; }

    /// <summary>Canonical arguments, JSON, without secrets.</summary>
    public required string Arguments { get; set; }

    /// <summary>How it ended.</summary>
    public required string Result { get; set; }

    /// <summary>Hash of the entry before; 64 zeros for the first.</summary>
    public required string PreviousHash { get; set; }

    /// <summary>SHA-256 over the other fields, hexadecimal.</summary>
    public required string Hash { get; set; }
}

internal sealed class ChangeIntentConfiguration : IEntityTypeConfiguration<ChangeIntent>
{
    public void Configure(EntityTypeBuilder<ChangeIntent> builder)
    {
        builder.Property(i => i.Phase).HasConversion<string>();
        builder.HasIndex(i => i.Phase);
        builder.HasOne(i => i.Check).WithOne().HasForeignKey<ChangeCheck>(c => c.IntentId).OnDelete(DeleteBehavior.Cascade);
        builder.HasMany(i => i.Steps).WithOne().HasForeignKey(s => s.IntentId).OnDelete(DeleteBehavior.Cascade);
    }
}

internal sealed class ChangeStepConfiguration : IEntityTypeConfiguration<ChangeStep>
{
    public void Configure(EntityTypeBuilder<ChangeStep> builder)
    {
        builder.HasKey(s => new { s.IntentId, s.Position });
        builder.Property(s => s.Phase).HasConversion<string>();
        builder.HasIndex(s => new { s.Gateway, s.Interface });
    }
}

internal sealed class OwnedNamespaceConfiguration : IEntityTypeConfiguration<OwnedNamespace>
{
    public void Configure(EntityTypeBuilder<OwnedNamespace> builder) => builder.HasKey(n => n.Gateway);
}

internal sealed class GatewayModeConfiguration : IEntityTypeConfiguration<GatewayModeRow>
{
    public void Configure(EntityTypeBuilder<GatewayModeRow> builder)
    {
        builder.ToTable("GatewayModes").HasKey(m => m.Gateway);
        builder.Property(m => m.Mode).HasConversion<string>();
    }
}

internal sealed class AuditEntryConfiguration : IEntityTypeConfiguration<AuditEntry>
{
    public void Configure(EntityTypeBuilder<AuditEntry> builder) => builder.Property(e => e.Id).ValueGeneratedNever();
}
