using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace MPSec.Features.Settings;

/// <summary>What is watched.</summary>
public enum AlertRule
{
    /// <summary>A path is down. Value: 1 while it is.</summary>
    PathDown,

    /// <summary>Connections went on as plain TCP. Value: percent of the MPTCP connections.</summary>
    Fallback,

    /// <summary>Subflows could not join. Value: percent of the attempts of the last minute; joins that the peer began are among them.</summary>
    JoinFailure,

    /// <summary>Subflows could not join over a path. Value: percent of the joins of the last five minutes that this side began there.</summary>
    PathJoinFailure,

    /// <summary>The kernel gave up on subflows that do not answer. Value: how many in the last minute.</summary>
    StaleSubflow,

    /// <summary>The kernel found that MPTCP gets no answer and uses plain TCP for a while (6.12). Value: 1 while that time lasts.</summary>
    Blackhole,

    /// <summary>A file system is nearly full. Value: percent.</summary>
    DiskFull,
}

/// <summary>When a rule raises and when it clears again. Between the two values nothing changes, so that a value on the edge does not flutter.</summary>
/// <param name="Raise">At this value and above it is bad.</param>
/// <param name="Clear">Below this value it is good.</param>
/// <param name="RaiseAfter">How long it must be bad.</param>
/// <param name="ClearAfter">How long it must be good.</param>
public sealed record AlertLimit(double Raise, double Clear, TimeSpan RaiseAfter, TimeSpan ClearAfter)
{
    /// <summary>The limits of every rule.</summary>
    public static IReadOnlyDictionary<AlertRule, AlertLimit> Usual { get; } = new Dictionary<AlertRule, AlertLimit>
    {
        [AlertRule.PathDown] = new(1, 1, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(10)),
        [AlertRule.Fallback] = new(20, 10, TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(1)),
        [AlertRule.JoinFailure] = new(20, 5, TimeSpan.FromSeconds(30), TimeSpan.FromMinutes(1)),
        [AlertRule.PathJoinFailure] = new(20, 5, TimeSpan.FromSeconds(30), TimeSpan.FromMinutes(1)),
        [AlertRule.StaleSubflow] = new(1, 1, TimeSpan.Zero, TimeSpan.FromSeconds(30)),
        [AlertRule.Blackhole] = new(1, 1, TimeSpan.Zero, TimeSpan.Zero),
        [AlertRule.DiskFull] = new(95, 92, TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(1)),
    };
}

/// <summary>What an alert is about.</summary>
/// <param name="Rule">Rule.</param>
/// <param name="Gateway">Gateway; <c>host</c> for what belongs to the machine.</param>
/// <param name="Subject">Path, mount point or nothing.</param>
public readonly record struct AlertKey(AlertRule Rule, string Gateway, string Subject);

/// <summary>A value that a rule looks at.</summary>
/// <param name="Key">What it is about.</param>
/// <param name="Value">The value in the unit of the rule; null when it could not be measured, which neither raises nor clears.</param>
public readonly record struct AlertObservation(AlertKey Key, double? Value);

/// <summary>An alert that was raised or cleared.</summary>
/// <param name="Key">What it is about.</param>
/// <param name="Raised">Raised, or cleared.</param>
/// <param name="Value">The value at that moment; null when its subject is gone.</param>
/// <param name="At">When.</param>
public sealed record AlertChange(AlertKey Key, bool Raised, double? Value, DateTimeOffset At);

/// <summary>Row of an alert.</summary>
public sealed class AlertRecord
{
    /// <summary>Row id.</summary>
    public long Id { get; set; }

    /// <summary>Rule.</summary>
    public AlertRule Rule { get; set; }

    /// <summary>Gateway.</summary>
    public required string Gateway { get; set; }

    /// <summary>Path, mount point or nothing.</summary>
    public required string Subject { get; set; }

    /// <summary>Value that raised it.</summary>
    public double Value { get; set; }

    /// <summary>When it was raised, UTC.</summary>
    public DateTimeOffset RaisedAt { get; set; }

    /// <summary>When it was cleared, UTC; null while it lasts.</summary>
    public DateTimeOffset? ClearedAt { get; set; }
}

internal sealed class AlertRecordConfiguration : IEntityTypeConfiguration<AlertRecord>
{
    public void Configure(EntityTypeBuilder<AlertRecord> builder)
    {
        builder.ToTable("Alerts");
        builder.Property(a => a.Rule).HasConversion<string>().HasMaxLength(32);
        builder.Property(a => a.Gateway).HasMaxLength(63);
        builder.Property(a => a.Subject).HasMaxLength(256);
        builder.HasIndex(a => a.ClearedAt);
    }
}

/// <summary>An alert as pages and the API show it.</summary>
/// <param name="Rule">Rule.</param>
/// <param name="Gateway">Gateway.</param>
/// <param name="Subject">Path, mount point or nothing.</param>
/// <param name="Value">Value that raised it.</param>
/// <param name="RaisedAt">When it was raised, UTC.</param>
/// <param name="ClearedAt">When it was cleared, UTC; null while it lasts.</param>
public sealed record AlertFacts(AlertRule Rule, string Gateway, string Subject, double Value, DateTimeOffset RaisedAt, DateTimeOffset? ClearedAt);
