using System.Collections.Immutable;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using MPSec.Changes;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>
/// Row of one version of a gateway's configuration. It counts when its change was applied and, where that was asked for, confirmed; a row of a change that
/// was undone never did.
/// </summary>
public sealed class NetworkConfiguration
{
    /// <summary>Versions kept per gateway; the oldest go.</summary>
    public const int MostVersions = 200;

    /// <summary>Row id.</summary>
    public long Id { get; set; }

    /// <summary>Name of the gateway.</summary>
    public required string Gateway { get; set; }

    /// <summary>Number within the gateway, from 1.</summary>
    public int Version { get; set; }

    /// <summary>The change that brought it (<see cref="ChangeIntent"/>); null when it needed none, as a new name does not.</summary>
    public Guid? ChangeId { get; set; }

    /// <summary>The document (<see cref="NetworkDocument.ToJson"/>).</summary>
    public required string Document { get; set; }

    /// <summary>Who saved it.</summary>
    public required string Actor { get; set; }

    /// <summary>When, UTC.</summary>
    public DateTimeOffset At { get; set; }

    /// <summary>Code of the change's title.</summary>
    public required string TitleCode { get; set; }

    /// <summary>Arguments of the title, JSON array.</summary>
    public required string TitleArguments { get; set; }
}

internal sealed class NetworkConfigurationConfiguration : IEntityTypeConfiguration<NetworkConfiguration>
{
    public void Configure(EntityTypeBuilder<NetworkConfiguration> builder)
    {
        builder.ToTable("NetworkConfigurations");
        builder.Property(c => c.Gateway).HasMaxLength(63);
        builder.HasIndex(c => new { c.Gateway, c.Version }).IsUnique();
    }
}

/// <summary>A version of a gateway's configuration, without its document.</summary>
/// <param name="Gateway">The gateway.</param>
/// <param name="Version">Number, from 1.</param>
/// <param name="Actor">Who saved it.</param>
/// <param name="At">When.</param>
/// <param name="TitleCode">Code of the change's title.</param>
/// <param name="TitleArguments">Arguments of the title.</param>
/// <param name="ChangeId">The change; null when it needed none.</param>
public sealed record NetworkVersion(GatewayName Gateway, int Version, string Actor, DateTimeOffset At, string TitleCode, ImmutableArray<string> TitleArguments, Guid? ChangeId)
{
    internal static NetworkVersion Of(NetworkConfiguration row) => new(
        GatewayName.Parse(row.Gateway), row.Version, row.Actor, row.At, row.TitleCode, JsonSerializer.Deserialize<ImmutableArray<string>>(row.TitleArguments), row.ChangeId);
}

/// <summary>A version with its document.</summary>
/// <param name="About">Number, who and when.</param>
/// <param name="Document">The document.</param>
public sealed record SavedNetwork(NetworkVersion About, NetworkDocument Document)
{
    /// <summary>Number, from 1.</summary>
    public int Version => About.Version;

    /// <exception cref="ChangeException">The row was altered and cannot be read.</exception>
    internal static SavedNetwork Of(NetworkConfiguration row)
    {
        try
        {
            return new(NetworkVersion.Of(row), NetworkDocument.Parse(row.Document));
        }
        catch (FormatException e)
        {
            throw new ChangeException(ChangeFault.Invalid, $"configuration {row.Version} of gateway {row.Gateway}: cannot be read any more ({e.Message}); save a new one, or go back to another version", e);
        }
    }
}
