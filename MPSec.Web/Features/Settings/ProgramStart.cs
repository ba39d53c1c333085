namespace MPSec.Features.Settings;

/// <summary>When this process was put together.</summary>
/// <param name="At">Wall-clock time.</param>
public sealed record ProgramStart(DateTimeOffset At);
