using System.Net;
using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.Localization;
using MPSec.Changes;
using MPSec.Components.Controls;
using MPSec.Components.Layout;
using MPSec.Components;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Values;
using MPSec.Live;
using MudBlazor;

namespace MPSec.Features;

/// <summary>
/// The one way by which pages change a gateway: plan, judge the danger for this browser, show the preview, apply with a dead-man, prove by a new connection of
/// this browser that the gateway can still be reached, tell the result. A change that may cut the browser off is kept only when the person says so after it;
/// for any other the browser says so by itself, at once. One per open page.
/// </summary>
public sealed class ChangeDesk(
    ChangeService changes,
    PendingChangeWatch watch,
    ChangeJournal journal,
    ILiveFeeds<GatewaySnapshot, RatePoint> feeds,
    BrowserArrival arrival,
    IDialogService dialogs,
    ISnackbar snackbar,
    IConnectionProof proof,
    ConfirmationTime confirmation,
    NavigationManager navigation,
    TimeProvider time,
    ChangeTitles titles,
    IStringLocalizer<ChangeTexts> texts,
    Sentences sentences)
{
    private static readonly TimeSpan s_busyPatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(150);

    private (Guid Change, ChangeWish Wish, ChangeActor Actor)? _last;

    /// <summary>The change that this page applies or has applied and a person must confirm; null when there is none.</summary>
    public Guid? Asks { get; private set; }

    /// <summary>Where this page is found after <see cref="Asks"/>, when that replaces the address that this browser speaks to; null when the address stays.</summary>
    public Uri? NewAddress { get; private set; }

    /// <summary>Whether <paramref name="change"/> is the last one of this page, so that it can be asked for again.</summary>
    public bool CanRepeat(Guid change) => _last?.Change == change;

    /// <summary>Asks for the last change again, planned from the facts of now.</summary>
    public async Task RepeatAsync()
    {
        if (_last is { } last)
        {
            await RunAsync(last.Wish, last.Actor);
        }
    }

    /// <summary>Raised in the page's own context when another way was found.</summary>
    public event Action? WayFound;

    /// <summary>The way by which this browser reached the machine when <see cref="FindWayAsync"/> last looked; null before.</summary>
    public AdminWay? Way { get; private set; }

    /// <summary>The way by which this browser reaches the machine, by the kernel's routes of this moment.</summary>
    public async Task<AdminWay> FindWayAsync()
    {
        var found = await Task.Run(() => AdminReach.Find(Parse(arrival.Server), Parse(arrival.Client)));
        var differs = Way is null || !Way.Devices.SequenceEqual(found.Devices);
        Way = found;
        if (differs)
        {
            WayFound?.Invoke();
        }

        return found;
    }

    /// <summary>Plans, asks, applies, proves, tells.</summary>
    public async Task<ChangeAnswer> RunAsync(ChangeWish wish, ChangeActor actor)
    {
        ArgumentNullException.ThrowIfNull(wish);
        ArgumentNullException.ThrowIfNull(actor);
        try
        {
            var plan = await wish.Plan();
            actor.Require(plan.RequiredRole);
            var way = await FindWayAsync();
            var danger = Danger(plan, way);
            NewAddress = AddressAfter(plan, way);
            if ((danger > DangerLevel.Harmless || wish.AlwaysAsk) && !await AskAsync(wish, plan, danger, way))
            {
                return ChangeAnswer.GivenUp;
            }

            _last = (plan.Id, wish, actor);
            var report = HasWayBack(plan) ? await ApplyAsync(plan, actor, danger) : await changes.RunAsync(plan, actor, CancellationToken.None);
            if (report.Outcome == ChangeOutcome.Applied)
            {
                snackbar.Add(wish.Done, Severity.Success);
                return new(report, null);
            }

            // What was undone for want of a proof is told above the page, where it stays.
            return new(report, titles.ReasonOf(report));
        }
        catch (Exception e) when (e is ChangeException or NamespaceException)
        {
            var refusal = sentences.Of(e.Message);
            if (!wish.TellsRefusal)
            {
                snackbar.Add(refusal, Severity.Error);
            }

            return new(null, refusal);
        }
    }

    private static bool HasWayBack(ChangePlan plan) => !plan.RollsForward && !plan.Operations.Any(o => o is DeleteNamespace);

    private static DangerLevel Danger(ChangePlan plan, AdminWay way) =>
        plan.Danger == ChangeDanger.High || !HasWayBack(plan) ? DangerLevel.Irreversible
        : AdminReach.MayCutOff(plan, way) ? DangerLevel.MayCutOff
        : plan.Danger == ChangeDanger.Medium ? DangerLevel.Disturbs : DangerLevel.Harmless;

    /// <summary>Only for a browser that names the machine by that address: where a name leads, this machine cannot know.</summary>
    private Uri? AddressAfter(ChangePlan plan, AdminWay way)
    {
        var here = new Uri(navigation.BaseUri);
        return AdminReach.NewServer(plan, way) is { } address && Parse(here.DnsSafeHost)?.Equals(way.Server) == true
            ? new UriBuilder(here) { Host = address.ToString() }.Uri : null;
    }

    private static IPAddress? Parse(string? address) => IPAddress.TryParse(address, out var parsed) ? parsed : null;

    private async Task<bool> AskAsync(ChangeWish wish, ChangePlan plan, DangerLevel danger, AdminWay way)
    {
        var preview = await changes.PreviewAsync(plan);
        if (preview.Commands.IsEmpty)
        {
            throw new ChangeException(ChangeFault.Invalid, texts["NothingToChange"]);
        }

        var prompt = new ChangePrompt(wish.Title, wish.Summary, wish.Confirm, danger)
        {
            Operations = preview.Commands,
            Inverse = preview.Inverse,
            Affected = [.. wish.Affected, .. Remarks(plan), .. await Task.Run(() => Disturbed(plan)), .. Reach(danger, way)],
            TypedName = wish.TypedName,
        };
        return await ChangeDialog.AskAsync(dialogs, prompt);
    }

    private IEnumerable<string> Remarks(ChangePlan plan) => plan.Remarks.Contains("new-connections-only") ? [texts["NewConnectionsOnly"].Value] : [];

    private IEnumerable<string> Disturbed(ChangePlan plan)
    {
        foreach (var gateway in plan.Gateways.Where(g => g.IsHost || NamespaceThread.Exists(g)))
        {
            if (feeds.Get(gateway.Value).Store.Current?.Value?.Reading is { } reading && ChangeDisturbance.Of(plan, reading) is { Subflows: > 0 } found)
            {
                yield return texts["Disturbed", gateway.Value, found.Connections, found.Subflows];
            }
        }
    }

    private IEnumerable<string> Reach(DangerLevel danger, AdminWay way)
    {
        var by = string.Join(", ", way.Devices);
        if (danger == DangerLevel.MayCutOff)
        {
            yield return way.IsHidden ? texts["ReachHidden", way.Client?.ToString() ?? Figures.Missing] : texts["ReachTouched", by, way.Client?.ToString() ?? Figures.Missing];
            yield return texts["ReachChecked", confirmation.Usual.TotalSeconds];
            if (NewAddress is not null)
            {
                yield return texts["ReachMoves", NewAddress];
            }
        }
        else if (!way.IsHidden)
        {
            yield return texts["ReachUntouched", by];
        }
    }

    private async Task<ChangeReport> ApplyAsync(ChangePlan plan, ChangeActor actor, DangerLevel danger)
    {
        Asks = danger >= DangerLevel.MayCutOff ? plan.Id : null;
        var pending = await ApplyPatientlyAsync(plan, actor);
        if (danger < DangerLevel.MayCutOff && !await proof.ConfirmAsync(pending.Id))
        {
            Asks = plan.Id; // it did cut this browser off, or the browser is slow: let the person decide
            watch.Refresh();
        }

        while (true)
        {
            if (await journal.FindAsync(plan.Id) is { } report)
            {
                Asks = null;
                return report;
            }

            await Task.Delay(s_look, time);
        }
    }

    /// <summary>Another change that confirms itself is through in a moment; one that waits for a person is told at once.</summary>
    private async Task<PendingChange> ApplyPatientlyAsync(ChangePlan plan, ChangeActor actor)
    {
        var begun = time.GetTimestamp();
        while (true)
        {
            try
            {
                return await changes.ApplyCheckedAsync(plan, actor);
            }
            catch (ChangeException e) when (e.Fault == ChangeFault.Busy && time.GetElapsedTime(begun) < s_busyPatience && !watch.IsOverdue)
            {
                await Task.Delay(s_look, time);
            }
        }
    }
}
