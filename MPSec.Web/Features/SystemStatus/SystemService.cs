using System.Collections.Immutable;
using System.Text.Json.Serialization;
using MPSec.Linux.Gateways;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;

namespace MPSec.Features.SystemStatus;

/// <summary>Why an interface has no speed.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<SpeedReason>))]
public enum SpeedReason
{
    /// <summary>It has one.</summary>
    None,

    /// <summary>It is made of software; a speed that its driver tells is a made-up figure that limits nothing.</summary>
    Virtual,

    /// <summary>No carrier: nothing was negotiated.</summary>
    NoCarrier,

    /// <summary>The driver does not tell.</summary>
    NotTold,
}

/// <summary>What the driver of an interface tells.</summary>
/// <param name="SpeedMbit">Speed in Mbit/s; null with a reason.</param>
/// <param name="Duplex">half or full; null with the same reason.</param>
/// <param name="Driver">Name of the driver; null when the interface has none.</param>
/// <param name="Reason">Why there is no speed.</param>
public sealed record LinkHardware(uint? SpeedMbit, string? Duplex, string? Driver, SpeedReason Reason);

/// <summary>Asks the drivers of a gateway about their links.</summary>
public sealed class SystemService
{
    /// <summary>Hardware by interface index for the links of <paramref name="reading"/>.</summary>
    /// <exception cref="IOException">The gateway is gone, may not be entered or does not answer.</exception>
    /// <exception cref="NetlinkFormatException">The answer is malformed.</exception>
#pragma warning disable CA1822 // a service is asked through its instance
    public Task<ImmutableDictionary<int, LinkHardware>> ReadHardwareAsync(GatewayReading reading, CancellationToken cancellationToken = default) => Task.Run(() => Read(reading), cancellationToken);
#pragma warning restore CA1822

    /// <summary>What to show of what a driver told.</summary>
    internal static LinkHardware Of(LinkReading link, LinkMode? mode, string? driver) => link switch
    {
        // Hardware has no kind, whatever it is called; bonds and bridges add up or pass on what real ports negotiated.
        { IsLoopback: true } or { Kind: not (null or "bond" or "team" or "bridge" or "vlan" or "macvlan") } => new(null, null, driver, SpeedReason.Virtual),
        _ when mode?.SpeedMbit is { } speed => new(speed, mode.Duplex, driver, SpeedReason.None),
        { HasCarrier: false } => new(null, null, driver, SpeedReason.NoCarrier),
        _ => new(null, null, driver, SpeedReason.NotTold),
    };

    private static ImmutableDictionary<int, LinkHardware> Read(GatewayReading reading)
    {
        using var reader = EthtoolReader.Open(reading.Gateway);
        var modes = reader.ReadModes();
        return reading.Links.DistinctBy(l => l.Index).ToImmutableDictionary(l => l.Index, l => Of(l, modes.GetValueOrDefault(l.Index), reader.ReadDriver(l.Name)));
    }
}
