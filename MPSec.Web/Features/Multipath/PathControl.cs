using MPSec.Changes;
using MPSec.Linux.Values;

namespace MPSec.Features.Multipath;

/// <summary>The buttons of the Multipath page as plans; the door authorises, journals and runs them.</summary>
public sealed class PathControl(LinkPlans plans, ChangeJournal journal)
{
    private const int JournalDepth = 500;

    /// <summary>IP Down.</summary>
    public ChangePlan Down(GatewayName gateway, InterfaceName link) => plans.Down(gateway, link);

    /// <summary>IP Up, with the routes that the link lost.</summary>
    /// <exception cref="ChangeException">There is no such gateway or interface.</exception>
    public Task<ChangePlan> UpAsync(GatewayName gateway, InterfaceName link) => plans.UpAsync(gateway, link);

    /// <summary>MP ON and MP OFF.</summary>
    public ChangePlan Multipath(GatewayName gateway, bool on) => plans.Multipath(gateway, on);

    /// <summary>Who took which link down last, of links that were not brought up through MPSec since.</summary>
    public async Task<IReadOnlyDictionary<string, LinkDownNote>> TakenDownAsync(GatewayName gateway, CancellationToken cancellationToken = default)
    {
        var notes = new Dictionary<string, LinkDownNote>(StringComparer.Ordinal);
        var changes = await journal.RecentAsync(JournalDepth, cancellationToken);
        foreach (var change in changes.Where(c => c.Outcome == ChangeOutcome.Applied && c.TitleArguments.Length == 2 && c.TitleArguments[0] == gateway.Value).OrderBy(c => c.At))
        {
            if (change.TitleCode == "link.down")
            {
                notes[change.TitleArguments[1]] = new(change.Actor, change.At);
            }
            else if (change.TitleCode == "link.up")
            {
                notes.Remove(change.TitleArguments[1]);
            }
        }

        return notes;
    }
}

/// <summary>Tells the gateway at the other end, where somebody knows: the two sides of a lab.</summary>
public interface IPeerDirectory
{
    /// <summary>The peer of <paramref name="gateway"/>; null when unknown.</summary>
    GatewayName? PeerOf(GatewayName gateway);
}

/// <summary>Places on the Multipath page where other features may add a card (<see cref="Components.Layout.PageSlotEntry"/>).</summary>
public static class MultipathSlots
{
    /// <summary>Below the paths view.</summary>
    public const string BelowPaths = "multipath.below-paths";
}
