using System.Globalization;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Localization;
using MPSec.Components.Controls;
using MPSec.Components.Layout;
using MPSec.Jobs;

namespace MPSec.Features.Jobs;

/// <summary>Every run ever: who, when, with what, how far, how it ended. The filter is in the address.</summary>
public sealed partial class JobsPage(JobEngine engine, JobFeed feed, JobActions actions, JobTitles titles, NavigationManager navigation, TimeProvider time, IStringLocalizer<JobsTexts> texts) : IDisposable
{
    private const int PageSize = 50;

    private readonly CancellationTokenSource _stop = new();
    private IReadOnlyList<IJobKind> _startable = [];
    private IReadOnlyList<JobRun>? _runs;
    private int _wanted = PageSize;
    private bool _more;
    private bool _busy;

    /// <summary>The gateway in the address; jobs belong to the machine, links keep it.</summary>
    [CascadingParameter(Name = GatewayLink.Parameter)]
    public string Gateway { get; set; } = "host";

    /// <summary>Only this kind.</summary>
    [SupplyParameterFromQuery(Name = "kind")]
    public string? Kind { get; set; }

    /// <summary>Only this state.</summary>
    [SupplyParameterFromQuery(Name = "state")]
    public string? State { get; set; }

    private IStringLocalizer<JobsTexts> L => texts;

    private JobState? Wanted => Enum.TryParse<JobState>(State, out var state) && Enum.IsDefined(state) ? state : null;

    private bool Filtered => Kind is { Length: > 0 } || Wanted is not null;

    private int Active => _runs?.Count(run => run.IsActive) ?? 0;

    private string StateLine => Active > 0 ? L["StateActive", Active] : L["StateIdle"];

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task OnInitializedAsync()
    {
        _startable = [.. (await actions.AllowedAsync()).Where(kind => kind.UsualParameters is not null)];
        _ = FollowAsync(feed.ListenAsync(_stop.Token));
    }

    /// <inheritdoc/>
    protected override Task OnParametersSetAsync()
    {
        _wanted = PageSize;
        return LoadAsync();
    }

    private static string Width(double percent) => string.Create(CultureInfo.InvariantCulture, $"width:{percent:0.#}%");

    private static string Parameters(JobRun run) => string.Join("; ", JobTitles.Parameters(run).Select(parameter => $"{parameter.Name}: {parameter.Value}"));

    private string When(DateTimeOffset at)
    {
        var local = at.ToLocalTime();
        return local.Date == time.GetLocalNow().Date ? Figures.Clock(at) : local.ToString("g", CultureInfo.CurrentCulture);
    }

    private async Task LoadAsync()
    {
        var runs = await engine.ListAsync(Kind is { Length: > 0 } ? Kind : null, Wanted, null, _wanted + 1, _stop.Token);
        (_runs, _more) = ([.. runs.Take(_wanted)], runs.Count > _wanted);
    }

    private Task MoreAsync()
    {
        _wanted += PageSize;
        return LoadAsync();
    }

    private void Filter(string? kind, string? state)
    {
        var query = new Dictionary<string, string?>();
        if (kind is { Length: > 0 })
        {
            query["kind"] = kind;
        }

        if (state is { Length: > 0 })
        {
            query["state"] = state;
        }

        navigation.NavigateTo(QueryHelpers.AddQueryString(GatewayLink.To("jobs", Gateway), query), replace: true);
    }

    private async Task StartAsync(IJobKind kind)
    {
        _busy = true;
        if (await actions.StartAsync(kind) is { } id)
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
                if (item.Change != JobChange.Log)
                {
                    await InvokeAsync(async () =>
                    {
                        if (item.Change == JobChange.Run)
                        {
                            await LoadAsync();
                        }

                        StateHasChanged();
                    });
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // The page was left.
        }
    }
}
