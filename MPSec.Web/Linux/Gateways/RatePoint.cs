using System.Collections.Frozen;

namespace MPSec.Linux.Gateways;

/// <summary>The light part of a snapshot that charts keep: rates by interface index at a wall-clock time.</summary>
public sealed record RatePoint(DateTimeOffset At, FrozenDictionary<int, InterfaceRate> Rates);
