using System.Globalization;
using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.Localization;
using MPSec.Components.Controls;
using MPSec.Components.Layout;
using MPSec.Jobs;

namespace MPSec.Features.Jobs;

/// <summary>One run, live: steps, log, history. Its number is in the address, so a reload or another browser finds it again.</summary>
public sealed partial class JobRunPage(JobEngine engine, JobFeed feed, JobActions actions, JobTitles titles, NavigationManager navigation, TimeProvider time, IStringLocalizer<JobsTexts> texts) : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private JobLogView? _log;
    private JobRun? _run;
    private IJobKind? _kind;
    private IReadOnlyList<IJobKind> _allowedKinds = [];
    private bool _loaded;
    private bool _busy;

    /// <summary>Number of the run.</summary>
    [Parameter]
    public long Id { get; set; }

    /// <summary>The gateway in the address; links keep it.</summary>
    [CascadingParameter(Name = GatewayLink.Parameter)]
    public string Gateway { get; set; } = "host";

    private IStringLocalizer<JobsTexts> L => texts;

    private bool Allowed => _kind is not null && _allowedKinds.Contains(_kind);

    private JobOffer? Offer => _run is { State: JobState.Failed } run && _kind?.Offer(run) is { } offer && _allowedKinds.Any(kind => kind.Key == offer.Kind) ? offer : null;

    private string Heading => _run is { } run ? $"{titles.Kind(run.Kind)} · {L["JobNumber", Id]}" : L["JobNumber", Id];

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
    }

    /// <inheritdoc/>
    protected override void OnInitialized() => _ = FollowAsync(feed.ListenAsync(_stop.Token));

    /// <inheritdoc/>
    protected override async Task OnParametersSetAsync()
    {
        if (_run?.Id != Id)
        {
            (_run, _loaded) = (null, false);
            await LoadAsync();
            _kind = _run is { } run ? engine.FindKind(run.Kind) : null;
            _allowedKinds = await actions.AllowedAsync();
        }
    }

    private static string Css(JobRunStep step) => step.State switch
    {
        JobStepState.Done => "done",
        JobStepState.Running => "now",
        JobStepState.Failed => "failed",
        _ => "",
    };

    private static string? Icon(JobRunStep step) => step.State switch
    {
        JobStepState.Done => "check",
        JobStepState.Failed => "close",
        JobStepState.Cancelled => "stop",
        _ => null,
    };

    private static string Icon(JobMarkKind mark) => mark switch
    {
        JobMarkKind.Interrupted => "warn",
        JobMarkKind.Started or JobMarkKind.Resumed or JobMarkKind.Reattached => "play",
        JobMarkKind.CancelRequested => "stop",
        JobMarkKind.Finished => "check",
        _ => "user",
    };

    private static string Width(double percent) => string.Create(CultureInfo.InvariantCulture, $"width:{percent:0.#}%");

    private string StateLine(JobRun run)
    {
        var resumed = run.Marks.LastOrDefault(mark => mark.Kind == JobMarkKind.Resumed);
        var interrupted = run.Marks.LastOrDefault(mark => mark.Kind is JobMarkKind.Interrupted or JobMarkKind.Reattached);
        return resumed is not null && interrupted is not null
            ? L["StateResumed", titles.State(run.State), interrupted.Step ?? run.Steps.Count, Figures.Clock(resumed.At)]
            : titles.State(run.State);
    }

    private string Below(JobRunStep step)
    {
        var took = JobTitles.Took(step.StartedAt, step.FinishedAt, time.GetUtcNow());
        return step.State switch
        {
            JobStepState.Waiting => L["StepWaiting"],
            JobStepState.Failed => L["StepFailed", Figures.Duration(took)],
            JobStepState.Cancelled => L["StepCancelled"],
            _ when titles.Said(step.Outcome) is { } outcome => $"{outcome}, {Figures.Duration(took)}",
            _ => Figures.Duration(took),
        };
    }

    private string When(DateTimeOffset at)
    {
        var local = at.ToLocalTime();
        return local.Date == time.GetLocalNow().Date ? Figures.Clock(at) : local.ToString("g", CultureInfo.CurrentCulture);
    }

    private async Task LoadAsync()
    {
        _run = await engine.FindAsync(Id, _stop.Token);
        _loaded = true;
    }

    private async Task CancelAsync()
    {
        _busy = true;
        await actions.CancelAsync(Id);
        await LoadAsync();
        _busy = false;
    }

    private Task RunAgainAsync() => GoAsync(() => actions.RunAgainAsync(Id));

    private Task TakeOfferAsync(JobOffer offer) => GoAsync(() => actions.StartAsync(offer));

    // To the page of the run that was started, when it was.
    private async Task GoAsync(Func<Task<long?>> start)
    {
        _busy = true;
        if (await start() is { } id)
        {
            navigation.NavigateTo(GatewayLink.To($"jobs/{id}", Gateway));
        }

        _busy = false;
    }

    private async Task FollowAsync(IAsyncEnumerable<JobNews> news)
    {
        try
        {
            await foreach (var item in news)
            {
                if (item.Run == Id)
                {
                    await InvokeAsync(() => TakeAsync(item.Change));
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // The page was left.
        }
    }

    private async Task TakeAsync(JobChange change)
    {
        if (change == JobChange.Log)
        {
            await (_log?.RefreshAsync() ?? Task.CompletedTask);
            return;
        }

        if (change == JobChange.Run)
        {
            await LoadAsync();
        }

        StateHasChanged();
    }
}
