using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace MPSec.Features.Lab;

/// <summary>What MPSec is doing with a lab.</summary>
public enum LabStage
{
    /// <summary>Being made, or its process died.</summary>
    Creating,

    /// <summary>Made.</summary>
    Standing,

    /// <summary>Being dropped, or its process died.</summary>
    Dropping,
}

/// <summary>Row of a lab; written before the first operation and removed after the last.</summary>
public sealed class LabRecord
{
    /// <summary>Name.</summary>
    public required string Name { get; set; }

    /// <summary>The spec, JSON.</summary>
    public required string Spec { get; set; }

    /// <summary>Stage.</summary>
    public LabStage Stage { get; set; }

    /// <summary>Process that makes or drops it.</summary>
    public required string Process { get; set; }

    /// <summary>When it was asked for, UTC.</summary>
    public DateTimeOffset CreatedAt { get; set; }

    /// <summary>The transfer that is wanted, JSON; null when none is.</summary>
    public string? Transfer { get; set; }

    /// <summary>The transfer that is wanted.</summary>
    public LabTransferSettings? ReadTransfer() => Transfer is null ? null : JsonSerializer.Deserialize<LabTransferSettings>(Transfer, LabTransferSettings.Json);
}

internal sealed class LabRecordConfiguration : IEntityTypeConfiguration<LabRecord>
{
    public void Configure(EntityTypeBuilder<LabRecord> builder)
    {
        builder.HasKey(r => r.Name);
        builder.Property(r => r.Stage).HasConversion<string>();
    }
}
