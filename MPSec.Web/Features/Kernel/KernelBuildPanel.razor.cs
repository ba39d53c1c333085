using System.Globalization;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.Extensions.Localization;
using MPSec.Components.Controls;
using MPSec.Components.Layout;
using MPSec.Components;
using MPSec.Data;
using MPSec.Jobs;

namespace MPSec.Features.Kernel;

/// <summary>The way to a new kernel: the job that builds it, live, or the question what to build.</summary>
public sealed partial class KernelBuildPanel
{
    private readonly CancellationTokenSource _gone = new();
    private JobLogView? _log;
    private JobRun? _run;
    private IReadOnlyList<string>? _diff;
    private bool _mayChange;

    /// <summary>The kernel that runs now.</summary>
    [Parameter]
    public string? Running { get; set; }

    /// <summary>How many of install, boot, verify and default are done with the kernel of the newest run.</summary>
    [Parameter]
    public Func<KernelProvenance?, (int Reached, bool Failed)> Boot { get; set; } = _ => (0, false);

    /// <summary>A run began or ended.</summary>
    [Parameter]
    public EventCallback<JobRun?> Changed { get; set; }

    /// <summary>The gateway in the address; links keep it.</summary>
    [CascadingParameter(Name = GatewayLink.Parameter)]
    public string Gateway { get; set; } = "host";

    [Inject]
    private JobEngine Engine { get; set; } = null!;

    [Inject]
    private AuthenticationStateProvider Authentication { get; set; } = null!;

    [Inject]
    private JobFeed Feed { get; set; } = null!;

    [Inject]
    private KernelBuildStore Store { get; set; } = null!;

    [Inject]
    private StateFolder Folder { get; set; } = null!;

    [Inject]
    private TimeProvider Time { get; set; } = null!;

    [Inject]
    private Sentences Said { get; set; } = null!;

    [Inject]
    private IStringLocalizer<KernelTexts> L { get; set; } = null!;

    /// <inheritdoc/>
    public void Dispose()
    {
        _gone.Cancel();
        _gone.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task OnInitializedAsync()
    {
        _mayChange = Engine.FindKind(KernelBuild.KindKey) is { } kind && JobEngine.Allows(kind, (await Authentication.GetAuthenticationStateAsync()).User);
        _ = FollowAsync(Feed.ListenAsync(_gone.Token));
        await LoadAsync();
    }

    private static string Width(double percent) => string.Create(CultureInfo.InvariantCulture, $"width:{percent:0.#}%");

    private System.Collections.Immutable.ImmutableArray<KernelStage> Stages(JobRun run)
    {
        var (reached, failed) = Boot(Store.Find(run.Id));
        return KernelStages.Of(run, reached, failed, Time.GetUtcNow());
    }

    private JobProgress Progress(JobRun run) => Feed.Progress(run.Id) ?? new(run.Percent, run.Activity);

    private string Heading(JobRun run) => Store.Find(run.Id) is { } built ? L["WayTo", built.Release]
        : run.Steps.Find(s => s.Key == "source")?.Outcome is { } version ? L["WayTo", version] : L["WayTitle"];

    private string Note(JobRun run)
    {
        var origin = Store.Find(run.Id)?.Source.Origin;
        var begun = L["WayBegun", Figures.Clock(run.RequestedAt), run.RequestedBy];
        return origin is null ? begun : $"{origin}, {begun}";
    }

    private async Task LoadAsync()
    {
        var before = _run;
        _run = await Engine.ListAsync(KernelBuild.KindKey, null, null, 1, _gone.Token) is [var newest, ..] ? newest : null;
        _diff = _run is null ? null : Lines(Path.Combine(Folder.KernelWork(_run.Id), "config.diff")) ?? Lines(Path.Combine(Folder.KernelResult(_run.Id), "config.diff"));
        if (before?.Id != _run?.Id || before?.State != _run?.State)
        {
            await Changed.InvokeAsync(_run);
        }
    }

    private static IReadOnlyList<string>? Lines(string path)
    {
        try
        {
            return File.Exists(path) ? [.. File.ReadLines(path).Where(l => l.Length > 0)] : null;
        }
        catch (IOException)
        {
            return null; // moved at this moment: the next news finds it
        }
    }

    private async Task CancelAsync(JobRun run)
    {
        try
        {
            await Engine.CancelAsync(run.Id, (await Authentication.GetAuthenticationStateAsync()).User, _gone.Token);
        }
        catch (JobRefusedException)
        {
            // It ended at this moment, or its step must not be torn: what is shown next tells.
        }

        await LoadAsync();
    }

    private async Task StartedAsync(long run)
    {
        await LoadAsync();
        StateHasChanged();
    }

    private async Task FollowAsync(IAsyncEnumerable<JobNews> news)
    {
        try
        {
            await foreach (var item in news)
            {
                await InvokeAsync(() => TakeAsync(item));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // The page was left.
        }
    }

    private async Task TakeAsync(JobNews news)
    {
        if (news.Run == _run?.Id && news.Change == JobChange.Log)
        {
            await (_log?.RefreshAsync() ?? Task.CompletedTask);
            return;
        }

        if (news.Change == JobChange.Run)
        {
            await LoadAsync();
        }

        StateHasChanged();
    }
}
