using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.Extensions.Localization;
using MPSec.Changes;
using MPSec.Components.Controls;
using MPSec.Jobs;
using MudBlazor;

namespace MPSec.Features.Kernel;

/// <summary>The Kernel page: what the running kernel can do, and the shortest way to Multipath TCP.</summary>
public sealed partial class KernelPage(
    KernelReportService service, KernelBuildStore store, JobEngine engine, AuditLog audit, AuthenticationStateProvider authentication, IDialogService dialogs, IStringLocalizer<KernelTexts> texts, TimeProvider time)
    : IDisposable
{
    private readonly CancellationTokenSource _gone = new();
    private KernelReport? _report;
    private DateTimeOffset? _readAt;
    private string? _failure;
    private string? _filter;
    private bool _reading;
    private IReadOnlyList<KernelProvenance> _built = [];
    private JobRun? _run;
    private KernelBootCard? _bootCard;
    private KernelBootSnapshot? _boots;
    private bool _open;
    private bool _mayChange;

    private IStringLocalizer<KernelTexts> L => texts;

    private KernelWords Words => KernelWords.Of(texts);

    private (string Text, StateKind Kind) StateLine => _report is { } report
        ? (Words.Verdict(report), report switch
        {
            { Road: not KernelRoad.Nothing } => StateKind.Down,
            _ => report.Missing.Any() ? StateKind.Degraded : StateKind.Up,
        })
        : _failure is null ? (L["Reading"], StateKind.Unknown) : (L["Failed"], StateKind.Down);

    /// <inheritdoc/>
    public void Dispose()
    {
        _gone.Cancel();
        _gone.Dispose();
    }

    /// <summary>Which sign goes with the state of a feature.</summary>
    internal static StateKind Kind(KernelFeatureLine line)
    {
        ArgumentNullException.ThrowIfNull(line);
        return line.State switch
        {
            KernelFeatureState.Works => StateKind.Up,
            KernelFeatureState.Ready or KernelFeatureState.ModuleNotLoaded => StateKind.Standby,
            KernelFeatureState.SwitchedOff => StateKind.Off,
            KernelFeatureState.Refused => StateKind.Down,
            KernelFeatureState.NotCompiled => line.IsNeeded ? StateKind.Down : StateKind.None,
            KernelFeatureState.TooOld or KernelFeatureState.OtherFlavour => StateKind.None,
            _ => StateKind.Unknown,
        };
    }

    /// <inheritdoc/>
    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        // Not while the page is made ready on the server: the trials would run twice.
        if (firstRender)
        {
            await ReadAsync();
        }
    }

    private IEnumerable<KernelFeatureLine> Shown(KernelReport report) => report.Features.Where(line => string.IsNullOrWhiteSpace(_filter)
        || new[] { Words.Name(line), Words.Gives(line), line.Option, Words.State(line) }.Any(word => word.Contains(_filter.Trim(), StringComparison.CurrentCultureIgnoreCase)));

    private async Task ReadAsync()
    {
        _reading = true;
        _failure = null;
        StateHasChanged();
        try
        {
            _report = await service.ReadAsync(_gone.Token);
            _readAt = time.GetUtcNow();
        }
        catch (IOException e)
        {
            _failure = e.Message;
        }
        catch (OperationCanceledException)
        {
            return;
        }

        var user = (await authentication.GetAuthenticationStateAsync()).User;
        _mayChange = engine.FindKind(KernelBuild.KindKey) is { } kind && JobEngine.Allows(kind, user);
        _built = store.All();
        _run = await engine.ListAsync(KernelBuild.KindKey, null, null, 1, CancellationToken.None) is [var newest, ..] ? newest : null;
        _reading = false;
        StateHasChanged();
    }

    private void ChangedAsync(JobRun? run) => (_run, _built) = (run, store.All());

    private async Task RemoveAsync(KernelProvenance kernel)
    {
        var prompt = new ChangePrompt(L["BuiltRemoveTitle", kernel.Release], L["BuiltRemoveWhy"], L["BuiltRemove"], DangerLevel.Irreversible) { TypedName = kernel.Release };
        if (_mayChange && await ChangeDialog.AskAsync(dialogs, prompt))
        {
            store.Remove(kernel.Run);
            await audit.AppendAsync((await authentication.GetAuthenticationStateAsync()).User.Identity?.Name ?? "unknown", "kernel.forget", "host", kernel.Release, "removed", CancellationToken.None);
            _built = store.All();
        }
    }
}
