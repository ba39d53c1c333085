using System.Collections.Immutable;
using MPSec.Linux.Values;

namespace MPSec.Changes;

/// <summary>How far a checked change is.</summary>
public enum PendingStage
{
    /// <summary>Its operations are being applied.</summary>
    Applying,

    /// <summary>Applied; waits to be confirmed.</summary>
    Waiting,

    /// <summary>Being undone.</summary>
    Reverting,
}

/// <summary>A checked change that has not ended.</summary>
/// <param name="Id">The plan's id.</param>
/// <param name="TitleCode">Code of the title.</param>
/// <param name="TitleArguments">Arguments of the title.</param>
/// <param name="Gateways">Gateways touched.</param>
/// <param name="Actor">Who applied it.</param>
/// <param name="Stage">How far it is.</param>
/// <param name="Timeout">Time to confirm, in all.</param>
/// <param name="Remaining">Time left to confirm; zero when it is over.</param>
/// <param name="AppliedMs">When it was applied, milliseconds of <see cref="IBootClock"/>; null before.</param>
/// <param name="Commands">The operations as commands.</param>
public sealed record PendingChange(
    Guid Id, string TitleCode, ImmutableArray<string> TitleArguments, ImmutableArray<GatewayName> Gateways, string Actor, PendingStage Stage, TimeSpan Timeout, TimeSpan Remaining,
    long? AppliedMs, ImmutableArray<string> Commands);

/// <summary>How long a change may wait for its confirmation.</summary>
/// <param name="Shortest">Shorter ones are refused.</param>
/// <param name="Usual">When nothing else is asked for.</param>
public sealed record ConfirmationTime(TimeSpan Shortest, TimeSpan Usual)
{
    /// <summary>Longer ones are refused.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(600);

    /// <summary>At least 10 s, because a person needs that long to read what is asked; usually 60 s, as long as OpenWrt's rpcd waits.</summary>
    public static readonly ConfirmationTime Standard = new(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(60));

    /// <exception cref="ChangeException">Out of range.</exception>
    public void Require(TimeSpan timeout)
    {
        if (timeout < Shortest || timeout > Longest)
        {
            throw new ChangeException(ChangeFault.Invalid, $"timeout: must be {Shortest.TotalSeconds:0} to {Longest.TotalSeconds:0} s");
        }
    }
}
