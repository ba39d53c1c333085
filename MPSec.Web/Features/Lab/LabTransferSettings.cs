using System.Text.Json;
using System.Text.Json.Serialization;

namespace MPSec.Features.Lab;

/// <summary>Which way the built-in transfer sends.</summary>
public enum LabDirection
{
    /// <summary>From a to b.</summary>
    AToB,

    /// <summary>From b to a.</summary>
    BToA,

    /// <summary>Both ways at once.</summary>
    Both,
}

/// <summary>What the built-in transfer shall do.</summary>
/// <param name="Direction">Which way.</param>
/// <param name="Connections">Connections at once, 1 to 64.</param>
/// <param name="Congestion">Congestion control of its sockets; null takes cubic where the kernel has it, else the gateway's default.</param>
public sealed record LabTransferSettings(LabDirection Direction = LabDirection.AToB, int Connections = 1, string? Congestion = null)
{
    internal static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) } };

    /// <summary>Every fault, one sentence each; empty when sound.</summary>
    public IReadOnlyList<string> Faults()
    {
        var faults = new List<string>();
        if (Connections is < 1 or > 64)
        {
            faults.Add("connections: must be 1 to 64");
        }

        if (Congestion is not null && (Congestion.Length is 0 or > 15 || !Congestion.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-')))
        {
            faults.Add("congestion: must be a name of tcp_available_congestion_control, such as cubic");
        }

        if (!Enum.IsDefined(Direction))
        {
            faults.Add("direction: must be a-to-b, b-to-a or both");
        }

        return faults;
    }
}
