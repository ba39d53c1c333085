using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using MPSec.Linux.Values;

namespace MPSec.Features.Lab;

/// <summary>One path of a testbed.</summary>
/// <param name="RateMbit">Rate in each direction, Mbit/s on the wire: 0.1 to 10,000.</param>
/// <param name="RttMs">Round-trip time that is added, milliseconds: 0 to 2,000; above 0 needs netem in the kernel.</param>
public sealed record LabPathSpec(double RateMbit, double RttMs = 0);

/// <summary>A testbed: two gateways <c>NAME-a</c> and <c>NAME-b</c> joined by shaped paths.</summary>
public sealed record LabSpec
{
    /// <summary>At most this many paths: the kernel allows 8 additional subflows, and 8 announced addresses.</summary>
    public const int MaxPaths = 8;

    /// <summary>The lab that <c>serve --lab</c> makes.</summary>
    public static LabSpec Default { get; } = new() { Name = "lab", Paths = [new(20), new(30), new(50), new(40)] };

    /// <summary>Name.</summary>
    public required string Name { get; init; }

    /// <summary>Paths; path 1 is the first.</summary>
    public required ImmutableArray<LabPathSpec> Paths { get; init; }

    /// <summary>Queue of each path, milliseconds at its rate: 1 to 10,000.</summary>
    public double BufferMs { get; init; } = 50;

    /// <summary>The side that connects.</summary>
    [JsonIgnore]
    public GatewayName A => GatewayName.Parse($"{Name}-a");

    /// <summary>The side that listens and announces its addresses.</summary>
    [JsonIgnore]
    public GatewayName B => GatewayName.Parse($"{Name}-b");

    /// <summary>Most that TCP can carry of all rates together: 1448 payload bytes of each 1514 on the wire (Ethernet, IPv4, TCP with time stamps), Mbit/s.</summary>
    [JsonIgnore]
    public double HeaderLimitedMbit => Paths.Sum(p => p.RateMbit) * 1448 / 1514;

    /// <summary>Every fault of this spec, one sentence each that names the field; empty when it is sound.</summary>
    public IReadOnlyList<string> Faults()
    {
        var faults = new List<string>();
        if (NameFault(Name) is { } fault)
        {
            faults.Add(fault);
        }

        if (Paths.IsDefault || Paths.Length is 0 or > MaxPaths)
        {
            faults.Add($"paths: a lab has 1 to {MaxPaths} paths, {(Paths.IsDefault ? 0 : Paths.Length)} were given");
        }
        else
        {
            for (var i = 0; i < Paths.Length; i++)
            {
                if (!(Paths[i].RateMbit is >= 0.1 and <= 10_000))
                {
                    faults.Add($"paths: the rate of path {i + 1} must be 0.1 to 10,000 Mbit/s");
                }

                if (!(Paths[i].RttMs is >= 0 and <= 2000))
                {
                    faults.Add($"rtt-ms: the round-trip time of path {i + 1} must be 0 to 2,000 ms");
                }
            }
        }

        if (!(BufferMs is >= 1 and <= 10_000))
        {
            faults.Add("buffer-ms: must be 1 to 10,000 ms");
        }

        return faults;
    }

    /// <summary>The broken rule of a lab name; null when it is sound.</summary>
    public static string? NameFault(string? name) => name switch
    {
        null or "" => "name: is empty; give a name such as lab",
        { Length: > 40 } => "name: is longer than 40 characters",
        _ when !GatewayName.TryParse($"{name}-a", out _, out _) => "name: must begin with a letter or digit and may only have ASCII letters, digits and . _ -",
        _ => null,
    };

    /// <summary>Makes a spec from what a person typed: <c>20,30,50,40</c> and <c>10,20,30,40</c>.</summary>
    /// <returns>The spec, or null and the faults.</returns>
    public static LabSpec? Parse(string name, string paths, string? rttMs, double bufferMs, out IReadOnlyList<string> faults)
    {
        var found = new List<string>();
        var rates = Numbers("paths", "Mbit/s such as 20,30,50,40", paths, found);
        var delays = rttMs is null ? null : Numbers("rtt-ms", "milliseconds such as 10,20,30,40", rttMs, found);
        if (rates is not null && delays is not null && delays.Count != rates.Count)
        {
            found.Add($"rtt-ms: {delays.Count} round-trip times were given for {rates.Count} paths; give one for each");
        }

        if (found.Count > 0)
        {
            faults = found;
            return null;
        }

        var spec = new LabSpec { Name = name, Paths = [.. rates!.Select((rate, i) => new LabPathSpec(rate, delays?[i] ?? 0))], BufferMs = bufferMs };
        faults = spec.Faults();
        return faults.Count == 0 ? spec : null;
    }

    /// <summary>Two specs are equal when all their paths are.</summary>
    public bool Equals(LabSpec? other) => other is not null && Name == other.Name && BufferMs.Equals(other.BufferMs) && Paths.SequenceEqual(other.Paths);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Name, BufferMs, Paths.Length);

    internal string ToJson() => JsonSerializer.Serialize(this, JsonSerializerOptions.Web);

    internal static LabSpec FromJson(string json) => JsonSerializer.Deserialize<LabSpec>(json, JsonSerializerOptions.Web)!;

    private static List<double>? Numbers(string field, string example, string text, List<string> faults)
    {
        var numbers = new List<double>();
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            if (part.Length == 0 && text.Trim().Length == 0)
            {
                continue;
            }

            if (!double.TryParse(part, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
            {
                faults.Add($"{field}: '{part}' is no number; write {example}");
                return null;
            }

            numbers.Add(number);
        }

        return numbers;
    }
}
