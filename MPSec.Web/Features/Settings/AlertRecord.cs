using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace MPSec.Features.Settings;

/// <summary>Row of one alert, from its beginning to its end.</summary>
public sealed class AlertRecord
{
    /// <summary>Rows kept; the oldest that ended go.</summary>
    public const int MostRecords = 2000;

    /// <summary>Row id.</summary>
    public long Id { get; set; }

    /// <summary>What.</summary>
    public AlertKind Kind { get; set; }

    /// <summary>Name of the gateway; empty for the machine.</summary>
    public required string Gateway { get; set; }

    /// <summary>The path; null for the gateway as a whole.</summary>
    public string? Subject { get; set; }

    /// <summary>The number that raised it.</summary>
    public double Value { get; set; }

    /// <summary>When it began, UTC.</summary>
    public DateTimeOffset RaisedAt { get; set; }

    /// <summary>When it ended, UTC; null while it stands.</summary>
    public DateTimeOffset? ClearedAt { get; set; }

    /// <summary>Why somebody was not told; null when all were, or nobody had to be.</summary>
    public string? SendProblem { get; set; }
}

internal sealed class AlertRecordConfiguration : IEntityTypeConfiguration<AlertRecord>
{
    public void Configure(EntityTypeBuilder<AlertRecord> builder)
    {
        builder.ToTable("Alerts");
        builder.Property(a => a.Kind).HasConversion<string>().HasMaxLength(32);
        builder.Property(a => a.Gateway).HasMaxLength(63);
        builder.HasIndex(a => a.ClearedAt);
    }
}

/// <summary>An alert as pages and the API show it.</summary>
/// <param name="Id">Number.</param>
/// <param name="Kind">What.</param>
/// <param name="Gateway">The gateway; empty for the machine.</param>
/// <param name="Subject">The path; null for the gateway as a whole.</param>
/// <param name="Value">The number that raised it, in the unit of its kind.</param>
/// <param name="RaisedAt">When it began.</param>
/// <param name="ClearedAt">When it ended; null while it stands.</param>
/// <param name="SendProblem">Why somebody was not told; null when all were.</param>
public sealed record AlertEntry(long Id, AlertKind Kind, string Gateway, string? Subject, double Value, DateTimeOffset RaisedAt, DateTimeOffset? ClearedAt, string? SendProblem)
{
    internal static AlertEntry Of(AlertRecord row) => new(row.Id, row.Kind, row.Gateway, row.Subject, row.Value, row.RaisedAt, row.ClearedAt, row.SendProblem);

    internal AlertKey Key => new(Kind, Gateway, Subject);
}
