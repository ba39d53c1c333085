using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Serialization;
using MPSec.Linux.Values;

namespace MPSec.Changes;

/// <summary>Metrics of a route (RTAX_*, include/uapi/linux/rtnetlink.h), in the words of ip-route(8).</summary>
public enum RouteMetricName
{
    /// <summary>Largest packet, bytes.</summary>
    Mtu = 2,

    /// <summary>Largest receive window, bytes.</summary>
    Window = 3,

    /// <summary>Initial round trip time, eighths of a millisecond.</summary>
    Rtt = 4,

    /// <summary>Its initial variance, quarters of a millisecond.</summary>
    RttVar = 5,

    /// <summary>Initial slow start threshold, packets.</summary>
    SsThresh = 6,

    /// <summary>Clamp of the congestion window, packets.</summary>
    Cwnd = 7,

    /// <summary>Segment size announced, bytes.</summary>
    AdvMss = 8,

    /// <summary>Reordering borne, packets.</summary>
    Reordering = 9,

    /// <summary>Hop limit of what is sent.</summary>
    HopLimit = 10,

    /// <summary>Initial congestion window, packets.</summary>
    InitCwnd = 11,

    /// <summary>RTAX_FEATURE_*, bits.</summary>
    Features = 12,

    /// <summary>Least retransmission timeout, milliseconds.</summary>
    RtoMin = 13,

    /// <summary>Initial receive window, packets.</summary>
    InitRwnd = 14,

    /// <summary>1: acknowledge at once.</summary>
    QuickAck = 15,

    /// <summary>Congestion control by name.</summary>
    CongCtl = 16,

    /// <summary>1: TCP Fast Open without a cookie.</summary>
    FastOpenNoCookie = 17,
}

/// <summary>One metric of a route.</summary>
/// <param name="Name">Which.</param>
/// <param name="Value">Its value; 0 for <see cref="RouteMetricName.CongCtl"/>.</param>
/// <param name="IsLocked">The kernel does not adapt it.</param>
/// <param name="Text">Name of the congestion control.</param>
public sealed record RouteMetric(RouteMetricName Name, uint Value, bool IsLocked = false, string? Text = null);

/// <summary>One of several next hops.</summary>
/// <param name="Interface">Outgoing interface.</param>
/// <param name="NextHop">Null when the destination is on the link.</param>
/// <param name="Weight">1 to 256.</param>
/// <param name="IsOnLink">Taken for reachable on the link.</param>
public sealed record RouteHop(InterfaceName Interface, IPAddress? NextHop, int Weight = 1, bool IsOnLink = false);

/// <summary>What belongs to a route besides <see cref="RouteSpec"/>'s own fields; needed to bring a lost one back exactly.</summary>
public sealed record RouteOptions
{
    /// <summary>A plain route.</summary>
    public static RouteOptions None { get; } = new();

    /// <summary>Type of service that the route is for; part of its identity.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public byte TypeOfService { get; init; }

    /// <summary>The next hop is taken for reachable on the link.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsOnLink { get; init; }

    /// <summary>An IPv4 route whose next hop is an IPv6 address (RFC 8950).</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsViaIPv6 { get; init; }

    /// <summary>Router preference of an IPv6 route (RFC 4191): 0 medium, 1 high, 3 low.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public byte Preference { get; init; }

    /// <summary>
    /// The kernel makes it by itself along with an address or when the interface comes up; it is set only where that did not happen, or something else took it
    /// away. No property of the route.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsImplied { get; init; }

    /// <summary>Metrics by number; null when there are none.</summary>
    public IReadOnlyList<RouteMetric>? Metrics { get; init; }

    /// <summary>Next hops when there are several; null for a single one.</summary>
    public IReadOnlyList<RouteHop>? Hops { get; init; }

    internal IEnumerable<string> Words
    {
        get
        {
            foreach (var word in Word(TypeOfService != 0, "tos", TypeOfService).Concat(Word(Preference != 0, "pref", Preference == 1 ? "high" : "low")))
            {
                yield return word;
            }

            if (IsOnLink)
            {
                yield return "onlink";
            }

            foreach (var metric in Metrics ?? [])
            {
                yield return metric.Name.ToString().ToLowerInvariant();
                if (metric.IsLocked)
                {
                    yield return "lock";
                }

                yield return metric.Text ?? metric.Value.ToString(CultureInfo.InvariantCulture);
            }

            foreach (var hop in Hops ?? [])
            {
                foreach (var word in Word(true, "nexthop", null).Concat(Word(hop.NextHop is not null, "via", hop.NextHop)).Concat(Word(true, "dev", hop.Interface))
                    .Concat(Word(hop.Weight != 1, "weight", hop.Weight)).Concat(Word(hop.IsOnLink, "onlink", null)))
                {
                    yield return word;
                }
            }
        }
    }

    /// <inheritdoc/>
    public bool Equals(RouteOptions? other) =>
        other is not null && (TypeOfService, IsOnLink, IsViaIPv6, Preference) == (other.TypeOfService, other.IsOnLink, other.IsViaIPv6, other.Preference)
        && (Metrics ?? []).SequenceEqual(other.Metrics ?? []) && (Hops ?? []).SequenceEqual(other.Hops ?? []);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(TypeOfService, IsOnLink, IsViaIPv6, Preference, Metrics?.Count ?? 0, Hops?.Count ?? 0);

    internal string? Fault(RouteSpec route) =>
        (Metrics ?? []).Any(m => m is null || !Enum.IsDefined(m.Name) || (m.Name == RouteMetricName.CongCtl) != m.Text is { Length: > 0 and < 16 }) ? "route metrics: one of them is none that the kernel has"
        : (Metrics ?? []).Select(m => m.Name).Distinct().Count() != (Metrics?.Count ?? 0) ? "route metrics: one is there twice"
        : Hops is null ? null
        : route is not { Kind: RouteKind.Unicast, Interface: null, NextHop: null } ? "route next hops: a route has either one next hop or a list"
        : Hops is not { Count: >= 1 and <= 64 } ? "route next hops: must be 1 to 64"
        : Hops.Any(h => h is null || h.Weight is < 1 or > 256) ? "route next hops: a weight must be 1 to 256"
        : Hops.Any(h => h.NextHop is { } hop && hop.AddressFamily != route.Destination.Address.AddressFamily && !(hop.AddressFamily == AddressFamily.InterNetworkV6 && IsViaIPv6))
            ? "route next hops: one is of another family than the destination"
        : null;

    private static IEnumerable<string> Word(bool isThere, string key, object? value) =>
        !isThere ? [] : value is null ? [key] : [key, string.Create(CultureInfo.InvariantCulture, $"{value}")];
}
