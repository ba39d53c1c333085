namespace MPSec.Data.History;

/// <summary>Something that happened, as history keeps it. What the source did not tell is null.</summary>
public sealed record HistoryEvent
{
    /// <summary>Number in the order of storing; 0 before it is stored.</summary>
    public long Id { get; init; }

    /// <summary>The gateway.</summary>
    public required string Scope { get; init; }

    /// <summary>Wall-clock time, to the millisecond.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>Stable word, for example <c>subflow-closed</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>Names the connection.</summary>
    public uint? Token { get; init; }

    /// <summary>Name of the interface.</summary>
    public string? Interface { get; init; }

    /// <summary>Local address, with port where there is one.</summary>
    public string? Local { get; init; }

    /// <summary>The peer's address, with port where there is one.</summary>
    public string? Remote { get; init; }

    /// <summary>Identifier of the address that it is about.</summary>
    public int? AddressId { get; init; }

    /// <summary>The peer asked to use the subflow only when no other carries.</summary>
    public bool? Backup { get; init; }

    /// <summary>Error number (errno); 0 is none.</summary>
    public int? Error { get; init; }

    /// <summary>Reset reason (RFC 8684 3.6).</summary>
    public int? ResetReason { get; init; }

    /// <summary>How many it stands for, for example events that were lost.</summary>
    public long? Count { get; init; }

    /// <summary>Summary of a connection that ended: data that it had sent by the last reading before its end, bytes.</summary>
    public long? BytesSent { get; init; }

    /// <summary>Summary of a connection that ended: data that it had received by the last reading before its end, bytes.</summary>
    public long? BytesReceived { get; init; }

    /// <summary>Summary of a connection that ended: how long it lasted, to the millisecond; null when its begin was not heard.</summary>
    public TimeSpan? Lasted { get; init; }
}

/// <summary>Which events are wanted, newest first.</summary>
/// <param name="Scope">The gateway.</param>
public sealed record HistoryEventQuery(string Scope)
{
    /// <summary>Kinds; empty for all.</summary>
    public IReadOnlyList<string> Kinds { get; init; } = [];

    /// <summary>Only those of this connection.</summary>
    public uint? Token { get; init; }

    /// <summary>Only those of this interface.</summary>
    public string? Interface { get; init; }

    /// <summary>Part of an address, interface, kind or token; null for all.</summary>
    public string? Text { get; init; }

    /// <summary>Not before this time.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>Before this time.</summary>
    public DateTimeOffset? To { get; init; }

    /// <summary>Only those stored before this number, to read on.</summary>
    public long? Before { get; init; }

    /// <summary>Only those stored after this number: what is new.</summary>
    public long? After { get; init; }

    /// <summary>Most events, 1 to 5,000.</summary>
    public int Limit { get; init; } = 200;
}
