using System.Globalization;
using System.Text.Json.Serialization;

namespace MPSec.Features.Settings;

/// <summary>What is told of an alert. Numbers, codes and English sentences, as in logs and in the API.</summary>
public sealed record AlertMessage
{
    /// <summary>raised, cleared or test.</summary>
    public required string Event { get; init; }

    /// <summary>Which.</summary>
    [JsonIgnore]
    public required AlertKey Key { get; init; }

    /// <summary>Name of this machine.</summary>
    public required string Host { get; init; }

    /// <summary>When.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>The number that decided; null when it is no longer measured.</summary>
    public double? Value { get; init; }

    /// <summary>The number that it was compared with.</summary>
    public double? Threshold { get; init; }

    /// <summary>The kind.</summary>
    public AlertKind Kind => Key.Kind;

    /// <summary>The gateway; empty for the machine.</summary>
    public string Gateway => Key.Gateway;

    /// <summary>The path; null for the gateway as a whole.</summary>
    public string? Subject => Key.Subject;

    /// <summary>One sentence.</summary>
    public string Text => Event == "test" ? $"MPSec on {Host}: this is a test; alerts arrive here"
        : $"MPSec on {Host}: {Where()}{(Event == "raised" ? What() : "over: " + What())}{(Value is { } value && Kind is not (AlertKind.PathDown or AlertKind.PathUnanswered or AlertKind.Unreadable) ? string.Create(CultureInfo.InvariantCulture, $" ({value:0.#}{Unit}, threshold {Threshold:0.#}{Unit})") : "")}";

    private string Unit => Kind is AlertKind.FallbackRatio or AlertKind.JoinFailureRatio or AlertKind.Disk ? " %" : "";

    private string Where() => (Gateway.Length > 0 ? $"gateway {Gateway}, " : "") + (Subject is { } path ? $"path {path}: " : "");

    private string What() => Kind switch
    {
        AlertKind.PathDown => "the path is down",
        AlertKind.PathUnanswered => "what is sent is not answered",
        AlertKind.FallbackRatio => "connections go on as plain TCP",
        AlertKind.JoinFailureRatio => "subflows get no answer to their join",
        AlertKind.Blackhole => "the kernel gave up asking for MPTCP (black hole)",
        AlertKind.Disk => "the disk of the state folder is filling up",
        _ => "the gateway cannot be read",
    };
}
